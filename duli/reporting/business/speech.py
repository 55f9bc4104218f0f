"""The language and currency of a page: its texts, names and numbers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import polib
from markupsafe import Markup, escape

from duli.reporting.shared import wording

Language = Literal["en", "zh"]
CATALOGUES: dict[Language, str] = {"en": "en.po", "zh": "zh.po"}  # gettext, beside this file
HAN = "[\u4e00-\u9fff]"
CONVERTED = ("money", "big")  # styles of amounts that business.json holds in USD
# What a measure is in, by how its dotted name ends: `business.latency_ms.p95` is in ms.
MEASURED_IN = {
    "ms": "ms",
    "seconds": "s",
    "kwh": "kWh",
    "co2_g": "g",
    "g_per_million": "g",
    "drop_points": "points",
    "bytes": "bytes",
    "usd_per_million": "USD per million",
    "usd_per_month": "USD per month",
    "usd": "USD",
    "per_second": "per second",
    "months": "months",
}


@dataclass(frozen=True)
class Speech:
    """The language and currency of a page; `per_usd` is the value of a USD in that currency."""

    language: Language = "en"
    currency: Literal["USD", "CNY"] = "USD"
    per_usd: float = 1.0
    own: Path | None = None  # folder of the task's catalogues, whose texts come before the common

    def text(self, key: str, context: str | None = None) -> str:
        """The text of that key, its {places} not filled; in that context where it has one there."""
        texts = catalogue(self.language, self.own)
        return texts[(context, key) if (context, key) in texts else (None, key)]

    def say(self, key: str, **values: Any) -> Markup:
        """The text of that key, its {places} filled and escaped; {usd}, the currency's name,
        {units}, what is sold, and {p10} and {p10_p90}, which explain themselves, are not given.
        """
        own = {name: self._html(name) for name in ("units", "p10", "p10_p90")}
        said = self._html(key).format(usd=self.unit, **own, **values)
        # 万 and 亿 are part of the word that follows: 17.7 万次.
        if self.language == "en":
            return said
        joined = re.sub(f"([万亿](?:</data>)?) (?!至)(?={HAN})", r"\1", str(said))
        return Markup(joined)  # noqa: S704

    def plain(self, key: str) -> str:
        """A text without places but {usd} and {units}, for a chart."""
        return self.text(key).format(usd=self.unit, units=self.text("units"))

    def name(self, of: str) -> str:
        """The name of a key of business.json for people; names from the market files stay as
        written there.
        """
        if named := self._named(of):
            return named
        if (dotted := of.split("."))[0] == "segment" and len(dotted) == 3:
            colon = "：" if self.language == "zh" else ": "
            return f"{self.name('.'.join(dotted[:2]))}{colon}{self.name(dotted[2]).lower()}"
        return wording.title(of)

    def units(self, unit: str) -> str:
        """A unit of the market files."""
        return self._named(f"unit.{unit}") or unit

    def measured_in(self, measure: str) -> str:
        """The unit of a measure by its dotted name, as far as that says it; the amounts of
        business.json are in USD.
        """
        *parents, last = measure.split(".")
        name = parents[-1] if last in wording.ENDS and parents else last
        return next(
            (
                self.units(unit)
                for end, unit in MEASURED_IN.items()
                if f"_{name}".endswith(f"_{end}")
            ),
            "",
        )

    def gate(self, name: str) -> str:
        """A gate of the params: those that ship have names, others are written as they are
        there.
        """
        return self._named(f"gate.{name}") or name.replace("_", " ")

    def reason(self, reason: tuple[str, str] | str) -> Markup:
        """The reason why a number is missing: a code and its input, or an untranslated sentence,
        which stays English and says so.
        """
        if not isinstance(reason, str):
            code, of = reason
            return escape(self.text(f"reason.{code}").format(input=self.name(of)))
        if self.language == "en":
            return escape(reason)
        return Markup('<span lang="en">{}</span>').format(reason)

    def rule(self, row: Mapping[str, Any]) -> str:
        """The consequence of a judged rule."""
        if row["holds"] is None:
            missing = row["left" if row["left_value"] is None else "right"]
            return self.text("rule_unknown").format(missing=missing)
        return self.text(f"rule.{row['rule']}.{'holds' if row['holds'] else 'fails'}")

    def risk(self, row: Mapping[str, Any]) -> str:
        """The risk in words."""
        return self.text(f"risk.{row['risk']}")

    def unmeasured(self, row: Mapping[str, Any]) -> str:
        """The reason why a risk was not measured; empty if it was."""
        if row["level"] != "not measured":
            return ""
        if row["measure"]:
            return self.text("risk_unmeasured").format(measure=row["measure"])
        return self.text(f"risk.{row['risk']}.unmeasured")

    def write(self, value: float, style: str) -> str:
        """A number as a reader of this language expects it; amounts in this currency."""
        shown = value * self.per_usd if style in CONVERTED else value
        if self.language == "zh":
            return wording.chinese(shown, style)
        return wording.STYLES[style](shown)

    def amount(self, usd: float) -> float:
        """An amount in this currency."""
        return usd * self.per_usd

    def large(self, usd: float) -> float:
        """An amount on an axis of `large_unit`: thousands, in Chinese tens of thousands."""
        return self.amount(usd) / (1e4 if self.language == "zh" else 1e3)

    def huge(self, usd: float) -> float:
        """An amount on an axis of `huge_unit`: billions (10^9), in Chinese 亿 (10^8)."""
        return self.amount(usd) / (1e8 if self.language == "zh" else 1e9)

    @property
    def space(self) -> str:
        """The separator of two sentences."""
        return "" if self.language == "zh" else " "

    @property
    def unit(self) -> str:
        """The name of the currency."""
        return self.units(self.currency)

    def _html(self, key: str) -> Markup:
        return Markup(self.text(key))  # noqa: S704  # our own text

    def _named(self, of: str) -> str:
        named = catalogue(self.language, self.own).get((None, f"name.{of}"), "")
        return named.format(units=self.text("units")) if "{units}" in named else named


@cache
def catalogue(language: Language, own: Path | None = None) -> dict[tuple[str | None, str], str]:
    """The texts of a language by context and key; those of the folder `own` come first."""
    folders = [Path(__file__).parent, *([own] if own else [])]
    return {
        (entry.msgctxt, entry.msgid): entry.msgstr
        for folder in folders
        for entry in polib.pofile(str(folder / CATALOGUES[language]))
    }
