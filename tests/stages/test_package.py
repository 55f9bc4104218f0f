"""Only a wheel that reproduces its card is released; of anything else nothing stays."""

import email
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from packaging.requirements import Requirement

from duli.base.errors import DataError, DuliError, GateError, ParamsError
from duli.base.files import sha256
from duli.packaging import commit, environment, keys, kinds, signing, wheel
from stages import package
from tests.closure import ROOT
from tests.packaging import pairs, tiny, tinytable, tinytext

WHEEL = "bright_row-1.2.0rc1-py3-none-any.whl"
# the same inside the wheel and beside it
PAPERS = {"MODEL_CARD.md", "MODEL_CARD.html", "data_licences.json"}
LOOSE = {"model.onnx", "labels.txt", "inference.json", "kserve.json", "requirements.lock"} | {
    f"triton/bright-row/{name}" for name in ("config.pbtxt", "labels.txt", "1/model.onnx")
}
DATED = {"provenance.intoto.json", "sbom.cdx.json"}  # they name the commit
RELEASED = {WHEEL, *PAPERS, *LOOSE, *DATED, "README.md", "Containerfile", "manifest.json"}


TIMES = ("2026-11-30T12:00:00Z", "2026-12-01T08:30:00Z")


def released() -> dict[str, bytes]:
    """What lies in dist/, by path."""
    return {
        str(path.relative_to("dist")): path.read_bytes()
        for path in Path("dist").rglob("*")
        if path.is_file()
    }


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files, and the release line as current folder."""
    (tmp_path / "line").mkdir()
    (tmp_path / "temporary").mkdir()
    monkeypatch.chdir(tmp_path / "line")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path / "temporary"


@pytest.fixture
def unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unpacks the wheel beside this Python instead of installing it, which takes a second; the slow
    tests install.
    """
    monkeypatch.setattr(environment, "install", tiny.unpack)


def refused(temporary: Path, kind: type[Exception], message: str) -> None:
    """Running the stage is refused with `message`, and leaves neither a release nor temporary
    files.
    """
    Path("dist").mkdir(exist_ok=True)
    Path("dist/earlier.whl").write_text("an earlier release")
    with pytest.raises(kind, match=message):
        package.main()
    assert not Path("dist").exists()
    assert list(temporary.iterdir()) == []


