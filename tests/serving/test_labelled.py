"""Labelled images are read in three forms, and whatever does not fit together is refused in one
line.
"""

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from duli.intake.found import Wanted
from duli.intake.source import Source
from duli.kinds.image.intake import own
from duli.preparation.cleaning import summary
from duli.serving.errors import InputError
from duli.serving.kinds.image.labelled import load
from duli.tasks.classification.intake import labels
from tests.packaging import tiny

N = 7
IMAGES, LABELS = tiny.images(N)[:, 0], np.arange(N) % 3


def idx(array: Any) -> bytes:
    return (
        bytes([0, 0, 8, array.ndim])
        + struct.pack(f">{array.ndim}I", *array.shape)
        + array.astype(np.uint8).tobytes()
    )


def folders() -> list[str]:
    for index, image in enumerate(IMAGES):
        folder = Path("data", tiny.CLASSES[LABELS[index]])
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / f"{index}.npy", image[None])
    return ["data"]


def pair() -> list[str]:
    Path("images").write_bytes(idx(IMAGES))
    Path("labels").write_bytes(idx(LABELS))
    return ["images", "labels"]


def npz(**changes: Any) -> list[str]:
    np.savez("data.npz", **{"images": IMAGES, "labels": LABELS, **changes})
    return ["data.npz"]


def keras() -> list[str]:
    np.savez_compressed(
        "mnist.npz",
        x_train=IMAGES[:1],
        y_train=LABELS[:1],
        x_test=IMAGES,
        y_test=LABELS.astype(">i4"),
    )
    return ["mnist.npz"]


@pytest.mark.parametrize("form", [pair, npz, keras, folders])
def test_every_form(line: Path, form: Callable[[], list[str]]) -> None:
    found = load(form(), tiny.SHAPE, tiny.task())
    order = np.lexsort(
        (np.arange(N), [sorted(tiny.CLASSES).index(tiny.CLASSES[label]) for label in LABELS])
    )
    expected = (IMAGES[order], LABELS[order]) if form is folders else (IMAGES, LABELS)
    assert (found.inputs.reshape(expected[0].shape) == expected[0]).all()
    assert (found.labels == expected[1]).all()


