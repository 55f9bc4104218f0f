"""Packs the chosen model into a wheel that explains and verifies itself, and has the wheel
reproduce its card in a clean environment.
"""

import json
import os
import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from markupsafe import Markup

from duli.base import files, rooms
from duli.base.errors import GateError
from duli.base.params import Params
from duli.base.progress import progress
from duli.packaging import (
    card,
    commit,
    environment,
    keys,
    layouts,
    ledger,
    locked,
    manifest,
    provenance,
    sbom,
    signing,
    wheel,
)
from duli.packaging.params import Release
from duli.packaging.product import Kind, Task
from duli.reporting.shared import pages
from duli.serving import __main__ as command
from duli.serving import asgi  # noqa: F401  # packed with its folder, nothing else imports it

PARAMS = Path("params.yaml")
DIST = Path("dist")
MODELS = Path("models")
TEST = Path("data/prepared/test.parquet")
MODEL, RELEASE, CARD, MANIFEST = "model.onnx", "release.json", "MODEL_CARD.md", "manifest.json"
HUB, CONTAINER = "README.md", "Containerfile"
EVIDENCE = {
    "raw": "data/raw/dataset.json",
    "stats": "data/prepared/stats.json",
    "preprocessing": "data/prepared/preprocessing.json",
    "model": "models/model.json",
    "train": "reports/train.json",
    "evaluation": "reports/evaluation.json",
    "quantization": "reports/quantization.json",
    "benchmark": "reports/benchmark.json",
    "choice": "reports/choice.json",
}
# where the running code, its lock file and its commit are
CODE_FOLDER = Path(__file__).resolve().parents[1]
LOCK = CODE_FOLDER / locked.FILE
DVC_LOCK = Path("dvc.lock")
CODE = ("*.py", "page*")  # of duli/serving/, with the rooms of this kind and task only
EXTRAS: dict[str, Mapping[str, str]] = {  # needed by a command that most customers never run
    "asgi": {"orjson": ""},  # needed by a server that the customer provides
    "serve": {"httptools": "", "orjson": "", "uvloop": "platform_system != 'Windows'"},
    "verify": {"cryptography": ""},
}

Evidence = dict[str, dict[str, Any]]  # by the names in EVIDENCE


def main() -> dict[str, object]:
    # If anything below fails, no release of an earlier configuration may remain and pass for this
    # one.
    shutil.rmtree(DIST, ignore_errors=True)
    release = Params(PARAMS).section("release", Release)
    # An unusable key fails here, not after the work below.
    key = keys.private_place(os.environ) if release.sign else None
    public = keys.public_of(key) if key else None
    signer = signing.signer(public) if public else None
    evidence = {name: files.read_json(path) for name, path in EVIDENCE.items()}
    product = _Product.of(release, evidence)
    _one_run(product)
    made_of = _libraries(product.kind.runtime)
    packed, papers, materials = _pack(product, signer, made_of)

    pins = environment.closure(*product.kind.runtime)
    with tempfile.TemporaryDirectory(prefix="duli-package-") as name:
        folder = Path(name)
        started = time.perf_counter()
        files.write_bytes(folder / packed.name, packed.content)
        environment.install(folder / "venv", folder / packed.name, pins)
        installed = time.perf_counter()
        proved = _reproduce(folder, folder / "venv" / "bin" / release.name, product)
        seconds = {
            "install_seconds": installed - started,
            "reproduce_seconds": time.perf_counter() - installed,
        }

        released = _released(product, signer, packed, papers, materials, made_of)
        signature = None
        if key:
            # Signed in a private folder: if the signature matches dist/ too, dist/ holds what was
            # proved above.
            _write(folder / DIST, released)
            signature = signing.sign(folder / DIST, key)

    try:
        _write(DIST, released)
        if signature and public:
            files.write_bytes(DIST / signing.SIGNATURE, signature)
            signing.verify(DIST, public)
    except BaseException:
        shutil.rmtree(DIST, ignore_errors=True)
        raise
    signed = f"signed with the key {signer['fingerprint']}" if signer else "UNSIGNED"
    print(
        f"{DIST / packed.name}: {len(packed.content):,} bytes, variant"
        f" {evidence['choice']['variant']}, {signed}"
    )
    bare = ", ".join(f"{name} {pins[name]}" for name in product.kind.runtime)
    print(f"in a bare environment ({bare}) it {proved}, as its card says")
    print(f"{DIST / CONTAINER}: no image was built of it")
    return {**seconds}


