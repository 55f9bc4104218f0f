"""A release for rows of a table: every way of asking, what is missing, and what is refused in one
line.
"""

import io
import json
import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from duli.preparation.cleaning import summary
from duli.serving import __main__ as command
from duli.serving.errors import InputError
from duli.serving.predictor import Predictor
from tests.packaging import tinytable
from tests.serving.served import Served, serving

ROWS = tinytable.rows(5)
EXPECTED = ["left", "middle", "right", "left", "middle"]
LISTS = [[None if math.isnan(value) else value for value in row] for row in ROWS.tolist()]
FLAT = [value for row in LISTS for value in row]
NAMED = [
    {name: value for name, value in zip(tinytable.FEATURES, row, strict=True) if value is not None}
    for row in LISTS
]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package, which the command takes for its own, and an empty current folder."""
    package = tinytable.package(tmp_path / "installed/size_row")
    monkeypatch.setattr(command, "FOLDER", package)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return package


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(
        package=tinytable.package(tmp_path_factory.mktemp("installed") / "size_row")
    ) as one:
        yield one


@pytest.mark.parametrize(
    "rows", [ROWS, ROWS.astype(np.float64), np.asfortranarray(ROWS), LISTS, NAMED, ROWS.tolist()]
)
def test_the_predictor_takes_rows(package: Path, rows: Any) -> None:
    labels, probabilities = Predictor(package).predict(rows)
    assert labels == EXPECTED
    known = np.nan_to_num(ROWS, nan=0.0)
    assert np.allclose(
        probabilities, np.exp(known) / np.exp(known).sum(axis=1, keepdims=True), atol=1e-6
    )


def test_more_rows_than_go_at_once(package: Path) -> None:
    labels, _ = Predictor(package).predict(tinytable.rows(9001))
    assert labels == [tinytable.CLASSES[index % 3] for index in range(9001)]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (ROWS[0], r"one row without a batch: give rows\[None\]"),
        (ROWS[:, :2], r"the rows have the shape \[5, 2\], the model takes \[n, 3\]"),
        (ROWS[:0], "there is no row in it"),
        ([], "there is no row in it"),
        (ROWS.astype(str), "the rows are <U"),
        (np.array([[True, False, True]]), "the rows are bool"),
        (((1, 2, 3),), "the rows are a tuple"),
        (np.array([[1, np.inf, 2]]), "row 0: width, cm is infinite or too large"),
        (np.array([[1, 2, 3], [1e39, 2, 3]]), "row 1: length is infinite or too large for float32"),
        ([[10**400, 1, 2]], "a whole number too large"),
        (np.full((2, 3), np.nan), "row 0 has no value at all"),
        ([{}], "row 0 of the list has no value at all"),
        ([[1, 2]], "row 0 of the list has 2 values; the model takes 3: length, width, cm, 高度"),
        ([[1, 2, "3"]], "row 0 of the list: 高度 is a string; give a number"),
        ([[1, 2, 3], [1, True, 3]], "row 1 of the list: width, cm is a truth value"),
        ([{"weight": 1}], "row 0 of the list names the column 'weight', which is no feature"),
        ([3], "row 0 of the list is a number"),
    ],
)
def test_what_is_no_row(package: Path, rows: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Predictor(package).predict(rows)


def npy(array: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


CSV = '高度,"width, cm"\n7,\n, 8 \n-1,-2e0\nnan,1\n'.encode()  # the first feature is nowhere


def test_predict_reads_csv_and_npy(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.csv").write_bytes(b"\xef\xbb\xbf" + CSV.replace(b"\n", b"\r\n") + b"\r\n")
    assert command.main(["predict", "--json", "a.csv"]) == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["file"], one["row"], one["label"]) for one in answers] == [
        ("a.csv", index, label) for index, label in enumerate(["right", "middle", "left", "middle"])
    ]
    for array in (
        ROWS,
        ROWS.astype(">f8"),
        np.asfortranarray(ROWS),
        np.nan_to_num(ROWS).round().astype(np.int16),
    ):
        Path("a.npy").write_bytes(npy(array))
        assert command.main(["predict", "--json", "a.npy"]) == 0
        assert [
            json.loads(line)["label"] for line in capsys.readouterr().out.splitlines()
        ] == EXPECTED


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n1,2\n", "has no first line that names the columns"),
        (b"length\n", "there is no row in it"),
        (b"length\n1\nx\n", "line 3: length is 'x', which is no number"),
        (b"length\n1_0\n", "line 2: length is '1_0', which is no number"),
        (b"length\ninf\n", "line 2: length is infinite"),
        (b"length\n1e39\n", "line 2: length is infinite or too large"),
        ("length,高度\n1,2\n,\n".encode(), "line 3 has no value at all"),
        (
            b"length,label\n1,left\n",
            "names the column 'label', which is no feature of the model; `evaluate` takes labels",
        ),
        (b"length,length\n1,2\n", "names the column 'length' twice"),
        (b"length\n1,2\n", "line 2 has 2 values, the first line names 1 columns"),
        (b"length\n\xff\n", "is not UTF-8"),
        (b"length\n\0\n", "holds a NUL byte"),
        (npy(ROWS)[:-1], "is truncated or longer"),
        (npy(ROWS[:, :2]), "the rows have the shape [5, 2]"),
        (npy(ROWS.astype(str)), "holds values of the type of another kind"),
        (npy(ROWS.astype(object), allow_pickle=True), "holds Python objects (a pickle)"),
    ],
)
def test_files_that_are_refused(
    package: Path, content: bytes, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("a").write_bytes(content)
    assert command.main(["predict", "a"]) == 2
    out, error = capsys.readouterr()
    assert (out, error.count("\n")) == ("", 1)
    assert error.startswith(f"size-row: a: {message}")


def test_no_statistics_of_rows_are_kept(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        command.main(["serve", "--statistics", "counts.json"])
    assert "of rows no statistics are kept" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="0"):
        command.main(["serve", "--help"])
    assert "--statistics" not in capsys.readouterr().out


def test_evaluate_recomputes_the_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, n = tinytable.rows(60), 60
    table = pa.table(
        {
            "content": [row.astype("<f4").tobytes() for row in rows],
            "label": [index % 3 for index in range(n)],
        }
    )
    monkeypatch.setattr(
        command,
        "FOLDER",
        tinytable.package(tmp_path / "size_row", test_digest=summary.digest(table)),
    )
    monkeypatch.chdir(tmp_path)
    lines = ['label,高度,length,"width, cm"']
    for index, row in enumerate(rows):
        length, width, height = ("" if math.isnan(value) else repr(float(value)) for value in row)
        lines.append(f"{tinytable.CLASSES[index % 3]},{height},{length},{width}")
    Path("data.csv").write_text("\n".join(lines))
    assert command.main(["evaluate", "data.csv"]) == 0
    assert "these are the card's own test rows: it MATCHES" in capsys.readouterr().out
    Path("data.npy").write_bytes(npy(rows))
    for data, message in (
        ("data.npy", "in which no labels stand"),
        ("a.csv", "has no column label"),
    ):
        Path("a.csv").write_bytes(CSV)
        assert command.main(["evaluate", data]) == 2
        assert f"size-row: {data}: " in (error := capsys.readouterr().err)
        assert message in error


def test_evaluate_reads_a_file_as_duli_new_reads_it(
    package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Other columns, rows without a label, without a number or with an infinite one are left out,
    and odd cells are missing.
    """
    lines = [
        'id;length;"width, cm";高度;label',
        *(f"{row};3,5;{row % 2 / 2};<NA>;left" for row in range(120)),
    ]
    lines[8] = "7;abc;-4;-4;left"
    lines += ["121;1;0;0;", "122;;?;None;left", "123;inf;1;1;left"]
    Path("a.csv").write_text("\n".join(lines), encoding="utf-8")
    assert command.main(["evaluate", "a.csv"]) == 0
    out = capsys.readouterr().out
    assert "120 of 120 right" in out  # a missing length is 0, which is more than -4
    for part in (
        "'id'",
        "line 9: length is 'abc'",
        "1 rows without a label",
        "2 rows without numbers",
    ):
        assert part in out
    Path("a.csv").write_text("length,label\nx,left\n1,left\n")
    assert command.main(["evaluate", "a.csv"]) == 2
    assert "line 2: length is 'x', which is no number" in capsys.readouterr().err
    Path("a.csv").write_text("size,label\n1,left\n")
    assert command.main(["evaluate", "a.csv"]) == 2
    assert "no column that is a feature" in capsys.readouterr().err


