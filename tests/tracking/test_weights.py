"""The weights of a registered version, from a real MLflow with a real release in it."""

from pathlib import Path

import pytest

from duli.base.errors import DataError, DuliError
from duli.tracking.client.store import Store
from duli.tracking.client.weights import of_version
from duli.tracking.logged import release
from stages import track
from tests.tracking import line

WEIGHTS = b"the bytes of a safetensors file"


def logged(
    store: Store, folder: Path, weights: bytes | None = WEIGHTS, bias: float = 1.0
) -> release.Logged:
    line.build(folder, bias=bias)
    if weights is not None:
        (folder / "models/model.safetensors").write_bytes(weights)
        (folder / "models/model.json").write_text('{"classes": ["a", "b"]}')
    made = track.gather(folder, {})
    if weights is None:
        made.artifacts.pop("weights")
    return release.log(store, made)


def test_a_version_gives_its_weights_by_number_and_by_alias(store: Store, tmp_path: Path) -> None:
    first = logged(store, tmp_path / "first")
    second = logged(store, tmp_path / "second", b"later ones", bias=2.0)
    assert (first.version, second.version) == (1, 2)
    name = first.registered_model
    assert of_version(store, f"models:/{name}/1") == (WEIGHTS, {"classes": ["a", "b"]})
    assert of_version(store, f"models:/{name}/2") == (b"later ones", {"classes": ["a", "b"]})
    assert of_version(store, f"models:/{name}@{release.ALIAS}") == (
        b"later ones",
        {"classes": ["a", "b"]},
    )
    store.client().set_registered_model_alias(name, "champion", "1")
    assert of_version(store, f"models:/{name}@champion") == (WEIGHTS, {"classes": ["a", "b"]})

    for reference in (f"models:/{name}/3", f"models:/{name}@nobody", "models:/other/1"):
        with pytest.raises(DataError, match=f"has no {reference}.*`make ui`"):
            of_version(store, reference)


def test_a_run_without_weights_is_said(store: Store, tmp_path: Path) -> None:
    name = logged(store, tmp_path / "line", None).registered_model
    with pytest.raises(
        DataError,
        match=(
            rf"the run of models:/{name}/1 holds no weights/model\.safetensors and model\.json, .*"
            r" name another version"
        ),
    ):
        of_version(store, f"models:/{name}/1")


@pytest.mark.parametrize(
    "reference",
    [
        "models:/",
        "models:/digits",
        "models:/digits/",
        "models:/digits/one",
        "models:/digits/1/2",
        "models:/digits@",
        "models:/a@b/1",
    ],
)
def test_another_form_is_refused_before_anything_is_asked(nowhere: Store, reference: str) -> None:
    with pytest.raises(DataError, match=r"NAME/VERSION.*NAME.*ALIAS"):
        of_version(nowhere, reference)


def test_a_server_that_does_not_answer_is_named(nowhere: Store) -> None:
    with pytest.raises(DuliError, match=r"MLflow.*127\.0\.0\.1.*9"):
        of_version(nowhere, "models:/digits/1")