class _Product(NamedTuple):
    """The product to pack: its params, the run's files, and the texts of its kind and task."""

    release: Release
    evidence: Evidence
    kind: Kind
    task: Task
    rooms: dict[str, str]  # names of the kind and the task

    @classmethod
    def of(cls, release: Release, evidence: Evidence) -> "_Product":
        kind, task = evidence["stats"]["kind"], Params(PARAMS).values["task"]
        return cls(
            release,
            evidence,
            rooms.kind(kind, "releasing.release").Kind(evidence["stats"]),
            rooms.task(task, "releasing.release").Task(evidence),
            {"kinds": kind, "tasks": task},
        )


class _Libraries(NamedTuple):
    """The wheel's required libraries: library -> version in this environment."""

    direct: tuple[str, ...]  # by name in the wheel's metadata, including those of its extras
    required: dict[str, str]
    # dependencies of its extras only, and those shared with the required libraries
    optional: dict[str, str]
    pins: dict[str, list[locked.Pin]]  # of both groups

    def bill(self, product: _Product, timestamp: str | None = None) -> bytes:
        """The software bill of materials (SBOM)."""
        digests = {
            name: [digest for pin in pins for digest in pin.digests]
            for name, pins in self.pins.items()
        }
        return sbom.of(
            product.release,
            product.kind,
            product.task,
            product.evidence,
            self.direct,
            self.required,
            self.optional,
            digests,
            timestamp,
        )


def _libraries(runtime: tuple[str, ...]) -> _Libraries:
    """The required libraries; raises `DuliError` if an installed version is not the locked one."""
    optional = sorted({name for needed in EXTRAS.values() for name in needed})
    required, further = environment.closure(*runtime), environment.closure(*optional)
    pins = locked.pins(LOCK.read_text(encoding="utf-8"), {**required, **further})
    return _Libraries((*runtime, *optional), required, further, pins)


def _pack(
    product: _Product, signer: dict[str, str] | None, made_of: _Libraries
) -> tuple[wheel.Wheel, dict[str, bytes], dict[str, str]]:
    """The wheel, its documents that are also useful outside it, and the digests of its inputs (name
    -> SHA-256).
    """
    release, evidence, kind = product.release, product.evidence, product.kind
    shipped = evidence["choice"]
    model = files.verified(MODELS / shipped["file"], shipped["sha256"])
    page = card.render(
        release, wheel.file_name(release), kind, product.task, signer=signer, **evidence
    )
    papers = {
        CARD: page.encode(),
        card.PAGE: _html(release, page),
        manifest.SBOM: made_of.bill(product),
        ledger.FILE: ledger.of(evidence["raw"], evidence["stats"]),
    }
    materials = {path: files.sha256(Path(path)) for path in EVIDENCE.values()} | {
        LOCK.name: files.sha256(LOCK)
    }
    contents = code(product.rooms) | kind.carried(evidence["preprocessing"]["rules"])
    contents |= {MODEL: model, RELEASE: _release(product, signer), **papers}
    contents[manifest.PROVENANCE] = provenance.of_wheel(
        release, manifest.digests(contents), evidence, materials
    )
    contents[MANIFEST] = manifest.of_package(release.name, release.version, contents)
    wanted = {name: _requirements(needed) for name, needed in EXTRAS.items()}
    return (
        wheel.build(release, contents, page, _requirements(kind.runtime), wanted),
        papers,
        materials,
    )


