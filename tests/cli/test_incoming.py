"""Windows are cleaned as training data are and judged once; what is refused is counted."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from duli.base import files
from duli.base.errors import DataError
from duli.cli import incoming
from duli.compression.export import to_onnx
from duli.kinds.image.learning.inputs import Pixels, example
from duli.kinds.image.reading.examples import Kind
from duli.models import mlp
from duli.preparation.cleaning import clean
from duli.retraining.drift import Verdict
from duli.retraining.drift_params import Drift
from duli.tasks.classification.targets.targets import Targets
from tests.retraining.samples import settings

pytestmark = pytest.mark.slow

SHAPE = (1, 12, 12)
KIND = Kind(*SHAPE)
KNOBS = settings(false_alarms=0.1, resamples=100, windows=2, needed=1)


def judged(knobs: Drift) -> list[Verdict]:
    """Of the newest windows that lie there."""
    return incoming.judged(
        knobs,
        sorted([*incoming.INCOMING.glob("*.parquet"), *incoming.INCOMING.glob("*.json")])[
            -knobs.windows :
        ],
    )


def images(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Bars that stand in the left, the middle or the right third, of any height and grey: their
    class is the third.
    """
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 3, n)
    pixels = generator.integers(0, 20, (n, *SHAPE)).astype(np.uint8)
    for image, label in zip(pixels, labels, strict=True):
        top = generator.integers(0, 5)
        image[0, top : top + 6, 4 * label + 1 : 4 * label + 3] = generator.integers(120, 256)
    return pixels, labels


def put(name: str, pixels: Any, labels: Any = None, **columns: Any) -> Path:
    """A window of these images."""
    content = [
        image if image is None else bytes(image) if isinstance(image, bytes) else image.tobytes()
        for image in pixels
    ]
    table = {"content": pa.array(content, pa.binary()), **columns}
    if labels is not None:
        table["label"] = labels
    path = incoming.INCOMING / f"{name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(table), path)
    return path


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder as the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


DESCRIBED: dict[str, Any] = {
    "kind": "image",
    "input": KIND.input,
    "normalisation": {"mean": 0.2, "std": 0.3},
}


@pytest.fixture(scope="module")
def exported() -> bytes:
    """A network that was never fitted to anything."""
    import torch

    torch.manual_seed(0)
    network = mlp.build(
        mlp.Settings.model_validate_json('{"widths": [16]}'),
        channels=1,
        height=12,
        width=12,
        outputs=3,
    )
    return to_onnx(
        network, Pixels(**DESCRIBED["normalisation"]), example(DESCRIBED["input"], 2), "images"
    )


@pytest.fixture
def trained(empty: Path, exported: bytes) -> Path:
    """A line with a validation split and a network."""
    (empty / "params.yaml").write_text("kind: image\ntask: classification\n")
    files.write_json(empty / "data/raw/dataset.json", {"own": None})
    files.write_json(empty / "data/prepared/preprocessing.json", {**DESCRIBED, "rules": {}})
    files.write_bytes(empty / incoming.EXPORTED, exported)
    reference_split(empty, *images(400, 0), "0" * 64)
    return empty


def reference_split(folder: Path, pixels: np.ndarray, labels: np.ndarray, digest: str) -> None:
    """Writes the validation split of a line, and says `digest` of it."""
    rules = clean.Rules(Targets(["a", "b", "c"]), KIND, 0.0)
    rows = pa.RecordBatch.from_pydict(
        {
            "id": [f"one {row}" for row in range(len(pixels))],
            "split": ["test"] * len(pixels),
            "label": pa.array(labels, pa.int16()),
            "content": pa.array([image.tobytes() for image in pixels], pa.binary()),
        }
    )
    ((_, finished),) = clean.sort_out([rows], clean.judge([rows], rules), rules)
    pq.write_table(
        pa.Table.from_batches([finished]),
        folder / "data/prepared/validation.parquet",
        write_page_checksum=True,
    )
    stats: dict[str, Any] = {
        "dataset": "mnist",
        "title": "Bars",
        "classes": ["left", "middle", "right"],
        "kind": "image",
        "input": KIND.input,
    }
    stats["splits"] = {"validation": {"digest": digest, "examples": len(pixels)}}
    files.write_json(folder / "data/prepared/stats.json", stats)


