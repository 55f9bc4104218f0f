"""What the page of a release run says first: the verdict, and the headline with its units."""

from collections.abc import Mapping
from typing import Any

from duli.tracking.headline import UNITS

TAG = "mlflow.note.content"  # MLflow's own: the description of a run, as Markdown


def note(headline: Mapping[str, float], judged: Mapping[str, Any]) -> str:
    """Markdown of the headline numbers and of the gates as `gates.summary` gives them."""
    verdict = "**Release**: all gates passed." if judged.get("verdict") == "release" else "**Hold.**"
    reasons = [f"- {reason}" for reason in judged.get("reasons", [])]
    rows = [f"| {name} | {value:g} | {UNITS[name]} |" for name, value in headline.items()]
    return "\n".join([verdict, *([""] if reasons else []), *reasons, "", "| measure | value | unit |", "|---|---:|---|", *rows, ""])
