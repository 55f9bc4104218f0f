"""A release for texts: the same tokens as in training, every way of asking, and what is refused in
one line.
"""

import gzip
import json
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duli.kinds.text.reading import examples as text
from duli.kinds.text.reading import tokenizer
from duli.preparation.cleaning import summary
from duli.serving import __main__ as command
from duli.serving.errors import InputError
from duli.serving.kinds.text import kind as kind_text
from duli.serving.predictor import Predictor
from tests.packaging import tiny, tinytext
from tests.serving.served import Served, serving

KIND = kind_text.Kind({"input": tinytext.size()}, {"tokenizer.json": tinytext.rules()})
TEXTS = tinytext.texts(5)
EXPECTED = ["bad", "good", "bad", "good", "bad"]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package, which the command takes for its own, and an empty current folder."""
    package = tinytext.package(tmp_path / "installed/bright_row")
    monkeypatch.setattr(command, "FOLDER", package)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return package


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(
        package=tinytext.package(tmp_path_factory.mktemp("installed") / "bright_row")
    ) as one:
        yield one


def alphabet() -> Any:
    """Characters that the tokenizer knows, and any others."""
    return st.one_of(
        st.sampled_from("".join(tinytext.SENTENCES) + "ＡＢ好坏ﷺ\u0301\u200d\n\t "),
        st.characters(exclude_categories=["Cs"]),
    )


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.text(alphabet(), max_size=40) | st.sampled_from(["[PAD]", "[UNK] [CLS]", "İ", "\x00"]),
        min_size=1,
        max_size=8,
    )
)
def test_the_tokens_are_those_of_training(texts: list[str]) -> None:
    prepared = text.Kind(**tinytext.size(), tokenizer=tinytext.rules().decode())
    expected = prepared.arrays(
        pa.chunked_array([pa.array([one.encode() for one in texts], pa.binary())])
    )
    found = KIND.encode(texts)
    assert found.dtype == expected.dtype
    assert (found == expected[:, : found.shape[1]]).all()
    assert not expected[:, found.shape[1] :].any()


def test_batches_hold_texts_of_like_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kind_text, "BATCH", 3)
    monkeypatch.setattr(kind_text, "BLOCK", 10)
    texts = tinytext.texts(17)
    parts = list(KIND.parts(texts))
    assert sorted(int(row) for rows, _ in parts for row in rows) == list(range(17))
    for rows, tokens in parts:
        alone = [KIND.encode([texts[row]])[0] for row in rows]
        assert tokens.shape[1] == max(len(one) for one in alone)
        assert all(
            (row[: len(one)] == one).all() and not row[len(one) :].any()
            for row, one in zip(tokens, alone, strict=True)
        )
    assert [len(rows) for rows, _ in parts] == [3, 3, 3, 1, 3, 3, 1]


def test_the_predictor_answers_each_text(package: Path) -> None:
    predictor = Predictor(package)
    many = tinytext.texts(1203)
    labels, probabilities = predictor.predict(many)
    assert labels == [tinytext.CLASSES[index % 2] for index in range(1203)]
    assert np.allclose(probabilities[:10], predictor.predict(many[:10]).probabilities)
    assert predictor.predict(("[PAD] 好",)).labels == ["good"]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("好", "the texts are a str; give a list of strings"),
        (np.array(["好"]), "the texts are a ndarray"),
        ([], "there is no text in it"),
        (["好", 1], "text 1 is a number"),
        (["好", None], "text 1 is a null"),
        (["好", " \n\u3000"], "text 1 is empty"),
        (["\ud800"], "text 0 holds half a character"),
    ],
)
def test_what_is_no_list_of_texts(package: Path, texts: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Predictor(package).predict(texts)


def answers(capsys: pytest.CaptureFixture[str]) -> list[tuple[str, int, str]]:
    return [
        (one["file"], one["text"], one["label"])
        for one in map(json.loads, capsys.readouterr().out.splitlines())
    ]


def test_predict_reads_texts_from_everywhere(
    package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("a.txt").write_bytes("\ufeff好\r\n坏，“坏”\u2028坏".encode())
    Path("b.jsonl").write_text('{"id": 1, "text": "好\\n好"}\n{"text": "坏"}\n')
    Path("c.csv.gz").write_bytes(gzip.compress('id,text\n1,"好,\n""好"""\n2,坏\n'.encode()))
    for name in ("a.txt", "b.jsonl", "c.csv.gz"):
        assert command.main(["predict", "--json", name]) == 0
        assert answers(capsys) == [(name, 0, "good"), (name, 1, "bad")]
    assert command.main(["predict", "--json", "--text", "好", "--text", "坏"]) == 0
    assert answers(capsys) == [("--text", 0, "good"), ("--text", 1, "bad")]
    assert command.main(["predict", "--abstain", "--text", "酒"]) == 0
    heading, row = capsys.readouterr().out.splitlines()
    assert (heading.split(), row.split()) == (
        ["file", "text", "answer", "probability"],
        ["--text", "0", "-", "0.5000"],
    )


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"", "is empty"),
        (
            "a.txt",
            "好".encode("gbk"),
            "is not UTF-8 (byte 0xba at 0); convert it, from GBK or GB18030 with iconv",
        ),
        ("a.txt", "好".encode("utf-16"), "is UTF-16; save it as UTF-8"),
        ("a.txt", b"a\0b", "holds a NUL byte (at 1)"),
        ("a.txt", b"a\n \nb\n", "line 2: the text is empty"),
        ("a.txt", b"a\n" + b"b" * 1_000_001, "line 2 has 1,000,001 characters"),
        ("a.gz", gzip.compress(bytes(99), mtime=0)[:-9], "is a truncated .gz"),
        ("a.jsonl", b'{"text": "a"}\n{"text": 3}\n', "line 2: the text is a number"),
        ("a.jsonl", b'{"text": "a"}\n\n', "line 2 is no JSON"),
        ("a.jsonl", b'{"text": ' + b"[" * 200_000, "line 1 is no JSON"),
        ("a.jsonl", b'["a"]', 'line 1 is no object with a "text"'),
        ("a.csv", b"review,label\na,b\n", "has no column text, only 'review', 'label'"),
        ("a.csv", b"text,text\na,b\n", "names the column 'text' twice"),
        ("a.csv", b"text,label\na\n", "line 2 has 1 values, the first line names 2 columns"),
        ("a.csv", b'text\n"a"b\n', "line 2 is no CSV"),
        ("a.csv", b"text\n", "has no text in it"),
    ],
)
def test_files_that_are_refused(
    package: Path, name: str, content: bytes, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(name).write_bytes(content)
    assert command.main(["predict", name]) == 2
    out, error = capsys.readouterr()
    assert (out, error.count("\n")) == ("", 1)
    assert error.startswith(f"bright-row: {name}: {message}")


def test_nothing_to_predict(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["predict"]) == 2
    assert (
        capsys.readouterr().err
        == "bright-row: name a FILE, - for standard input, or give --text TEXT\n"
    )


def test_statistics_are_counted_of_images_alone(
    package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        command.main(["serve", "--statistics", "counts.json"])
    said = capsys.readouterr().err
    assert "argument --statistics: of texts no statistics are kept" in said
    assert "nothing is written to counts.json; leave it out" in said
    assert not Path("counts.json").exists()


def test_evaluate_recomputes_the_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = tinytext.texts(60)
    table = pa.table(
        {"content": [one.encode() for one in texts], "label": [index % 2 for index in range(60)]}
    )
    package = tinytext.package(tmp_path / "bright_row", test_digest=summary.digest(table))
    monkeypatch.setattr(command, "FOLDER", package)
    monkeypatch.chdir(tmp_path)
    Path("data.csv").write_text(
        "label,text\n"
        + "".join(f"{tinytext.CLASSES[index % 2]},{one}\n" for index, one in enumerate(texts))
    )
    assert command.main(["evaluate", "data.csv"]) == 0
    assert "these are the card's own test texts: it MATCHES" in capsys.readouterr().out
    Path("data.jsonl").write_text(
        "".join(
            json.dumps({"text": one, "label": index % 2}) + "\n" for index, one in enumerate(texts)
        )
    )
    assert command.main(["evaluate", "data.jsonl"]) == 0
    assert "60 of 60 right: 100.00%" in capsys.readouterr().out
    for content, message in (
        ("text\n好\n", "data.csv: has no column label"),
        ("text,label\n好,ugly\n", "data.csv: the label 'ugly' is no class"),
    ):
        Path("data.csv").write_text(content)
        assert command.main(["evaluate", "data.csv"]) == 2
        assert f"bright-row: {message}" in capsys.readouterr().err


def test_evaluate_reads_a_file_as_duli_new_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = {"label": "mood", "text": "review"}
    monkeypatch.setattr(
        command, "FOLDER", tinytext.package(tmp_path / "bright_row", columns=columns)
    )
    monkeypatch.chdir(tmp_path)
    texts = [*tinytext.texts(60), "x" * 200_000]
    rows = "".join(
        f"{index}\t{one}\t {tinytext.CLASSES[index % 2].upper()}\n"
        for index, one in enumerate(texts)
    )
    Path("data.tsv").write_text(
        "id\treview\tmood\n" + rows + "61\t好\t\n62\t  \tgood\n", encoding="utf-8"
    )
    assert command.main(["evaluate", "data.tsv"]) == 0
    out = capsys.readouterr().out
    assert "of 61 right" in out
    assert "1 texts without a label were left out" in out
    assert "1 empty texts were left out" in out
    assert command.main(["predict", "--json", "data.tsv"]) == 2  # an empty text has no answer
    assert "line 64: the text is empty" in capsys.readouterr().err


def test_labels_of_json_are_taken_as_they_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tinytext.package(tmp_path / "bright_row", classes=["3.10", "3.1", "true"])
    kind = Predictor(package).kind
    Path(tmp_path / "a.jsonl").write_text(
        "".join(
            f'{{"text": "好", "label": {one}}}\n'
            for one in ("3.10", "3.1", '"3.10"', "true", "null", '"TRUE"', '""')
        )
    )
    read = kind.labelled([str(tmp_path / "a.jsonl")], tiny.task(["3.10", "3.1", "true"]))
    assert read.labels.tolist() == [0, 1, 0, 2, 2]
    assert read.notes == ("2 texts without a label were left out",)


def labels(answer: Any) -> list[str]:
    return [one["label"] for one in answer["predictions"]]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/predict", {"texts": TEXTS}),
        ("/predict", {"texts": TEXTS, "abstain": False}),
        ("/invocations", {"inputs": TEXTS}),
        ("/invocations", {"inputs": {"texts": TEXTS}}),
        ("/invocations", {"instances": TEXTS}),
        ("/invocations", {"instances": [{"text": one} for one in TEXTS]}),
        (
            "/invocations",
            {"dataframe_split": {"columns": ["id", "text"], "data": [[1, one] for one in TEXTS]}},
        ),
        ("/invocations", {"dataframe_split": {"data": [[one] for one in TEXTS]}}),
        (
            "/invocations",
            {"dataframe_records": [{"text": one} for one in TEXTS], "params": {"abstain": False}},
        ),
    ],
)
def test_the_server_takes_texts_in_every_form(served: Served, path: str, body: Any) -> None:
    status, answer, _ = served.ask("POST", path, body)
    assert (status, labels(answer)) == (200, EXPECTED)


