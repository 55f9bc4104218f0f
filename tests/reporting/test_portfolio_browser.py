"""The portfolio in a real browser: both languages, desktop and phone, light, dark and on paper."""

import re
from importlib.resources import files as resources
from pathlib import Path
from typing import Any

import pytest

from harness import browser
from tests.cli.product_range import make
from tests.cli.test_commands import duli
from tests.reporting.test_report_browser import CLIPPED
from tests.shared import once

pytestmark = pytest.mark.slow

# Height in px of the smallest letters of the charts, as they are on the screen.
LETTERS = """
() => Math.min(...[...document.querySelectorAll("figure svg text")].map(
  text => parseFloat(getComputedStyle(text).fontSize) * text.getScreenCTM().a))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages of two lines, one of them held, and of a third that is not built."""

    def compared(root: Path) -> None:
        make(root)
        assert duli(root, "portfolio").returncode == 0

    return once(tmp_path_factory, "compared", compared) / "reports"


@pytest.mark.parametrize(
    ("name", "width", "scheme"),
    [
        ("portfolio.html", 1280, "light"),
        ("portfolio.html", 390, "dark"),
        ("portfolio.zh.html", 390, "light"),
    ],
)
def test_nothing_is_cut_off_overlaps_or_is_hard_to_read_and_it_prints_on_a4(
    folder: Path, name: str, width: int, scheme: Any
) -> None:
    with browser.page(width, 800, color_scheme=scheme) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto((folder / name).as_uri())
        assert page.evaluate(CLIPPED) == []
        assert page.evaluate(LETTERS) > 9.5
        page.add_script_tag(
            content=(resources("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
        )
        found = page.evaluate("() => axe.run({runOnly: ['wcag2a', 'wcag2aa']})")
        assert [
            (one["id"], [node["html"] for node in one["nodes"]][:3]) for one in found["violations"]
        ] == []
        assert asked == [(folder / name).as_uri()]
        page.set_viewport_size({"width": 688, "height": 800})  # the width of A4 less its margins
        page.emulate_media(media="print")
        assert page.evaluate(CLIPPED) == []
        pdf = page.pdf(prefer_css_page_size=True, print_background=True)
    assert 0 < len(re.findall(rb"/Type /Page\n", pdf)) < 5
