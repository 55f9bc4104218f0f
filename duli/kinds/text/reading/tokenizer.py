"""A tokenizer trained on the texts of the train split, with Hugging Face's `tokenizers`."""

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from duli.base.errors import DataError

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from tokenizers.normalizers import Normalizer
    from tokenizers.pre_tokenizers import PreTokenizer

# The special tokens have the ids 0, 1, ... in this order.
PADDING, UNKNOWN, START, MASK = range(4)
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[MASK]")
# Rare characters of the training texts become [UNK], so that the network learns to handle unknown
# ones.
RAREST = 3


def train(texts: Iterable[str], vocabulary: int) -> bytes:
    """A tokenizer of at most `vocabulary` tokens, as the bytes of a tokenizer.json; the same texts
    give the same bytes.

    Byte-pair encoding over characters (Sennrich et al., arXiv 1508.07909): in Chinese, which has no
    spaces, frequent words become one token and others are spelled by their characters. A text is
    first brought to Unicode's normal form KC and to lower case, so that full-width letters and
    signs are what their half-width forms are; tokens do not reach over white space and punctuation.
    Raises `DataError` if no character is there often enough.
    """
    from tokenizers import Tokenizer, models, processors, trainers

    tokenizer = Tokenizer(models.BPE(unk_token=SPECIAL[UNKNOWN]))
    tokenizer.normalizer, tokenizer.pre_tokenizer = _reading()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{SPECIAL[START]} $A", special_tokens=[(SPECIAL[START], START)]
    )
    texts = list(texts)
    counts = Counter(
        character
        for text in texts
        for character in tokenizer.normalizer.normalize_str(text)
        if not character.isspace()
    )
    alphabet = sum(count >= RAREST for count in counts.values())
    if not alphabet:
        raise DataError(
            f"no character stands {RAREST} times in the training texts; look at data/prepared"
        )
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=RAREST,
        limit_alphabet=min(alphabet, vocabulary - len(SPECIAL)),
        special_tokens=list(SPECIAL),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return str(tokenizer.to_str()).encode()


def normal(texts: Iterable[str]) -> list[str]:
    """Each text as every tokenizer of `train` reads it: its words and signs, with a space between.

    Texts of one normal form get the same tokens, whatever the vocabulary.
    """
    normaliser, splitter = _reading()
    return [
        " ".join(piece for piece, _ in splitter.pre_tokenize_str(normaliser.normalize_str(text)))
        for text in texts
    ]


def _reading() -> "tuple[Normalizer, PreTokenizer]":
    """The normalisation and pre-tokenization of a text."""
    from tokenizers import normalizers, pre_tokenizers

    return (
        normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()]),
        pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()]),
    )


def encode(tokenizer: bytes, texts: Sequence[str], length: int) -> NDArray[np.int32]:
    """The tokens of each text, [n, length]: [CLS], its tokens, then 0; longer texts are truncated.

    `tokenizer` is what `train` gives. Raises `DataError` if it is damaged.
    """
    encodings = _loaded(tokenizer, length).encode_batch_fast(list(texts))
    return np.array([encoding.ids for encoding in encodings], np.int32).reshape(-1, length)


@lru_cache(maxsize=1)
def _loaded(tokenizer: bytes, length: int) -> "Tokenizer":
    from tokenizers import Tokenizer

    try:
        loaded = Tokenizer.from_str(tokenizer.decode())
    except Exception as error:  # noqa: BLE001 -- the library raises nothing more exact
        raise DataError(
            f"the tokenizer is damaged ({str(error).splitlines()[0]}); run `dvc repro --force`"
        ) from None
    loaded.encode_special_tokens = True  # a literal "[PAD]" in a text is five characters
    loaded.enable_truncation(length)
    loaded.enable_padding(length=length, pad_id=PADDING, pad_token=SPECIAL[PADDING])
    return loaded


def size(tokenizer: bytes) -> int:
    """The vocabulary size, special tokens included."""
    from tokenizers import Tokenizer

    return int(Tokenizer.from_str(tokenizer.decode()).get_vocab_size())
