"""Every poisoned table is refused by the expectation that is there for it; the real one passes."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from duli.kinds.image.reading import examples as image
from duli.tasks.classification.targets.targets import Targets
from duli.validation import suite
from duli.validation.params import Range, Validate

BOUNDS = Validate(
    min_examples=200,
    max_quarantined_share=0.1,
    class_share=Range(min=0.2, max=0.5),
    statistics={"mean": Range(min=50, max=70), "std": Range(min=30, max=50)},
)
EXPECTED = suite.Expected(targets=Targets(["a", "b", "c"]), bounds=image.Kind(1, 2, 2).expected())
N = 300


@pytest.fixture
def examples() -> pd.DataFrame:
    index = np.arange(N)
    return pd.DataFrame(
        {
            "id": [f"x-{i}" for i in index],
            "split": np.array(["train", "validation", "test"])[index // 100],
            "label": (index % 3).astype(np.int16),
            "sha256": [f"{i:064x}" for i in index],
            "height": np.int16(2),
            "width": np.int16(2),
            "mean": np.float32(60) + (index % 5).astype(np.float32),
            "std": np.float32(40),
            "min": np.uint8(0),
            "max": np.uint8(200),
            "bytes": np.int32(4),
        }
    )


def failed(frame: pd.DataFrame, quarantined: int = 0) -> set[str]:
    return {
        f"{o.table}.{o.column or 'rows'}"
        for o in suite.validate(frame, quarantined, EXPECTED, BOUNDS)
        if not o.success
    }


def test_clean_data_passes(examples: pd.DataFrame) -> None:
    outcomes = suite.validate(examples, 3, EXPECTED, BOUNDS)
    assert len(outcomes) > 30
    assert all(outcome.success for outcome in outcomes)


def leak(frame: pd.DataFrame) -> pd.DataFrame:
    frame.loc[250, "sha256"] = frame.loc[5, "sha256"]  # a test example that is in train
    return frame


def put(
    column: str, value: object, rows: slice = slice(None)
) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def poison(frame: pd.DataFrame) -> pd.DataFrame:
        frame[column] = frame[column].astype(object)
        frame.loc[frame.index[rows], column] = value
        return frame.infer_objects()

    return poison


@pytest.mark.parametrize(
    ("poison", "seen_by"),
    [
        (lambda frame: frame.iloc[:0], "examples.rows"),
        (lambda frame: frame.iloc[:150], "examples.rows"),
        (leak, "examples.sha256"),
        (put("label", np.nan), "examples.label"),
        (put("label", None, slice(7, 8)), "examples.label"),
        (put("label", 3, slice(0, 1)), "examples.label"),
        (put("label", -100, slice(0, 1)), "examples.label"),
        (lambda frame: frame[frame["label"] != 2], "examples.label"),
        (put("split", "tset", slice(0, 1)), "examples.split"),
        (
            lambda frame: frame[frame["split"] != "test"].assign(split=lambda f: f["split"]),
            "examples.split",
        ),
        (put("label", 0, slice(0, 80)), "classes.share"),
        (put("bytes", 3, slice(9, 10)), "examples.bytes"),
        (put("height", 3, slice(9, 10)), "examples.height"),
        (put("max", 0, slice(9, 10)), "examples.max"),
        (put("mean", np.nan, slice(9, 10)), "examples.mean"),
        (put("mean", np.inf, slice(9, 10)), "examples.mean"),
        (lambda frame: frame.assign(mean=np.float32(20)), "splits.mean"),
        (lambda frame: frame.assign(std=np.float32(90)), "splits.std"),
        (put("id", "x-0", slice(1, 2)), "examples.id"),
        (put("sha256", "abc", slice(1, 2)), "examples.sha256"),
        (lambda frame: frame.drop(columns="mean"), "examples.rows"),
        (lambda frame: frame.assign(extra=1), "examples.rows"),
    ],
)
def test_each_poison_is_refused(
    examples: pd.DataFrame, poison: Callable[[pd.DataFrame], pd.DataFrame], seen_by: str
) -> None:
    assert seen_by in failed(poison(examples))


def test_a_column_that_the_data_set_adds_has_to_be_there(examples: pd.DataFrame) -> None:
    expected = suite.Expected(
        targets=Targets(["a", "b", "c"]), bounds=EXPECTED.bounds, columns=("age",)
    )
    for frame, there in ((examples.assign(age=None), True), (examples, False)):
        assert (
            all(outcome.success for outcome in suite.validate(frame, 0, expected, BOUNDS)) is there
        )


def test_too_much_quarantine_is_refused(examples: pd.DataFrame) -> None:
    assert failed(examples, quarantined=33) == set()
    assert failed(examples, quarantined=34) == {"splits.quarantined_share"}


def test_outcomes_are_the_same_each_time(examples: pd.DataFrame) -> None:
    assert suite.validate(leak(examples), 0, EXPECTED, BOUNDS) == suite.validate(
        leak(examples), 0, EXPECTED, BOUNDS
    )
