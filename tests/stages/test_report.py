"""The report from made-up measurements: what it computes, what it says, what it refuses, and that
no number is its own.
"""

import csv
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import vl_convert

from duli.base import files
from duli.base.errors import DataError
from duli.economics import market
from duli.gates import gates
from duli.reporting.business import sentences
from duli.reporting.business.speech import Speech
from duli.reporting.shared import wording
from duli.reporting.shared.pages import lookup
from stages import report
from tests.closure import ROOT
from tests.reporting.charts import labels

PARAMS = """
report:
  market: market
  as_of: "2026-11-24"
  stale_days: 180
  currency: USD
  price_per_1000: 1.2
  licence: 20000
  day_rate: 1200
  mix: {subscription: 0.6, one_time: 0.2, services: 0.2}
  below_threshold: review
  volume_per_month: 10000000
  compute: compute.aws_c7i_large
  instances: 2
  utilisation: 0.3
  horizon_months: 24
  discount_rate: 0.15
  draws: 200
  seed: 0
  market_size: size.ocr
  carbon: carbon.usa
  electricity: electricity.us_commercial
gates:
  require:
    accuracy: {measure: business.accuracy.low, min: 0.99}
    drop: {measure: evaluation.paired.drop_points, max: 0.2}
    data: {measure: validation.success, min: 1}
"""


def score(value: float, n: int = 10_000) -> dict[str, float]:
    return {"value": value, "low": value - 0.002, "high": value + 0.001, "n": n}


def speed(value: float, threads: int) -> dict[str, float]:
    return {"value": value, "spread": 0.04, "n": 50, "batch": 64, "threads": threads}


def variant(size: int, latency: float, throughput: float) -> dict[str, Any]:
    return {
        "bytes": size,
        "latency_ms": {
            "value": latency,
            "p95": 1.3 * latency,
            "p99": 2 * latency,
            "spread": 0.1,
            "n": 2000,
            "threads": 1,
        },
        "throughput": speed(throughput, 1),
        "machine_throughput": speed(1.9 * throughput, 2),
    }


def measurements() -> dict[str, Any]:
    """What the stages before leave behind, by path."""
    return {
        "reports/train.json": {"parameters": 120_000, "validation_accuracy": score(0.994, 5000)},
        "reports/evaluation.json": {
            "test_digest": "3f" * 32,
            "n": 10_000,
            "accuracy": score(0.9941),
            "confidence_threshold": 0.9,
            "macro_f1": 0.9942,
            "log_loss": 0.061,
            "coverage": score(0.9871),
            "accuracy_of_accepted": score(0.9984, 9871),
            "paired": {
                "n": 10_000,
                "lost": 5,
                "won": 3,
                "drop_points": {"value": 0.02, "low": -0.03, "high": 0.07},
            },
        },
        "reports/quantization.json": {
            "variants": {"fp32": {"bytes": 480_000}, "int8": {"bytes": 131_000}},
        },
        "reports/benchmark.json": {
            "shipped": "int8",
            "slo_ms": 10.0,
            "variants": {
                "fp32": variant(480_000, 0.61, 3100.0),
                "int8": variant(131_000, 0.34, 7200.0),
            },
            "hardware": {"cpu": "Model 8488C", "cores": 2, "flags": ["avx2"], "memory_gib": 16.0},
            "versions": {"onnxruntime": "1.32.0"},
        },
        "reports/validation.json": {"success": True},
        "reports/resources/train.json": {"stage": "train", "seconds": 41.7, "device": "cpu"},
        "dist/manifest.json": {
            "name": "digits",
            "version": "0.1.0",
            "signed": False,
            "model": {"variant": "int8", "sha256": "bb" * 32},
            "wheel": {
                "file": "digits-0.1.0-py3-none-any.whl",
                "bytes": 151_234,
                "sha256": "cc" * 32,
            },
        },
        "champion.json": {"champion": None},
    }


def predictions(path: Path) -> None:
    """Answers of both files to 10,000 examples: 9,871 are as sure as the threshold, and 16 of these
    are wrong, as measured above.
    """
    sure, wrong = np.full(10_000, 0.95), np.zeros(10_000, bool)
    sure[9871:], wrong[:16], wrong[9871:9914] = 0.6, True, True
    columns = np.stack([sure, 1 - sure], axis=1).astype(np.float32)
    answers = pa.FixedSizeListArray.from_arrays(pa.array(columns.ravel()), 2)
    pq.write_table(
        pa.table({"label": pa.array(wrong.astype(np.int16)), "fp32": answers, "int8": answers}),
        path,
    )


