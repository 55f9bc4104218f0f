"""The tokenizer is learned from texts alone, is the same each time, and makes arrays of numbers."""

import json

import numpy as np
import pytest

from duli.base.errors import DataError
from duli.kinds.text.reading import tokenizer

TEXTS = [
    "房间很好，服务很好。",
    "房间不好！",
    "这本书很好",
    "书不好，房间好",
    "XP系统 很好",
    "好好好。",
] * 3


def tokens(content: bytes) -> dict[str, int]:
    vocabulary: dict[str, int] = json.loads(content)["model"]["vocab"]
    return vocabulary


def test_the_same_texts_make_the_same_bytes() -> None:
    assert tokenizer.train(TEXTS, 60) == tokenizer.train(iter(TEXTS), 60)
    assert tokenizer.train(TEXTS, 60) != tokenizer.train(TEXTS[:5] * 3, 60)


def test_special_tokens_come_first_and_frequent_words_become_one() -> None:
    vocabulary = tokens(tokenizer.train(TEXTS, 60))
    assert sorted(vocabulary, key=lambda token: vocabulary[token])[:4] == list(tokenizer.SPECIAL)
    assert {"房间", "很好"} <= set(vocabulary)
    assert sorted(vocabulary.values()) == list(range(len(vocabulary)))


@pytest.mark.parametrize("size", [10, 25, 60])
def test_the_vocabulary_is_not_larger_than_asked_for(size: int) -> None:
    assert len(tokens(tokenizer.train(TEXTS, size))) <= size


def test_encodes_and_pads_and_keeps_the_beginning() -> None:
    content = tokenizer.train(TEXTS, 60)
    number = tokens(content)
    rows = tokenizer.encode(content, ["房间 很好", "", "很好 " * 50], 6)
    assert rows.dtype == np.int32
    assert rows.tolist() == [
        [tokenizer.START, number["房间"], number["很好"], 0, 0, 0],
        [tokenizer.START, 0, 0, 0, 0, 0],
        [tokenizer.START, *[number["很好"]] * 5],
    ]
    assert tokenizer.encode(content, [], 6).shape == (0, 6)


def test_what_reads_alike_is_alike() -> None:
    content = tokenizer.train(TEXTS, 60)
    wide, narrow = tokenizer.encode(content, ["ＸＰ系统很好！", "xp系统很好!"], 12)
    assert wide.tolist() == narrow.tolist()
    assert tokenizer.UNKNOWN not in wide


def test_rare_and_new_characters_are_unknown() -> None:
    content = tokenizer.train([*TEXTS, "罕见"], 200)
    assert "罕" not in tokens(content)
    assert (
        tokenizer.encode(content, ["罕", "😀"], 3).tolist()
        == [[tokenizer.START, tokenizer.UNKNOWN, 0]] * 2
    )
    assert "[MASK]" in tokens(content)


def test_a_text_that_names_a_special_token_does_not_become_one() -> None:
    row = tokenizer.encode(tokenizer.train(TEXTS, 60), ["[PAD][MASK]很好"], 20)[0]
    assert tokenizer.MASK not in row
    assert (row[: np.count_nonzero(row)] != tokenizer.PADDING).all()


def test_nothing_to_learn_from() -> None:
    with pytest.raises(DataError, match=r"\b3\b"):
        tokenizer.train(["好"], 60)


def test_a_damaged_tokenizer() -> None:
    with pytest.raises(DataError, match=r"tokenizer.*`dvc repro"):
        tokenizer.encode(b"{}", ["好"], 6)
