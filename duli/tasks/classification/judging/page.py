"""The page reports/evaluation.html, the tables behind its charts, and the printed summary."""

from typing import Any

import numpy as np

from duli.evaluation.judged import Model
from duli.reporting.shared.pages import render
from duli.tasks.classification.judging import charts, metrics

MOST_CLASSES = 20  # that a drawn confusion matrix has room for

Facts = dict[str, Any]


def slice_rows(found: Facts) -> list[Facts]:
    """reports/evaluation/slices.csv."""
    return [
        {"slice": f"{by}: {row['group']}", "by": by, **row}
        for by, facts in found.items()
        for row in facts["groups"]
    ]


def robustness_rows(found: Facts) -> list[Facts]:
    """One row for each corruption and attack, and one for the clean images."""
    if not found:
        return []
    spoilt = {"none": found["clean"], **found["corruptions"]}
    rows = [(name, "shipped", score) for name, score in spoilt.items()]
    rows += [
        (f"pgd {size}, {which}", which, score)
        for size, both in found.get("pgd", {}).items()
        for which, score in both.items()
    ]
    return [
        {
            "disturbance": name.replace("_", " "),
            "model": which,
            "accuracy": score["value"],
            "accuracy_low": score["low"],
            "accuracy_high": score["high"],
            "examples": score["n"],
        }
        for name, which, score in rows
    ]


def page(model: Model, facts: Facts, tables: Facts, shown: Facts, title: str) -> str:
    """Renders reports/evaluation.html: the numbers of evaluation.json, charts of the tables, and
    examples.
    """
    classes, found = model.description["classes"], facts["robustness"]
    place = {name: index for index, name in enumerate(classes)}
    pairs = np.array(
        [(place[row["label"]], place[row["prediction"]]) for row in tables["confusion"]]
    )
    counts = metrics.confusion(pairs[:, 1], pairs[:, 0], len(classes)).tolist()
    accepted = facts["accuracy_of_accepted"]
    drawn: Facts = {
        "confusion": charts.confusion(counts, classes) if len(classes) <= MOST_CLASSES else None,
        "reliability": charts.reliability(tables["reliability"]),
        "risk_coverage": charts.risk_coverage(
            tables["risk_coverage"],
            (facts["coverage"]["value"], 1 - accepted["value"]) if accepted["n"] else None,
        ),
        "slices": _slice_charts(facts),
    }
    if found:
        drawn["corruptions"] = charts.scores(
            [_score(name.replace("_", " "), score) for name, score in found["corruptions"].items()],
            "share of right answers",
            "corruptions",
            start=0,
            reference=found["clean"]["value"],
            ranked=True,
        )
    if found and "pgd" in found:
        curves = {
            which: [both[which] for both in found["pgd"].values()]
            for which in ("trained", "shipped")
        }
        drawn["attack"] = charts.attack(found["pgd_sizes"], curves)
    return render(
        "tasks/classification/judging/evaluation.html.j2",
        facts=facts,
        charts=drawn,
        pictures=shown,
        kind=model.description["kind"],
        title=title,
        architecture=model.description["architecture"]["name"],
    )


def _slice_charts(facts: Facts) -> dict[str, str]:
    """A chart for each property with groups that were judged, all with the same axis."""
    scores = {
        by: [_score(row["group"], row) for row in found["groups"]]
        for by, found in facts["slices"].items()
    }
    start = charts.start([score for rows in scores.values() for score in rows])
    whole = facts["accuracy"]["value"]
    return {
        by: charts.scores(
            rows, "share of right answers", f"slice-{by}", start=start, reference=whole
        )
        for by, rows in scores.items()
        if rows
    }


def _score(label: str, score: Facts) -> charts.Score:
    return charts.Score(label, score["value"], score["low"], score["high"])


def tell(facts: Facts) -> None:
    """Prints the result of the evaluation."""
    accuracy, error, temperature = (
        facts["accuracy"],
        facts["calibration_error"],
        facts["temperature"],
    )
    print(f"{facts['variant']}: accuracy {_told(accuracy)}")
    print(
        f"calibration error {error['value']:.4f} ({error['low']:.4f} to {error['high']:.4f}) at"
        f" temperature {temperature['value']:.3f}"
    )
    for name, one in facts["baseline"].items():
        gain = one["gain_points"]
        print(
            f"{name}: accuracy {_told(one['accuracy'])}; {gain['value']:+.2f} points over it"
            f" ({gain['low']:+.2f} to {gain['high']:+.2f})"
        )
    for by, found in facts["slices"].items():
        if worst := found.get("worst"):
            print(f"weakest by {by}: {worst['group']}, {_told(worst)}")
    if found := facts["robustness"]:
        print(
            f"spoilt examples: accuracy {_told(found['mean'])} on average, {_told(found['worst'])}"
            f" under {found['worst']['name']}"
        )
    for name, reason in facts["skipped"].items():
        print(f"left out: {name}: {reason}")


def _told(score: Facts) -> str:
    return f"{score['value']:.2%} ({score['low']:.2%} to {score['high']:.2%}, n = {score['n']:,})"