def test_one_text_and_one_that_is_unsure(served: Served) -> None:
    assert labels(served.ask("POST", "/predict", {"text": "好"})[1]) == ["good"]
    assert labels(
        served.ask("POST", "/predict", "坏\n坏".encode(), content_type="text/plain; charset=utf-8")[
            1
        ]
    ) == ["bad"]
    assert labels(served.ask("POST", "/predict", {"text": "酒", "abstain": True})[1]) == [None]
    assert labels(
        served.ask("POST", "/invocations", {"inputs": ["酒"], "params": {"abstain": True}})[1]
    ) == [None]


@pytest.mark.parametrize(
    ("path", "body", "kind", "message"),
    [
        ("/predict", b"{}", "application/json", "give the texts under one of the keys texts, text"),
        (
            "/predict",
            b'{"texts": "a"}',
            "application/json",
            "texts is a string; give a list of strings",
        ),
        ("/predict", b'{"texts": []}', "application/json", "texts holds 0 texts; give 1 to 256"),
        (
            "/predict",
            json.dumps({"texts": ["a"] * 257}).encode(),
            "application/json",
            "texts holds 257 texts",
        ),
        ("/predict", b'{"texts": ["a", 1]}', "application/json", "texts: a text is a number"),
        ("/predict", b'{"text": " "}', "application/json", "text: a text is empty"),
        ("/predict", b'{"text": "\\ud83d"}', "application/json", "half a character"),
        ("/predict", b'{"text": NaN}', "application/json", "NaN, which is no number; send texts"),
        (
            "/predict",
            json.dumps({"text": "a" * 10_001}).encode(),
            "application/json",
            "a text has 10,001 characters",
        ),
        (
            "/predict",
            b'{"text": ' + b"[" * 2000 + b"]" * 2000 + b"}",
            "application/json",
            "nested too deeply",
        ),
        ("/predict", b"\xff", "text/plain", "the body: is not UTF-8"),
        ("/predict", b"", "text/plain", "the body: is empty"),
        (
            "/invocations",
            b'{"dataframe_split": {"columns": ["review"], "data": [["a"]]}}',
            "application/json",
            "with a column text",
        ),
        (
            "/invocations",
            b'{"dataframe_split": {"columns": ["text"], "data": [["a", 1]]}}',
            "application/json",
            "each of its 1 columns",
        ),
        (
            "/invocations",
            b'{"dataframe_records": [{"review": "a"}]}',
            "application/json",
            "a text is a null",
        ),
    ],
)
def test_requests_that_are_refused(
    served: Served, path: str, body: bytes, kind: str, message: str
) -> None:
    status, answer, _ = served.ask("POST", path, body, content_type=kind)
    assert status == 400
    assert message in answer["error"]
    assert served.ask("POST", "/predict", b"x", content_type="image/png")[0] == 415


