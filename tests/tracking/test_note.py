from duli.tasks.classification import task
from duli.tracking.headline import measures
from duli.tracking.logged.note import note

MEASURES = measures(task)
HEADLINE = {**dict.fromkeys(MEASURES, 0.5), "accuracy": 0.99571, "parameters": 11689512.0}


def test_the_first_line_tells_releases_apart_and_every_measure_has_its_unit() -> None:
    lines = note(
        "0.1.0-abc", HEADLINE, {"verdict": "release", "reasons": []}, MEASURES, task.SCORE
    ).splitlines()
    assert lines[:3] == ["Release: accuracy 99.57%", "", "`0.1.0-abc`: all gates passed."]
    assert len(lines[0]) <= 32  # of which MLflow's list of versions shows no more
    assert [line.split(" | ")[0] for line in lines[6:]] == [f"| {name}" for name in MEASURES]
    assert "| parameters | 11,689,512 | weights |" in lines
    assert "| accuracy | 0.99571 | share of right answers on the test split |" in lines


def test_a_release_that_is_held_says_why() -> None:
    lines = note(
        "0.1.0-abc",
        HEADLINE,
        {"verdict": "hold", "reasons": ["too slow", "too dear"]},
        MEASURES,
        task.SCORE,
    ).splitlines()
    assert lines[:6] == [
        "Hold: accuracy 99.57%",
        "",
        "`0.1.0-abc` is held:",
        "",
        "- too slow",
        "- too dear",
    ]
