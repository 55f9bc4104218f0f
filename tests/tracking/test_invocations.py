"""The registered release answers MLflow's scoring server as it answers in its own."""

import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from mlflow.exceptions import MlflowException

from duli.tracking.logged import saved
from tests.packaging import tiny, tinytable, tinytext
from tests.serving.served import Served, serving

IMAGES = tiny.images(4)
FLAT = IMAGES.reshape(4, -1)
TEXTS = ["a fine film", "坏电影"]


def wheel_of(package: Path, wheel: Path) -> Path:
    """A wheel of an installed package."""
    with zipfile.ZipFile(wheel, "w") as archive:
        for path in sorted(package.iterdir()):
            if path.is_file():
                archive.write(path, f"{package.name}/{path.name}")
        required = (
            "Requires-Dist: numpy<3,>=2\nRequires-Dist: onnxruntime<2,>=1\nRequires-Dist: pillow;"
            " extra == 'jpeg'\n"
        )
        archive.writestr(
            f"{package.name}-1.dist-info/METADATA",
            f"Metadata-Version: 2.4\nName: {package.name}\n{required}\nText\n",
        )
    return wheel


def registered(package: Path, folder: Path) -> Any:
    """The model as MLflow loads it, after it was written as `track` writes it."""
    import mlflow.pyfunc

    content = saved.Content(
        package / "model.onnx",
        "# A card\n",
        saved.package(wheel_of(package, folder.with_suffix(".whl"))),
    )
    logged: Any = SimpleNamespace(artifact_location=str(folder), model_id="m-1")
    saved.write(content, folder, logged, "0" * 32)
    return mlflow.pyfunc.load_model(str(folder))


def asked(model: Any, body: bytes, kind: str = "application/json") -> tuple[int, Any]:
    """Status and answer of MLflow's scoring server."""
    from mlflow.pyfunc import scoring_server

    try:
        response = scoring_server.invocations(body, kind, model, model.metadata.get_input_schema())
    except MlflowException as error:
        return error.get_http_status_code(), None
    return response.status, json.loads(response.response) if response.status == 200 else None


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], tuple[Any, Served]]]:
    """MLflow's model and our server of a release of a kind, each made once."""
    made: dict[str, tuple[Any, Any, Served]] = {}
    makers = {"image": tiny.package, "table": tinytable.package, "text": tinytext.package}

    def of(kind: str) -> tuple[Any, Served]:
        if kind not in made:
            folder = tmp_path_factory.mktemp(kind)
            package = makers[kind](folder / f"tiny_{kind}", temperature=2.0)
            server = serving(package=package, max_body=2**20)
            made[kind] = (registered(package, folder / "model"), server, server.__enter__())
        model, _, served = made[kind]
        return model, served

    yield of
    for _, server, _ in made.values():
        server.__exit__(None, None, None)