def packed(texts: list[str]) -> bytes:
    return b"".join(struct.pack("<I", len(one.encode())) + one.encode() for one in texts)


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (packed(TEXTS)[:-1], "does not hold the texts"),
        (packed(TEXTS) + b"\0", "does not hold the texts"),
        (packed(TEXTS[:-1]), "holds 4 texts, its shape asks for 5"),
        (packed([*TEXTS, "a"]), "does not hold the texts"),
        (packed(TEXTS[:-1]) + b"\1\0\0\0\xff", "not UTF-8"),
        (packed([*TEXTS[:-1], ""]), "a text is empty"),
        (b"\xff\xff\xff\xff" * 5, "does not hold the texts"),
    ],
)
def test_binary_tensors_that_are_refused(served: Served, tensor: bytes, message: str) -> None:
    said = {
        "name": "texts",
        "shape": [5],
        "datatype": "BYTES",
        "parameters": {"binary_data_size": len(tensor)},
    }
    part = json.dumps({"inputs": [said]}).encode()
    address = "/v2/models/bright-row/infer"
    status, answer, _ = served.ask(
        "POST", address, part + tensor, inference_header_content_length=str(len(part))
    )
    assert status == 400
    assert message in answer["error"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shape": [4]}, "holds 5 texts, its shape [4] asks for 4"),
        ({"shape": [5, 2]}, "the model takes [n], 1 to 256 texts"),
        ({"shape": []}, "the model takes [n]"),
        ({"datatype": "UINT8"}, "is of datatype BYTES; send strings"),
        ({"name": "images"}, 'the model has one input, "texts"'),
        ({"data": [[1], *TEXTS[1:]]}, "data: a text is a number"),
    ],
)
def test_json_tensors_that_are_refused(
    served: Served, change: dict[str, Any], message: str
) -> None:
    tensor = {"name": "texts", "shape": [5], "datatype": "BYTES", "data": TEXTS, **change}
    status, answer, _ = served.ask("POST", "/v2/models/bright-row/infer", {"inputs": [tensor]})
    assert status == 400
    assert message in answer["error"]


