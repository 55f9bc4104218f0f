"""Downloads the dataset's files to data/raw/ from the first source with the pinned digest, and
verifies them.
"""

import hashlib
import sys
from collections.abc import Iterable
from pathlib import Path

from duli.base import files
from duli.base.errors import DataError, ParamsError
from duli.base.params import Params
from duli.base.progress import progress
from duli.datasets.shared.dataset import dataset as dataset_of
from duli.datasets.shared.params import Data
from duli.datasets.shared.sources import Chunks, Folder, SourceError

RAW = Path("data/raw")
DESCRIPTION = "dataset.json"


def main() -> None:
    data = Params("params.yaml").section("data", Data)
    dataset = dataset_of(data.dataset, data.own)

    if data.local and Path(data.local).resolve().is_relative_to(RAW.resolve()):
        raise ParamsError(
            f"params.yaml: data.local = '{data.local}' lies in {RAW}, which this stage makes; keep"
            " your copy elsewhere"
        )
    _clear({*dataset.FILES, DESCRIPTION})
    missing = [name for name in dataset.FILES if not _has(RAW / name, *dataset.FILES[name])]
    origin = "already there" if not missing else ""
    local = Path(data.local) if data.local else None
    refusals = []
    for source in dataset.sources(local):
        if not missing:
            break
        try:
            with source.open() as chunks:
                for name in tuple(missing):
                    _copy(
                        progress(chunks(name), name, unit="MiB"), RAW / name, *dataset.FILES[name]
                    )
                    missing.remove(name)
                    origin = str(source)
        except SourceError as error:
            if isinstance(source, Folder) and source.path == local:
                message = (
                    f"data.local = '{data.local}' is refused ({error}); the files are taken from"
                    " another source"
                )
                print(f"params.yaml: {message}", file=sys.stderr)
            refusals.append(f"\n  {source}: {error}")
    if missing:
        raise DataError(
            f"no source has the pinned bytes of {', '.join(missing)}:{''.join(refusals)}\n"
            "  put the files into a folder and name it in params.yaml: data.local"
        )
    files.write_json(
        RAW / DESCRIPTION,
        {
            "dataset": data.dataset,
            "title": dataset.TITLE,
            "licence": dataset.LICENCE,
            # Optional facts about a dataset: what its licence permits, and where to find it.
            "terms": getattr(dataset, "TERMS", None),
            "sources": [str(source) for source in getattr(dataset, "PUBLIC_SOURCES", ())],
            "own": data.own,
            "files": {
                name: {"bytes": size, "sha256": digest}
                for name, (size, digest) in dataset.FILES.items()
            },
        },
    )
    print(f"{dataset.TITLE}: {len(dataset.FILES)} files verified in {RAW} ({origin})")


def _has(path: Path, size: int, digest: str) -> bool:
    return path.is_file() and path.stat().st_size == size and files.sha256(path) == digest


def _copy(chunks: Chunks | Iterable[bytes], target: Path, size: int, digest: str) -> None:
    """Streams to `target`; raises `SourceError`, and leaves no file, if size or SHA-256 differ."""
    received, hasher = 0, hashlib.sha256()
    with files.atomic(target) as file:
        for chunk in chunks:
            received += len(chunk)
            if received > size:
                raise SourceError(f"{target.name} is longer than the pinned {size:,} bytes")
            hasher.update(chunk)
            file.write(chunk)
        if received < size:
            raise SourceError(f"{target.name} is truncated: {received:,} of {size:,} bytes")
        if hasher.hexdigest() != digest:
            raise SourceError(
                f"{target.name} has other bytes than pinned (SHA-256 {hasher.hexdigest()})"
            )


def _clear(known: set[str]) -> None:
    """Removes files of an earlier dataset from data/raw; raises `DataError` for anything that this
    stage did not write.
    """
    former = files.read_json(RAW / DESCRIPTION)["files"] if (RAW / DESCRIPTION).exists() else {}
    others = [
        path for path in RAW.glob("*") if path.name not in known and not path.name.endswith(".tmp")
    ]
    strangers = [str(path) for path in others if path.name not in former]
    if strangers:
        raise DataError(
            f"{', '.join(sorted(strangers))}: not of this data set; move it out of {RAW}, which DVC"
            " keeps as a whole"
        )
    for path in others:
        path.unlink()
