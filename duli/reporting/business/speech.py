"""One language and one currency of a page: its phrases, names and numbers."""

import re
from dataclasses import dataclass
from typing import Any, Literal

from markupsafe import Markup, escape

from duli.reporting.business.names import CURRENCIES, MEASURED_IN, NAMES, REASONS
from duli.reporting.business.phrases import PHRASES
from duli.reporting.shared import wording

Language = Literal["en", "zh"]
HAN = "[\u4e00-\u9fff]"
CONVERTED = ("money", "big")  # styles of amounts that business.json holds in USD


@dataclass(frozen=True)
class Speech:
    """How a page speaks; `per_usd` is what a USD is in its currency."""

    language: Language = "en"
    currency: Literal["USD", "CNY"] = "USD"
    per_usd: float = 1.0

    def say(self, key: str, **values: Any) -> Markup:
        """The phrase of that name, its {places} filled and escaped; {usd} is the currency's name
        without being given.
        """
        phrase = Markup(PHRASES[key][self._place])  # noqa: S704  # our own text
        said = phrase.format(**{"usd": self.unit, **values})
        # 万 and 亿 are part of the word that follows: 17.7 万次.
        if self.language == "en":
            return said
        joined = re.sub(f"([万亿](?:</data>)?) (?!至)(?={HAN})", r"\1", str(said))
        return Markup(joined)  # noqa: S704

    def plain(self, key: str) -> str:
        """A phrase without places but {usd}, for a chart."""
        return PHRASES[key][self._place].format(usd=self.unit)

    def name(self, of: str) -> str:
        """What is called `of` in business.json, for people; a name that the market files brought is
        written as they write it.
        """
        if of in NAMES:
            return NAMES[of][self._place]
        if (dotted := of.split("."))[0] == "segment" and len(dotted) == 3:
            colon = "：" if self.language == "zh" else ": "
            return f"{self.name('.'.join(dotted[:2]))}{colon}{self.name(dotted[2]).lower()}"
        return wording.title(of)

    def units(self, unit: str) -> str:
        """A unit of the market files."""
        return NAMES[f"unit.{unit}"][self._place] if f"unit.{unit}" in NAMES else unit

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
        return (
            NAMES[f"gate.{name}"][self._place]
            if f"gate.{name}" in NAMES
            else name.replace("_", " ")
        )

    def reason(self, text: str) -> Markup:
        """Why a number is missing; what nobody translated stays English and says so."""
        for pattern, english, chinese in REASONS:
            if found := re.fullmatch(pattern, text):
                told = english if self.language == "en" else chinese
                return escape(told.format(*(self.name(group) for group in found.groups())))
        return (
            escape(text)
            if self.language == "en"
            else Markup('<span lang="en">{}</span>').format(text)
        )

    def own(self, row: dict[str, Any], key: str) -> str:
        """A text that its row holds in both languages, as `key` and as `key`_zh."""
        return str(row[f"{key}_zh" if self.language == "zh" else key])

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
    def unit(self) -> str:
        """The name of the currency."""
        return CURRENCIES[self.currency][self._place]

    @property
    def _place(self) -> int:
        return 0 if self.language == "en" else 1
