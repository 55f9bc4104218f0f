"""What is counted of spoilt and attacked images, by hand and on a network that can be fooled."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duli.base.intervals import proportion
from duli.evaluation.predict import Images, torch_logits
from duli.kinds.image import ways as image_ways
from duli.kinds.image.judging.attack import pgd
from duli.kinds.image.judging.corruptions import CORRUPTIONS, corrupted
from duli.kinds.table import ways as table_ways
from duli.kinds.table.judging.features import WAYS
from duli.kinds.text import ways as text_ways
from duli.kinds.text.judging.typos import TYPOS
from duli.tasks.classification.judging import robustness
from tests.evaluation.bars import MEAN, STD, Labels, bars, trained
from tests.evaluation.test_attack import to
from tests.exported import whole


@given(n=st.integers(0, 50), most=st.none() | st.integers(1, 60))
def test_evenly_takes_each_row_at_most_once_from_all_over(n: int, most: int | None) -> None:
    rows = robustness.evenly(n, most)
    assert len(rows) == (n if most is None else min(n, most))
    gaps = np.diff([*rows, n]) if len(rows) else np.array([], int)
    assert (gaps >= 1).all()
    assert len(rows) == 0 or (rows[0] == 0 and gaps.max() - gaps.min() <= 1)


def answers(images: Images) -> Labels:
    return torch_logits(whole(trained(), MEAN, STD), images).argmax(axis=1)


def ways(images: Images) -> dict[str, Callable[[], Images]]:
    return {name: partial(corrupted, name, images, 3) for name in CORRUPTIONS}


def test_each_kind_is_the_accuracy_on_the_images_spoilt_so() -> None:
    images, labels = bars(150, seed=1)
    found = robustness.under_corruptions(answers, images, ways(images), labels)
    right = {name: answers(corrupted(name, images, 3)) == labels for name in CORRUPTIONS}
    assert list(found["corruptions"]) == list(CORRUPTIONS)
    assert len(found["corruptions"]) == 15
    for name, one in found["corruptions"].items():
        assert one == proportion(int(right[name].sum()), 150)
    assert found["clean"] == proportion(int((answers(images) == labels).sum()), 150)
    assert found["mean"]["value"] == pytest.approx(
        np.mean([one["value"] for one in found["corruptions"].values()]), abs=1e-12
    )
    assert found["mean"]["n"] == 150
    worst = min(CORRUPTIONS, key=lambda name: right[name].mean())
    assert found["worst"] == {"name": worst, **found["corruptions"][worst]}
    assert found == robustness.under_corruptions(answers, images, ways(images), labels)


def test_the_interval_of_the_mean_is_over_images_not_over_images_times_kinds() -> None:
    """Half of the images are right in all ways, the other half in none: so the mean knows no more
    than one way does.
    """
    images = np.zeros((200, 1, 8, 8), np.uint8)
    labels = np.arange(200) % 2
    found = robustness.under_corruptions(
        lambda some: np.zeros(len(some), np.int64), images, ways(images), labels
    )
    one = proportion(100, 200)
    assert found["mean"]["value"] == 0.5
    assert found["mean"]["high"] - found["mean"]["low"] == pytest.approx(
        one["high"] - one["low"], rel=0.1
    )


def test_both_answer_the_images_that_were_made_against_the_trained_one() -> None:
    images, labels = bars(200, seed=2)
    shown: list[Images] = []

    def shipped(some: Images) -> Labels:
        shown.append(some)
        return np.zeros(len(some), np.int64)

    settings = {"steps": 5, "seed": 4, "mean": MEAN, "std": STD}

    def attacked_by(levels: int) -> Images:
        return pgd(trained(), images, to(labels), epsilon=levels / 255, **settings)  # type: ignore[arg-type]

    found = robustness.under_attack(
        attacked_by, {"trained": answers, "shipped": shipped}, images, labels, (13, 51)
    )
    assert list(found) == ["0_of_255", "13_of_255", "51_of_255"]
    attacked = [
        images,
        *(attacked_by(levels) for levels in (13, 51)),
    ]
    assert all((one == other).all() for one, other in zip(shown, attacked, strict=True))
    shares = [found[size]["trained"]["value"] for size in found]
    assert shares == [(answers(some) == labels).mean() for some in attacked]
    assert shares[0] > shares[1] > shares[2] + 0.3
    assert found["51_of_255"]["shipped"] == proportion(int((labels == 0).sum()), 200)


def test_the_names_that_gates_may_use_are_those_of_the_ways() -> None:
    assert (*CORRUPTIONS,) == image_ways.NAMES
    assert (*TYPOS,) == text_ways.NAMES
    assert (*WAYS,) == table_ways.NAMES