FAR = 1_700_000_000_000


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A release whose first feature lies where float32 tells nothing apart."""
    folder = tmp_path_factory.mktemp("far") / "size_row"
    with serving(package=tinytable.package(folder, centred={"length": [float(FAR), 2.0]})) as one:
        yield one


@pytest.mark.parametrize(
    ("value", "label"), [(FAR + 4, "left"), (FAR + 1, "middle"), (FAR, "middle")]
)
def test_values_are_centred_in_float64_however_they_come(
    far: Served, value: int, label: str
) -> None:
    row = np.array([[value, 1, 0]], np.float64)
    for path, body, kind in (
        ("/predict", {"rows": row.tolist()}, "application/json"),
        ("/predict", {"row": {"length": value, "width, cm": 1}}, "application/json"),
        ("/predict", f'length,"width, cm"\n{value},1\n'.encode(), "text/csv"),
        ("/predict", npy(row), "application/x-npy"),
        ("/invocations", {"instances": row.tolist()}, "application/json"),
    ):
        assert labels(far.ask("POST", path, body, content_type=kind)[1]) == [label], path
    address = "/v2/models/bright-row"
    declared = {"name": "features", "datatype": "FP64", "shape": [-1, 3]}
    assert far.ask("GET", address)[1]["inputs"] == [declared]
    tensor = {**declared, "shape": [1, 3]}
    answer = far.ask(
        "POST", f"{address}/infer", {"inputs": [{**tensor, "data": row.ravel().tolist()}]}
    )[1]
    assert answer["outputs"][1]["data"] == [label]
    head = json.dumps({"inputs": [{**tensor, "parameters": {"binary_data_size": 24}}]}).encode()
    answer = far.ask(
        "POST",
        f"{address}/infer",
        head + row.tobytes(),
        inference_header_content_length=str(len(head)),
    )[1]
    assert answer["outputs"][1]["data"] == [label]
    status, answer, _ = far.ask(
        "POST",
        f"{address}/infer",
        {"inputs": [{**tensor, "datatype": "FP32", "data": row.ravel().tolist()}]},
    )
    assert status == 400
    assert "length" in answer["error"]


def labels(answer: Any) -> list[str]:
    return [one["label"] for one in answer["predictions"]]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/predict", {"rows": LISTS}),
        ("/predict", {"rows": NAMED, "abstain": False}),
        ("/invocations", {"inputs": LISTS}),
        ("/invocations", {"inputs": {"features": LISTS}}),
        (
            "/invocations",
            {
                "inputs": {
                    name: [row[index] for row in LISTS]
                    for index, name in enumerate(tinytable.FEATURES)
                }
            },
        ),
        ("/invocations", {"instances": LISTS}),
        ("/invocations", {"instances": NAMED}),
        (
            "/invocations",
            {
                "dataframe_split": {
                    "columns": tinytable.FEATURES[::-1],
                    "data": [row[::-1] for row in LISTS],
                }
            },
        ),
        ("/invocations", {"dataframe_split": {"data": LISTS}}),
        ("/invocations", {"dataframe_records": NAMED, "params": {"abstain": False}}),
    ],
)
def test_the_server_takes_rows_in_every_form(served: Served, path: str, body: Any) -> None:
    status, answer, _ = served.ask("POST", path, body)
    assert (status, labels(answer)) == (200, EXPECTED)


def test_one_row_and_files(served: Served) -> None:
    assert labels(served.ask("POST", "/predict", {"row": LISTS[1]})[1]) == ["middle"]
    assert labels(served.ask("POST", "/predict", {"row": NAMED[2]})[1]) == ["right"]
    assert labels(served.ask("POST", "/predict", CSV, content_type="text/csv")[1]) == [
        "right",
        "middle",
        "left",
        "middle",
    ]
    assert (
        labels(served.ask("POST", "/predict", npy(ROWS), content_type="application/x-npy")[1])
        == EXPECTED
    )
    unsure = {"row": [1, 1, 1], "abstain": True}
    assert labels(served.ask("POST", "/predict", unsure)[1]) == [None]


@pytest.mark.parametrize(
    ("path", "body", "kind", "message"),
    [
        (
            "/predict",
            b'{"rows": [[1, 2, NaN]]}',
            "application/json",
            "NaN, which is no number; send null where a value is missing",
        ),
        (
            "/predict",
            b'{"rows": [[1, 2, -Infinity]]}',
            "application/json",
            "Infinity, which is no number",
        ),
        ("/predict", b'{"rows": [[1, 2, 1e999]]}', "application/json", "a number too large"),
        (
            "/predict",
            b'{"rows": [[1, 2, ' + b"9" * 400 + b"]]}",
            "application/json",
            "a number too large",
        ),
        ("/predict", b'{"rows": [[1, 2, true]]}', "application/json", "is a truth value"),
        ("/predict", b'{"rows": [[1, 2]]}', "application/json", "row 0 of rows has 2 values"),
        ("/predict", b'{"rows": [{"size": 2}]}', "application/json", "names the column 'size'"),
        ("/predict", b'{"rows": 1}', "application/json", "rows is a number; give a list of rows"),
        ("/predict", b'{"rows": []}', "application/json", "rows holds 0 rows; give 1 to 256"),
        (
            "/predict",
            json.dumps({"rows": [[1, 2, 3]] * 257}).encode(),
            "application/json",
            "holds 257 rows",
        ),
        ("/predict", b"length\nx\n", "text/csv", "the body: line 2: length is 'x'"),
        ("/predict", npy(np.zeros((257, 3))), "application/x-npy", "the body: holds 257 rows"),
        (
            "/invocations",
            b'{"dataframe_split": {"columns": ["length"], "data": [[1, 2]]}}',
            "application/json",
            "each of its 1 columns",
        ),
        (
            "/invocations",
            b'{"dataframe_split": {"columns": [["a"]], "data": [[1]]}}',
            "application/json",
            "no list of different names",
        ),
        (
            "/invocations",
            b'{"inputs": {"length": [1], "\xe9\xab\x98\xe5\xba\xa6": [1, 2]}}',
            "application/json",
            "different lengths",
        ),
        (
            "/invocations",
            b'{"dataframe_records": [{"size": 1}]}',
            "application/json",
            "no feature of the model",
        ),
    ],
)
def test_requests_that_are_refused(
    served: Served, path: str, body: bytes, kind: str, message: str
) -> None:
    status, answer, _ = served.ask("POST", path, body, content_type=kind)
    assert status == 400
    assert message in answer["error"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shape": [15]}, "the model takes [n, 3], 1 to 256 rows"),
        ({"shape": [4, 3]}, "data holds 15 numbers, its shape [4, 3] asks for 12"),
        ({"shape": [4, 3], "data": LISTS}, "data holds 5 rows"),
        ({"datatype": "FP64"}, "is of datatype FP32; send numbers"),
        ({"data": [*FLAT[:-1], "x"]}, "高度 is a string"),
    ],
)
def test_json_tensors_that_are_refused(
    served: Served, change: dict[str, Any], message: str
) -> None:
    tensor = {"name": "features", "shape": [5, 3], "datatype": "FP32", "data": FLAT, **change}
    status, answer, _ = served.ask("POST", "/v2/models/bright-row/infer", {"inputs": [tensor]})
    assert status == 400
    assert message in answer["error"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of gevent's, at import
def test_tritons_own_client(served: Served) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tritonclient.http as triton

        client = triton.InferenceServerClient(f"127.0.0.1:{served.port}")
        assert client.get_model_metadata("bright-row")["inputs"] == [
            {"name": "features", "datatype": "FP32", "shape": [-1, 3]}
        ]
        for rows, sent in ((ROWS, True), (np.nan_to_num(ROWS), False)):
            tensor = triton.InferInput("features", [5, 3], "FP32")
            tensor.set_data_from_numpy(rows, binary_data=sent)
            assert [
                label.decode() for label in client.infer("bright-row", [tensor]).as_numpy("label")
            ] == EXPECTED
        tensor.set_data_from_numpy(np.full((5, 3), np.inf, np.float32))
        with pytest.raises(triton.InferenceServerException, match="row 0: length is infinite"):
            client.infer("bright-row", [tensor])
        client.close()


@pytest.mark.slow
def test_openapi_says_what_is_taken(served: Served) -> None:
    from jsonschema import Draft202012Validator

    from harness.requests import schemathesis

    document = served.ask("GET", "/openapi.json")[1]
    rows = Draft202012Validator(
        {"$ref": "#/components/schemas/Rows", "components": document["components"]}
    )
    rows.validate(LISTS)
    rows.validate(NAMED)
    assert not rows.is_valid([{"size": 1}])
    assert schemathesis(served.port, examples=5, phases="fuzzing")["failures"] == 0
