"""Takes the pictures of docs/mlflow.md from the releases in this repository's MLflow.

dvc repro dvc exp run -S train.epochs=1 -S model.fastconv.stem=16 -S 'model.fastconv.blocks=[[16],
[32, 32]]' dvc exp run -S train.epochs=1 -S model.fastconv.stem=8 -S 'model.fastconv.blocks=[[8],
[16]]'    # held by its gates duli promote 2 && duli promote 1 make screenshots        writes
docs/images/mlflow-*.png
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from duli.tracking import releases
from duli.tracking.client import store
from duli.tracking.logged import view
from harness import browser
from harness.tracking_server import MODEL, VERSION, WITHOUT_ASSISTANT, served

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs/images"
NAME = "digits"
SETTLED = 1500  # ms until charts have been drawn
COLOURS = 128  # of a picture, which keeps it below 100 kB


def main() -> None:
    own = store.locate({"DVC_ROOT": str(ROOT)}, ROOT)
    runs = [entry.run_id for entry in releases.listing(own, NAME)]
    if len(runs) < 2:
        sys.exit("two releases are needed; the first lines of benchmarks/screenshots.py make three")
    experiment = str(own.client().get_experiment_by_name(NAME).experiment_id)
    with served(own) as address, browser.page(base_url=address) as page:
        page.add_init_script(WITHOUT_ASSISTANT)

        def take(
            name: str,
            path: str,
            size: tuple[int, int],
            awaited: str | re.Pattern[str],
            act: Callable[["Page"], None] = _leave,
        ) -> None:
            page.set_viewport_size({"width": size[0], "height": size[1]})
            page.goto(path)
            page.get_by_text(awaited).first.wait_for()
            act(page)
            page.mouse.move(0, 0)  # or what is under it is highlighted
            page.wait_for_timeout(SETTLED)
            _keep(page.screenshot(animations="disabled"), name)

        take("releases", view.table(experiment), (1920, 420), "parameters")
        take("charts", view.charts(experiment), (1280, 1500), "Trade-offs")
        take(
            "compare", view.compare(experiment, runs[:2]), (1280, 1240), "Run details", _differences
        )
        take("run", view.run(experiment, runs[0]), (1280, 720), re.compile("^(Hold|Release): "))
        take("model", MODEL, (1600, 640), "challenger")
        take("version", VERSION, (1280, 800), re.compile("^(Hold|Release): "))


def _leave(page: "Page") -> None:
    """Takes the page as it is."""


def _differences(page: "Page") -> None:
    """Folds MLflow's own plot away and shows the params that differ."""
    page.get_by_text("Visualizations").click()
    page.get_by_role("switch", name="Parameters - Show diff only").click()


def _keep(content: bytes, name: str) -> None:
    IMAGES.mkdir(exist_ok=True)
    path = IMAGES / f"mlflow-{name}.png"
    path.write_bytes(content)
    Image.open(path).convert("RGB").quantize(COLOURS).save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
