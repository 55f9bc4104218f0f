"""Near duplicates stay on one side of every split, small classes reach all splits, and nothing else
moves.
"""

import io
import time
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from PIL import Image

from duli.base import kinds
from duli.kinds.image.reading import examples as image
from duli.kinds.table.reading import examples as table
from duli.kinds.text.reading import examples as text
from duli.preparation.cleaning import clean, twins
from duli.tasks.classification.targets.targets import Targets
from tests.preparation.test_clean import Row, batches

SHARES = {"validation_share": 0.15, "test_share": 0.2}
TEXTS = clean.Rules(Targets(["a", "b"]), text.Kind(length=16, vocabulary=200), **SHARES)
SIDE = 24
PICTURES = clean.Rules(Targets(["a", "b"]), image.Kind(1, SIDE, SIDE), **SHARES)
NUMBERS = clean.Rules(Targets(["a", "b"]), table.Kind(2), **SHARES)


def placed(rows: list[Row], rules: clean.Rules) -> dict[str, str]:
    """Where each id went: a split, or the reason for quarantine."""
    read = batches(rows, 64)
    parts = clean.sort_out(read, clean.judge(read, rules), rules)
    return {
        row["id"]: row.get("reason") or row["split"]
        for _, part in parts
        for row in part.to_pylist()
    }


def texts(*of_class: tuple[str, ...], n: int = 100) -> list[Row]:
    """`n` examples of each form of each class, published in no split; a form has `{}` for their
    number.
    """
    return [
        (f"{label}-{index}-{form}", "", label, shape.format(index).encode())
        for label, forms in enumerate(of_class)
        for index in range(n)
        for form, shape in enumerate(forms)
    ]


def twins_of(places: dict[str, str], *splits: str) -> int:
    """How many examples in the splits have one of the same class and number in train."""
    trained = {name.rsplit("-", 1)[0] for name, place in places.items() if place == "train"}
    return sum(
        place in splits and name.rsplit("-", 1)[0] in trained for name, place in places.items()
    )


FORMS = (
    "Good Movie number {}",
    "good movie number {}",
    "Ｇood movie  number {}",
    "good\u00a0movie number\t{} ",
)


def test_texts_that_differ_in_case_width_and_blanks_are_not_tested_after_being_learned() -> None:
    bad = tuple(form.replace("ood", "ad") for form in FORMS)
    places = placed(texts(FORMS, bad), TEXTS)
    assert twins_of(places, "validation", "test") == 0
    counts = Counter(places.values())
    assert counts.total() == 800
    assert min(counts["validation"], counts["test"]) >= 40


UNSEEN = (
    "Good movie {}",
    "Go\u00adod movie {}",
    "Good\u200b movie {}",
    "\ufeffGood movie {}\ufe0f",
)


def test_texts_that_differ_in_what_nobody_sees_are_not_tested_after_being_learned() -> None:
    bad = tuple(form.replace("ood", "ad").replace("o\u00adod", "a\u00add") for form in UNSEEN)
    places = placed(texts(UNSEEN, bad), TEXTS)
    assert twins_of(places, "validation", "test") == 0
    assert Counter(places.values()).total() == 800


def test_near_duplicates_go_to_train_where_there_are_others_to_test() -> None:
    rows = texts(("an own text {}",), ("something else {}",), n=200)
    more: list[Row] = [
        (f"twin-{index}", "", 0, f"An  own text {index}".encode()) for index in range(30)
    ]
    before, after = placed(rows, TEXTS), placed([*rows, *more], TEXTS)
    assert {after[f"twin-{index}"] for index in range(30)} == {"train"}
    assert (
        {after[f"0-{index}-0"] for index in range(30)}
        == {"train"}
        != {before[f"0-{index}-0"] for index in range(30)}
    )
    assert [
        name
        for name in rows
        if int(name[0].split("-")[1]) >= 30 and before[name[0]] != after[name[0]]
    ] == []


def test_near_duplicates_are_counted() -> None:
    rows = batches([*texts(("one {}",), ("two {}",)), ("twin", "", 0, b"ONE 7")], 64)
    assert clean.near_duplicates(clean.judge(rows, TEXTS)) == {"train": 2}
    assert clean.near_duplicates(clean.judge(rows[:-1], TEXTS)) == {}


def test_texts_of_one_form_with_two_labels_are_conflicts() -> None:
    places = placed([*texts(("one {}",), ("two {}",)), ("other", "", 1, "ＯNE  7".encode())], TEXTS)
    assert places["other"] == places["0-7-0"] == "conflicting labels"


