"""MLflow's pages as a person sees them: two releases side by side at a glance, the model with its
card, and who is champion.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from duli.tasks.classification import task
from duli.tracking.client.store import Store
from duli.tracking.headline import measures
from duli.tracking.logged import release, view
from duli.tracking.logged.release import Logged
from harness import browser
from harness.tracking_server import MODEL, VERSION, WITHOUT_ASSISTANT, served
from stages import track
from tests.tracking import line

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

MEASURES = measures(task)

pytestmark = pytest.mark.slow

# MLflow's pages ask for it, and its server has it only with logins
NOT_THERE = "/ajax-api/2.0/mlflow/users/current"


@dataclass(frozen=True)
class Served:
    """A server with two releases of different models, the newer first; the older is champion, the
    newer is held.
    """

    address: str
    releases: tuple[Logged, Logged]
    headlines: tuple[dict[str, float], dict[str, float]]

    @property
    def experiment(self) -> str:
        return self.releases[0].experiment_id


@pytest.fixture(scope="module")
def mlflow(
    tmp_path_factory: pytest.TempPathFactory, fresh: Callable[[Path], Store]
) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("browser")
    store = fresh(folder)
    client = store.client()
    line.build(folder / "line", bias=1.0, accuracy=0.9876, cost=12.5)
    older = release.log(store, track.gather(folder / "line", {}))
    line.build(folder / "line", bias=2.0, accuracy=0.9812, cost=34.75)
    made = track.gather(folder / "line", {})
    held = {"verdict": "hold", "reasons": ["latency: business.latency_ms.p95 = 12 is above 10"]}
    newer = release.log(
        store,
        replace(
            made,
            params={**made.params, "train": {"learning_rate": 0.2, "layers": [1, 2]}},
            reports={**made.reports, "gates": {**made.reports["gates"], **held}},
            tags={**made.tags, view.VERDICT: "hold"},
        ),
    )
    client.set_registered_model_alias("digits", "champion", "1")
    numbers = [client.get_run(logged.run_id).data.metrics for logged in (newer, older)]
    first, second = ({name: metrics[name] for name in MEASURES} for metrics in numbers)
    with served(store) as address:
        yield Served(address, (newer, older), (first, second))


@pytest.fixture
def page(mlflow: Served) -> "Iterator[Page]":
    """A page of the server, wide enough for all columns; no request may leave this machine, and
    nothing may fail in the page.
    """
    with browser.page(1920, 1600, base_url=mlflow.address) as shown:
        strangers, failed = [], []
        shown.on(
            "request", lambda request: None if _here(request.url) else strangers.append(request.url)
        )
        shown.on(
            "response",
            lambda answer: (
                failed.append(answer.url)
                if answer.status >= 400 and NOT_THERE not in answer.url
                else None
            ),
        )
        shown.on("pageerror", lambda error: failed.append(str(error)))
        shown.add_init_script(WITHOUT_ASSISTANT)
        yield shown
        assert strangers == []
        assert failed == []


def _here(url: str) -> bool:
    return urlsplit(url).scheme in ("data", "blob") or urlsplit(url).hostname == "127.0.0.1"


def test_the_table_of_releases_has_the_verdict_and_the_headline_as_columns(
    page: "Page", mlflow: Served
) -> None:
    page.goto(view.table(mlflow.experiment))
    for title in ("duli.verdict", *MEASURES):
        page.get_by_role("columnheader", name=title, exact=True).first.wait_for()
    _cells(page, "tags.`duli.verdict`", ["hold", "release"])
    for name in MEASURES:
        _cells(page, f"metrics.`{name}`", [f"{numbers[name]:g}" for numbers in mlflow.headlines])


def _cells(page: "Page", column: str, texts: list[str]) -> None:
    """Waits until the cells of a column, from the top, say `texts`."""
    from playwright.sync_api import expect

    expect(page.locator(f"[role=gridcell][col-id='{column}']")).to_have_text(texts)


def test_the_charts_show_trade_offs_what_differs_and_the_training(
    page: "Page", mlflow: Served
) -> None:
    page.goto(view.charts(mlflow.experiment))
    for title in ("unit_cost_usd_per_million vs. accuracy", "latency_ms vs. accuracy"):
        page.get_by_text(title).first.wait_for()
    params = page.get_by_role("row")
    params.filter(has_text="train.learning_rate").filter(
        has_text=re.compile(r"0\.1.*0\.2|0\.2.*0\.1")
    ).first.wait_for()
    assert params.filter(has_text="train.layers").count() == 0


def test_two_releases_compare_at_a_glance(page: "Page", mlflow: Served) -> None:
    from playwright.sync_api import expect

    page.goto(view.compare(mlflow.experiment, [logged.run_id for logged in mlflow.releases]))
    page.get_by_role("heading", name="Comparing 2 Runs from 1 Experiment").wait_for()
    page.get_by_role("switch", name="Parameters - Show diff only").click()
    expect(_row(page, "train.learning_rate").get_by_role("cell")).to_have_text(["0.2", "0.1"])
    expect(_row(page, "train.layers")).to_have_count(0)
    expect(_row(page, "duli.verdict").get_by_role("cell")).to_have_text(["hold", "release"])
    metrics = _compared(page)
    # before the other numbers, of which there are hundreds
    assert list(metrics)[: len(MEASURES)] == sorted(MEASURES)
    for name in MEASURES:
        assert metrics[name] == pytest.approx(
            [numbers[name] for numbers in mlflow.headlines], rel=1e-3
        ), name


def _row(page: "Page", name: str) -> "Locator":
    return page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=name, exact=True))


def _compared(page: "Page") -> dict[str, list[float]]:
    """The metrics of the compare page: names in one list, values in another beside it, and only the
    rows that are in sight are drawn.
    """
    names = page.locator(".ReactVirtualized__Grid").filter(
        has=page.get_by_text("accuracy", exact=True)
    )
    names.wait_for()
    return {name: [float(value) for value in values] for name, *values in page.evaluate(READ_ALL)}


# Scrolls through the values, half a screen at a time, and gives the texts of each row; both lists
# place a row at the same height.
READ_ALL = """async () => {
  const lists = [...document.querySelectorAll('.ReactVirtualized__Grid')], values = lists.at(-1), rows = new Map();
  for (let top = 0; top < values.scrollHeight; top += values.clientHeight / 2) {
    values.scrollTop = top;
    await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
    lists.forEach((list, column) => {
      for (const cell of list.querySelectorAll('[role=rowgroup] > div')) {
        const row = rows.get(cell.style.top) ?? new Map();
        row.set(`${column} ${cell.style.left}`, cell.innerText.trim());
        rows.set(cell.style.top, row);
      }
    });
  }
  const inOrder = (row) => [...row].sort((one, other) => one[0].localeCompare(other[0], 'en', {numeric: true})).map(([, text]) => text);
  return [...rows].sort((one, other) => parseFloat(one[0]) - parseFloat(other[0])).map(([, row]) => inOrder(row));
}"""


def test_a_run_says_first_how_good_it_is_and_holds_its_pages_and_tables(
    page: "Page", mlflow: Served
) -> None:
    newer, older = mlflow.releases
    page.goto(view.run(mlflow.experiment, newer.run_id))
    page.get_by_text("Hold: accuracy 98.12%").wait_for()
    page.get_by_text("latency: business.latency_ms.p95 = 12 is above 10").wait_for()
    page.goto(view.run(mlflow.experiment, older.run_id))
    page.get_by_text("Release: accuracy 98.76%").wait_for()
    page.get_by_role("cell", name="share of right answers on the test split").wait_for()
    page.get_by_role("tab", name="Artifacts").click()
    for name in ("evaluation.html", "MODEL_CARD.md", "dist"):
        page.get_by_text(name, exact=True).first.wait_for()
    page.get_by_text("report.html", exact=True).first.click()
    page.frame_locator("iframe").get_by_text("report.html 0.9876 12.5").wait_for()
    page.get_by_text("evaluation", exact=True).first.click()
    page.get_by_text("robustness.csv", exact=True).first.wait_for()


def test_the_models_page_shows_versions_verdicts_and_who_is_champion(page: "Page") -> None:
    page.goto(MODEL)
    for alias in ("champion", "challenger"):
        page.get_by_text(re.compile(rf"^@\s*{alias}$")).first.wait_for()
    for text in ("Hold: accuracy 98.12%", "Release: accuracy 98.76%", "duli.verdict"):
        page.get_by_text(text).first.wait_for()


def test_a_version_shows_its_card_its_headline_and_its_aliases(
    page: "Page", mlflow: Served
) -> None:
    page.goto(VERSION)
    page.get_by_role("heading", name="Version 1").wait_for()
    page.get_by_text(re.compile(r"^@\s*champion$")).first.wait_for()
    page.get_by_text("Reads a digit.").wait_for()  # the card
    for name, value in mlflow.headlines[1].items():
        row = page.get_by_role("row").filter(has=page.get_by_role("cell", name=name, exact=True))
        row.get_by_role("cell", name=f"{value:,g}", exact=True).wait_for()