def test_metrics_speak_of_texts(served: Served) -> None:
    served.ask("POST", "/predict", {"texts": TEXTS})
    told = served.ask("GET", "/metrics")[1].decode()
    assert "\n# TYPE model_batch_texts histogram\n" in told
    assert "\nmodel_queued_texts 0\n" in told
    about = served.ask("GET", "/about")[1]
    assert (about["kind"], about["things"], about["example"]) == ("text", "texts", "这家酒店很好！")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of gevent's, at import
def test_tritons_own_client(served: Served) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tritonclient.http as triton

        client = triton.InferenceServerClient(f"127.0.0.1:{served.port}")
        assert client.get_model_metadata("bright-row")["inputs"] == [
            {"name": "texts", "datatype": "BYTES", "shape": [-1]}
        ]
        for shape in ([5], [5, 1]):
            for sent in (True, False):
                tensor = triton.InferInput("texts", shape, "BYTES")
                tensor.set_data_from_numpy(
                    np.array([one.encode() for one in TEXTS], object).reshape(shape),
                    binary_data=sent,
                )
                result = client.infer("bright-row", [tensor])
                assert [label.decode() for label in result.as_numpy("label")] == EXPECTED
        client.close()


@pytest.mark.slow
def test_openapi_says_what_is_taken(served: Served) -> None:
    from jsonschema import Draft202012Validator

    from harness.requests import schemathesis

    document = served.ask("GET", "/openapi.json")[1]
    schemas = {"components": document["components"]}
    texts = Draft202012Validator({"$ref": "#/components/schemas/Texts", **schemas})
    texts.validate(TEXTS)
    assert not texts.is_valid([" "])
    found = schemathesis(served.port, examples=5, phases="fuzzing")
    assert found["failures"] == 0