def test_clean_windows_are_calm_and_moved_ones_fire(trained: Path) -> None:
    put("1", *images(300, 1))
    moved, labels = images(300, 2)
    put("2", np.roll(moved, 1, axis=3), labels)
    first, second = judged(KNOBS)
    assert (first.fired, second.fired) == (False, True)
    assert {row["feature"] for row in second.evidence if row["fired"]} >= {"centre_x"}
    assert {row["feature"] for row in first.evidence} == {
        "brightness",
        "contrast",
        "min",
        "max",
        "thickness",
        "centre_x",
        "centre_y",
        "slant",
        "roughness",
        "confidence",
        "label",
        "prediction",
        "embeddings",
    }
    facts = files.read_json(incoming.FACTS)
    assert facts["fired"]
    assert [window["window"] for window in facts["windows"]] == ["1", "2"]
    page = incoming.PAGE.read_text()
    assert "1 of the last 2 windows fired" in page
    assert "http" not in page
    assert "<script" not in page


def test_only_the_last_windows_count_and_none_is_judged_twice(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("1", "2", "3"):
        put(name, *images(200, int(name)))
    assert len(judged(KNOBS)) == 2
    kept = [path.read_bytes() for path in (incoming.FACTS, incoming.PAGE, incoming.REFERENCE)]
    times = [path.stat().st_mtime_ns for path in (incoming.FACTS, incoming.PAGE)]

    def never(*_: object) -> None:
        raise AssertionError("judged again")

    with monkeypatch.context() as patch:
        patch.setattr(incoming.Line, "network", never)
        assert len(judged(KNOBS)) == 2
    assert times == [path.stat().st_mtime_ns for path in (incoming.FACTS, incoming.PAGE)]
    incoming.FACTS.unlink()
    judged(KNOBS)
    incoming.REFERENCE.unlink()
    incoming.FACTS.unlink()
    judged(KNOBS)
    assert kept == [
        path.read_bytes() for path in (incoming.FACTS, incoming.PAGE, incoming.REFERENCE)
    ]


def test_other_settings_or_weights_make_another_reference(trained: Path) -> None:
    put("1", *images(200, 1))
    judged(KNOBS)
    before = incoming.REFERENCE.read_bytes()
    judged(KNOBS.model_copy(update={"needed": 2}))
    assert incoming.REFERENCE.read_bytes() == before
    assert not files.read_json(incoming.FACTS)["fired"]
    judged(KNOBS.model_copy(update={"false_alarms": 0.2}))
    assert incoming.REFERENCE.read_bytes() != before


def test_what_is_refused_is_counted_by_its_reason_and_not_judged(trained: Path) -> None:
    pixels, labels = images(210, 1)
    rows: list[Any] = [*pixels]
    rows[0], rows[1], rows[2] = b"short", None, pixels[3]
    labels = labels.astype(object)
    labels[2], labels[4], labels[5], labels[6] = labels[3], 3, -5, 2**40
    rows[8], labels[8], labels[9] = pixels[9], 0, 1
    put(
        "odd",
        rows,
        pa.array(labels, pa.int64()),
        id=pa.array([None if row == 0 else f"n{row}" for row in range(210)]),
    )
    (verdict,) = judged(KNOBS)
    assert verdict.examples == 210 - 8
    (window,) = files.read_json(incoming.FACTS)["windows"]
    assert window["refused"] == {
        "conflicting labels": 2,
        "duplicate": 1,
        "unknown label": 3,
        "unreadable": 2,
    }
    assert "3 unknown label" in incoming.PAGE.read_text()


def test_examples_without_labels_are_looked_at(trained: Path) -> None:
    pixels, labels = images(300, 1)
    put("1", pixels)
    some = labels.astype(object)
    some[::2] = None
    put("2", pixels, pa.array(some, pa.int16()))
    none, half = judged(KNOBS)
    assert (none.examples, half.examples) == (300, 300)
    assert "label" not in {row["feature"] for row in none.evidence}
    assert half.moved["classes"]["label"]["n"] == 150


def test_a_window_of_nothing_or_of_refused_examples_alone_is_not_judged(trained: Path) -> None:
    put("1", [])
    put("2", [b"short"] * 300, [0] * 300)
    for verdict in judged(KNOBS):
        assert not verdict.fired
        assert verdict.reason == "0 examples; fewer than 100 are not judged"
    assert "Not judged" in incoming.PAGE.read_text()


def counted(pixels: np.ndarray, **changes: Any) -> str:
    """What a server that answers at random has counted of these images."""
    flat = pixels.reshape(len(pixels), -1)
    values = {
        "mean": flat.mean(axis=1),
        "std": flat.std(axis=1),
        "min": flat.min(axis=1),
        "max": flat.max(axis=1),
    }
    features = {
        name: np.bincount(some.astype(int), minlength=256).tolist() for name, some in values.items()
    }
    predictions = [len(pixels) - 1, 1, 0]
    return json.dumps(
        {
            "format": incoming.FORMAT,
            "classes": ["left", "middle", "right"],
            "features": features,
            "predictions": predictions,
        }
        | changes
    )


def test_statistics_of_a_server_are_a_window(trained: Path) -> None:
    put("1", *images(200, 1))
    pixels, _ = images(300, 2)
    (incoming.INCOMING / "2.json").write_text(counted(pixels))
    _, served = judged(KNOBS)
    assert served.examples == 300
    assert {row["feature"] for row in served.evidence} == {
        "brightness",
        "contrast",
        "min",
        "max",
        "prediction",
    }
    # the server answered at random
    assert {row["feature"] for row in served.evidence if row["fired"]} <= {"prediction"}
    (incoming.INCOMING / "2.json").write_text(counted(pixels // 2))
    assert {"brightness", "contrast"} <= {
        row["feature"] for row in judged(KNOBS)[1].evidence if row["fired"]
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "holds no statistics of a server"),
        ("{", "holds no statistics"),
        (counted(images(200, 1)[0], format="another"), "holds no statistics"),
        (counted(images(200, 1)[0], classes=["left", "right"]), "other classes"),
        (counted(images(200, 1)[0], predictions=[1, 2, 3]), "do not count the same examples"),
        (counted(images(200, 1)[0], predictions=[201, -1, 0]), "do not count the same examples"),
        (counted(images(200, 1)[0], predictions=["many", 0, 0]), "no count"),
    ],
)
def test_other_json_is_no_window(trained: Path, text: str, said: str) -> None:
    incoming.INCOMING.mkdir(parents=True)
    (incoming.INCOMING / "1.json").write_text(text)
    with pytest.raises(DataError, match=said):
        judged(KNOBS)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: pq.write_table(pa.table({"label": [1]}), path), "has no column 'content'"),
        (
            lambda path: pq.write_table(pa.table({"content": [1.5]}), path),
            "column 'content' is double; it has to be binary",
        ),
        (
            lambda path: pq.write_table(pa.table({"content": [b"x"], "label": ["one"]}), path),
            "column 'label' is string",
        ),
        (lambda path: path.write_bytes(b"PAR1 no Parquet"), "cannot be read"),
        (lambda path: path.write_bytes(b""), "cannot be read"),
    ],
)
def test_a_file_that_is_no_window_is_named(
    trained: Path, make: Callable[[Path], object], said: str
) -> None:
    incoming.INCOMING.mkdir(parents=True)
    make(incoming.INCOMING / "bad.parquet")
    with pytest.raises(DataError, match=said) as error:
        judged(KNOBS)
    assert "bad.parquet" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_row_of_a_line_s_json_can_be_traced(trained: Path) -> None:
    put("1", *images(200, 1))
    judged(KNOBS)
    window = json.loads(incoming.FACTS.read_text())["windows"][0]
    strongest = window["evidence"][0]
    assert (
        f'data-key="windows.0.evidence.0.statistic">{strongest["statistic"]:.4g}'
        in incoming.PAGE.read_text()
    )
    assert window["sha256"] == files.sha256(incoming.INCOMING / "1.parquet")