@pytest.mark.parametrize("one", ["ok ,then", "ok,then", "OK, then"])
def test_a_text_is_what_its_tokens_are(one: str) -> None:
    kind = kinds.kind("text", {"length": 8, "vocabulary": 100})
    kind.add([b"ok , then"] * 3)
    kind.learn()
    assert kind.seen([one.encode()]) == kind.seen([b"ok , then"]) != kind.seen([b"ok . then"])
    tokens = kind.arrays(pa.chunked_array([pa.array([one.encode(), b"ok , then"])]))
    assert (tokens[0] == tokens[1]).all()


def test_a_published_test_split_stays_and_what_is_nearly_in_it_is_not_trained_on() -> None:
    rows: list[Row] = [
        ("a", "train", 0, b"A text"),
        ("b", "test", 0, b"a text"),
        ("c", "test", 0, b"a  text"),
        ("d", "", 0, b"a\ttext"),
    ]
    assert placed(rows, TEXTS) == {
        "a": "near duplicate",
        "b": "test",
        "c": "test",
        "d": "near duplicate",
    }


def test_near_duplicates_published_for_training_follow_the_first() -> None:
    """As the equal ones do; so examples that come later move none that are there."""
    places: Counter[tuple[str, str]] = Counter()
    for index in range(60):
        rows: list[Row] = [
            ("a", "train", 0, f"text {index}".encode()),
            ("b", "train", 0, f"Text {index}".encode()),
        ]
        both, alone = placed(rows, TEXTS), placed(rows[:1], TEXTS)
        assert both["a"] == alone["a"]
        places[both["a"], both["b"]] += 1
    assert places.keys() == {("train", "train"), ("validation", "near duplicate")}


def test_what_came_in_later_gives_way_to_what_is_tested() -> None:
    rows = texts(("one {}",), ("two {}",))
    before = placed(rows, TEXTS)
    later: list[Row] = [
        (f"later-{name}", "train", label, content.upper()) for name, _, label, content in rows
    ]  # type: ignore[union-attr]
    after = placed([*rows, *later], TEXTS)
    assert {name: after[name] for name in before} == before
    follows = {(place, after[f"later-{name}"]) for name, place in before.items()}
    assert follows == {
        ("train", "train"),
        ("test", "near duplicate"),
        ("validation", "near duplicate"),
    }


def test_rows_of_numbers_are_the_same_whichever_nought_and_gap_they_have() -> None:
    gap = np.array([0x7FC00001], "<u4").view("<f4")[0]  # another NaN
    pairs = [([0.0, 1.0], [-0.0, 1.0]), ([np.nan, 2.0], [gap, 2.0])]
    for one, other in pairs:
        contents = [np.array(row, "<f4").tobytes() for row in (one, other)]
        assert contents[0] != contents[1]
        assert placed(
            [("a", "train", 0, contents[0]), ("b", "train", 1, contents[1])], NUMBERS
        ) == dict.fromkeys("ab", "conflicting labels")


# ----- pictures


