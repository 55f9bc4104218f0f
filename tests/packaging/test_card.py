"""The card says what is known, says loudly what is not, and has no number of its own."""

import json
import re
from collections.abc import Iterator
from html import unescape
from itertools import pairwise
from typing import Any

import pytest

from duli.base.errors import DataError
from duli.packaging import card, ledger, sbom
from tests.packaging import tiny


def facts() -> dict[str, Any]:
    return tiny.evidence(tiny.model(), 1187, 1213)


def page(evidence: dict[str, Any], signer: dict[str, str] | None = None) -> str:
    return card.render(
        tiny.release(), "bright_row-1.2.0rc1-py3-none-any.whl", **evidence, signer=signer
    )


def numbers(value: Any) -> Iterator[float | str]:
    """Every number of the run's files; those inside texts and names as they stand there."""
    match value:
        case dict():
            for key, inner in value.items():
                yield from NUMBER.findall(key)
                yield from numbers(inner)
        case list():
            yield len(value)
            for inner in value:
                yield from numbers(inner)
        case int() | float():
            yield value
        case str():
            yield from NUMBER.findall(value)


NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?(?:e-?\d+)?")
# What the template itself may say: 95 % intervals, p95 and p99, SHA-256, pixels 0 to 255 of uint8,
# int8, fp32, macro F1, CycloneDX's own.
SAID = {"95", "99", "256", "0", "255", "8", "32", "1"}


def known(evidence: dict[str, Any]) -> set[str]:
    """Each number of the run as the card may write it."""
    found = set(SAID)
    for number in numbers(evidence):
        if isinstance(number, str):
            found.add(number)
            continue
        size = abs(number)  # a sign is no part of what is found in the card
        found |= {
            str(size),
            f"{size:,}",
            f"{size:.4g}",
            f"{size:,.0f}",
            f"{size:.2%}".removesuffix("%"),
            f"{size:.1%}".removesuffix("%"),
        }
    accuracy, speed = (
        evidence["evaluation"]["accuracy"],
        evidence["benchmark"]["variants"]["int8"]["machine_throughput"],
    )
    # The two that follow from others: right answers, and seconds for a million predictions.
    return found | {f"{round(accuracy['value'] * accuracy['n']):,}", f"{1e6 / speed['value']:.4g}"}


def unknown(text: str, evidence: dict[str, Any], fewest: int) -> list[str]:
    release = tiny.release()
    for said in (release.version, release.licence, "x86_64", "avx2", "bfloat16", "py3"):
        text = text.replace(said, "")
    found = NUMBER.findall(text)
    assert len(found) > fewest
    return [number for number in found if number.rstrip(",") not in known(evidence)]


def visible(html: str) -> str:
    """What a reader of the page sees."""
    return unescape(re.sub(r"<[^>]*>", " ", html))


def test_every_number_comes_from_the_run() -> None:
    evidence = facts()
    text = page(evidence)
    for given in (
        tiny.DIGEST,
        evidence["quantization"]["variants"]["int8"]["sha256"],
        "1.2.0rc1",
        "3.11.7",
        "2.14.1",
        "1.32.0",
        "CC0-1.0",
    ):
        assert given in text
    assert unknown(text, evidence, 160) == []
    assert unknown(visible(card.body(text).html), evidence, 160) == []
    assert (
        unknown(
            card.hub(tiny.release(), text, evidence).replace("low_95", "").replace("high_95", ""),
            evidence,
            170,
        )
        == []
    )
    assert unknown(f"{text} 97.85 %", evidence, 160) == ["97.85"]


