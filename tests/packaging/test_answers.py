"""A released wheel is asked in a process of its own, whatever kind of data it is for."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from duli.base import rooms
from duli.base.errors import GateError
from duli.packaging.answers import Examples, answers
from duli.tasks.classification.releasing.release import answered
from tests.packaging import tiny, tinytable, tinytext

pytestmark = pytest.mark.slow


def zipped(package: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for file in package.rglob("*"):
            archive.write(file, f"{package.name}/{file.relative_to(package)}")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("kind", "made", "contents", "stats"),
    [
        (
            "image",
            tiny,
            [image.tobytes() for image in tiny.images(7)],
            {"input": {"channels": 1, "height": 3, "width": 4}},
        ),
        (
            "text",
            tinytext,
            [text.encode() for text in tinytext.texts(7)],
            {"input": tinytext.size()},
        ),
        (
            "table",
            tinytable,
            [row.tobytes() for row in tinytable.rows(7)],
            {"features": tinytable.FEATURES},
        ),
    ],
)
def test_a_wheel_of_every_kind_answers(
    tmp_path: Path, kind: str, made: Any, contents: list[bytes], stats: dict[str, Any]
) -> None:
    one = rooms.kind(kind, "releasing.release").Kind(stats)
    examples = Examples(one.written(contents), one.suffix)
    found = answers(zipped(made.package(tmp_path / "bright_row")), "bright_row", examples, answered)
    assert found.names == made.CLASSES
    assert found.answers.tolist() == [index % len(made.CLASSES) for index in range(7)]
    assert np.allclose(found.outputs.sum(axis=1), 1)


def test_one_that_does_not_answer(tmp_path: Path) -> None:
    wheel = zipped(tinytext.package(tmp_path / "bright_row", tinytext.model(scale=float("nan"))))
    with pytest.raises(GateError, match=r"the released wheel does not answer: .*not finite"):
        answers(
            wheel,
            "bright_row",
            Examples(tinytext.lines(tinytext.texts(2)), ".jsonl"),
            answered,
        )
