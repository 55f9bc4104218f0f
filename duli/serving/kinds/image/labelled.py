"""Reads images with their labels: a folder with a subfolder for each class, two IDX files, or an
.npz.
"""

import io
import re
import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError, NoExampleError
from ...kind import Labelled
from ...npy import NPY
from ...npy import header as npy_header
from ...sources import MAX_BYTES, content_of, files_below, is_system, left_out, naming, readable
from ...task import Task
from .images import Images, decode
from .pictures import ENDINGS, PLAIN, Rules
from .pixels import Shape

# names in an .npz, the first that are there
PAIRS = (("images", "labels"), ("x_test", "y_test"), ("x", "y"))
FORMS = (
    "a folder with a subfolder for each class, IMAGES and LABELS as two IDX files, or an .npz with"
    " images and labels"
)


def load(sources: list[str], shape: Shape, task: Task, rules: Rules = PLAIN) -> Labelled:
    """Loads labelled images from `sources`, one of `FORMS`; `task` interprets their labels. Raises
    `InputError`.
    """
    if len(sources) == 2:
        with naming(sources[0]):
            images = decode(content_of(sources[0]), shape)
        with naming(sources[1]):
            labels = _idx_labels(content_of(sources[1]))
    elif len(sources) == 1 and Path(sources[0]).is_dir():
        return _folders(Path(sources[0]), shape, task.names, rules)
    elif len(sources) == 1:
        with naming(sources[0]):
            images, labels = _npz(content_of(sources[0]), shape)
    else:
        raise InputError(f"{len(sources)} files are no labelled data; give {FORMS}")
    if len(images) != len(labels):
        raise InputError(
            f"there are {len(images):,} images and {len(labels):,} labels; give those that belong"
            " together"
        )
    if not len(labels):
        raise InputError("there is no image in it; give at least one")
    return Labelled(images, task.numbered(labels))


def _folders(folder: Path, shape: Shape, names: list[str], rules: Rules) -> Labelled:
    """The images of a folder that training would take.

    What it leaves out is counted, and a file that cannot be read is skipped.
    """
    numbers = {readable(name): number for number, name in enumerate(names)}
    found = sorted(folder.iterdir())
    folders = [path for path in found if path.is_dir() and not is_system(path.name)]
    subfolders = [(readable(path.name), path) for path in folders]
    if unknown := [path for name, path in subfolders if name not in numbers]:
        inside = [path for path in unknown if any((path / name).is_dir() for name in names)]
        advice = f"give {inside[0]}" if inside else f"the labels are {', '.join(names)}"
        raise InputError(
            f"{folder} has the subfolder {unknown[0].name!a}, which is no label; {advice}"
        )
    if not subfolders:
        raise InputError(f"{folder} has no subfolders; give {FORMS}")
    images: list[Images] = []
    labels: list[int] = []
    skipped: list[str] = []
    others = len(found) - len(subfolders)
    for name, subfolder in subfolders:
        others += left_out(subfolder)
        for file in files_below(subfolder):
            try:
                several = _example(file, shape, rules)
            except NoExampleError:
                others += 1
            except InputError as error:
                skipped.append(f"{file}: {error}")
            else:
                images.append(several)
                labels += [numbers[name]] * len(several)
    if not images:
        reason = f" that can be read ({skipped[0]})" if skipped else ""
        raise InputError(f"{folder} holds no images{reason}; give {FORMS}")
    return Labelled(np.concatenate(images), np.array(labels), tuple(skipped), others)


def _example(file: Path, shape: Shape, rules: Rules) -> Images:
    """The images of a file, [n, *shape].

    Raises `NoExampleError` if it is no image by its name, or a picture of one colour.
    """
    content = content_of(str(file))
    array = content.startswith((NPY, b"\0\0\x08"))
    if not array and file.suffix.lower() not in ENDINGS:
        raise NoExampleError("is no image")
    try:
        found = decode(content, shape, rules)
    except NoExampleError as error:
        raise InputError(str(error)) from None
    found = found[:, None] if found.ndim == 3 else found
    if found.shape[1:] != shape:
        raise InputError(
            f"holds images of the shape {list(found.shape[1:])}; the model takes {list(shape)}"
        )
    if not array and found.min() == found.max():
        raise NoExampleError("is a picture of a single colour")
    return found


def _idx_labels(content: bytes) -> NDArray[np.int64]:
    if content[:4] != b"\0\0\x08\x01" or len(content) < 8:
        raise InputError(
            "is no IDX file of labels (unsigned bytes, one dimension); give IMAGES and then LABELS"
        )
    if int.from_bytes(content[4:8], "big") != len(content) - 8:
        raise InputError(
            "holds another number of labels than its header says; copy or download it again"
        )
    return np.frombuffer(content, np.uint8, offset=8).astype(np.int64)


def _npz(content: bytes, shape: Shape) -> tuple[Images, NDArray[np.int64]]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            sizes = {
                info.filename.removesuffix(".npy"): info.file_size for info in archive.infolist()
            }
            pair = next((pair for pair in PAIRS if set(pair) <= set(sizes)), None)
            if pair is None:
                named = " or ".join(f"{first} and {second}" for first, second in PAIRS)
                raise InputError(
                    f"has no arrays {named}; save them with numpy.savez(FILE, images=...,"
                    " labels=...)"
                )
            if any(sizes[name] > MAX_BYTES for name in pair):
                raise InputError(f"holds more than {MAX_BYTES // 2**20} MiB; split it")
            images, labels = (archive.read(f"{name}.npy") for name in pair)
    except InputError:
        raise
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        zlib.error,
        OSError,
        EOFError,
        LookupError,
        ValueError,
        RuntimeError,
    ):
        raise InputError(f"is no .npz file, or a damaged one; give {FORMS}") from None
    if not images.startswith(NPY) or not labels.startswith(NPY):
        raise InputError("does not hold arrays; save them with numpy.savez")
    return decode(images, shape), _npy_labels(labels)


def _npy_labels(content: bytes) -> NDArray[np.int64]:
    code, _, sizes, start = npy_header(content)
    kind = np.dtype(code) if re.fullmatch("[<>|=][iu][1248]", code) else None
    if kind is None or len(sizes) != 1 or kind.itemsize * sizes[0] != len(content) - start:
        raise InputError("the array of labels is not one row of whole numbers; save it as such")
    return np.frombuffer(content, kind, offset=start).astype(np.int64)