def code(names: Mapping[str, str]) -> dict[str, bytes]:
    """The files of duli/serving/ by relative path; of its folders `kinds` and `tasks`, only the
    named room.
    """
    folder = Path(command.__file__).parent
    paths = {path.relative_to(folder) for pattern in CODE for path in folder.rglob(pattern)}
    return {
        path.as_posix(): (folder / path).read_bytes()
        for path in sorted(paths)
        if len(path.parts) < 3 or names[path.parts[0]] == path.parts[1]
    }


def _released(
    product: _Product,
    signer: dict[str, str] | None,
    packed: wheel.Wheel,
    papers: dict[str, bytes],
    materials: dict[str, str],
    made_of: _Libraries,
) -> dict[str, bytes]:
    """Every file of dist/ except the signature, by path."""
    release, evidence, kind, task = product[:4]
    python = ".".join(platform.python_version_tuple()[:2])
    choice = evidence["choice"]
    content = files.verified(MODELS / choice["file"], choice["sha256"])
    released = {
        packed.name: packed.content,
        **{name: paper for name, paper in papers.items() if name != manifest.SBOM},
        HUB: card.hub(release, papers[CARD].decode(), kind, task, evidence).encode(),
        CONTAINER: card.containerfile(release, packed.name, python).encode(),
        locked.FILE: locked.requirements(
            made_of.pins, packed.name, files.sha256(packed.content), EXTRAS
        ),
        **layouts.of(release.name, release.version, content, task.labels, task.answer),
        **kind.carried(evidence["preprocessing"]["rules"]),
    }
    model = choice["variant"], choice["sha256"]
    facts = manifest.of_release(
        release.name,
        release.version,
        packed,
        model,
        packed.contents(),
        signer,
        manifest.digests(released),
    )
    released[MANIFEST] = manifest.encoded(facts)
    # The commit and its time are in these two files only: they change while the release does not.
    # So no manifest lists these files, and they do not identify a release; provenance lists the
    # others, and the signature covers all.
    at = commit.of(CODE_FOLDER)
    released[manifest.SBOM] = made_of.bill(product, at.time if at else None)
    made_from = materials | {
        path.name: files.sha256(path) for path in (PARAMS, DVC_LOCK) if path.exists()
    }
    subjects = manifest.digests(released)
    released[manifest.PROVENANCE] = provenance.of_release(
        release, subjects, evidence, made_from, at
    )
    return released


def _one_run(product: _Product) -> None:
    """Raises `GateError` unless all evidence on the card is about one model and one test split."""
    evidence = product.evidence
    stats, model, evaluation, quantization = (
        evidence[name] for name in ("stats", "model", "evaluation", "quantization")
    )
    benchmark, choice = evidence["benchmark"], evidence["choice"]
    splits, variant = stats["splits"], choice["variant"]
    shipped = quantization["variants"].get(variant, {}).get("sha256", "none")
    differences = [
        f"{what} ({here} instead of {there})"
        for what, here, there in (
            (
                "reports/evaluation.json is of another test split",
                evaluation["test_digest"],
                splits["test"]["digest"],
            ),
            (
                "models/model.json is of another train split",
                model["data"]["train_digest"],
                splits["train"]["digest"],
            ),
            *product.task.agreements(),
            ("reports/choice.json is of another file", choice["sha256"], shipped),
            ("reports/benchmark.json is of another variant", benchmark["shipped"], variant),
            ("reports/evaluation.json is of another variant", evaluation["variant"], variant),
            ("reports/evaluation.json has another n", evaluation["n"], splits["test"]["examples"]),
        )
        if here != there
    ]
    if differences:
        raise GateError(
            f"the card's evidence does not belong together: {'; '.join(differences)}; run `dvc"
            " repro`"
        )


def _write(folder: Path, contents: dict[str, bytes]) -> None:
    for name, content in contents.items():
        files.write_bytes(folder / name, content)


def _html(release: Release, markdown: str) -> bytes:
    """The card as a self-contained page."""
    body = card.body(markdown)
    return pages.render(
        "reporting/card/card.html.j2",
        heading=body.heading,
        name=release.name,
        version=release.version,
        card=Markup(body.html),  # noqa: S704  # made of escaped text
    ).encode()


