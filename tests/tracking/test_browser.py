"""MLflow's pages as a person sees them: two releases side by side at a glance, the model with its card, and who is champion."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from duli.tracking import release, view
from duli.tracking.headline import MEASURES
from duli.tracking.release import Logged
from duli.tracking.store import Store
from stages import track
from tests import browser
from tests.tracking import line
from tests.tracking.server import served

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow

# MLflow opens a chat beside its pages on the first visit, and asks its server for a favicon that is not there.
WITHOUT_ASSISTANT = "localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true')"


@pytest.fixture
def releases(store: Store, tmp_path: Path) -> list[Logged]:
    """Two releases of different models; the first is champion."""
    logged = []
    for bias, accuracy, cost in ((1.0, 0.9876, 12.5), (2.0, 0.9812, 34.75)):
        line.build(tmp_path / "line", bias=bias, accuracy=accuracy, cost=cost)
        logged.append(release.log(store, track.gather(tmp_path / "line", {})))
    store.client().set_registered_model_alias("digits", "champion", "1")
    return logged


@pytest.fixture
def page(store: Store) -> "Iterator[Page]":
    """A page that is sent to paths of the server, wide enough for all columns; nothing may leave this machine."""
    with served(store) as address, browser.page(2400, 1400, base_url=address) as shown:
        strangers: list[str] = []
        shown.on("request", lambda request: strangers.append(request.url) if not _here(request.url) else None)
        shown.add_init_script(WITHOUT_ASSISTANT)
        yield shown
        assert strangers == []


def _here(url: str) -> bool:
    return urlsplit(url).scheme in ("data", "blob") or urlsplit(url).hostname == "127.0.0.1"


def test_two_releases_compare_at_a_glance(page: "Page", releases: list[Logged], store: Store) -> None:
    first, second = releases
    headline = {logged.run_id: _headline(store, logged) for logged in releases}

    page.goto(view.table(first.experiment_id))
    for name in MEASURES:
        page.get_by_role("columnheader", name=name, exact=True).first.wait_for()
    page.get_by_role("columnheader", name="duli.verdict", exact=True).first.wait_for()
    for numbers in headline.values():
        for name in MEASURES:
            page.locator(f"[role=gridcell][col-id='metrics.`{name}`']").get_by_text(f"{numbers[name]:g}", exact=True).first.wait_for()

    page.goto(view.compare(first.experiment_id, [second.run_id, first.run_id]))
    page.get_by_role("heading", name="Comparing 2 Runs from 1 Experiment").wait_for()
    shown = _compared(page)
    for name in MEASURES:
        assert shown[name] == pytest.approx([headline[run][name] for run in (second.run_id, first.run_id)], rel=1e-3), name


def _compared(page: "Page") -> dict[str, list[float]]:
    """The metrics of the compare page: names in one list, values in another beside it, and only the rows that are in sight are drawn."""
    names = page.locator(".ReactVirtualized__Grid").filter(has=page.get_by_text("accuracy", exact=True))
    names.wait_for()
    return {name: [float(value) for value in values] for name, *values in page.evaluate(READ_ALL)}


# Scrolls through the values, half a screen at a time, and gives the texts of each row; both lists place a row at the same height.
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
  return [...rows.values()].map(inOrder);
}"""


def test_a_run_says_first_how_good_it_is_and_holds_its_pages_and_tables(page: "Page", releases: list[Logged], store: Store) -> None:
    page.goto(view.run(releases[0].experiment_id, releases[0].run_id))
    page.get_by_text("Release: accuracy 98.76 %").first.wait_for()
    page.get_by_role("cell", name="share of right answers on the test split").wait_for()
    page.get_by_role("tab", name="Artifacts").click()
    for name in ("evaluation.html", "report.html", "MODEL_CARD.md", "dist"):
        page.get_by_text(name, exact=True).first.wait_for()
    page.get_by_text("evaluation", exact=True).first.click()
    page.get_by_text("robustness.csv", exact=True).first.wait_for()


def test_the_models_page_shows_versions_and_who_is_champion(page: "Page", releases: list[Logged]) -> None:
    page.goto(view.MODELS.replace("models?", "models/digits?"))
    page.get_by_text(re.compile(r"^@\s*champion$")).first.wait_for()
    page.get_by_text(re.compile(r"^@\s*challenger$")).first.wait_for()
    page.get_by_text("duli.version", exact=False).first.wait_for()
    page.goto(view.MODELS.replace("models?", "models/digits/versions/1?"))
    page.get_by_role("heading", name="Version 1").wait_for()
    page.get_by_text("Reads a digit.").wait_for()  # the card
    page.get_by_text(re.compile(r"^@\s*champion$")).first.wait_for()


def _headline(store: Store, logged: Logged) -> dict[str, float]:
    metrics = store.client().get_run(logged.run_id).data.metrics
    return {name: metrics[name] for name in MEASURES}
