"""The decision table: each trigger fires on its evidence alone, says what it saw, and says when it
could not see.
"""

from types import SimpleNamespace
from typing import Any

import pytest

from duli.base.intervals import proportion
from duli.base.tasks import Score
from duli.retraining import decision
from duli.retraining.decision import New, Row
from duli.retraining.params import Retrain
from tests.retraining.samples import settings as drift_settings

SCORE = Score("accuracy", "higher", "share", "share of right answers")
SETTINGS = Retrain(
    max_age_days=90, drift=drift_settings(windows=3, needed=2), worst_score=0.9, min_examples=100
)


def settings(**changes: Any) -> Retrain:
    return SETTINGS.model_copy(update=changes)


def row(trigger: str, evidence: str = "", follows: str = "", *, fired: bool | None) -> Row:
    return Row(trigger, fired, evidence, follows)


def test_what_is_stale_is_named_with_its_reasons() -> None:
    status = {
        "prepare": [
            {
                "changed deps": {
                    "data/accepted": "modified",
                    "params.yaml": {"prepare.limit": "modified"},
                }
            }
        ],
        "train": ["changed command", {"changed outs": {"models/history.csv": "deleted"}}],
    }
    found = decision.stale(status)
    assert found == {
        "prepare": ["data/accepted modified", "params.yaml: prepare.limit modified"],
        "train": ["changed command", "models/history.csv deleted"],
    }
    row = decision.change(found, New(), None, SETTINGS)
    assert row.fired
    assert (
        "prepare is stale: data/accepted modified, params.yaml: prepare.limit modified"
        in row.evidence
    )


def test_a_promotion_alone_makes_nothing_stale() -> None:
    """Else the merge of a proposal, which brings champion.json, would start the next one."""
    promoted = {"report": [{"changed deps": {"champion.json": "modified"}}]}
    assert decision.stale(promoted) == {}
    promoted["report"][0]["changed deps"]["data/market"] = "modified"
    assert decision.stale(promoted) == {
        "report": ["champion.json modified", "data/market modified"]
    }


@pytest.mark.parametrize(("labelled", "fired"), [(0, False), (99, False), (100, True)])
def test_new_data_fire_from_the_stated_number_on(labelled: int, fired: bool) -> None:
    row = decision.change({}, New(labelled, 1, {"bad.parquet": "unreadable"}), None, SETTINGS)
    assert row.fired is fired
    assert "bad.parquet goes to quarantine: unreadable" in row.evidence
    assert ("fewer than the 100" in row.evidence) is (0 < labelled < 100)


def test_an_undecided_release_fires() -> None:
    assert decision.change({}, New(), "there is no champion yet", SETTINGS).fired
    assert not decision.change({}, New(), None, SETTINGS).fired


@pytest.mark.parametrize(("age", "fired"), [(90.0, False), (90.1, True)])
def test_the_schedule_goes_by_the_champions_age(age: float, fired: bool) -> None:
    assert decision.schedule(age, "", SETTINGS).fired is fired


def test_an_age_that_is_not_known_is_not_measured() -> None:
    row = decision.schedule(None, "a shallow clone", SETTINGS)
    assert (row.state, row.evidence) == ("not measured", "a shallow clone")
    assert decision.schedule(1e6, "", settings(max_age_days=None)).fired is None


@pytest.mark.parametrize(
    ("pattern", "fired"),
    [
        ([1, 1], True),
        ([1, 0, 1], True),
        ([1, 0, 0], False),
        ([1, 1, 0, 0], False),
        ([1, 1, 0, 0, 1], False),
        ([0, 1, 0, 1], True),
    ],
)
def test_drift_takes_so_many_of_the_last_windows(pattern: list[int], fired: bool) -> None:
    evidence = [
        {"test": "ks", "feature": "mean", "fired": True},
        {"test": "psi", "feature": "std", "fired": False},
    ]
    verdicts = {
        f"w{index}": SimpleNamespace(fired=bool(one), examples=50, evidence=evidence)
        for index, one in enumerate(pattern)
    }
    row = decision.drift(verdicts, "", SETTINGS)
    assert row.fired is fired
    assert "psi" not in row.evidence
    assert row.evidence.count("ks of mean") == sum(pattern[-3:])


def test_without_windows_drift_is_not_measured() -> None:
    assert decision.drift(None, "nothing lies there", SETTINGS).state == "not measured"


@pytest.mark.parametrize(
    ("right", "n", "fired"),
    [(90, 100, False), (86, 100, False), (80, 100, True), (0, 99, None), (860, 1000, True)],
)
def test_quality_fires_where_all_of_the_interval_is_below_the_bound(
    right: int, n: int, fired: bool | None
) -> None:
    assert decision.quality(proportion(right, n), "", SETTINGS, SCORE).fired is fired


@pytest.mark.parametrize(("low", "fired"), [(0.89, False), (0.91, True)])
def test_a_score_that_is_better_when_lower_fires_above_the_bound(
    low: float, *, fired: bool
) -> None:
    found = {"value": 0.95, "low": low, "high": 1.0, "n": 100}
    row = decision.quality(found, "", SETTINGS, Score("mean_error", "lower", "number", "distance"))
    assert row.fired is fired
    assert f"mean error is 0.95 ({low} to 1) on 100" in row.evidence


def test_quality_can_be_switched_off() -> None:
    row = decision.quality(proportion(0, 1000), "", settings(worst_score=None), SCORE)
    assert row.fired is None


def test_only_a_reason_fires_by_hand() -> None:
    assert not decision.manual(None).fired
    assert decision.manual("a new GPU") == Row(
        "manual", fired=True, evidence="a new GPU", follows="every stage runs again"
    )


def test_the_table_is_markdown_whatever_stands_in_it() -> None:
    table = decision.markdown(
        [row("change", "a | b\nc", "it runs", fired=True), row("drift", "?", "nothing", fired=None)]
    )
    assert table.splitlines() == [
        "| trigger | fired | evidence | what follows |",
        "| --- | --- | --- | --- |",
        "| change | fired | a \\| b c | it runs |",
        "| drift | not measured | ? | nothing |",
    ]
    assert decision.fired([row("a", fired=True), row("b", fired=None), row("c", fired=False)]) == [
        "a"
    ]


def test_more_windows_than_are_looked_at_cannot_be_asked_for() -> None:
    with pytest.raises(ValueError, match="asks for 3 of 2 windows"):
        drift_settings(windows=2, needed=3)
