"""Writes numbers and names for people: as many digits as mean something, and never rounded up to
perfection.
"""

import math

# of a measure: the last part of a key
ENDS = ("value", "low", "high", "mean", "p10", "p50", "p90", "p95", "p99")


def money(amount: float) -> str:
    """An amount of money, in its own currency: 1,234 or 12.30 or 0.20 or 0.0165."""
    height = abs(amount)
    if height >= 100:
        return _signed(f"{amount:,.0f}")
    if height >= 1 or height == 0:
        return _signed(f"{amount:,.2f}")
    whole, cents = f"{amount:.{2 - math.floor(math.log10(height))}f}".split(".")
    return _signed(f"{whole}.{cents[:2]}{cents[2:].rstrip('0')}")


def percent(share: float) -> str:
    """A share as percent, 99.43 %; a share below 1 is never shown as 100 %, nor one above 0
    as 0 %.
    """
    for digits in (2, 3, 4, 6):
        text = f"{100 * share:,.{digits}f}"
        if float(text.replace(",", "")) not in (0, 100) or share in (0, 1):
            break
    return f"{_signed(text)} %"


def points(difference: float) -> str:
    """A difference of two shares in percentage points, 0.79 points."""
    return f"{percent(difference).removesuffix(' %')} points"


def share(part: float) -> str:
    """A share known only roughly, in whole percent; 'under 1 %' and 'over 99 %' instead of a false
    nothing or all.
    """
    if 0 < part < 0.01:
        return "under 1 %"
    return "over 99 %" if 0.99 < part < 1 else f"{_signed(f'{100 * part:,.0f}')} %"


def about(number: float) -> str:
    """A number known only roughly, to three digits: 55,700,000."""
    digits = 2 - math.floor(math.log10(abs(number))) if number else 0
    return _signed(f"{round(number, digits):,.0f}") if abs(number) >= 100 else quantity(number)


def big(amount: float) -> str:
    """An amount known only roughly, to three digits: 593,000, 1.13 million, 12.2 billion."""
    for height, unit in ((1e9, "billion"), (1e6, "million")):
        if abs(amount) >= height:
            return _signed(f"{amount / height:,.3g} {unit}")
    return about(amount) if abs(amount) >= 100 else money(amount)


def chinese(value: float, style: str) -> str:
    """A number in that style for Chinese readers.

    Rough ones count in 万 (10^4) and 亿 (10^8), and % stands close.
    """
    if style in ("about", "big") and abs(value) >= 1e4:
        height, unit = (1e8, "亿") if abs(value) >= 1e8 else (1e4, "万")
        rounded = round(value, 2 - math.floor(math.log10(abs(value)))) / height
        return f"{_signed(f'{rounded:,.10g}')} {unit}"
    return (
        STYLES[style](value).replace("under ", "低于 ").replace("over ", "高于 ").replace(" %", "%")
    )


def count(number: float) -> str:
    """A count: 10,000."""
    return _signed(f"{number:,.0f}")


def quantity(number: float) -> str:
    """Any other number, to four digits: 1,234 or 0.01234."""
    return count(number) if abs(number) >= 1000 else _signed(f"{number:.4g}")


def size(number: float) -> str:
    """A number of bytes in kB (1000 bytes) or MB, to three digits or more."""
    return f"{number / 1e6:,.2f} MB" if number >= 1e6 else f"{number / 1e3:.3g} kB"


def title(name: str) -> str:
    """The last part of a dotted id as a name: service.mistral_ocr is Mistral OCR."""
    return " ".join(
        _ACRONYMS.get(word, word.capitalize()) for word in name.rsplit(".", 1)[-1].split("_")
    )


def _signed(text: str) -> str:
    """The number with a true minus sign, and none before zero."""
    if text.startswith("-"):
        return text[1:] if not any(digit in text for digit in "123456789") else "−" + text[1:]
    return text


_ACRONYMS = {
    "ai": "AI",
    "aws": "AWS",
    "gpt": "GPT",
    "ilivedata": "iLiveData",
    "iocr": "iOCR",
    "ocr": "OCR",
}
STYLES = {
    "money": money,
    "price": money,  # in whatever currency it is listed
    "big": big,
    "percent": percent,
    "points": points,
    "share": share,
    "count": count,
    "about": about,
    "quantity": quantity,
    "size": size,
}
