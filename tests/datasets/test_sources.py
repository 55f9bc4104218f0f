"""Sources stream bytes or say why not; nothing of a broken source gets through as a traceback."""

import dataclasses
import gzip
import hashlib
import http.server
import os
import shutil
import sys
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from duli.datasets.shared import sources as _sources
from duli.datasets.shared.sources import (
    DebianPackage,
    Folder,
    Mirror,
    NpmPackage,
    PythonPackage,
    Source,
    SourceError,
)


def read(source: Source, name: str) -> bytes:
    with source.open() as chunks:
        return b"".join(chunks(name))


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the loopback address that serves it."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(tmp_path))  # type: ignore[arg-type]

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield tmp_path, f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_folder_plain_and_gzipped(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"plain")
    (tmp_path / "b.gz").write_bytes(gzip.compress(b"packed"))
    assert read(Folder(tmp_path), "a") == b"plain"
    assert read(Folder(tmp_path), "b") == b"packed"
    with pytest.raises(SourceError, match=r"\bc\b.*c\.gz"):
        read(Folder(tmp_path), "c")
    with pytest.raises(SourceError, match="no such folder"):
        read(Folder(tmp_path / "a"), "a")


def test_a_folder_in_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(SourceError, match="cannot be read"):
        read(Folder(tmp_path), "a")


def test_mirror(mirror: tuple[Path, str]) -> None:
    folder, url = mirror
    (folder / "a.gz").write_bytes(gzip.compress(b"x" * 3_000_000))
    assert read(Mirror(url), "a") == b"x" * 3_000_000
    with pytest.raises(SourceError, match="404"):
        read(Mirror(url), "none")
    (folder / "cut.gz").write_bytes((folder / "a.gz").read_bytes()[:1000])
    with pytest.raises(SourceError, match="broken"):
        read(Mirror(url), "cut")
    (folder / "page.gz").write_text("<html>log in first</html>")
    with pytest.raises(SourceError, match="broken"):
        read(Mirror(url), "page")


def test_mirror_that_is_not_there() -> None:
    with pytest.raises(SourceError, match="cannot be reached"):
        read(Mirror("http://127.0.0.1:9/"), "a")


def program(folder: Path, name: str, script: str) -> None:
    """A program of that name in a folder of the path."""
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_npm_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"bytes")
    with tarfile.open(tmp_path / "p.tgz", "w:gz") as tar:
        tar.add(tmp_path / "file", "package/data/file")
    program(tmp_path, "npm", f'for last; do :; done; cp {tmp_path}/p.tgz "$last"')
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    source = NpmPackage("p", "1", "package/data")
    assert read(source, "file") == b"bytes"
    with pytest.raises(SourceError, match="package/data/other"):
        read(source, "other")
    program(tmp_path, "npm", "echo E404 not found >&2; exit 1")
    with pytest.raises(SourceError, match="E404"):
        read(source, "file")
    program(tmp_path, "npm", "exit 0")
    with pytest.raises(SourceError, match="0 archives"):
        read(source, "file")
    program(tmp_path, "npm", 'for last; do :; done; echo no archive > "$last/p.tgz"')
    with pytest.raises(SourceError, match="broken"):
        read(source, "file")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SourceError, match="not installed"):
        read(source, "file")


@pytest.fixture
def python_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PythonPackage:
    """A source archive in a folder that pip looks into; its setup.py leaves a trace where it
    runs.
    """
    source = tmp_path / "some-package-1.5"
    (source / "folder").mkdir(parents=True)
    (source / "folder" / "file").write_bytes(b"bytes")
    (source / "setup.py").write_text(
        f"open({str(tmp_path / 'ran')!r}, 'w')\nfrom setuptools import"
        " setup\nsetup(name='some-package', version='1.5')"
    )
    (source / "PKG-INFO").write_text("Metadata-Version: 1.1\nName: some-package\nVersion: 1.5\n")
    (tmp_path / "index").mkdir()
    archive = tmp_path / "index" / "some-package-1.5.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(source, source.name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(archive.parent))
    return PythonPackage(
        "some-package", "1.5", "folder", sha256=hashlib.sha256(archive.read_bytes()).hexdigest()
    )