def test_the_digest_is_that_of_the_card(line: Path) -> None:
    table = pa.table({"content": [image.tobytes() for image in IMAGES], "label": LABELS})
    assert load(pair(), tiny.SHAPE, tiny.task()).digest() == summary.digest(table)


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        (lambda: npz(labels=LABELS[:-1]), "there are 7 images and 6 labels"),
        (lambda: npz(labels=LABELS + 1), "a label is 1 or 3; the model knows 0 to 2"),
        (lambda: npz(labels=LABELS - 1), "a label is -1 or 1"),
        (lambda: npz(labels=LABELS / 2), "is not one row of whole numbers"),
        (lambda: npz(labels=LABELS.astype(object)), "is not one row of whole numbers"),
        (lambda: npz(images=IMAGES / 255), "the pixels are float64"),
        (lambda: npz(images=IMAGES[:0], labels=LABELS[:0]), "there is no image in it"),
        (lambda: [*pair(), "third"], "3 files are no labelled data"),
        (lambda: pair()[::-1], "^labels: is an IDX file of 1 dimension.*labels"),
        (lambda: [pair()[0], pair()[0]], "is no IDX file of labels"),
        (lambda: ["missing.npz"], r"^missing\.npz: does not exist"),
        (lambda: ["missing", "labels"], "^missing: does not exist"),
        (lambda: [pair()[0], "missing"], "^missing: does not exist"),
        (lambda: [str(Path("empty").mkdir() or "empty")], "has no subfolders"),
    ],
)
def test_what_does_not_fit_is_refused(
    line: Path, sources: Callable[[], list[str]], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        load(sources(), tiny.SHAPE, tiny.task())


def test_folders_that_are_no_classes(line: Path) -> None:
    folders()
    Path("data/left").mkdir()
    with pytest.raises(
        InputError,
        match="has the subfolder 'left', which is no label; the labels are top, middle, bottom",
    ):
        load(["data"], tiny.SHAPE, tiny.task())
    Path("split").mkdir()
    Path("data").rename("split/test")
    with pytest.raises(InputError, match=r"'test'.*split/test"):
        load(["split"], tiny.SHAPE, tiny.task())


def test_what_training_leaves_out_is_left_out_and_counted_and_a_damaged_file_is_skipped(
    line: Path,
) -> None:
    """The folder of somebody's Mac, with a class whose name is spelled in two ways."""
    nfd = "cafe\u0301"
    for name in ("up", nfd):
        Path("data", name, "more").mkdir(parents=True)
        for index, image in enumerate(IMAGES):
            Image.fromarray(image).convert("P" if index == 0 else "L").save(
                f"data/{name}/more/{index}.png"
            )
    for path in (
        "__MACOSX/up/._0.png",
        ".git/x",
        "Thumbs.db",
        "up/Thumbs.db",
        f"{nfd}/desktop.ini",
        "up/.DS_Store",
        "up/notes.txt",
    ):
        Path("data", path).parent.mkdir(parents=True, exist_ok=True)
        Path("data", path).write_text("x")
    Image.new("L", (4, 3), 9).save("data/up/blank.png")
    Path("data/up/cut.png").write_bytes(Path("data/up/more/1.png").read_bytes()[:-20])
    Path("data/up/empty.jpg").touch()
    Path("data/up/text.PNG").write_text("no picture")
    found = load(["data"], tiny.SHAPE, tiny.task(["caf\u00e9", "up"]))
    assert found.labels.tolist() == [0] * N + [1] * N
    assert (found.inputs == np.concatenate([IMAGES, IMAGES])[:, None]).all()
    assert [said.partition(":")[0] for said in found.skipped] == [
        "data/up/cut.png",
        "data/up/empty.jpg",
        "data/up/text.PNG",
    ]
    assert found.left_out == 8
    for said in found.skipped:
        Path(said.partition(":")[0]).unlink()
    trained = own.read(Source(Path("data"), Wanted(), labels))
    assert sorted(trained.contents) == sorted(image.tobytes() for image in found.inputs)
    assert trained.labels.own["classes"] == ["caf\u00e9", "up"]


@pytest.mark.parametrize("names", [(), ("images.npy",), ("images.npy", "labels.npy")])
def test_zips_that_hold_something_else(line: Path, names: tuple[str, ...]) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, b"no array")
    Path("data.npz").write_bytes(buffer.getvalue())
    with pytest.raises(
        InputError,
        match=r"has no arrays images and labels or x_test and y_test|does not hold arrays",
    ):
        load(["data.npz"], tiny.SHAPE, tiny.task())
    Path("data.npz").write_bytes(buffer.getvalue()[:-30])
    with pytest.raises(InputError, match=r"is no \.npz file"):
        load(["data.npz"], tiny.SHAPE, tiny.task())


def test_npz_files_that_are_damaged(line: Path) -> None:
    np.savez_compressed("data.npz", images=IMAGES, labels=LABELS)
    content = Path("data.npz").read_bytes()
    start = content.index(b"images.npy") + 40  # in the compressed array
    with zipfile.ZipFile("data.npz") as archive:
        names = archive.namelist()
    unnamed = io.BytesIO()
    with zipfile.ZipFile(unnamed, "w") as archive:
        for name in names:
            archive.writestr(name.removesuffix(".npy"), b"")
    for damaged in (
        content[:start] + b"\xff" * 9 + content[start + 9 :],
        content[5:],
        content.replace(b"images", b"\xff\xfeages"),
        unnamed.getvalue(),
    ):
        Path("data.npz").write_bytes(damaged)
        with pytest.raises(
            InputError, match=r"^data\.npz: (is no \.npz file, or a damaged one|has no arrays)"
        ):
            load(["data.npz"], tiny.SHAPE, tiny.task())


def test_labels_of_a_type_that_does_not_exist(line: Path) -> None:
    np.savez("data.npz", images=IMAGES, labels=LABELS.astype("<i8"))
    with zipfile.ZipFile("data.npz") as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile("data.npz", "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content.replace(b"<i8", b"xi8"))
    with pytest.raises(
        InputError, match=r"^data\.npz: the array of labels is not one row of whole numbers"
    ):
        load(["data.npz"], tiny.SHAPE, tiny.task())
