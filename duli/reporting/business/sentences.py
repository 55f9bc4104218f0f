"""Converts the codes of business.json to sentences, and such sentences to codes."""

from functools import cache
from pathlib import Path
from typing import Any

from duli.reporting.business.speech import Speech, catalogue

JSON = "business.json"  # the context of sentences that are not those of the pages
ENGLISH, CHINESE = Speech("en"), Speech("zh")  # without the words of a task


def worded(figures: dict[str, Any], own: Path | None = None) -> dict[str, Any]:
    """The figures as business.json holds them: every code as a sentence, those of strategy and
    risks in both languages. `own` is the folder of the task's catalogues.
    """
    english, chinese = Speech("en", own=own), Speech("zh", own=own)
    return figures | {
        "reasons": [_reasoned(row) for row in figures["reasons"]],
        "conditions": [_reasoned(row) for row in figures["conditions"]],
        "strategy": [
            row | {"follows": english.rule(row), "follows_zh": chinese.rule(row)}
            for row in figures["strategy"]
        ],
        "risks": [_risk(row, english, chinese) for row in figures["risks"]],
    }


def reason(sentence: str) -> tuple[str, str] | str:
    """The reason that a business.json words so; the sentence itself where this version has no such
    reason.
    """
    code = _codes().get(sentence)
    return (code, "") if code else sentence


@cache
def _codes() -> dict[str, str]:
    return {
        ENGLISH.text(key, JSON): key.removeprefix("reason.")
        for _, key in catalogue("en")
        if key.startswith("reason.")
    }


def _reasoned(row: dict[str, Any]) -> dict[str, Any]:
    if row["reason"] is None:
        return row | {"reason": ""}
    code, of = row["reason"]
    return row | {"reason": ENGLISH.text(f"reason.{code}", JSON).format(input=of)}


def _risk(row: dict[str, Any], english: Speech, chinese: Speech) -> dict[str, Any]:
    return {
        "risk": row["risk"],
        "topic": row["topic"],
        "what": english.risk(row),
        "what_zh": chinese.risk(row),
        **row,
        "reason": english.unmeasured(row),
        "reason_zh": chinese.unmeasured(row),
    }