@pytest.mark.usefixtures("unpacked")
def test_a_release(temporary: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = tiny.write_line(Path())
    Path("dist").mkdir()
    Path("dist/earlier.whl").write_text("an earlier release")
    extra = package.main()
    assert set(released()) == RELEASED
    assert list(temporary.iterdir()) == []
    assert set(extra) == {"install_seconds", "reproduce_seconds"}
    told = capsys.readouterr().out
    assert "it got 60 of 60 test images right, as its card says" in told
    assert "variant int8, UNSIGNED" in told

    content = Path("dist", WHEEL).read_bytes()
    manifest = json.loads(Path("dist/manifest.json").read_text())
    assert manifest["wheel"] == {"file": WHEEL, "bytes": len(content), "sha256": sha256(content)}
    assert manifest["model"] == {"variant": "int8", "sha256": facts["choice"]["sha256"]}
    assert (manifest["signed"], manifest["signer"]) == (False, None)
    packed = wheel.Wheel(WHEEL, content).contents()
    assert manifest["files"] == {name: sha256(file) for name, file in packed.items()}
    for paper in PAPERS:
        assert packed[f"bright_row/{paper}"] == Path("dist", paper).read_bytes()
    assert manifest["beside"] == {
        name: sha256(Path("dist", name)) for name in RELEASED - {"manifest.json", *DATED}
    }
    assert packed["bright_row/model.onnx"] == tiny.model()
    described = email.message_from_bytes(packed["bright_row-1.2.0rc1.dist-info/METADATA"])
    assert described.get_all("Provides-Extra") == sorted(package.EXTRAS)
    asked = [Requirement(text) for text in described.get_all("Requires-Dist") or []]
    assert {one.name for one in asked if one.marker is None} == set(kinds.KINDS["image"].runtime)
    libraries = {
        one["name"]: one.get("scope")
        for one in json.loads(packed["bright_row/sbom.cdx.json"])["components"]
        if "purl" in one
    }
    assert {one.name for one in asked if one.marker} <= {
        name for name, scope in libraries.items() if scope == "optional"
    }
    about = json.loads(packed["bright_row/release.json"])
    assert (about["classes"], about["model"]["variant"]) == (tiny.CLASSES, "int8")
    assert about["temperature"] == 0.5
    assert about["signature"] is None
    assert (about["threshold"], about["dataset"]) == (0.9, "rows")
    assert {"bright_row/page.html", "bright_row/page.css", "bright_row/page.js"} <= set(packed)
    assert "> **UNSIGNED.**" in Path("dist/MODEL_CARD.md").read_text()
    assert about["numbers"]["shipped"] == facts["quantization"]["variants"]["int8"]
    assert not [name for name in packed if name.endswith((".pkl", ".pt", ".pyc"))]


@pytest.mark.usefixtures("unpacked")
@pytest.mark.parametrize("kind", [tinytext, tinytable])
def test_a_release_of_another_kind(
    temporary: Path, capsys: pytest.CaptureFixture[str], kind: Any
) -> None:
    facts = kind.write_line(Path())
    package.main()
    name = facts["stats"]["kind"]
    told = kinds.KINDS[name]
    assert f"it got 60 of 60 test {told.things} right, as its card says" in capsys.readouterr().out
    assert list(temporary.iterdir()) == []
    packed = wheel.Wheel(WHEEL, Path("dist", WHEEL).read_bytes()).contents()
    files = {path.removeprefix("bright_row/") for path in packed if path.startswith("bright_row/")}
    assert told.code <= files
    assert not files & (kinds.OWN - told.code)
    about = json.loads(packed["bright_row/release.json"])
    assert (about["kind"], about["input"]) == (name, facts["stats"]["input"])
    assert about["features"] == facts["stats"].get("features")
    assert about.get("centred") == facts["stats"].get("centred")
    described = email.message_from_bytes(packed["bright_row-1.2.0rc1.dist-info/METADATA"])
    asked = [Requirement(text) for text in described.get_all("Requires-Dist") or []]
    assert {one.name for one in asked if one.marker is None} == set(told.runtime)
    assert described.get_all("Provides-Extra") == sorted(package.EXTRAS)
    card = Path("dist/MODEL_CARD.md").read_text()
    assert f"bright-row {told.usage[0][0]}" in card
    assert "image" not in re.sub("container image|no image was built|tiny image", "", card)
    kind.write_line(Path(), kind.model(scale=-1))
    refused(temporary, GateError, rf"of 60 test {told.things} right .*; nothing was released")


@pytest.mark.usefixtures("unpacked")
def test_a_text_release_carries_its_tokenizer(temporary: Path) -> None:
    tinytext.write_line(Path())
    package.main()
    packed = wheel.Wheel(WHEEL, Path("dist", WHEEL).read_bytes()).contents()
    assert packed["bright_row/tokenizer.json"] == tinytext.rules()
    assert json.loads(packed["bright_row/release.json"])["example"] == "这家酒店很好！"


@pytest.mark.usefixtures("unpacked")
def test_the_same_inputs_give_the_same_release(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for folder in ("one", "an/other"):
        Path(folder).mkdir(parents=True)
        tiny.write_line(Path(folder))
        with monkeypatch.context() as there:
            there.chdir(folder)
            package.main()
            found.append(released())
    assert found[0] == found[1]


@pytest.mark.usefixtures("unpacked")
def test_provenance_names_what_was_released_and_what_it_was_made_from(temporary: Path) -> None:
    tiny.write_line(Path())
    Path("dvc.lock").write_text("stages: {}\n")
    package.main()
    packed = wheel.Wheel(WHEEL, Path("dist", WHEEL).read_bytes()).contents()
    inside, beside = (
        json.loads(packed["bright_row/provenance.intoto.json"]),
        json.loads(Path("dist/provenance.intoto.json").read_text()),
    )
    subjects = {one["name"]: one["digest"]["sha256"] for one in inside["subject"]}
    own = {"manifest.json", "provenance.intoto.json"}
    assert subjects == {
        name.removeprefix("bright_row/"): sha256(content)
        for name, content in packed.items()
        if name.startswith("bright_row/") and name.removeprefix("bright_row/") not in own
    }
    assert {one["name"]: one["digest"]["sha256"] for one in beside["subject"]} == {
        name: sha256(Path("dist", name)) for name in RELEASED - {"provenance.intoto.json"}
    }
    made_from = [
        statement["predicate"]["buildDefinition"]["resolvedDependencies"]
        for statement in (inside, beside)
    ]
    for found in made_from:
        digests = {one["name"]: one["digest"].get("sha256") for one in found}
        for path in ("reports/evaluation.json", "data/prepared/stats.json", "reports/choice.json"):
            assert digests[path] == sha256(Path(path))
        assert digests["requirements.lock"] == sha256(ROOT / "requirements.lock")
        assert digests["data/rows.bin"] == tiny.DIGEST
    only_beside = {one["name"] for one in made_from[1]} - {one["name"] for one in made_from[0]}
    assert only_beside - {"code"} == {"params.yaml", "dvc.lock"}


@pytest.mark.usefixtures("unpacked")
@pytest.mark.parametrize("sha", ["a" * 40, None])
def test_a_commit_changes_what_names_it_beside_the_wheel_and_nothing_else(
    temporary: Path, monkeypatch: pytest.MonkeyPatch, sha: str | None
) -> None:
    tiny.write_line(Path())
    made = []
    for found in (
        commit.Commit("f" * 40, dirty=True, time=TIMES[0]),
        sha and commit.Commit(sha, dirty=False, time=TIMES[1]),
    ):
        monkeypatch.setattr(commit, "of", lambda _, found=found: found)
        package.main()
        made.append(released())
    assert {name for name in RELEASED if made[0][name] != made[1][name]} == DATED
    times = [json.loads(one["sbom.cdx.json"])["metadata"].get("timestamp") for one in made]
    assert times == [TIMES[0], sha and TIMES[1]]


@pytest.mark.usefixtures("unpacked")
def test_a_price_changes_nothing_in_the_wheel(temporary: Path) -> None:
    tiny.write_line(Path())
    package.main()
    first = Path("dist", WHEEL).read_bytes()
    params = json.loads(Path("params.yaml").read_text())
    Path("params.yaml").write_text(json.dumps({**params, "report": {"price_per_1000": 2}}))
    package.main()
    assert Path("dist", WHEEL).read_bytes() == first


@pytest.mark.usefixtures("unpacked")
def test_the_page_needs_nothing_else(temporary: Path) -> None:
    tiny.write_line(Path())
    package.main()
    page = Path("dist/MODEL_CARD.html").read_text()
    assert "<title>Brightest row: bright-row 1.2.0rc1</title>" in page
    assert "--paper" in page  # the house's look
    assert not re.search(r"""<script|<link|<img|src=|url\(|@import|href=["']http""", page)


@pytest.mark.usefixtures("unpacked")
def test_a_poisoned_model_is_refused(temporary: Path) -> None:
    """Other bytes than the ones that were measured, and measured ones with another accuracy than
    the card's.
    """
    tiny.write_line(Path())
    Path("models/variants/int8.onnx").write_bytes(tiny.model(scale=-0.1))
    refused(temporary, DataError, "int8.onnx does not have the SHA-256")
    tiny.write_line(Path(), content=tiny.model(scale=-0.1))
    refused(
        temporary,
        GateError,
        r"gets 0 of 60 test images right \(0.0000%\), but its card says 100.0000% of 60; nothing"
        r" was released",
    )


@pytest.mark.usefixtures("unpacked")
@pytest.mark.parametrize("right", [59, 61])
def test_one_image_more_or_less_is_refused(temporary: Path, right: int) -> None:
    tiny.write_line(Path(), right=right)
    refused(temporary, GateError, "gets 60 of 60 test images right")


@pytest.mark.usefixtures("unpacked")
def test_a_rounded_accuracy_is_the_same_accuracy(temporary: Path) -> None:
    facts = tiny.write_line(Path(), n=61, right=61)
    facts["evaluation"]["accuracy"]["value"] = 0.9999
    tiny.rewrite(Path(), facts)
    package.main()
    facts["evaluation"]["accuracy"]["value"] = 60.5 / 61
    tiny.rewrite(Path(), facts)
    refused(temporary, GateError, "gets 61 of 61")


@pytest.mark.usefixtures("unpacked")
def test_a_model_that_does_not_run_is_refused(temporary: Path) -> None:
    tiny.write_line(Path(), content=b"no model")
    refused(temporary, GateError, "the installed wheel does not predict: .*nothing was released")
    tiny.write_line(Path(), content=tiny.model(scale=float("nan")))
    refused(temporary, GateError, "the installed wheel does not predict: .*not finite")


@pytest.mark.parametrize(
    ("file", "keys", "value", "message"),
    [
        ("evaluation", ["test_digest"], "f" * 64, "evaluation.json is of another test split"),
        ("model", ["data", "train_digest"], "f" * 64, "model.json is of another train split"),
        ("model", ["classes"], ["a", "b", "c"], "model.json has other classes"),
        ("evaluation", ["variant"], "fp32", "evaluation.json is of another variant"),
        ("benchmark", ["shipped"], "fp32", "benchmark.json is of another variant"),
        ("choice", ["sha256"], "f" * 64, "choice.json is of another file"),
        ("stats", ["splits", "test", "examples"], 59, "evaluation.json has another n"),
    ],
)
def test_evidence_of_different_runs_is_refused(
    temporary: Path, file: str, keys: list[str], value: Any, message: str
) -> None:
    facts = tiny.write_line(Path())
    inner = facts[file]
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    tiny.rewrite(Path(), facts)
    refused(temporary, GateError, message)


@pytest.mark.usefixtures("unpacked")
def test_a_shorter_test_split_than_the_card_counts_is_refused(temporary: Path) -> None:
    facts = tiny.write_line(Path(), n=30, right=30)
    facts["evaluation"]["accuracy"] |= {"value": 0.5, "n": 60}
    facts["evaluation"]["n"] = 60
    facts["stats"]["splits"]["test"]["examples"] = 60
    tiny.rewrite(Path(), facts)
    refused(
        temporary, GateError, r"30 of 30 test images right .* but its card says 50\.0000% of 60"
    )


def test_missing_answers_are_refused(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny.write_line(Path())

    def install(folder: Path, path: Path, _: dict[str, str]) -> None:
        (folder / "bin").mkdir(parents=True)
        (folder / "bin/bright-row").write_text('#!/bin/sh\necho \'{"label": "top"}\'\n')
        (folder / "bin/bright-row").chmod(0o755)

    monkeypatch.setattr(environment, "install", install)
    refused(temporary, GateError, "gave 1 answers to 60 test images")


def test_what_is_missing_is_named(temporary: Path) -> None:
    tiny.write_line(Path())
    Path("reports/quantization.json").unlink()
    refused(temporary, DataError, "reports/quantization.json is missing; run `dvc repro`")
    tiny.write_line(Path())
    Path("params.yaml").write_text(
        json.dumps(
            {
                "kind": "image",
                "task": "classification",
                "release": {**tiny.RELEASE, "version": "one"},
            }
        )
    )
    refused(temporary, ParamsError, "release.version = 'one'")


def test_an_error_while_installing_leaves_nothing(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.write_line(Path())

    def install(folder: Path, path: Path, _: dict[str, str]) -> None:
        (folder / "half").mkdir(parents=True)
        raise DuliError("no space")

    monkeypatch.setattr(environment, "install", install)
    refused(temporary, DuliError, "no space")


@pytest.mark.usefixtures("unpacked")
def test_an_error_while_writing_leaves_nothing(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.write_line(Path())

    write = package.files.write_bytes

    def full(path: Path, content: bytes) -> None:
        if path == Path("dist/manifest.json"):
            raise OSError(28, "No space left on device", str(path))
        write(path, content)

    monkeypatch.setattr(package.files, "write_bytes", full)
    refused(temporary, OSError, "No space left")


@pytest.fixture
def private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The key that releases are signed with, where signing looks for it."""
    monkeypatch.delenv(keys.SIGNING_KEY, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    (tmp_path / "settings/duli").mkdir(parents=True)
    return pairs.pair(tmp_path / "settings/duli")[0]


@pytest.mark.usefixtures("unpacked")
def test_a_signed_release(
    temporary: Path, private: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny.write_line(Path(), sign=True)
    package.main()
    fingerprint = keys.fingerprint(keys.public_of(private))
    assert f"variant int8, signed with the key {fingerprint}\n" in capsys.readouterr().out
    assert set(released()) == {*RELEASED, "model.sig"}
    assert list(temporary.iterdir()) == []
    assert signing.verify(Path("dist"), keys.trusted(os.environ)) == fingerprint

    manifest = json.loads(Path("dist/manifest.json").read_text())
    assert manifest["signed"] is True
    assert manifest["signer"] == signing.signer(keys.public_of(private))
    packed = wheel.Wheel(WHEEL, Path("dist", WHEEL).read_bytes()).contents()
    assert json.loads(packed["bright_row/release.json"])["signature"] == {
        "file": "model.sig",
        **manifest["signer"],
    }
    assert packed["bright_row/MODEL_CARD.md"] == Path("dist/MODEL_CARD.md").read_bytes()
    assert f"fingerprint `{fingerprint}`" in Path("dist/MODEL_CARD.md").read_text()

    content = bytearray(Path("dist", WHEEL).read_bytes())
    for index in range(0, len(content), len(content) // 50):
        content[index] ^= 1 << index % 8
        Path("dist", WHEEL).write_bytes(content)
        with pytest.raises(DataError, match=f"{WHEEL} is changed"):
            signing.verify(Path("dist"), keys.trusted(os.environ))
        content[index] ^= 1 << index % 8


@pytest.mark.usefixtures("unpacked")
def test_signing_changes_nothing_but_the_signature_from_run_to_run(
    temporary: Path, private: Path
) -> None:
    tiny.write_line(Path(), sign=True)
    made = []
    for _ in range(2):
        package.main()
        made.append(released())
    assert {name for name in made[0] if made[0][name] != made[1][name]} == {"model.sig"}


@pytest.mark.slow
@pytest.mark.usefixtures("unpacked")
def test_customers_verify_it_with_the_command_on_the_card(
    temporary: Path, private: Path, tmp_path: Path
) -> None:
    """With model-signing alone, in a folder that holds what they were given and nothing of Duli."""
    tiny.write_line(Path(), sign=True)
    package.main()
    customer = tmp_path / "customer"
    shutil.copytree("dist", customer / "dist")
    shutil.copy(keys.beside(private), customer / "signing.pub")
    (line,) = (
        line
        for line in Path("dist/MODEL_CARD.md").read_text().splitlines()
        if line.startswith("    model_signing ")
    )
    command = [sys.executable, "-m", *line.split()]

    def run() -> tuple[int, str]:
        environment = {"PATH": os.environ["PATH"], "HOME": str(customer)}
        done = subprocess.run(
            command, cwd=customer, env=environment, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout + done.stderr

    assert run() == (0, "Verification succeeded\n")
    (customer / "dist/.gitignore").touch()
    assert run() == (
        1,
        (
            'Verification failed with error: Signature mismatch: ["Extra files found in model'
            " 'dist': .gitignore\"]\n"
        ),
    )
    (customer / "dist/.gitignore").unlink()
    pairs.pair(customer)
    code, told = run()
    assert (code, "Key mismatch" in told) == (1, True)


def test_no_key_is_told_before_anything_is_done(temporary: Path, private: Path) -> None:
    tiny.write_line(Path(), sign=True)
    Path("data/prepared/stats.json").unlink()  # would be the next complaint
    private.chmod(0o644)
    refused(temporary, DataError, "chmod 600")
    private.unlink()
    refused(temporary, DataError, r"signing\.key is missing; .*`duli keygen`")


@pytest.mark.usefixtures("unpacked")
def test_dist_that_is_not_what_was_signed_is_no_release(
    temporary: Path, private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else writes to dist/ while the release is put there."""
    tiny.write_line(Path(), sign=True)
    write = package.files.write_bytes

    def meddle(path: Path, content: bytes) -> None:
        write(path, content)
        if path == Path("dist/model.sig"):
            Path("dist/MODEL_CARD.md").write_text("forged")

    monkeypatch.setattr(package.files, "write_bytes", meddle)
    refused(temporary, DataError, r"is not as it was signed: MODEL_CARD\.md is changed;")


@pytest.mark.usefixtures("unpacked")
def test_a_key_that_goes_away_meanwhile_leaves_nothing(
    temporary: Path, private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.write_line(Path(), sign=True)
    closure = environment.closure

    def lose(*names: str) -> dict[str, str]:
        private.unlink(missing_ok=True)
        return closure(*names)

    monkeypatch.setattr(environment, "closure", lose)
    refused(temporary, DataError, "is missing")


@pytest.mark.usefixtures("unpacked")
def test_another_key_meanwhile_leaves_nothing(
    temporary: Path, private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The card names one key, the signature would be by the other."""
    tiny.write_line(Path(), sign=True)
    closure = environment.closure

    def change(*names: str) -> dict[str, str]:
        private.write_bytes(keys.make().private)
        return closure(*names)

    monkeypatch.setattr(environment, "closure", change)
    refused(temporary, DataError, "was not made with the key that is trusted here")


@pytest.mark.slow
def test_the_wheel_in_a_bare_environment(temporary: Path) -> None:
    """Installed as a customer would: it predicts, verifies, and refuses itself once a byte is
    changed.
    """
    tiny.write_line(Path(), n=5000, right=5000)
    package.main()
    environment.install(
        Path("venv").absolute(),
        Path("dist", WHEEL).absolute(),
        environment.closure(*kinds.KINDS["image"].runtime, *package.EXTRAS["serve"]),
    )
    program = Path("venv/bin/bright-row").absolute()

    def run(*arguments: str, feed: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        # writes bytecode caches, too
        variables = {
            name: value for name, value in os.environ.items() if not name.startswith("PYTHON")
        }
        return subprocess.run(
            [program, *arguments],
            cwd="/",
            env=variables,
            input=feed,
            capture_output=True,
            check=False,
        )

    buffer = io.BytesIO()
    np.save(buffer, tiny.images(7))
    for _ in range(2):  # the second time with the bytecode caches of the first
        answered = run("predict", "--json", "-", feed=buffer.getvalue())
        assert answered.stderr == b""
        assert [json.loads(line)["label"] for line in answered.stdout.splitlines()] == [
            tiny.CLASSES[index % 3] for index in range(7)
        ]
        assert b"UNSIGNED" in run("verify").stdout
    assert run("info").stdout == Path("dist/MODEL_CARD.md").read_bytes()
    with subprocess.Popen(
        [program, "serve", "--port", "0"], cwd="/", stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        address = server.stdout.readline().split()[4]
        with urllib.request.urlopen(f"{address}/v2/models/bright-row/ready", timeout=10) as ready:
            assert ready.status == 200
        server.terminate()
        assert server.wait(20) == 0
    duli = subprocess.run(
        ["venv/bin/python", "-I", "-c", "import duli"], capture_output=True, check=False
    )
    assert b"No module named 'duli'" in duli.stderr

    (installed,) = Path("venv").glob("lib/*/site-packages/bright_row/model.onnx")
    changed = bytearray(installed.read_bytes())
    changed[100] ^= 1
    installed.unlink()  # perhaps a hard link
    installed.write_bytes(changed)
    for arguments in (["predict", "-"], ["verify"], ["info"]):
        assert run(*arguments, feed=buffer.getvalue()).returncode == 3


@pytest.mark.slow
def test_a_text_wheel_in_a_bare_environment(temporary: Path) -> None:
    """With the libraries that it declares, and nothing more."""
    tinytext.write_line(Path(), n=500)
    package.main()
    environment.install(
        Path("venv").absolute(),
        Path("dist", WHEEL).absolute(),
        environment.closure(*kinds.KINDS["text"].runtime),
    )
    program = Path("venv/bin/bright-row").absolute()
    answered = subprocess.run(
        [program, "predict", "--json", "--text", "好"], cwd="/", capture_output=True, check=True
    )
    assert json.loads(answered.stdout)["label"] == "good"
    assert answered.stderr == b""


@pytest.mark.slow
def test_a_poisoned_model_is_refused_in_a_bare_environment(temporary: Path) -> None:
    tiny.write_line(Path(), content=tiny.model(scale=-0.1))
    refused(temporary, GateError, "gets 0 of 60 test images right")
