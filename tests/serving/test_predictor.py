"""Predictions are right whatever the batch, and what is not an image of the model is refused with a
remedy.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from duli.serving import predictor as predictor_module
from duli.serving.errors import InputError, IntegrityError, ReleaseError
from duli.serving.integrity import verify
from duli.serving.kinds.image.kind import BATCH
from duli.serving.predictor import Predictor
from tests.packaging import tiny


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return Predictor(tiny.package(tmp_path_factory.mktemp("installed") / "bright_row"))


@pytest.mark.parametrize("n", [1, 3, BATCH, BATCH + 1, 3 * BATCH - 1])
def test_labels_and_probabilities(predictor: Predictor, n: int) -> None:
    images = tiny.images(n)
    labels, probabilities = predictor.predict(images)
    assert labels == [tiny.CLASSES[index % 3] for index in range(n)]
    logits = images.mean(axis=(1, 3)) * 0.1
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert probabilities.shape == (n, 3)
    assert np.allclose(probabilities, expected, atol=1e-6)


def test_the_temperature_divides_the_logits(predictor: Predictor, tmp_path: Path) -> None:
    images = tiny.images(5)
    plain = predictor.predict(images)
    cooler = Predictor(tiny.package(tmp_path / "bright_row", temperature=0.5)).predict(images)
    assert cooler.labels == plain.labels
    expected = plain.probabilities**2 / (plain.probabilities**2).sum(axis=1, keepdims=True)
    assert np.allclose(cooler.probabilities, expected, atol=1e-6)


def test_shape_and_memory_order_do_not_matter(predictor: Predictor) -> None:
    images = tiny.images(5)
    expected = predictor.predict(images).probabilities
    for same in (images[:, 0], np.asfortranarray(images), images[::-1][::-1]):
        assert (predictor.predict(same).probabilities == expected).all()


def test_large_logits_do_not_overflow(tmp_path: Path) -> None:
    probabilities = (
        Predictor(tiny.package(tmp_path / "bright_row", tiny.model(scale=1e6)))
        .predict(tiny.images(3))
        .probabilities
    )
    assert np.isfinite(probabilities).all()


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (tiny.images(2).astype(np.float32), r"float32, the model takes uint8.*255"),
        (np.full((1, 3, 4), math.nan), r"float64, the model takes uint8"),
        (tiny.images(2).astype(np.int64), r"int64.*astype\('uint8'\)"),
        (tiny.images(2) > 50, r"bool.*\* 255"),
        (np.array([["a"]]), "<U1"),
        (np.array([None]), "object"),
        (tiny.images(2).tolist(), "list; give a numpy array"),
        (None, "NoneType"),
        (tiny.images(1)[0, 0], r"one image without a batch: give images\[None\]"),
        (tiny.images(2).transpose(0, 2, 3, 1), r"transpose\(0, 3, 1, 2\)"),
        (
            tiny.images(2).transpose(0, 1, 3, 2),
            r"\[2, 1, 4, 3\], the model takes \[n, 1, 3, 4\] or \[n, 3, 4\]; resize",
        ),
        (np.zeros((2, 3, 3, 4), np.uint8), "the model takes"),
        (np.zeros((2, 1, 1, 3, 4), np.uint8), "the model takes"),
        (np.uint8(3), "uint8; give a numpy array"),
        (np.array(3, np.uint8), "the model takes"),
        (np.zeros((0, 3, 4), np.uint8), "no image in it"),
    ],
)
def test_anything_else_is_refused_with_a_remedy(
    predictor: Predictor, images: Any, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        predictor.predict(images)


def test_colour_models_take_no_images_without_channels(tmp_path: Path) -> None:
    predictor = Predictor(tiny.package(tmp_path / "bright_row", channels=3))
    assert predictor.predict(np.repeat(tiny.images(3), 3, axis=1)).labels == tiny.CLASSES
    with pytest.raises(InputError, match=r"\[n, 3, 3, 4\]; resize"):
        predictor.predict(np.zeros((5, 3, 4), np.uint8))
    with pytest.raises(InputError, match=r"one image without a batch: give images\[None\]"):
        predictor.predict(np.zeros((3, 3, 4), np.uint8))


def test_an_answer_that_is_no_number_is_no_answer(tmp_path: Path) -> None:
    predictor = Predictor(tiny.package(tmp_path / "bright_row", tiny.model(scale=math.nan)))
    with pytest.raises(ReleaseError, match="not finite"):
        predictor.predict(tiny.images(1))


def test_the_bytes_that_were_checked_are_the_ones_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tiny.package(tmp_path / "bright_row")

    def verified_then_changed(folder: Path) -> dict[str, bytes]:
        contents = verify(folder)
        (folder / "model.onnx").write_bytes(tiny.model(scale=-0.1))
        return contents

    monkeypatch.setattr(predictor_module, "verify", verified_then_changed)
    assert Predictor(package).predict(tiny.images(3)).labels == tiny.CLASSES


def test_a_changed_model_is_not_loaded(tmp_path: Path) -> None:
    package = tiny.package(tmp_path / "bright_row")
    (package / "model.onnx").write_bytes(tiny.model(scale=-0.1))
    with pytest.raises(IntegrityError, match=r"model\.onnx is changed"):
        Predictor(package)
