"""Windows fire where something moved, and as rarely as stated where nothing did."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from duli.base.errors import DataError
from duli.retraining import drift
from duli.retraining.drift import Sample, Verdict
from tests.retraining.samples import NAMES, sample, settings


@pytest.fixture(scope="module")
def known() -> drift.Reference:
    return drift.reference(sample(2000, 0), NAMES, settings())


def fired(known: drift.Reference, window: Sample) -> set[tuple[str, str]]:
    verdict = drift.judge(known, window)
    assert verdict.fired == any(row["fired"] for row in verdict.evidence)
    for row in verdict.evidence:
        assert row["fired"] == (row["statistic"] > row["threshold"])
    return {(row["test"], row["feature"]) for row in verdict.evidence if row["fired"]}


def test_clean_windows_fire_no_more_often_than_stated(known: drift.Reference) -> None:
    alarms = [drift.judge(known, sample(500, seed)).fired for seed in range(1, 201)]
    assert sum(alarms) <= 0.05 * len(alarms)


def test_the_probability_over_all_tests_is_about_uniform(known: drift.Reference) -> None:
    smallest = [
        drift.judge(known, sample(600, seed)).evidence[0]["p_value"] for seed in range(1, 201)
    ]
    assert stats.kstest(smallest, "uniform").pvalue > 0.001


def test_a_feature_that_moved_is_found_and_named(known: drift.Reference) -> None:
    assert {("ks", "length"), ("psi", "length")} <= fired(known, sample(500, 1, moved=0.4))
    assert not {("ks", "area"), ("ks", "always"), ("classifier", "embeddings")} & fired(
        known, sample(500, 1, moved=0.4)
    )


def test_embeddings_that_moved_are_found_by_the_classifier(known: drift.Reference) -> None:
    assert fired(known, sample(500, 1, turned=0.5)) == {("classifier", "embeddings")}


def test_what_lies_outside_the_reference_s_directions_is_found() -> None:
    flat = sample(600, 0)
    assert flat.embeddings is not None
    wide = np.column_stack([flat.embeddings, np.zeros((600, 1), np.float32)])
    window = sample(300, 1)
    assert window.embeddings is not None
    lifted = np.column_stack([window.embeddings, np.full((300, 1), 2, np.float32)])
    known = drift.reference(replace(flat, embeddings=wide), NAMES, settings())
    assert ("classifier", "embeddings") in fired(known, replace(window, embeddings=lifted))


def test_other_shares_of_the_classes_are_found(known: drift.Reference) -> None:
    assert fired(known, sample(500, 1, shares=(0.3, 0.3, 0.4))) == {
        ("chi-square", "label"),
        ("chi-square", "prediction"),
    }


def test_gaps_are_found(known: drift.Reference) -> None:
    window = sample(500, 1)
    features = {
        **window.features,
        "length": np.where(np.arange(500) < 25, np.nan, window.features["length"]),
    }
    assert fired(known, replace(window, features=features)) == {("psi", "length")}


def test_a_constant_that_is_one_no_more_is_found(known: drift.Reference) -> None:
    window = sample(500, 1)
    always = np.where(np.arange(500) < 10, 7.5, 7.0)
    assert fired(known, replace(window, features={**window.features, "always": always})) == {
        ("psi", "always")
    }


@pytest.mark.parametrize("column", [np.full(500, np.nan), np.full(500, np.inf), np.full(500, -7.0)])
def test_a_column_that_is_broken_fires(known: drift.Reference, column: np.ndarray) -> None:
    window = sample(500, 1)
    assert ("psi", "length") in fired(
        known, replace(window, features={**window.features, "length": column})
    )


def test_labels_of_a_few_are_no_evidence(known: drift.Reference) -> None:
    window = sample(500, 1)
    label = np.full(500, -1)
    label[:20] = 2
    assert fired(known, replace(window, classes={**window.classes, "label": label})) == set()


def test_a_window_without_labels_or_embeddings_is_judged_by_the_rest(
    known: drift.Reference,
) -> None:
    bare = Sample(sample(500, 1, moved=0.4).features, {}, None)
    assert ("ks", "length") in fired(known, bare)
    assert {row["test"] for row in drift.judge(known, bare).evidence} == {"ks", "psi"}


def test_a_reference_without_embeddings_or_with_equal_ones() -> None:
    plain = sample(300, 0)
    for embeddings in (None, np.ones((300, 4), np.float32)):
        known = drift.reference(replace(plain, embeddings=embeddings), NAMES, settings())
        assert "classifier" not in {
            row["test"] for row in drift.judge(known, sample(200, 1)).evidence
        }


@pytest.mark.parametrize("n", [0, 1, 99])
def test_a_window_that_is_too_small_is_not_judged_and_says_so(
    known: drift.Reference, n: int
) -> None:
    verdict = drift.judge(known, sample(n, 1, moved=9))
    assert (verdict.fired, verdict.examples, verdict.evidence) == (False, n, [])
    assert verdict.reason == f"{n} examples; fewer than 100 are not judged"


def test_a_missing_column_an_unknown_class_and_strange_embeddings_are_refused(
    known: drift.Reference,
) -> None:
    window = sample(200, 1)
    with pytest.raises(DataError, match="length, always"):
        drift.judge(
            known,
            replace(
                window,
                features={"area": window.features["area"], "grade": window.features["grade"]},
            ),
        )
    with pytest.raises(DataError, match=r"label.*\b3\b.*\b3\b"):
        drift.judge(known, replace(window, classes={"label": np.full(200, 3)}))
    with pytest.raises(DataError, match=r"embeddings.*\b2\b.*\b6\b"):
        drift.judge(known, replace(window, embeddings=np.zeros((200, 2), np.float32)))
    with pytest.raises(DataError, match="not finite"):
        drift.judge(known, replace(window, embeddings=np.full((200, 6), np.nan, np.float32)))


def test_a_reference_that_is_too_small_or_uneven_is_refused() -> None:
    with pytest.raises(DataError, match=r"\b100\b.*\b99\b.*prepare\.validation_share"):
        drift.reference(sample(99, 0), NAMES, settings())
    uneven = sample(200, 0)
    with pytest.raises(DataError, match="different lengths"):
        drift.reference(replace(uneven, embeddings=uneven.embeddings[:-1]), NAMES, settings())  # type: ignore[index]
    with pytest.raises(DataError, match="numeric"):
        drift.reference(replace(uneven, features={}), NAMES, settings())


def test_a_reference_is_the_same_bytes_again_and_judges_the_same(known: drift.Reference) -> None:
    content = drift.to_bytes(known)
    again = drift.from_bytes(content)
    assert drift.to_bytes(again) == content
    assert drift.judge(again, sample(500, 1, moved=0.2)) == drift.judge(
        known, sample(500, 1, moved=0.2)
    )
    made = [
        drift.to_bytes(drift.reference(sample(200, 0), NAMES, settings(resamples=200)))
        for _ in range(2)
    ]
    assert made[0] == made[1]


@pytest.mark.parametrize("content", [b"", b"no reference", b"\x02\0\0\0\0\0\0\0{}"])
def test_other_bytes_are_no_reference(content: bytes) -> None:
    with pytest.raises(DataError, match=r"reference.*\(\w+Error: "):
        drift.from_bytes(content)


def test_shares_for_people_add_up(known: drift.Reference) -> None:
    moved = drift.judge(known, sample(500, 1)).moved
    assert set(moved["features"]) == {"length", "area", "always", "grade"}
    for name, shown in moved["features"].items():
        assert np.all(np.diff(shown["ends"]) > 0), name
        for which, missing in zip(("reference", "window"), shown["missing"], strict=True):
            assert sum(shown[which]) + missing == pytest.approx(1), name
    assert sum(moved["classes"]["label"]["window"]) == pytest.approx(1)


def test_a_verdict_survives_json(known: drift.Reference) -> None:
    import json

    verdict = drift.judge(known, sample(500, 1, moved=0.4))
    assert Verdict.of(json.loads(json.dumps(verdict.facts()))) == verdict


@pytest.mark.parametrize(
    ("pattern", "needed", "decided"),
    [("110", 2, True), ("100", 2, False), ("", 1, False), ("001", 1, True)],
)
def test_as_many_windows_as_asked_for_decide(pattern: str, needed: int, *, decided: bool) -> None:
    assert drift.decide([Verdict(one == "1", [], 0) for one in pattern], needed) == decided


@pytest.mark.parametrize(
    ("sizes", "n", "neighbours"),
    [
        ([200, 700, 2447], 100, [0]),
        ([200, 700, 2447], 200, [0]),
        ([200, 700, 2447], 300, [0, 1]),
        ([200, 700, 2447], 700, [1]),
        ([200, 700, 2447], 9000, [2]),
        ([50], 50, [0]),
        ([50], 80, [0]),
    ],
)
def test_calibrated_sizes_on_both_sides_stand_for_a_window(
    sizes: list[int], n: int, neighbours: list[int]
) -> None:
    assert drift._neighbours(np.array(sizes), n) == neighbours


def test_counts_of_very_many_examples_are_drawn_from() -> None:
    many = drift.counted({"mean": [0, 3_000_000, 1_000_000]}, [4_000_000, 0])
    assert many.examples == drift.COUNTED
    assert (many.features["mean"] == 1).mean() == pytest.approx(0.75, abs=0.01)
    assert drift.counted({"mean": [0, 2, 1]}, [3]).features["mean"].tolist() == [1, 1, 2]


def test_clean_counts_are_calm_against_the_rounded_reference(known: drift.Reference) -> None:
    for seed in range(1, 21):
        window = sample(500, seed)
        grades = np.nan_to_num(window.features["grade"], nan=0.0)
        whole = replace(
            known,
            features={"grade": np.sort(np.nan_to_num(known.features["grade"], nan=0.0)) + 0.4},
        )
        found = drift.counted(
            {"grade": np.bincount(grades.astype(int))}, np.bincount(window.classes["prediction"])
        )  # type: ignore[arg-type]
        assert not drift.judge(drift.rounded(whole, ["grade"]), found).fired