def _release(product: _Product, signer: dict[str, str] | None) -> bytes:
    """The content of release.json: how to run the model, the figures of its card in
    machine-readable form, and the location of its signature.
    """
    release, evidence, kind, task = product[:4]
    stats, quantization = evidence["stats"], evidence["quantization"]
    variant = evidence["choice"]["variant"]
    own = evidence["raw"].get("own") or {}
    # columns of the source file
    read = {name: own[name] for name in ("label", *kind.columns) if own.get(name)}
    facts = {
        "name": release.name,
        "version": release.version,
        "title": release.title,
        "licence": release.licence,
        "publisher": release.publisher,
        # Not "signed": a package cannot vouch for itself. The signature covers the folder that
        # holds the wheel.
        "signature": {"file": signing.SIGNATURE, **signer} if signer else None,
        "kind": product.rooms["kinds"],
        "task": product.rooms["tasks"],
        "input": stats["input"],
        **kind.facts,
        **task.facts,
        **({"columns": read} if read else {}),
        "example": release.example,
        "model": {
            "file": MODEL,
            "variant": variant,
            "sha256": quantization["variants"][variant]["sha256"],
        },
        "dataset": stats["dataset"],
        "test_digest": stats["splits"]["test"]["digest"],
        "numbers": {
            "shipped": quantization["variants"][variant],
            "evaluation": evidence["evaluation"],
            "speed": evidence["benchmark"]["variants"][variant],
            "hardware": evidence["benchmark"]["hardware"],
        },
    }
    return manifest.encoded(facts)


def _requirements(names: Iterable[str] | Mapping[str, str]) -> tuple[str, ...]:
    """The wheel's requirements: at least the tested versions, below the next major one; a mapping
    adds environment markers.
    """
    markers = names if isinstance(names, Mapping) else dict.fromkeys(names, "")

    def required(name: str, marker: str) -> str:
        version = metadata.version(name)
        return f"{name}>={version},<{int(version.split('.')[0]) + 1}" + (
            f"; {marker}" if marker else ""
        )

    return tuple(required(name, marker) for name, marker in markers.items())


def _reproduce(folder: Path, program: Path, product: _Product) -> str:
    """Runs the installed command on the test examples and returns the result in words; raises
    `GateError` unless it matches the card.
    """
    things = product.kind.words.things
    paths, targets = _test_files(folder, product.kind)
    with (folder / "stderr").open("w+") as complaints:
        arguments: list[str | Path] = [program, "predict", "--json", *paths]
        with subprocess.Popen(
            arguments,
            cwd=folder,
            env=environment.clean(),
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
        ) as asked:
            assert asked.stdout is not None
            answers = [
                json.loads(line)
                for line in progress(
                    asked.stdout, f"test {things}", total=len(targets), unit=things
                )
            ]
        if asked.returncode:
            complaints.seek(0)
            lines = complaints.read().strip().splitlines() or [f"exit code {asked.returncode}"]
            raise GateError(
                f"the installed wheel does not predict: {lines[-1]}; nothing was released"
            )
    if len(answers) != len(targets):
        raise GateError(
            f"the installed wheel gave {len(answers):,} answers to {len(targets):,} test {things};"
            " nothing was released"
        )
    return product.task.reproduced(answers, targets, things)


def _test_files(folder: Path, kind: Kind) -> tuple[list[Path], list[Any]]:
    """Writes the test split as files of bounded size into `folder`; returns them with their
    targets.
    """
    from duli.preparation.prepared.parquet import opened

    paths: list[Path] = []
    targets: list[Any] = []
    with opened(TEST) as file:
        for batch in file.iter_batches(kind.rows, columns=["label", "content"]):
            paths.append(folder / f"test-{len(paths):05d}{kind.suffix}")
            files.write_bytes(paths[-1], kind.written(batch["content"].to_pylist()))
            targets += batch["label"].to_pylist()
    return paths, targets