@pytest.mark.slow
def test_python_package_by_the_real_pip(python_package: PythonPackage, tmp_path: Path) -> None:
    with python_package.open() as chunks:
        assert b"".join(chunks("file")) == b"bytes"
        with pytest.raises(SourceError, match=r"some-package-1\.5/folder/other"):
            list(chunks("other"))
    assert not (tmp_path / "ran").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sha256": "0" * 64}, "pip failed: (.|\n)*Got"),
        ({"version": "1.6"}, "pip failed: (.|\n)*No matching distribution"),
    ],
)
def test_python_package_of_other_bytes_or_none(
    python_package: PythonPackage, tmp_path: Path, change: dict[str, str], said: str
) -> None:
    with pytest.raises(SourceError, match=said):
        read(dataclasses.replace(python_package, **change), "file")
    assert not (tmp_path / "ran").exists()


def test_python_without_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "python", 'echo "$0: No module named pip" >&2; exit 1')
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(SourceError, match=r"pip.*python -m ensurepip$"):
        read(PythonPackage("p", "1", "folder", sha256=""), "file")
    program(tmp_path, "python", "exit 0")
    with pytest.raises(SourceError, match="pip left 0 archives"):
        read(PythonPackage("p", "1", "folder", sha256=""), "file")


@pytest.fixture
def debian(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An apt-get that brings a package, and a dpkg that unpacks one plain and one gzipped file;
    they say where they were.
    """
    program(
        tmp_path,
        "apt-get",
        f'pwd > {tmp_path}/where; for last; do :; done; touch "${{last}}_1_all.deb"',
    )
    program(
        tmp_path,
        "dpkg",
        'mkdir -p "$3/usr/share/d" && cd "$3/usr/share/d" && printf bytes > plain && printf more |'
        " gzip > packed.gz",
    )
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


DEBIAN = DebianPackage("p", "usr/share/d")


def test_debian_package(debian: Path) -> None:
    with DEBIAN.open() as chunks:
        assert b"".join(chunks("plain")) == b"bytes"
        assert b"".join(chunks("packed")) == b"more"
        scratch = Path((debian / "where").read_text().strip())
        assert scratch.stat().st_mode & 0o777 == 0o700
        with pytest.raises(SourceError, match=r"other.*other\.gz"):
            list(chunks("other"))
    assert not scratch.exists()
    with (
        pytest.raises(SourceError, match="usr/share/e"),
        DebianPackage("p", "usr/share/e").open(),
    ):
        pass


@pytest.mark.parametrize(
    ("name", "script", "said"),
    [
        (
            "apt-get",
            "echo E: Unable to locate package p >&2; exit 100",
            "apt-get failed: E: Unable to locate package p; .*run `apt-get update` as root",
        ),
        (
            "apt-get",
            "echo E: Failed to fetch http://a/p.deb >&2; exit 100",
            "apt-get failed: E: Failed to fetch http://a/p.deb$",
        ),
        ("apt-get", '[ "$LC_ALL" = C ] && echo in English; exit 100', "apt-get failed: in English"),
        ("apt-get", "exit 0", "left 0 packages"),
        ("apt-get", "exec sleep 5", "apt-get gave no package within 0.2 s"),
        ("dpkg", "echo not a Debian archive >&2; exit 2", "dpkg failed: not a Debian archive"),
        ("dpkg", "exit 0", "no folder usr/share/d"),
    ],
)
def test_debian_package_that_fails(
    debian: Path, monkeypatch: pytest.MonkeyPatch, name: str, script: str, said: str
) -> None:
    if "sleep" in script:
        monkeypatch.setattr(_sources, "PACKAGE_TIMEOUT", 0.2)
    program(debian, name, script)
    with pytest.raises(SourceError, match=said):
        read(DEBIAN, "plain")


@pytest.mark.parametrize("missing", ["apt-get", "dpkg"])
def test_no_debian(debian: Path, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    (debian / missing).unlink()
    (debian / "touch").symlink_to(str(shutil.which("touch")))
    monkeypatch.setenv("PATH", str(debian))
    with pytest.raises(SourceError, match=f"^{missing} is not installed$"):
        read(DEBIAN, "plain")
