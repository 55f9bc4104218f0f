"""The release's command: what it prints, for people and for programs, and with which code it
ends.
"""

import gzip
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from duli.base import machine
from duli.serving import __main__ as command
from duli.serving import processor
from duli.serving.kinds import Labelled
from duli.serving.labelled import load
from tests.packaging import tiny


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package, which the command takes for its own; the current folder has images.npy
    in it.
    """
    package = tiny.package(tmp_path / "installed/bright_row")
    monkeypatch.setattr(command, "FOLDER", package)
    monkeypatch.chdir(tmp_path)
    np.save("images.npy", tiny.images(4))
    return package


def run(*arguments: str, cwd: Path, feed: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    """Runs the package in a process of its own, without Duli."""
    environment = {**os.environ, "PYTHONPATH": str(cwd / "installed")}
    return subprocess.run(
        [sys.executable, "-m", "bright_row", *arguments],
        cwd=cwd,
        input=feed,
        capture_output=True,
        env=environment,
        check=False,
    )


def test_predict_prints_a_table(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["predict", "images.npy"]) == 0
    heading, *rows = capsys.readouterr().out.splitlines()
    assert heading.split() == ["file", "image", "answer", "probability"]
    assert [row.split()[:3] for row in rows] == [
        ["images.npy", str(index), tiny.CLASSES[index % 3]] for index in range(4)
    ]
    assert all(0.34 < float(row.split()[3]) <= 1 for row in rows)


def test_predict_prints_json_lines(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["predict", "--json", "--threads", "1", "images.npy", "images.npy"]) == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(answer["file"], answer["image"]) for answer in answers] == [
        ("images.npy", index) for index in (0, 1, 2, 3)
    ] * 2
    for answer in answers:
        assert max(answer["probabilities"], key=answer["probabilities"].get) == answer["label"]
        assert abs(sum(answer["probabilities"].values()) - 1) < 1e-5


def test_info_prints_the_card_or_the_numbers(
    package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["info"]) == 0
    assert capsys.readouterr().out == "# A card\n"
    assert command.main(["info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["classes"] == tiny.CLASSES


def test_verify_says_that_nothing_is_signed(
    package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["verify"]) == 0
    assert "UNSIGNED" in capsys.readouterr().out


def test_verify_does_not_claim_the_signature_that_lies_beside_the_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        command, "FOLDER", tiny.package(tmp_path / "bright_row", signature={"file": "model.sig"})
    )
    assert command.main(["verify"]) == 0
    told = capsys.readouterr().out
    assert (
        "this finds damage, not forgery; the signature is the file model.sig beside the wheel,"
        " check it with --release" in told
    )
    assert "UNSIGNED" not in told


@pytest.mark.parametrize(
    "arguments", [["verify"], ["info"], ["info", "--json"], ["predict", "images.npy"]]
)
def test_a_damaged_package_does_nothing(
    package: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (package / "release.json").write_bytes(
        (package / "release.json").read_bytes().replace(b"top", b"pot")
    )
    assert command.main(arguments) == 3
    out, error = capsys.readouterr()
    assert out == ""
    assert "release.json is changed" in error


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.npy", b"", "empty.npy: is empty"),
        ("text.npy", b"hello", "text.npy: is of no known kind"),
        ("cut.gz", gzip.compress(bytes(99), mtime=0)[:-9], "cut.gz: is a truncated .gz"),
        ("a\x1b[31mb", b"", r"'a\x1b[31mb': is empty"),
    ],
)
def test_bad_input_is_one_line(
    package: Path, name: str, content: bytes, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(name).write_bytes(content)
    assert command.main(["predict", name]) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.startswith(f"bright-row: {message}")
    assert error.count("\n") == 1


@pytest.mark.parametrize("asked", ["predict", "evaluate"])
def test_a_path_that_cannot_be_looked_at_is_not_taken_for_a_full_disk(
    package: Path, asked: str, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "x" * 300
    assert command.main([asked, name]) == 2
    assert (
        capsys.readouterr().err
        == f"bright-row: {name} cannot be read (File name too long); correct the path, or make it"
        " readable\n"
    )


def test_more_cores_than_there_are_come_to_those_there_are(
    package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["predict", "--threads", "99999999999", "images.npy"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 5


def test_answers_before_a_bad_file_are_given(
    package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save("other.npy", np.zeros((2, 5, 5), np.uint8))
    assert command.main(["predict", "--json", "images.npy", "other.npy", "images.npy"]) == 2
    out, error = capsys.readouterr()
    assert len(out.splitlines()) == 4
    assert error.startswith("bright-row: other.npy: the images have the shape [2, 5, 5]")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["predict"],
        ["guess"],
        ["predict", "--threads", "0", "x"],
        ["predict", "--threads", "many", "x"],
    ],
)
def test_wrong_usage_ends_with_2(
    package: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        command.main(arguments)
    assert end.value.code == 2
    assert "bright-row" in capsys.readouterr().err


def test_as_a_process(package: Path, tmp_path: Path) -> None:
    shown = run("predict", "--json", "-", cwd=tmp_path, feed=Path("images.npy").read_bytes())
    assert [json.loads(line)["label"] for line in shown.stdout.splitlines()] == [
        "top",
        "middle",
        "bottom",
        "top",
    ]
    assert (shown.returncode, shown.stderr) == (0, b"")
    assert run("predict", "-", cwd=tmp_path).stderr.startswith(
        b"bright-row: standard input: is empty"
    )
    assert run("verify", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    "arguments", [["predict", "images.npy"], ["evaluate", "images.npy"], ["serve", "--port", "0"]]
)
def test_no_changed_code_runs_before_it_is_verified(
    package: Path, tmp_path: Path, arguments: list[str]
) -> None:
    code = package / ("server.py" if arguments[0] == "serve" else "predictor.py")
    code.write_text(f"open('ran', 'w').close()\n{code.read_text()}")
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 3
    assert f"{code.name} is changed".encode() in done.stderr
    assert not Path("ran").exists()


def test_verify_needs_neither_numpy_nor_onnxruntime(package: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from bright_row.__main__ import main; main(['verify']);"
        " sys.exit(bool({'numpy', 'onnxruntime'} & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "installed")}
    assert (
        subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, check=False
        ).returncode
        == 0
    )


def test_output_that_cannot_be_written(package: Path, tmp_path: Path) -> None:
    np.save("many.npy", tiny.images(5000))
    shell = f'"{sys.executable}" -m bright_row predict many.npy'
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "installed")}
    full = subprocess.run(
        ["bash", "-c", f"{shell} > /dev/full"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert full.returncode == 2
    assert (
        full.stderr
        == "bright-row: the answers cannot be written (No space left on device); make room or write"
        " elsewhere\n"
    )
    head = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{shell} | head -1"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (head.returncode, head.stderr) == (0, "")


def test_predict_takes_a_folder(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("folder/b").mkdir(parents=True)
    for place, image in (("folder/a.npy", 1), ("folder/b/c.npy", 2), ("folder/.hidden", None)):
        if image is None:
            Path(place).write_text("hidden")
        else:
            np.save(place, tiny.images(3)[image : image + 1])
    assert command.main(["predict", "--json", "folder"]) == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(answer["file"], answer["label"]) for answer in answers] == [
        ("folder/a.npy", "middle"),
        ("folder/b/c.npy", "bottom"),
    ]
    Path("nothing").mkdir()
    assert command.main(["predict", "nothing"]) == 2
    assert "nothing: is an empty folder" in capsys.readouterr().err


def test_predict_abstains_when_told_to(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save("unsure.npy", np.full((1, 3, 4), 7, np.uint8))
    assert command.main(["predict", "--json", "unsure.npy"]) == 0
    assert json.loads(capsys.readouterr().out)["label"] == "top"
    assert command.main(["predict", "--json", "--abstain", "unsure.npy"]) == 0
    assert json.loads(capsys.readouterr().out)["label"] is None
    assert command.main(["predict", "--abstain", "unsure.npy"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == ["unsure.npy", "0", "-", "0.3333"]


def labelled(n: int) -> None:
    np.savez("data.npz", images=tiny.images(n)[:, 0], labels=np.arange(n) % 3)


def test_evaluate_matches_the_card_on_its_own_images(
    tmp_path: Path,
    package: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    labelled(60)
    digest = load(["data.npz"], tiny.SHAPE, tiny.CLASSES).digest()
    monkeypatch.setattr(command, "FOLDER", tiny.package(tmp_path / "matches", test_digest=digest))
    assert command.main(["evaluate", "data.npz"]) == 0
    out = capsys.readouterr().out
    assert "60 of 60 right: 100.00%" in out
    assert "these are the card's own test images: it MATCHES" in out
    monkeypatch.setattr(
        command,
        "FOLDER",
        tiny.package(tmp_path / "other", tiny.model(scale=-0.1), test_digest=digest),
    )
    assert command.main(["evaluate", "data.npz"]) == 4
    out, error = capsys.readouterr()
    assert "0 of 60 right" in out
    assert "the card's own test images, but the answers are others" in error
    assert "no saturation" in error
    assert processor.named(processor.cpu()) in error


@pytest.mark.skipif(
    not machine.adds_in_16_bits(machine.cpu()["flags"]), reason="this CPU adds products in 32 bits"
)
def test_evaluate_tells_saturation_by_adding_exactly(
    tmp_path: Path,
    package: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    labelled(60)
    digest = load(["data.npz"], tiny.SHAPE, tiny.CLASSES).digest()
    judged = {
        "cpu": "Xeon",
        "flags": ["avx512_vnni"],
        "versions": {"onnxruntime": "9.9", "numpy": "9"},
    }
    numbers = {"evaluation": {"accuracy": tiny.share(38, 60), "judged_on": judged}}
    made = tiny.package(
        tmp_path / "judged", tiny.overflowing(), test_digest=digest, numbers=numbers
    )
    monkeypatch.setattr(command, "FOLDER", made)
    assert command.main(["evaluate", "data.npz"]) == 4
    error = capsys.readouterr().err
    assert "it is saturation: added in 32 bits, 14 of its answers are others" in error
    assert "the card's was Xeon (avx512_vnni)" in error
    assert processor.named(processor.cpu()) in error


def test_evaluate_names_the_versions_where_nothing_saturates(
    tmp_path: Path,
    package: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    labelled(60)
    digest = load(["data.npz"], tiny.SHAPE, tiny.CLASSES).digest()
    judged = {"cpu": "Xeon", "flags": [], "versions": {"onnxruntime": "9.9", "numpy": "8.8"}}
    numbers = {"evaluation": {"accuracy": tiny.share(59, 60), "judged_on": judged}}
    monkeypatch.setattr(
        command, "FOLDER", tiny.package(tmp_path / "judged", test_digest=digest, numbers=numbers)
    )
    assert command.main(["evaluate", "data.npz"]) == 4
    error = capsys.readouterr().err
    assert "no saturation" in error
    assert "install onnxruntime 9.9 and numpy 8.8" in error


def test_evaluate_says_that_images_are_others(
    package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labelled(30)
    assert command.main(["evaluate", "data.npz"]) == 0
    assert (
        "other images than the card's, or in another order: consistent with the card"
        in capsys.readouterr().out
    )
    np.savez("data.npz", images=tiny.images(30)[:, 0], labels=np.arange(1, 31) % 3)
    assert command.main(["evaluate", "data.npz"]) == 4
    assert "worse than the card by" in capsys.readouterr().err


def test_two_of_two_right_are_consistent_with_the_card(
    tmp_path: Path,
    package: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    evaluation = {"accuracy": {"value": 0.9955, "low": 0.994, "high": 0.9966, "n": 10_000}}
    monkeypatch.setattr(
        command, "FOLDER", tiny.package(tmp_path / "card", numbers={"evaluation": evaluation})
    )
    labelled(2)
    assert command.main(["evaluate", "data.npz"]) == 0
    out = capsys.readouterr().out
    assert "2 of 2 right" in out
    assert "consistent with the card" in out
    assert "n = 2" in out


def test_a_bad_file_in_a_folder_is_named_and_skipped(
    package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("folder").mkdir()
    for index in range(25):
        Path(f"folder/bad{index:02d}.npy").write_bytes(b"\x93NUMPY")
    for name in ("a", "z"):
        np.save(f"folder/{name}.npy", tiny.images(1))
    assert command.main(["predict", "--json", "folder"]) == 6
    out, error = capsys.readouterr()
    assert [json.loads(line)["file"] for line in out.splitlines()] == [
        "folder/a.npy",
        "folder/z.npy",
    ]
    *named, more, last = error.splitlines()
    assert [line.split()[1] for line in named] == [
        f"folder/bad{index:02d}.npy:" for index in range(20)
    ]
    assert more == "skipped 5 more"
    assert "25 files could not be read" in last
    for name in ("a", "z"):
        Path(f"folder/{name}.npy").unlink()
    assert command.main(["predict", "folder"]) == 2
    # named, and not found in a folder
    assert command.main(["predict", "folder/bad00.npy", "images.npy"]) == 2


def test_evaluate_says_what_was_left_out_and_skipped(
    package: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = Labelled(
        tiny.images(30),
        np.arange(30) % 3,
        ("data/a.png: is damaged",),
        2,
        ("3 rows without a label were left out",),
    )
    monkeypatch.setattr("duli.serving.labelled.load", lambda *_, **__: data)
    assert command.main(["evaluate", "data"]) == 6
    out, error = capsys.readouterr()
    assert "30 of 30 right" in out
    assert "consistent with the card" in out
    assert "3 rows without a label" in out
    assert "2 files that are no images were left out" in out
    assert error.splitlines()[0] == "skipped data/a.png: is damaged"


def test_the_exit_codes_are_in_the_help(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for asked in (["--help"], ["predict", "--help"], ["evaluate", "--help"]):
        with pytest.raises(SystemExit, match="0"):
            command.main(asked)
        said = " ".join(capsys.readouterr().out.split())
        assert "4 the card's accuracy is not reproduced" in said
        assert "6 some files of a folder could not be read" in said


def test_release_and_key_belong_together(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["verify", "--key", "signing.pub"]) == 2
    assert "give both or none" in capsys.readouterr().err


@pytest.mark.parametrize("library", ["httptools", "orjson"])
def test_the_server_says_what_it_needs(
    package: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], library: str
) -> None:
    for name in ("server", "protocol"):
        monkeypatch.delitem(sys.modules, f"duli.serving.{name}", raising=False)
    monkeypatch.setitem(sys.modules, library, None)
    assert command.main(["serve"]) == 2
    error = capsys.readouterr().err
    assert library in error
    assert "pip install 'bright-row[serve]'" in error


@pytest.mark.parametrize(
    ("option", "text", "fact"),
    [
        ("--allow-host", "http://model.example", "'http://model.example' is an address"),
        ("--allow-host", "a.*.example", "'a.*.example' is no wildcard"),
        ("--allow-host", " ", "is empty"),
        ("--max-connections", "0", "'0' is no number of connections"),
        ("--max-body", "2 MB", "'2 MB' is no number of bytes"),
    ],
)
def test_settings_that_cannot_be(
    package: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    option: str,
    text: str,
    fact: str,
) -> None:
    """By the command line and by the environment alike: said before anything is loaded."""

    def ended() -> int:
        try:
            return command.main(["serve", option, text])
        except SystemExit as error:
            return int(error.code or 0)

    assert ended() == 2
    assert fact in capsys.readouterr().err
    name = f"DULI{option.removeprefix('-').upper().replace('-', '_')}"
    if text.strip():  # of an empty variable is nothing set
        monkeypatch.setenv(name, text)
        assert command.main(["serve"]) == 2
        error = capsys.readouterr().err
        assert fact in error
        assert name in error


def test_more_connections_than_files_may_be_open(
    package: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 512))
    assert command.main(["serve", "--max-connections", "500"]) == 2
    assert "--max-connections 448 or less" in capsys.readouterr().err


def test_the_command_needs_nothing_of_the_server(package: Path, tmp_path: Path) -> None:
    """A bare wheel has numpy and onnxruntime alone."""
    barred = "import sys; sys.modules.update(dict.fromkeys(('orjson', 'httptools', 'uvloop')))\n"
    (tmp_path / "installed/sitecustomize.py").write_text(barred)
    np.savez("labelled.npz", images=tiny.images(4), labels=np.arange(4) % 3)
    for arguments in (["predict", "images.npy"], ["evaluate", "labelled.npz"]):
        ended = run(*arguments, cwd=tmp_path)
        assert (ended.returncode, ended.stderr) == (0, b"")
    assert b"the server needs" in run("serve", cwd=tmp_path).stderr


@pytest.mark.slow
def test_the_first_answer_takes_less_than_a_second(package: Path, tmp_path: Path) -> None:
    run("predict", "images.npy", cwd=tmp_path)
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        assert run("predict", "images.npy", cwd=tmp_path).returncode == 0
        seconds.append(time.perf_counter() - began)
    assert min(seconds) < 1
