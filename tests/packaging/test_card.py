"""The card says what is known, says loudly what is not, and has no number of its own."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from duli.errors import DataError
from duli.packaging import card
from tests.packaging import tiny


def facts() -> dict[str, Any]:
    return tiny.evidence(tiny.model(), 1187, 1213)


def page(evidence: dict[str, Any], signer: dict[str, str] | None = None) -> str:
    return card.render(tiny.release(), "bright_row-1.2.0rc1-py3-none-any.whl", **evidence, signer=signer)


def numbers(value: Any) -> Iterator[float]:
    match value:
        case dict():
            for inner in value.values():
                yield from numbers(inner)
        case list():
            yield len(value)
            for inner in value:
                yield from numbers(inner)
        case int() | float():
            yield value


# What the template itself may say: 95 % intervals, p95 and p99, SHA-256, pixels 0 to 255 of uint8, int8, fp32, macro F1.
SAID = {"95", "99", "256", "0", "255", "8", "32", "1"}


def test_every_number_comes_from_the_run() -> None:
    evidence = facts()
    known = set(SAID)
    for number in map(abs, numbers(evidence)):  # a sign is no part of what is found below
        known |= {
            str(number),
            f"{number:,}",
            f"{number:.4g}",
            f"{number:,.0f}",
            f"{number:.2%}".removesuffix("%"),
            f"{number:.1%}".removesuffix("%"),
        }
    for proportion in (evidence["evaluation"]["accuracy"],):
        known.add(f"{round(proportion['value'] * proportion['n']):,}")
    text = page(evidence)
    for given in (tiny.DIGEST, evidence["quantization"]["variants"]["int8"]["sha256"], "1.2.0rc1", "3.11.7", "2.14.1", "1.32.0", "CC0-1.0"):
        assert given in text
        text = text.replace(given, "")
    text = text.replace("Apache-2.0", "").replace("x86_64", "").replace("avx2", "").replace("bfloat16", "").replace("py3", "")
    found = re.findall(r"\d[\d,]*(?:\.\d+)?(?:e-?\d+)?", text)
    assert len(found) > 80
    assert [number for number in found if number.rstrip(",") not in known] == []


@pytest.mark.parametrize(
    "passage",
    [
        "> **UNSIGNED.**",
        "1,187 right: **97.86 %** (95 % interval 96.63 % to 98.31 %)",
        "| int8 (in this wheel) |",
        "lost 2 right answers of the trained model",
        "a drop of 0.0137 points (95 % interval -0.0211 to\n0.0523)",
        "| int8 | 291 | 89.47 % | 88.24 % to 89.92 % | 19 | 9.417 points | 0.4871 | in this wheel |",
        "the cheapest ships. int8 is the cheapest.\n\n- `int8_dynamic` was not made: no multiplication of matrices in it",
        "This wheel's model is 6.173 times as fast as the trained network in PyTorch",
        "0.0517 ms | 0.0613 ms | 0.0719 ms | 1,009 | 50,021 (spread 1.7 %) | 90,018 (spread 4.3 %) | 71.3 MB |",
        "cpu Xeon, cores 2, flags avx2, memory_gib 7.8, system Linux x86_64",
        "Rows. Licence: CC0-1.0.",
        '3 for "duplicate", 2 for "unreadable"',
        "## What it is not for\n\n- Anything else.\n\n##",
        "- Knows three rows.\n",
        f"| test | 1,213 | `{tiny.DIGEST}` |\n\n",
    ],
)
def test_it_says(passage: str) -> None:
    assert passage in page(facts())


def test_a_signed_release_says_where_its_signature_is_and_where_it_is_not() -> None:
    signer = {"algorithm": "ECDSA", "fingerprint": "0af" * 20, "tool": "model-signing==9.8.7"}
    text = page(facts(), signer)
    assert "UNSIGNED" not in text
    for passage in (
        "> **Signed as a folder.** The signature is the file `model.sig` beside this wheel",
        "A wheel that comes alone is unsigned, and `bright-row verify` finds damage, not forgery",
        "    pip install model-signing==9.8.7 pyopenssl\n    model_signing verify key dist --no-ignore-git-paths",
        f"The key (ECDSA) has the\nfingerprint `{'0af' * 20}`",
    ):
        assert passage in text
    assert "model.sig" not in page(facts())


def test_it_is_about_the_variant_chosen() -> None:
    evidence = facts()
    evidence["choice"]["variant"] = "fp32"
    evidence["evaluation"]["accuracy"] = tiny.share(1200, 1213)
    text = page(evidence)
    assert "1,200 right" in text
    assert "| fp32 (in this wheel) |" in text
    assert "int8 (in this wheel)" not in text


def test_no_table_sticks_to_a_paragraph() -> None:
    lines = page(facts()).splitlines()
    for above, line in pairwise(lines):
        if line.startswith("|") != above.startswith("|"):
            assert "" in (above, line)


@pytest.mark.parametrize(("file", "key"), [("evaluation", "macro_f1"), ("benchmark", "hardware"), ("stats", "licence")])
def test_a_missing_fact_is_no_card(file: str, key: str) -> None:
    evidence = facts()
    del evidence[file][key]
    with pytest.raises(DataError, match=f"lacks a fact: .*{key}"):
        page(evidence)


def test_a_missing_part_of_a_proportion_is_no_card() -> None:
    evidence = facts()
    del evidence["evaluation"]["coverage"]["low"]
    with pytest.raises(DataError, match="lacks a fact: 'low'"):
        page(evidence)
