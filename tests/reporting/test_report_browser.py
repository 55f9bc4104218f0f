"""The business report in a real browser: both languages, desktop and phone, light, dark and on
paper.
"""

import re
import shutil
from collections.abc import Iterator
from importlib.resources import files as resources
from pathlib import Path
from typing import Any

import pytest

from stages import report
from tests import browser
from tests.stages.test_report import Line

pytestmark = pytest.mark.slow

PAGES = list(report.PAGES.values())
ENGLISH, CHINESE = PAGES
LOOKS = [
    (ENGLISH, 1280, "light"),
    (ENGLISH, 1280, "dark"),
    (CHINESE, 1280, "light"),
    (CHINESE, 390, "light"),
]

# Texts of an SVG that lie on one another or outside their figure, and texts of the page that their
# box or the window cuts off.
CLIPPED = """
() => {
  const found = [], inside = (a, b) => a.left >= b.left - 1 && a.right <= b.right + 1;
  const shared = (a, b, low, high) => Math.min(a[high], b[high]) - Math.max(a[low], b[low]);
  const crosses = (a, b) => shared(a, b, "left", "right") > 1 && shared(a, b, "top", "bottom") > 2;
  for (const svg of document.querySelectorAll("figure svg")) {
    const figure = svg.closest("figure").getBoundingClientRect();
    const texts = [...svg.querySelectorAll("text")].filter(text => text.textContent.trim() && text.getAttribute("opacity") !== "0");
    const boxes = texts.map(text => text.getBoundingClientRect());
    boxes.forEach((box, one) => {
      if (box.left < -0.5 || box.right > innerWidth + 0.5 || !inside(box, figure))
        found.push(`outside its figure: ${texts[one].textContent}`);
      for (let other = one + 1; other < boxes.length; other++)
        if (crosses(box, boxes[other])) found.push(`on one another: ${texts[one].textContent} | ${texts[other].textContent}`);
    });
  }
  const walker = document.createTreeWalker(document.querySelector("body"), NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode, parent = node.parentElement;
    if (!node.textContent.trim() || parent.closest("svg, style, script, thead")) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const box = parent.closest("td, th, dd, dt, li, p, figcaption, h1, h2, h3") || document.body;
    for (const rect of range.getClientRects())
      if (!inside(rect, box.getBoundingClientRect()) || rect.right > innerWidth + 1) {
        found.push(`cut off: ${node.textContent.trim()}`);
        break;
      }
  }
  for (const box of document.querySelectorAll(".scroll"))
    if (box.scrollWidth > box.clientWidth + 1) found.push(`cut off at its right: ${box.textContent.trim().slice(0, 40)}`);
  if (document.documentElement.scrollWidth > innerWidth) found.push(`the page is ${document.documentElement.scrollWidth} px wide`);
  return found;
}
"""


OPEN = "for (const one of document.querySelectorAll('details')) one.open = true"
# Headings and tables that are folded away on a screen, and whether they are shown.
FOLDED = (
    "[...document.querySelectorAll('details > :not(summary)')].map(one =>"
    " one.checkVisibility({contentVisibilityAuto: true}))"
)
SCREENS = 25  # of a phone, 800 px each


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The pages of a release held for want of accuracy, which has the longest sentences and most
    missing numbers, and long names too.
    """
    path = tmp_path_factory.mktemp("line")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        line = Line(path)
        line.set("reports/evaluation.json", "accuracy.low", 0.5)
        line.set(
            "reports/evaluation.json",
            "robustness",
            {"pgd": {"8_of_255": {"shipped": {"value": 0.9761}}}},
        )
        line.run()
        yield path
    shutil.rmtree(path)


def opened(path: Path, width: int, scheme: Any = "light") -> Any:
    """A browser's page that shows the file, and all that it asked for."""
    return browser.page(width, 800, color_scheme=scheme), path.absolute().as_uri()


@pytest.mark.parametrize(("name", "width", "scheme"), LOOKS)
def test_nothing_is_cut_off_overlaps_or_is_hard_to_read_and_nobody_is_asked(
    folder: Path, name: str, width: int, scheme: str
) -> None:
    context, address = opened(folder / name, width, scheme)
    with context as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        assert page.evaluate(CLIPPED) == []
        assert page.evaluate("document.documentElement.scrollHeight") < SCREENS * 800
        page.evaluate(OPEN)
        assert page.evaluate(CLIPPED) == []
        page.add_script_tag(
            content=(resources("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
        )
        found = page.evaluate("() => axe.run({runOnly: ['wcag2a', 'wcag2aa']})")
        assert [
            (one["id"], [node["html"] for node in one["nodes"]][:3]) for one in found["violations"]
        ] == []
        assert "color-contrast" in {one["id"] for one in found["passes"]}
        assert asked == [address]


@pytest.mark.parametrize("name", PAGES)
def test_one_screen_says_what_it_costs_at_what_price_it_pays_and_which_three_assumptions_matter(
    folder: Path, name: str
) -> None:
    context, address = opened(folder / name, 1280)
    with context as page:
        page.goto(address)
        for wanted in (
            '.figures [data-key="unit_cost_usd_per_million.value"]',
            '[data-key="break_even_price_with_team_usd_per_million.value"]',
            '[data-key="investment.npv_variance_from_assumed"]',
            ".movers li:nth-child(3)",
        ):
            box = page.locator(wanted).first.bounding_box()
            assert box is not None
            assert box["y"] + box["height"] <= 800, wanted


@pytest.mark.parametrize("name", PAGES)
def test_it_prints_on_a4(folder: Path, name: str) -> None:
    context, address = opened(folder / name, 688)  # the width of A4 less its margins
    with context as page:
        page.goto(address)
        assert not all(page.evaluate(FOLDED))
        page.emulate_media(media="print")
        # the page is laid out again, and that takes a frame or two
        page.wait_for_function(f"{FOLDED}.every(Boolean)")
        assert page.evaluate(CLIPPED) == []
        pdf = page.pdf(prefer_css_page_size=True, print_background=True)
    sizes = {
        tuple(round(float(side)) for side in box.split())
        for box in re.findall(rb"/MediaBox \[([\d. ]+)\]", pdf)
    }
    assert sizes == {(0, 0, 595, 842)}  # in points
    assert 5 < pdf.count(b"/Type /Page\n") < 25
