"""The portfolio of all release lines: what it takes of each, what it adds up, what it names as
missing, and what it refuses.
"""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from duli.reporting.shared.pages import lookup
from tests.cli.product_range import DIGITS, REVIEWS, STATS, change, make
from tests.cli.test_commands import duli
from tests.shared import once
from tests.stages.test_report import Page, as_number

BUSINESS, MANIFEST = "reports/business.json", "dist/manifest.json"


@pytest.fixture
def lines(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shutil.copytree(once(tmp_path_factory, "range", make), tmp_path / "range", symlinks=True)


def written(folder: Path) -> dict[str, Any]:
    shown = duli(folder, "portfolio")
    assert (shown.returncode, "Traceback" in shown.stderr) == (0, False), shown.stderr
    return dict(json.loads((folder / "reports/portfolio.json").read_text()))


def business(folder: Path) -> Any:
    return json.loads((folder / BUSINESS).read_text())


def refused(folder: Path) -> str:
    """The one line that it says of a mistake."""
    shown = duli(folder, "portfolio")
    assert (shown.returncode, len(shown.stderr.splitlines())) == (2, 1), shown.stderr
    assert not (folder / "reports/portfolio.json").exists()
    return shown.stderr


def test_each_line_stands_there_with_the_numbers_of_its_report(lines: Path) -> None:
    found = written(lines)["lines"]
    assert {name: line["state"] for name, line in found.items()} == {
        "digits": "current",
        "mine": "not built",
        "reviews": "current",
    }
    for name, place in (("digits", DIGITS), ("reviews", REVIEWS)):
        own = business(lines / place)
        for key in (
            "gross_margin",
            "latency_ms",
            "price_usd_per_million",
            "verdict",
            "gates_refused",
        ):
            whole = own[key]
            assert found[name][key] == (
                {end: whole[end] for end in found[name][key]} if isinstance(whole, dict) else whole
            )
        assert found[name]["npv_usd"] == own["investment"]["npv_usd"]
        assert (
            found[name]["break_even_answers_per_month"]
            == own["break_even_answers_per_month"]["value"]
        )
    assert [found[name]["kind"] for name in ("digits", "reviews")] == ["image", "text"]
    assert found["reviews"]["refused"] == ["accuracy"]
    assert (found["reviews"]["score"]["value"], found["digits"]["score"]["value"]) == (
        0.87,
        0.9941,
    )


def test_what_is_planned_is_added_up_and_cash_by_month(lines: Path) -> None:
    totals = written(lines)["totals"]
    one, two = business(lines / DIGITS), business(lines / REVIEWS)
    assert totals["revenue_usd"] == pytest.approx(
        sum(own["investment"]["revenue_usd"]["value"] for own in (one, two))
    )
    months = zip(one["cashflow"], two["cashflow"], strict=True)
    assert totals["funding_usd"] == pytest.approx(
        -min(first["cumulative"] + second["cumulative"] for first, second in months)
    )
    assert (totals["lines"], totals["released"], totals["comparable"]) == (2, 1, True)


@pytest.mark.parametrize("language", ["", ".zh"])
def test_every_number_of_the_page_is_a_key_of_the_json_and_nobody_is_asked(
    lines: Path, language: str
) -> None:
    found = written(lines)
    text = (lines / f"reports/portfolio{language}.html").read_text()
    page = Page(text)
    assert (page.strays, page.links) == ([], [])
    assert len(page.figures) > 60
    for key, value, shown in page.figures:
        assert lookup(found, key) == pytest.approx(value, rel=1e-12), key
        assert as_number(shown) == pytest.approx(
            value, rel=0.006, abs=0.006 if "%" in shown else 1e-12
        ), (key, shown)
    assert not re.search(r"@import|<script|<link|<iframe|url\(\s*[\"']?(?:https?:)?//", text)
    assert ("重新构建" in text, "产品组合" in text) == (False, bool(language))


def test_a_missing_number_is_none_with_its_reason(lines: Path) -> None:
    assert written(lines)["lines"]["reviews"]["break_even_answers_per_month"] is None
    page = (lines / "reports/portfolio.html").read_text()
    assert (
        '<span class="none" data-key="lines.reviews.break_even_answers_per_month">none</span>'
        in page
    )
    assert "No number for “Break-even of the machines”: the price does not cover the cost" in page


def test_a_line_that_is_not_built_is_named_with_the_command_that_builds_it(lines: Path) -> None:
    shown = duli(lines, "portfolio")
    assert "mine is not built: make repro LINE=mine" in shown.stderr
    page = (lines / "reports/portfolio.html").read_text()
    assert "<code>make repro LINE=mine</code> builds it" in page
    assert "Tables of &lt;b&gt;mine&lt;/b&gt;" in page


def test_a_line_whose_params_changed_since_is_named_with_what_changed(lines: Path) -> None:
    params = lines / REVIEWS / "params.yaml"
    params.write_text(params.read_text().replace("price_per_1000: 0.2", "price_per_1000: 0.3"))
    found = written(lines)["lines"]
    assert (found["reviews"]["state"], found["reviews"]["changed"], found["digits"]["state"]) == (
        "outdated",
        ["report"],
        "current",
    )
    assert "make repro LINE=reviews" in (lines / "reports/portfolio.html").read_text()


def test_a_line_whose_report_is_not_the_one_that_dvc_noted_is_named(lines: Path) -> None:
    change(lines / BUSINESS, "gross_margin.value", 0.99)
    assert written(lines)["lines"]["digits"]["changed"] == [BUSINESS]


def test_a_line_that_was_never_recorded_is_outdated(lines: Path) -> None:
    (lines / REVIEWS / "dvc.lock").unlink()
    assert {"report", "gates"} <= set(written(lines)["lines"]["reviews"]["changed"])


def test_the_champion_is_the_release_whose_wheel_was_promoted(lines: Path) -> None:
    digests = {"release": "a" * 64, "test_digest": "c" * 64, "model_sha256": "d" * 64}
    record = {
        "name": "digits",
        "version": "0.0.9",
        "model_version": 3,
        "run_id": "b",
        "signer": None,
        "measures": {},
        **digests,
    }
    sha256 = json.loads((lines / MANIFEST).read_text())["wheel"]["sha256"]
    for folder, wheel in ((DIGITS, sha256), (REVIEWS, "0" * 64)):
        (lines / folder / "champion.json").write_text(
            json.dumps({"champion": {**record, "wheel_sha256": wheel}})
        )
    found = written(lines)["lines"]
    assert [found[name]["place"] for name in ("digits", "reviews")] == ["champion", "challenger"]
    assert found["reviews"]["champion_version"] == "0.0.9"


def test_plans_over_different_times_are_not_added_up(lines: Path) -> None:
    change(lines / BUSINESS, "plan.horizon_months", 12)
    totals = written(lines)["totals"]
    assert (
        totals["revenue_usd"],
        totals["npv_usd"],
        totals["funding_usd"],
        totals["comparable"],
    ) == (None, None, None, False)
    assert "There are no sums" in (lines / "reports/portfolio.html").read_text()


def test_the_page_speaks_the_currency_of_the_first_plan_and_the_json_usd(lines: Path) -> None:
    params = lines / "params.yaml"
    params.write_text(params.read_text().replace("currency: USD", "currency: CNY"))
    before = written(lines)
    # the report was made before, and knows no rate
    assert (before["currency"], before["currency_per_usd"]) == ("USD", 1.0)
    change(lines / BUSINESS, "currency_per_usd.value", 7.0)
    after = written(lines)
    assert (after["currency"], after["currency_per_usd"], after["totals"]) == (
        "CNY",
        7.0,
        before["totals"],
    )
    assert "8,400</data>" in (lines / "reports/portfolio.html").read_text()  # 1,200 USD a million


def test_the_same_reports_give_the_same_bytes(lines: Path) -> None:
    names = ("portfolio.json", "portfolio.html", "portfolio.zh.html")
    written(lines)
    before = [(lines / "reports" / name).read_bytes() for name in names]
    written(lines)
    assert before == [(lines / "reports" / name).read_bytes() for name in names]


@pytest.mark.parametrize(
    ("file", "content"),
    [
        *((BUSINESS, content) for content in ("", "{", "[]", "null", "\xff")),
        (MANIFEST, "{}"),
        (STATS, '{"kind": "sound"}'),
    ],
)
def test_a_damaged_file_is_named_with_its_fix(lines: Path, file: str, content: str) -> None:
    (lines / REVIEWS / file).write_bytes(content.encode("latin-1"))
    said = refused(lines)
    assert f"pipelines/reviews/{file} is damaged" in said
    assert "`make repro LINE=reviews`" in said


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("accuracy.value", "high"),
        ("investment.npv_usd.p10", None),
        ("verdict", "perhaps"),
        ("cashflow", []),
        ("gross_margin", 0.5),
    ],
)
def test_a_number_that_is_none_is_named_by_file_and_key(lines: Path, key: str, value: Any) -> None:
    change(lines / BUSINESS, key, value)
    said = refused(lines)
    assert f"{BUSINESS} is damaged or was made by another version ({key}: " in said
    assert "`make repro`" in said