def test_requests_of_different_lengths_go_together(package: Path) -> None:
    """What the batcher joins is answered as it is alone."""
    predictor = Predictor(package)
    joined = predictor.kind.joined([TEXTS[:2], TEXTS[2:]])
    assert joined == TEXTS
    alone = np.concatenate([predictor.answers([one]) for one in TEXTS])
    assert np.allclose(predictor.answers(joined), alone)


def test_a_damaged_tokenizer_is_not_loaded(package: Path) -> None:
    from duli.serving.errors import IntegrityError, ReleaseError

    (package / "tokenizer.json").write_bytes(tokenizer.train(tinytext.SENTENCES, 30))
    with pytest.raises(IntegrityError, match=r"tokenizer\.json is changed"):
        Predictor(package)
    with pytest.raises(ReleaseError, match=r"tokenizer\.json"):
        kind_text.Kind({"input": tinytext.size()}, {"tokenizer.json": b"{}"})


LIGATURE = "\ufdfa"  # 18 characters in normal form KC


def test_a_text_is_as_long_as_what_tokens_are_made_of() -> None:
    """2 MB of ligatures are 12 million characters, which kept the server for 9 seconds."""
    longest = LIGATURE * (kind_text.MAX_CHARACTERS // 18)
    assert KIND.asked(json.dumps({"text": longest}).encode()).inputs == [longest]
    with pytest.raises(
        InputError, match="has 10,008 characters once its ligatures are written out"
    ):
        KIND.asked(json.dumps({"text": longest + LIGATURE}).encode())
    assert KIND.asked(json.dumps({"text": "好" * kind_text.MAX_CHARACTERS}).encode()).inputs


def test_a_long_text_is_more_work_than_a_short_one() -> None:
    assert KIND.work(["a" * 10_000]) == pytest.approx(101)
    assert KIND.work(["a"] * 3) == pytest.approx(3, rel=0.02)
    assert KIND.work([LIGATURE * 100]) == pytest.approx(KIND.work(["a" * 1800]))