def drawn(seed: int) -> NDArray[np.uint8]:
    """A smooth picture, another for each seed."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 6), np.uint8)
    return np.asarray(Image.fromarray(small).resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def saved_anew(pixels: NDArray[np.uint8], quality: int = 80) -> NDArray[np.uint8]:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


COPIES = {
    "saved anew": saved_anew,
    "noisy": (
        lambda pixels: np.clip(
            pixels + np.random.default_rng(0).integers(-4, 5, pixels.shape), 0, 255
        ).astype(np.uint8)
    ),
    "brighter": lambda pixels: (pixels // 2 + 60).astype(np.uint8),
    "made smaller and back": lambda pixels: np.asarray(
        Image.fromarray(pixels)
        .resize((SIDE * 3 // 4,) * 2, Image.Resampling.LANCZOS)
        .resize((SIDE,) * 2, Image.Resampling.LANCZOS)
    ),
}


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_copies_of_pictures_are_not_tested_after_being_learned(copied: object) -> None:
    rows: list[Row] = []
    for seed in range(120):
        pixels = drawn(seed)
        copies = [pixels, copied(pixels)] if seed < 60 else [pixels]  # type: ignore[operator]
        rows += [
            (f"{seed}-{index}", "", seed % 2, one.tobytes()) for index, one in enumerate(copies)
        ]
    places = placed(rows, PICTURES)
    assert {places[f"{seed}-{index}"] for seed in range(60) for index in (0, 1)} == {"train"}
    assert {"validation", "test"} < {places[f"{seed}-0"] for seed in range(60, 120)}


def test_pictures_of_two_classes_that_are_nearly_the_same_are_two() -> None:
    """Such as a part and one with a scratch: to tell these apart is what the model is for."""
    rows: list[Row] = [
        ("a", "test", 0, drawn(0).tobytes()),
        ("b", "train", 1, saved_anew(drawn(0)).tobytes()),
    ]
    assert placed(rows, PICTURES)["b"] in ("train", "validation")


def test_a_class_that_looks_alike_has_no_near_duplicates() -> None:
    outlines = PICTURES.kind.outlines(
        [saved_anew(drawn(0), quality).tobytes() for quality in range(60, 100)]
    )
    labels = np.zeros(len(outlines), np.int64)
    assert len(np.unique(twins.groups(np.arange(len(outlines)), outlines, labels))) == len(outlines)
    few = slice(30, 38)
    assert len(np.unique(twins.groups(np.arange(8), outlines[few], labels[few]))) < 8


def test_what_has_nothing_to_compare_has_no_near_duplicate() -> None:
    tiny, flat = image.Kind(1, 4, 4), image.Kind(1, 16, 16)
    assert tiny.outlines([bytes(16), bytes(16)]).shape == (2, 0)
    greys = flat.outlines([bytes([grey]) * 256 for grey in range(100, 140)])
    assert greys.shape == (40, 256)
    assert len(np.unique(twins.groups(np.arange(40), greys, np.zeros(40, np.int64)))) == 40


def test_an_outline_is_the_mean_of_the_pixels_it_stands_for() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 32, 40), np.uint8)
    (outline,) = image.Kind(3, 32, 40).outlines([pixels.tobytes()])
    whole = outline.reshape(3, 16, 16)
    assert abs(whole[1, 0, 0] - pixels[1, :2, :3].mean()) <= 0.5
    assert np.array_equal(image.Kind(1, 8, 8).outlines([bytes(range(64))])[0], np.arange(64))


def test_digits_that_different_people_drew_are_no_near_duplicates(mnist_folder: object) -> None:
    from duli.datasets import mnist

    read = [
        batch for batch in mnist.examples(mnist_folder, 5000) if batch["split"][0].as_py() == "test"
    ]  # type: ignore[arg-type]
    kind = image.Kind(1, 28, 28)
    outlines = np.concatenate([kind.outlines(batch["content"].to_pylist()) for batch in read])
    labels = np.concatenate([batch["label"].to_numpy() for batch in read])
    assert (
        len(np.unique(twins.groups(np.arange(len(outlines)), outlines, labels)))
        == len(outlines)
        == 10_000
    )


def test_the_search_takes_no_square_of_the_examples() -> None:
    """Pictures that are all alike have a pair for every two of them."""
    noise = np.random.default_rng(0).integers(0, 5, (8000, 256), np.uint8)
    base = np.random.default_rng(1).integers(0, 250, 256, np.uint8)
    seconds = []
    for n in (2000, 8000):
        start = time.process_time()
        twins.groups(np.arange(n), base + noise[:n], np.zeros(n, np.int64))
        seconds.append(time.process_time() - start)
    assert seconds[1] < 12 * max(seconds[0], 0.1)


# ----- small classes


def of_classes(sizes: list[int], split: str = "", seed: int = 0) -> list[Row]:
    generator = np.random.default_rng(seed)
    return [
        (f"{label}-{index}", split, label, generator.normal(size=2).astype("<f4").tobytes())
        for label, size in enumerate(sizes)
        for index in range(size)
    ]


@pytest.mark.parametrize(("size", "least"), [(3, 1), (4, 1), (20, 1), (40, 2)])
def test_every_class_of_own_data_is_validated_and_tested(size: int, least: int) -> None:
    rules = clean.Rules(Targets([str(one) for one in range(60)]), table.Kind(2), **SHARES)
    places = placed(of_classes([size] * 60), rules)
    for label in range(60):
        found = Counter(places[f"{label}-{index}"] for index in range(size))
        assert min(found[split] for split in ("train", "validation", "test")) >= least


def test_too_few_to_share_stay_where_their_hash_says() -> None:
    rules = clean.Rules(Targets([str(one) for one in range(60)]), table.Kind(2), **SHARES)
    read = batches(of_classes([2] * 60), 64)
    assert set(clean.judge(read, rules).tolist()) == {clean.KEEP}


def test_large_classes_move_nothing() -> None:
    read = batches(of_classes([2000, 2000]), 512)
    assert set(clean.judge(read, NUMBERS).tolist()) == {clean.KEEP}


def test_a_class_that_was_published_for_training_is_validated_too() -> None:
    from dataclasses import replace

    rows = [*of_classes([8] * 60, "train"), *of_classes([3] * 60, "test", seed=1)]
    rows = [(f"{split}-{name}", split, label, content) for name, split, label, content in rows]
    rules = clean.Rules(Targets([str(one) for one in range(60)]), table.Kind(2), **SHARES)
    validated = {
        complete: {
            name.split("-")[1]
            for name, place in placed(rows, replace(rules, complete=complete)).items()
            if place == "validation"
        }
        for complete in (False, True)
    }
    assert len(validated[False]) < len(validated[True]) == 60