def test_a_release_that_was_never_packed_is_told(lines: Path) -> None:
    (lines / REVIEWS / MANIFEST).unlink()
    assert "pipelines/reviews/dist/manifest.json" in refused(lines)


def test_a_damaged_champion_is_told_by_its_line(lines: Path) -> None:
    (lines / REVIEWS / "champion.json").write_text('{"champion": {}}')
    assert "pipelines/reviews/champion.json: " in refused(lines)


def test_two_lines_of_one_name_are_refused(lines: Path) -> None:
    params = lines / REVIEWS / "params.yaml"
    params.write_text(params.read_text().replace('"name": "reviews"', '"name": "digits"'))
    assert "pipelines/reviews/params.yaml: release.name = 'digits'" in refused(lines)


def test_it_is_run_in_the_root_of_a_repository_where_something_is_built(
    lines: Path, tmp_path: Path
) -> None:
    assert "`duli portfolio`" in refused(lines / REVIEWS)
    bare = tmp_path / "bare"
    bare.mkdir()
    shutil.copy(lines / "params.yaml", bare)
    assert "no DVC repository" in refused(bare)
    for place in (DIGITS, REVIEWS):
        (lines / place / BUSINESS).unlink()
    assert "(digits, mine, reviews)" in refused(lines)


def test_a_graph_that_dvc_cannot_read_is_told(lines: Path) -> None:
    (lines / "dvc.yaml").write_text("stages: {report: {cmd: 1, what: 2}}\n")
    assert "DVC cannot tell what was built" in refused(lines)