@pytest.mark.parametrize(
    "passage",
    [
        "> **UNSIGNED.**",
        "1,187 right: **97.86 %** (95 % interval 96.63 % to 98.31 %)",
        "| int8 (in this wheel) |",
        "lost 2 right answers of the trained model",
        "a drop of 0.0137 points (95 % interval -0.0211 to\n0.0523)",
        (
            "| int8 | 291 | 89.47 % | 88.24 % to 89.92 % | 19 | 9.417 points | 0.4871 | in this"
            " wheel |"
        ),
        (
            "the cheapest ships. Here int8 is the cheapest.\n\n- `int8_dynamic` was not made: no"
            " multiplication of matrices in it"
        ),
        "This wheel's model is 6.173 times as fast as the trained network in PyTorch",
        (
            "0.0517 ms | 0.0613 ms | 0.0719 ms | 1,009 | 50,021 (spread 1.7 %) | 90,018 (spread 4.3"
            " %) | 71.3 MB |"
        ),
        "cpu Xeon, cores 2, flags avx2, memory_gib 7.8, system Linux x86_64",
        "Rows. Licence: CC0-1.0.",
        '3 for "duplicate", 2 for "unreadable"',
        "## What it is not for\n\n- Anything else.\n\n##",
        "- Knows three rows.\n",
        "| thickness | 1 to 2 | 66.67 % | 65.44 % to 67.12 % | 606 | 7.23 |",
        "- Too small to be judged, of brightness: low (11 images).",
        "| attack that moves each pixel by at most 8 of 255 grey levels | 20.03 % |",
        "fitted on the validation split. On\nthe test split they are on average 0.0271",
        "busy for 11.11 seconds; one costs\n0.4871 times",
        "Training took 871\nsteps over 3 epochs",
        "- Energy and emissions: not measured.",
        f"| rows.bin | 40,961 | `{tiny.DIGEST}` |",
        "| privacy | not measured |",
        (
            "| fairness | of all groups of images the worst is thickness 1 to 2: 66.67 % right |"
            " groups of people: not measured"
        ),
        "| wrong answers | 26 of 1,213 test images;",
        "| licences | data: CC0-1.0; this release: Apache-2.0 |",
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
        (
            "    pip install model-signing==9.8.7 pyopenssl\n    model_signing verify key dist"
            " --no-ignore-git-paths"
        ),
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


@pytest.mark.parametrize(
    ("file", "key"), [("evaluation", "macro_f1"), ("benchmark", "hardware"), ("stats", "licence")]
)
def test_a_missing_fact_is_no_card(file: str, key: str) -> None:
    evidence = facts()
    del evidence[file][key]
    with pytest.raises(DataError, match=f"lacks a fact: .*{key}"):
        page(evidence)


@pytest.mark.parametrize(
    ("variant", "said"),
    [("int8_dynamic", True), ("narrow_int8_dynamic", True), ("int8", False), ("fp32", False)],
)
def test_a_model_whose_answers_depend_on_their_company_says_so(variant: str, said: bool) -> None:
    evidence = facts()
    for section in ("quantization", "benchmark"):
        evidence[section]["variants"][variant] = evidence[section]["variants"]["int8"]
    evidence["choice"]["variant"] = variant
    bom = json.loads(sbom.of(tiny.release(), evidence, [], {}, {}, {}))
    [model] = [one for one in bom["components"] if one["type"] == "machine-learning-model"]
    limit = (
        f"An answer depends a little on its company: `{variant}` rounds by one scale over all"
        " images of a call"
    )
    assert (f"- {limit}" in page(evidence).partition("## Limits")[2].partition("##")[0]) == said
    assert (
        any(
            one.startswith(limit)
            for one in model["modelCard"]["considerations"]["technicalLimitations"]
        )
        == said
    )
    assert model["modelCard"]["considerations"]["technicalLimitations"][0] == "Knows three rows."


def test_a_missing_part_of_a_proportion_is_no_card() -> None:
    evidence = facts()
    del evidence["evaluation"]["coverage"]["low"]
    with pytest.raises(DataError, match="lacks a fact: 'low'"):
        page(evidence)


def test_what_was_not_measured_is_said() -> None:
    evidence = facts()
    evidence["evaluation"] |= {
        "slices": {},
        "robustness": {},
        "skipped": {"corruptions": "these are no pictures"},
    }
    text = page(evidence)
    assert "Not measured: this run has no slices." in text
    assert "Not measured: these are no pictures." in text
    assert "| fairness | not measured |" in text
    assert "| damage and attack | not measured |" in text


def test_what_came_in_later_and_was_trained_on_is_named() -> None:
    evidence = facts()
    assert "came in later" not in page(evidence)
    digest = "ab" * 32
    evidence["stats"]["accepted"] = [{"file": "june|.parquet", "examples": 4321, "sha256": digest}]
    text = page(evidence)
    assert f"\n| june\\|.parquet | 4,321 | `{digest}` |\n" in text
    assert not unknown(text, evidence, fewest=100)
    assert ledger.of(evidence["raw"], evidence["stats"]).decode().count(digest) == 1


def test_data_about_people_is_judged_by_what_it_says_of_them() -> None:
    evidence = facts()
    evidence["stats"]["sensitive"] = ["age_group"]
    evidence["evaluation"]["slices"]["age_group"] = {
        **evidence["evaluation"]["slices"]["thickness"],
        "sensitive": True,
    }
    text = page(evidence)
    assert "| privacy | not measured; the data says of people: age group |" in text
    assert (
        "| fairness | age group: 1 to 2 is worst, 66.67 % right, 7.23 points behind the best |"
        " groups of people that the data does not" in text
    )


def test_the_page_shows_html_and_obeys_none_of_it() -> None:
    body = card.body(
        "# A `card` & more\n\n<script>alert(1)</script>\n\n| a | b |\n|---|---|\n| <b>1</b> |"
        " [x](javascript:alert(1)) |\n"
    )
    assert body.heading == "A card & more"
    assert "&lt;script&gt;" in body.html
    assert not re.search(r"<script|<b>|href=.javascript", body.html)
    assert '<div class="scroll"><table>' in body.html
    assert body.html.count("</table>\n</div>") == body.html.count("</table>") == 1
    assert "<img" not in card.body("# A\n\n![remote](https://a.example/b.png)\n").html
    with pytest.raises(DataError, match="does not begin with a heading"):
        card.body("no heading")


@pytest.mark.parametrize("licence", ["Apache-2.0", "LicenseRef-Proprietary"])
def test_hugging_face_reads_its_readme(licence: str) -> None:
    from huggingface_hub import ModelCard

    evidence = facts()
    text = card.hub(tiny.release(licence=licence), page(evidence), evidence)
    read = ModelCard(text, ignore_metadata_errors=False)
    assert (read.data.license, read.data.get("license_name")) == (
        ("apache-2.0", None) if licence == "Apache-2.0" else ("other", "licenseref-proprietary")
    )
    assert (read.data.library_name, read.data.pipeline_tag, read.data.datasets) == (
        "onnx",
        "image-classification",
        ["rows"],
    )
    assert {(result.metric_type, result.metric_value) for result in read.data.eval_results} == {
        ("accuracy", 1187 / 1213),
        ("f1", 0.8517),
        ("log_loss", 0.6123),
        ("expected_calibration_error", 0.0271),
    }
    assert {result.dataset_args["digest"] for result in read.data.eval_results} == {tiny.DIGEST}
    assert read.text.startswith("\n# Brightest row")