FEATURES = tinytable.FEATURES
ROWS = [[1.5, 2.0, 0.0], [None, 0.25, 3.0]]
NAMED = [dict(zip(FEATURES, row, strict=True)) for row in ROWS]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("image", {"inputs": IMAGES.tolist()}),
        ("image", {"inputs": {"images": IMAGES.tolist()}}),
        ("image", {"inputs": IMAGES[:1].tolist()}),
        ("image", {"inputs": FLAT.astype(float).tolist()}),
        ("image", {"instances": IMAGES.tolist()}),
        ("image", {"instances": IMAGES.astype(float).tolist()}),
        ("image", {"instances": [{"images": image.tolist()} for image in IMAGES]}),
        ("image", {"dataframe_split": {"columns": list(range(12)), "data": FLAT.tolist()}}),
        ("image", {"dataframe_split": {"data": FLAT.astype(float).tolist()}}),
        (
            "image",
            {
                "dataframe_split": {
                    "columns": ["images"],
                    "data": [[image.tolist()] for image in IMAGES],
                }
            },
        ),
        ("image", {"dataframe_records": [{"images": image.tolist()} for image in IMAGES]}),
        (
            "image",
            {
                "dataframe_records": [
                    {str(n): float(pixel) for n, pixel in enumerate(row)} for row in FLAT
                ]
            },
        ),
        ("image", {"inputs": IMAGES.tolist(), "params": {"abstain": True}}),
        ("table", {"inputs": ROWS}),
        ("table", {"inputs": {name: [row[name] for row in NAMED] for name in FEATURES}}),
        ("table", {"instances": ROWS}),
        ("table", {"instances": NAMED}),
        (
            "table",
            {"dataframe_split": {"columns": FEATURES[::-1], "data": [row[::-1] for row in ROWS]}},
        ),
        ("table", {"dataframe_split": {"data": ROWS}}),
        ("table", {"dataframe_records": NAMED, "params": {"abstain": True}}),
        ("text", {"inputs": TEXTS}),
        ("text", {"inputs": {"texts": TEXTS}}),
        ("text", {"instances": [{"text": text} for text in TEXTS]}),
        ("text", {"dataframe_split": {"columns": ["text"], "data": [[text] for text in TEXTS]}}),
        ("text", {"dataframe_records": [{"text": text} for text in TEXTS]}),
    ],
)
def test_what_both_answer_is_the_same(
    both: Callable[[str], tuple[Any, Served]], kind: str, body: dict[str, Any]
) -> None:
    model, served = both(kind)
    status, answer, _ = served.ask("POST", "/invocations", body)
    assert (status, answer) == asked(model, json.dumps(body).encode())
    assert status == 200


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("image", b'{"inputs": [[[1, 2]]]}'),
        ("image", b'{"inputs": [[[1, 2], [3]]]}'),
        ("image", b'{"inputs": []}'),
        ("image", json.dumps({"inputs": (FLAT + 0.5).tolist()}).encode()),
        ("image", json.dumps({"inputs": (FLAT * 0 + 256.0).tolist()}).encode()),
        ("image", json.dumps({"inputs": (FLAT * 0 - 1.0).tolist()}).encode()),
        ("image", b'{"inputs": [["a", "b"]]}'),
        ("image", b'{"dataframe_records": []}'),
        ("image", b'{"dataframe_split": []}'),
        ("image", b'{"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}}'),
        ("image", b'{"inputs": [[1]], "instances": [[1]]}'),
        ("image", b"{}"),
        ("image", b"[]"),
        ("image", b'{"inputs": '),
        ("image", b""),
        ("table", b'{"inputs": [[1, 2, 3, 4]]}'),
        ("table", b'{"dataframe_records": [{"size": 1}]}'),
        ("text", b'{"inputs": [""]}'),
        ("text", b'{"dataframe_split": {"columns": ["review"], "data": [["a"]]}}'),
    ],
)
def test_what_both_refuse(
    both: Callable[[str], tuple[Any, Served]], kind: str, body: bytes
) -> None:
    model, served = both(kind)
    assert served.ask("POST", "/invocations", body, content_type="application/json")[0] == 400
    assert asked(model, body)[0] == 400


def test_rows_as_csv(both: Callable[[str], tuple[Any, Served]]) -> None:
    model, served = both("table")
    body = (",".join(f'"{name}"' for name in FEATURES) + "\n1.5,2,0\n,0.25,3\n").encode()
    status, answer, _ = served.ask("POST", "/invocations", body, content_type="text/csv")
    assert (status, answer) == asked(model, body, "text/csv")
    assert status == 200


def test_python_gives_it_arrays_of_any_length_and_data_frames(
    both: Callable[[str], tuple[Any, Served]],
) -> None:
    import pandas as pd

    images, _ = both("image")
    many = np.concatenate([IMAGES] * 100)
    labels = [answer["label"] for answer in images.predict(many)]
    assert labels == ["top", "middle", "bottom", "top"] * 100
    assert [
        answer["label"] for answer in images.predict({"images": many.astype(np.int64)})
    ] == labels
    rows, _ = both("table")
    frame = pd.DataFrame([ROWS[0]] * 300, columns=FEATURES)
    assert rows.predict(frame) == rows.predict(frame.iloc[:1]) * 300


def test_the_registered_release_brings_its_code_and_no_pickle(
    both: Callable[[str], tuple[Any, Served]],
) -> None:
    model, _ = both("image")
    flavour = model.metadata.flavors["python_function"]
    assert (flavour["loader_module"], set(model.metadata.flavors)) == (
        "tiny_image.pyfunc",
        {"onnx", "python_function"},
    )
    assert model.metadata.signature.inputs is None  # MLflow would cast to what it says, 0.5 to 0
    assert set(model.metadata.signature.outputs.input_names()) == {
        "label",
        "probability",
        "abstains",
        "probabilities",
    }