class Line:
    """A release line up to the report, in the current folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = measurements()
        self.params = PARAMS
        (folder / "market").mkdir()
        for path in (ROOT / "data/market").glob("*.csv"):
            (folder / "market" / path.name).write_bytes(path.read_bytes())

    def set(self, path: str, key: str, value: Any) -> None:
        *parents, last = key.split(".")
        target = self.files[path]
        for parent in parents:
            target = target[parent]
        if value is None:
            del target[last]
        else:
            target[last] = value

    def price(self, file: str, old: str, new: str) -> None:
        path = self.folder / "market" / file
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    def run(self) -> "Line":
        (self.folder / "params.yaml").write_text(f"task: classification\n{self.params}")
        for path, content in self.files.items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_text(json.dumps(content))
        predictions(self.folder / "reports/predictions.parquet")
        report.main()
        return self

    @property
    def business(self) -> dict[str, Any]:
        return dict(files.read_json("reports/business.json"))

    @property
    def page(self) -> str:
        return (self.folder / "reports/report.html").read_text()

    @property
    def chinese(self) -> str:
        return (self.folder / "reports/report.zh.html").read_text()


@pytest.fixture(scope="module")
def drawn() -> Callable[..., str]:
    """Draws each chart once: that takes half of the stage's time, and most releases of these tests
    show the same charts.
    """
    real, kept = vl_convert.vegalite_to_svg, {}

    def svg(spec: dict[str, Any], **settings: Any) -> str:
        key = json.dumps([spec, settings])
        if key not in kept:
            kept[key] = real(spec, **settings)
        return str(kept[key])

    return svg


@pytest.fixture
def release(line: Path, monkeypatch: pytest.MonkeyPatch, drawn: Callable[..., str]) -> Line:
    monkeypatch.setattr(vl_convert, "vegalite_to_svg", drawn)
    return Line(line)


def abstaining(release: Line) -> None:
    release.params = PARAMS.replace("review", "abstain")


def held(release: Line) -> None:
    release.set("reports/evaluation.json", "paired.drop_points.value", 0.5)
    release.set("reports/evaluation.json", "accuracy.low", 0.5)


def missing_gate(release: Line) -> None:
    release.params = PARAMS.replace("business.accuracy.low", "business.acuracy.low")


def never_paying(release: Line) -> None:
    release.params = PARAMS.replace("price_per_1000: 1.2", "price_per_1000: 0.1")


def with_champion(release: Line) -> None:
    measures = {"business.accuracy.value": 0.993, "business.gross_margin.value": 0.4}
    place = {"model_version": 3, "release": "a" * 64, "run_id": "b" * 32, "test_digest": "c" * 64}
    content = {"model_sha256": "d" * 64, "wheel_sha256": "e" * 64, "signer": None}
    release.files["champion.json"] = {
        "champion": {"name": "digits", "version": "0.0.9", **place, **content, "measures": measures}
    }


def signed_on_a_gpu(release: Line) -> None:
    release.files["dist/manifest.json"]["signed"] = True
    release.set("reports/resources/train.json", "device", "cuda")


def in_yuan(release: Line) -> None:
    release.params = PARAMS.replace("currency: USD", "currency: CNY")


def without_customers(release: Line) -> None:
    text = (release.folder / "market/segments.csv").read_text()
    changed = re.sub(
        r"(\.reach),[\d.,]+,share,,assumed,triangular", r"\1,0,0,0,share,,assumed,point", text
    )
    assert changed != text
    (release.folder / "market/segments.csv").write_text(changed)


CASES = [
    without_customers,
    abstaining,
    held,
    missing_gate,
    never_paying,
    with_champion,
    signed_on_a_gpu,
]


def test_the_unit_cost_is_the_sum_of_its_parts_computed_by_hand(release: Line) -> None:
    found = release.run().business
    per_second = 7200 * 1.9  # two threads measured, two rented
    compute = 0.08925 / (per_second * 3600 * 0.3) * 1e6
    expected = {
        "compute": compute,
        "idle": 2 * 730 * 0.08925 / 10 - compute,
        "review": (1 - 0.9871) * 0.035 * 1e6,
        "errors": 0.9871 * (1 - 0.9984) * 0.10 * 1e6,
        "support": 10 * 5,
    }
    assert found["cost_usd_per_million"] == pytest.approx(expected)
    assert found["unit_cost_usd_per_million"]["value"] == pytest.approx(sum(expected.values()))
    assert found["gross_margin"]["value"] == pytest.approx((1200 - sum(expected.values())) / 1200)
    assert found["assumed_share_of_cost"] == pytest.approx(
        1 - expected["review"] / sum(expected.values())
    )
    assert found["training_usd"] == pytest.approx(41.7 / 3600 * 0.08925)


def test_throughput_goes_by_the_threads_of_the_rented_machine(release: Line) -> None:
    release.set("reports/benchmark.json", "variants.int8.machine_throughput.threads", 8)
    throughput = next(
        entry for entry in release.run().business["register"] if entry["input"] == "throughput"
    )
    assert throughput["value"] == pytest.approx(7200 * 1.9 / 4)
    assert (throughput["low"], throughput["high"]) == (
        pytest.approx(0.96 * throughput["value"]),
        pytest.approx(1.04 * throughput["value"]),
    )


def test_a_release_passes_its_gates_and_is_loudly_unsigned(
    release: Line, capsys: pytest.CaptureFixture[str]
) -> None:
    page = release.run().page
    assert (
        files.read_json("reports/gates.json")["verdict"] == release.business["verdict"] == "release"
    )
    assert "This release is not signed." in page
    assert "They are no demand for this model" in page.split("Scorecard")[0]
    assert "not signed" in (release.folder / "reports/report.md").read_text()
    assert "release: a million answers cost" in capsys.readouterr().out


def test_a_hold_says_which_gates_refused(release: Line, capsys: pytest.CaptureFixture[str]) -> None:
    held(release)
    page = release.run().page
    assert release.business["verdict"] == "hold"
    assert "(accuracy, drop)" in page
    assert "evaluation.paired.drop_points.value = 0.5 is above 0.2" in capsys.readouterr().out


def test_a_gate_on_a_measure_that_is_not_there_holds_the_release(release: Line) -> None:
    missing_gate(release)
    release.run()
    assert files.read_json("reports/gates.json")["reasons"] == [
        "accuracy: there is no measure business.acuracy.low (is business.accuracy.low meant?)"
    ]
    assert "missing" in release.page


def test_abstaining_pays_for_no_review(release: Line) -> None:
    abstaining(release)
    assert release.run().business["cost_usd_per_million"]["review"] == 0
    assert "Human review" not in release.page.split("<svg")[1].split("</svg>")[0]
    assert "the model abstains" in release.page


def test_a_price_that_never_pays_has_no_volume_but_a_reason(release: Line) -> None:
    never_paying(release)
    assert release.run().business["break_even_answers_per_month"]["value"] is None
    assert "No volume breaks even" in release.page
    assert "so no volume pays" in release.page
    assert "no volume breaks even" in (release.folder / "reports/report.md").read_text()
    assert "none to" not in release.page + (release.folder / "reports/report.md").read_text()
    assert release.business["gross_margin"]["value"] < 0


def test_the_champion_stands_beside_its_challenger(release: Line) -> None:
    with_champion(release)
    assert release.run().business["beside_champion"][0] == {
        "measure": "business.accuracy.value",
        "this": 0.9941,
        "champion": 0.993,
    }
    assert "0.0.9" in release.page
    for page in (release.page, release.chinese):
        shown = {key: as_number(text) for key, _, text in Page(page.split("<svg")[0]).figures}
        assert shown["beside_champion.0.champion"] == pytest.approx(0.993)
    brief = (release.folder / "reports/report.md").read_text()
    assert "| accuracy of the shipped file | 99.41 % | 99.21 % to 99.51 % | 99.30 % |" in brief
    assert "| accuracy | `business.accuracy.low` | 0.9921 | 0.99 |  | passed |" in brief


def test_a_signed_release_is_not_called_unsigned_and_a_gpu_has_no_price(release: Line) -> None:
    signed_on_a_gpu(release)
    assert release.run().business["training_usd"] is None
    assert "not signed" not in release.page
    assert "no price is given" in release.page


@pytest.mark.parametrize("signed", ["yes", 1, None])
def test_anything_but_true_is_unsigned(release: Line, signed: object) -> None:
    release.files["dist/manifest.json"]["signed"] = signed
    assert "This release is not signed." in release.run().page


@pytest.mark.slow
def test_the_same_input_gives_the_same_bytes(line: Path) -> None:
    release = Line(line)  # whose charts are drawn each time
    names = (
        "business.json",
        "assumptions.csv",
        "gates.json",
        "report.html",
        "report.zh.html",
        "report.md",
    )

    def written() -> list[bytes]:
        reports = release.run().folder / "reports"
        return [(reports / name).read_bytes() for name in names]

    assert written() == written()


def test_a_changed_price_changes_the_margin(release: Line) -> None:
    before = release.run().business["gross_margin"]["value"]
    release.params = PARAMS.replace("price_per_1000: 1.2", "price_per_1000: 1.4")
    assert release.run().business["gross_margin"]["value"] > before


class Page(HTMLParser):
    """Collects the numbers of a page: those that name their key, and the digits that do not."""

    # names, versions, digests, quotes and days are no figures
    QUOTED = ("abbr", "code", "cite", "time", "style", "svg", "title")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.figures: list[tuple[str, float, str]] = []
        self.strays: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []
        self.figure: tuple[str, float] | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        self.links += [
            str(values[name])
            for name in ("href", "src", "srcset", "action", "xlink:href")
            if name in values
        ]
        if tag in self.QUOTED:
            self.open.append(tag)
        if tag == "data":
            self.figure = str(values["data-key"]), float(str(values["value"]))

    def handle_endtag(self, tag: str) -> None:
        if self.open and self.open[-1] == tag:
            self.open.pop()
        if tag == "data":
            self.figure = None

    def handle_data(self, data: str) -> None:
        if self.figure:
            self.figures.append((*self.figure, data))
        elif not self.open and re.search(r"\d", data):
            self.strays.append(data.strip())


def as_number(text: str) -> float:
    """The number a reader sees; 'under 1 %' counts as half a percent."""
    for vague, number in (
        ("under 1 %", "0.5%"),
        ("低于 1%", "0.5%"),
        ("over 99 %", "99.5%"),
        ("高于 99%", "99.5%"),
        ("−", "-"),
        (",", ""),
    ):
        text = text.replace(vague, number)
    units = {"%": 0.01, "kB": 1e3, "MB": 1e6, "million": 1e6, "billion": 1e9, "万": 1e4, "亿": 1e8}
    number, unit = re.fullmatch(r"(\S*?) ?([^\d\s]*)", text).groups()  # type: ignore[union-attr]
    return float(number) * (units[unit] if unit else 1)


@pytest.mark.parametrize("case", [None, *CASES, in_yuan])
def test_every_number_of_both_pages_is_a_key_of_the_json(release: Line, case: Any) -> None:
    if case:
        case(release)
    english, chinese, business = Page(release.run().page), Page(release.chinese), release.business
    assert english.strays == chinese.strays == []
    assert sorted(key for key, _, _ in english.figures) == sorted(
        key for key, _, _ in chinese.figures
    )
    assert len(english.figures) > 300
    rate = business["currency_per_usd"]["value"]
    for key, value, text in [*english.figures, *chinese.figures]:
        assert lookup(business, key) == pytest.approx(value, rel=1e-12), key
        shown = as_number(text)
        assert any(
            shown == pytest.approx(factor * value, rel=0.006, abs=0.006 if "%" in text else 1e-12)
            for factor in {1.0, rate}
        ), (
            key,
            text,
        )


@pytest.mark.parametrize("case", [None, *CASES])
def test_where_no_number_stands_the_reason_does(release: Line, case: Any) -> None:
    if case:
        case(release)
    release.run()
    reasons = {entry["key"]: entry["reason"] for entry in release.business["reasons"]}
    for page, speech in ((release.page, Speech("en")), (release.chinese, Speech("zh"))):
        for key in re.findall(r'class="none" data-key="([^"]*)"', page):
            assert str(speech.reason(sentences.reason(reasons[key]))) in page, key
    assert '<span lang="en">' not in release.chinese  # a reason that has no Chinese counterpart


def test_the_chinese_page_tells_every_note_in_chinese_and_says_so_where_nobody_translated_it(
    release: Line,
) -> None:
    assert 'lang="en"' not in release.run().chinese
    release.price("assumptions.csv", "按一人处理一刻钟计，含全部成本", "")
    assert (
        '<cite lang="en">A quarter of an hour of a person, all costs included</cite>'
        in release.run().chinese
    )


def test_nobody_is_named_to_sell_to_where_no_customer_can_be_won(release: Line) -> None:
    without_customers(release)
    decision = release.run().page.split('class="decision"')[1].split("</p>")[0]
    assert "no customer can be won" in decision
    assert [row["enter_first"] for row in release.business["market"]["segments"]] == [False] * 3


def test_bounds_risks_and_gates_stand_with_their_units(release: Line) -> None:
    release.params = (
        PARAMS + "    fast: {measure: business.latency_ms.p95, max: 10}\n    cost: {measure:"
        " business.unit_cost_usd_per_million, max: 900}\n"
    )
    page = re.sub(r"<(?!/?(?:tr|td))[^>]*>", "", release.run().page)
    assert "p95  ≤ 10 ms" in page
    assert "≤ 900 USD" in page
    assert re.search(r"fast<td.*0\.442 ms</td><td[^>]*></td><td[^>]*>10 ms</td>", page)
    assert re.search(r"kWh</td><td[^>]*>at most 100 kWh</td>", page)
    chinese = re.sub(r"<[^>]*>", "", release.chinese)
    assert "p95  ≤ 10 毫秒" in chinese


def test_the_file_that_ships_is_marked_among_those_that_could(release: Line) -> None:
    table = release.run().page.split("What else could ship")[1].split("</table>")[0]
    [row] = [row for row in table.split("<tr>") if ">ships<" in row]
    assert "<code>int8</code>" in row


def test_an_end_of_a_range_that_is_missing_is_not_called_a_missing_number(release: Line) -> None:
    page = release.run().page
    assert (
        "“Break-even of the machines” has no number at one end of its range: the price does not"
        " cover" in page
    )
    assert "No number for “Payback, months”" in page
    assert "No number for “Break-even of the machines”" not in page


def test_a_missing_number_is_never_a_nought(release: Line) -> None:
    never_paying(release)
    release.run()
    assert lookup(release.business, "break_even.subscribers") is None
    assert '<span class="none" data-key="break_even.subscribers">none</span>' in release.page
    assert '<span class="none" data-key="break_even.subscribers">无</span>' in release.chinese


def test_the_first_page_answers_what_it_costs_at_what_price_it_pays_and_what_matters_most(
    release: Line,
) -> None:
    page = release.run().page.split("Scorecard")[0]
    keys = [key for key, _, _ in Page(page).figures]
    assert {
        "unit_cost_usd_per_million.value",
        "break_even_price_with_team_usd_per_million.value",
        "investment.npv_usd.p10",
        "investment.npv_positive_probability",
        "investment.npv_variance_from_assumed",
    } <= set(keys)
    assumed = {
        entry["input"] for entry in release.business["register"] if entry["kind"] == "assumed"
    }
    ranked = [
        place for place, row in enumerate(release.business["sobol"]) if row["input"] in assumed
    ]
    assert [key for key in keys if key.startswith("sobol.")] == [
        f"sobol.{place}.total" for place in ranked[:3]
    ]


def test_both_pages_say_which_language_they_are_and_the_same_charts(release: Line) -> None:
    assert '<html lang="en">' in release.run().page
    assert '<html lang="zh-CN">' in release.chinese
    assert release.page.count("<svg") == release.chinese.count("<svg") == 12
    for term in (
        "单位成本",
        "毛利率",
        "盈亏平衡",
        "订阅制",
        "一次性购买",
        "增值服务",
        "净现值",
        "内部收益率",
        "敏感性",
        "假设登记表",
    ):
        assert term in release.chinese, term


def test_amounts_are_in_the_currency_of_the_plan(release: Line) -> None:
    before = release.run().business
    in_yuan(release)
    after = release.run().business
    # the JSON stays in USD
    assert after["unit_cost_usd_per_million"] == before["unit_cost_usd_per_million"]
    shown = {key: text for key, _, text in Page(release.page).figures}
    cost = before["unit_cost_usd_per_million"]["value"] * after["currency_per_usd"]["value"]
    assert shown["unit_cost_usd_per_million.value"] == wording.money(cost)
    assert "CNY per million" in release.page
    assert "元／百万次" in release.chinese


def test_every_number_in_the_charts_is_in_the_json(release: Line) -> None:
    business = release.run().business
    waterfall, positions = re.findall(r"<svg.*?</svg>", release.page, re.DOTALL)[:2]
    costs = [
        *business["cost_usd_per_million"].values(),
        business["unit_cost_usd_per_million"]["value"],
        business["price_usd_per_million"],
    ]
    assert labels(waterfall, "role-mark") == [wording.money(amount) for amount in costs]
    prices = sorted(
        [
            business["price_usd_per_million"],
            *(service["usd_per_million"] for service in business["services"]),
        ]
    )
    assert labels(positions, "role-mark") == [wording.money(price) for price in prices]


def test_the_page_asks_nobody_for_anything(release: Line) -> None:
    release.run()
    for page in (release.page, release.chinese):
        assert Page(page).links == []
        assert not re.search(r"@import|<script|<link|<iframe|url\(\s*[\"']?(?:https?:)?//", page)


def test_text_of_the_facts_cannot_become_markup(release: Line) -> None:
    release.price(
        "services.csv", "Mistral OCR 4: complete guide", "<script>alert(1)</script> | [x](y)"
    )
    assert "<script" not in release.run().page
    assert "&lt;script&gt;" in release.page


def test_every_input_stands_in_the_register_with_its_source_or_as_assumed(release: Line) -> None:
    for entry in release.run().business["register"]:
        assert entry["source"] or entry["kind"] == "assumed", entry
        assert entry["low"] <= entry["value"] <= entry["high"], entry


def test_the_assumptions_are_a_table_of_every_input_and_every_fact_once(release: Line) -> None:
    business = release.run().business
    with (release.folder / "reports/assumptions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = [row["id"] for row in rows]
    assert len(set(names)) == len(names)
    facts = market.read(
        {path.name: path.read_bytes() for path in (release.folder / "market").glob("*.csv")}
    )
    assert {*facts.rows, *(entry["id"] for entry in business["register"])} == set(names)
    by_id = {row["id"]: row for row in rows}
    for entry in business["register"]:
        assert [float(by_id[entry["id"]][end]) for end in ("value", "low", "high")] == [
            entry[end] for end in ("value", "low", "high")
        ]
    assert "conflicting" in by_id["size.ocr.2024.by_imarc"]["flags"]
    assert all(row["source"] or row["kind"] == "assumed" for row in rows)


def test_rules_rest_on_numbers_of_this_run_and_the_market(release: Line) -> None:
    """Each side of a rule is looked up once more in the files, so a rule cannot argue with a number
    that nobody measured.
    """
    business = release.run().business
    files_of_run = {name: release.files[f"reports/{name}.json"] for name in report.REPORTS} | {
        "business": business
    }
    numbers = gates.measures({**files_of_run, "manifest": release.files["dist/manifest.json"]})
    for rule in business["strategy"]:
        for side in ("left", "right"):
            if rule[side].startswith(("business.", "evaluation.", "manifest.")):
                assert rule[f"{side}_value"] == numbers.get(rule[side]), rule
    assert sum(rule["holds"] is not None for rule in business["strategy"]) >= 15
    assert [row["enter_first"] for row in business["market"]["segments"]].count(True) == 1


def test_risks_are_low_high_or_not_measured_by_this_run(release: Line) -> None:
    release.set("reports/evaluation.json", "calibration_error", score(0.2))
    release.set(
        "reports/evaluation.json", "slices", {"class": {"ratio": 0.9}, "brightness": {"ratio": 0.7}}
    )
    risks = {row["risk"]: row for row in release.run().business["risks"]}
    assert (risks["false_sureness"]["level"], risks["false_sureness"]["value"]) == ("high", 0.2)
    assert (risks["weaker_for_some"]["level"], risks["weaker_for_some"]["value"]) == ("high", 0.7)
    assert risks["forged_release"]["level"] == "high"
    assert risks["training_energy"]["level"] == "low"
    # these made-up reports have no robustness
    assert risks["spoilt_input"]["level"] == "not measured"
    assert "evaluation.robustness.mean.value" in risks["spoilt_input"]["reason"]


def test_answers_of_the_shipped_file_have_to_be_there(release: Line) -> None:
    release.files["reports/benchmark.json"]["variants"]["int4"] = variant(60_000, 0.2, 9000.0)
    release.set("reports/benchmark.json", "shipped", "int4")
    with pytest.raises(DataError, match=r"predictions\.parquet.*'int4'"):
        release.run()


def test_stale_facts_are_flagged_at_the_day_of_the_params(release: Line) -> None:
    release.params = PARAMS.replace("2026-11-24", "2027-11-24")
    release.run()
    assert "Stale" in release.page
    assert (
        "stale"
        in next(
            entry
            for entry in release.business["services"]
            if entry["id"] == "service.amazon_rekognition"
        )["flags"]
    )


def test_lists_hold_what_is_no_metric(release: Line) -> None:
    """`dvc metrics` and MLflow take numbers and leave lists out, so texts and the register must not
    stand outside lists.
    """

    def leaves(value: Any) -> list[Any]:
        return (
            [leaf for inner in value.values() for leaf in leaves(inner)]
            if isinstance(value, dict)
            else [value]
        )

    found = release.run().business
    assert [leaf for leaf in leaves(found) if isinstance(leaf, str)] == ["release"]


@pytest.mark.parametrize(
    ("path", "key", "value", "said"),
    [
        (
            "reports/benchmark.json",
            "variants.int8.machine_throughput.value",
            None,
            "repeat `dvc repro --force benchmark`",
        ),
        (
            "reports/benchmark.json",
            "variants.int8.machine_throughput.value",
            0,
            "throughput_per_second is 0",
        ),
        (
            "reports/benchmark.json",
            "variants.fp32.machine_throughput.value",
            0,
            "variants.fp32.machine_throughput is 0",
        ),
        (
            "reports/benchmark.json",
            "hardware.memory_gib",
            None,
            "no finite number at hardware.memory_gib",
        ),
        (
            "reports/benchmark.json",
            "variants.int8.latency_ms.p95",
            float("nan"),
            "benchmark.json is not JSON (NaN is no finite number)",
        ),
        ("reports/benchmark.json", "shipped", "int4", "no finite number"),
        (
            "reports/evaluation.json",
            "coverage.value",
            float("inf"),
            "evaluation.json is not JSON (Infinity is no finite number)",
        ),
        ("reports/evaluation.json", "accuracy", None, "repeat `dvc repro --force evaluate`"),
        ("dist/manifest.json", "wheel.bytes", "many", "repeat `dvc repro --force package`"),
        (
            "champion.json",
            "champion",
            {"name": "digits"},
            "champion.json: champion.version: Field required; restore it from git",
        ),
    ],
)
def test_a_measurement_that_is_missing_or_no_number_stops_the_report(
    release: Line, path: str, key: str, value: Any, said: str
) -> None:
    release.set(path, key, value)
    with pytest.raises(DataError) as error:
        release.run()
    assert said in str(error.value)
    assert not (release.folder / "reports/business.json").exists()


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        (
            "services.csv",
            "https://cloud.google.com/vision/pricing",
            "",
            "line 2, column source_url",
        ),
        ("assumptions.csv", "error.per_item", "error.each", "no row 'error.per_item'"),
        (
            "assumptions.csv",
            "5,2,15,per ticket,USD",
            "5,2,15,per ticket,CNY",
            "is in CNY, the unit cost in USD; convert it",
        ),
        ("assumptions.csv", "fx.cny_per_usd", "fx.cny", "no row 'fx.cny_per_usd'"),
        ("services.csv", "service.", "api.", "no row 'service.*'"),
        (
            "compute.csv",
            "compute.aws_c7i_large.vcpu",
            "compute.aws.vcpu",
            "no row 'compute.aws_c7i_large.vcpu'",
        ),
        (
            "segments.csv",
            "segment.education.win",
            "segment.education.won",
            "no row 'segment.education.win'",
        ),
        ("size.csv", "size.ocr.", "size.text.", "no row 'size.ocr.*'"),
        ("risks.csv", "risk.idle_machines", "risk.idle", "no row 'risk.idle_machines'"),
        ("energy.csv", "carbon.usa", "carbon.us", "no row 'carbon.usa' (g per kWh)"),
        (
            "compute.csv",
            "0.08925,0.08925,0.1197,per hour",
            "0.08925,0.08925,0.1197,per item",
            "needed is 'per hour'",
        ),
    ],
)
def test_market_facts_that_do_not_serve_stop_the_report(
    release: Line, file: str, old: str, new: str, said: str
) -> None:
    release.price(file, old, new)
    with pytest.raises(DataError) as error:
        release.run()
    assert said in str(error.value)


def test_an_empty_market_folder_stops_the_report(release: Line) -> None:
    release.params = PARAMS.replace("market: market", "market: elsewhere")
    with pytest.raises(DataError, match=r"report\.market"):
        release.run()
