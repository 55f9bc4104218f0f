"""The description of a release run and of its model version: the verdict, and the headline with its
units.
"""

from collections.abc import Mapping
from typing import Any

from duli.base.tasks import Measure, Score

TAG = "mlflow.note.content"  # MLflow's own: the description of a run, as Markdown


def note(
    name: str,
    headline: Mapping[str, float],
    judged: Mapping[str, Any],
    measures: Mapping[str, Measure],
    score: Score,
) -> str:
    """Markdown of a release's headline numbers and of its gates as `gates.summary` gives them.

    The first line is plain text that tells releases apart: of a version's description MLflow lists
    32 characters of it. The first three lines are what a run's page shows before it is asked for
    more.
    """
    verdict = "Release" if judged.get("verdict") == "release" else "Hold"
    reasons = "\n".join(f"- {reason}" for reason in judged.get("reasons", []))
    gates = f"`{name}` is held:\n\n{reasons}" if reasons else f"`{name}`: all gates passed."
    rows = "\n".join(
        f"| {measure} | {_short(headline[measure])} | {facts.unit} |"
        for measure, facts in measures.items()
    )
    first = f"{verdict}: {score.title} {score.text(headline[score.key])}"
    return f"{first}\n\n{gates}\n\n| measure | value | unit |\n|---|---:|---|\n{rows}\n"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value.is_integer() else f"{value:,g}"
