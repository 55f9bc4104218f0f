"""Sources stream bytes or say why not; nothing of a broken source gets through as a traceback."""

import gzip
import http.server
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from duli.datasets._sources import Folder, Mirror, NpmPackage, Source, SourceError


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
    with pytest.raises(SourceError, match="neither c nor"):
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


def npm(folder: Path, script: str) -> None:
    """Puts a program called npm first on the path."""
    (folder / "npm").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "npm").chmod(0o755)


def test_npm_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"bytes")
    with tarfile.open(tmp_path / "p.tgz", "w:gz") as tar:
        tar.add(tmp_path / "file", "package/data/file")
    npm(tmp_path, f'for last; do :; done; cp {tmp_path}/p.tgz "$last"')
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    source = NpmPackage("p", "1", "package/data")
    assert read(source, "file") == b"bytes"
    with pytest.raises(SourceError, match="has no file package/data/other"):
        read(source, "other")
    npm(tmp_path, "echo E404 not found >&2; exit 1")
    with pytest.raises(SourceError, match="E404"):
        read(source, "file")
    npm(tmp_path, "exit 0")
    with pytest.raises(SourceError, match="0 archives"):
        read(source, "file")
    npm(tmp_path, 'for last; do :; done; echo no archive > "$last/p.tgz"')
    with pytest.raises(SourceError, match="broken"):
        read(source, "file")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SourceError, match="not installed"):
        read(source, "file")
