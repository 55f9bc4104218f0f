"""Takes the pictures of docs/mlflow.md from the releases in this repository's MLflow: at least two, of different models.

make screenshots     writes docs/images/mlflow-*.png
"""

import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from PIL import Image

from duli.tracking import releases, store, view
from duli.tracking.promotion import CHAMPION, PREVIOUS
from duli.tracking.store import SQLITE, Store
from tests import browser
from tests.tracking.server import served
from tests.tracking.test_browser import WITHOUT_ASSISTANT

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs/images"
NAME = "digits"
SETTLED = 1500  # ms until charts have been drawn
COLOURS = 128  # of a picture, which keeps it below 100 kB


def main() -> None:
    own = store.locate({"DVC_ROOT": str(ROOT)}, ROOT)
    with tempfile.TemporaryDirectory(prefix="duli-screenshots-") as folder:
        shown = _copy(own, Path(folder))
        listed = releases.listing(shown, NAME)
        newest = {entry.model_version: entry for entry in reversed(listed) if entry.model_version}
        if len(newest) < 2:
            sys.exit("two releases of different models are needed: `dvc repro`, then again with another train.seed")
        second, first = [newest[version] for version in sorted(newest)[-2:]]
        for alias, entry in ((CHAMPION, first), (PREVIOUS, second)):
            shown.client().set_registered_model_alias(NAME, alias, str(entry.model_version))
        experiment = str(shown.client().get_experiment_by_name(NAME).experiment_id)
        run = view.run(experiment, first.run_id)
        with served(shown) as address, browser.page(2100, 640, base_url=address) as page:
            page.add_init_script(WITHOUT_ASSISTANT)
            for name, path, text in (
                ("releases", view.table(experiment), "parameters"),
                ("charts", view.charts(experiment), "Headline"),
                ("run", run, "all gates passed"),
                ("model", view.MODELS.replace("models?", f"models/{NAME}?"), "champion"),
            ):
                page.goto(path)
                page.get_by_text(text).last.wait_for()
                page.wait_for_timeout(SETTLED)
                _keep(page.screenshot(animations="disabled"), name)


def _copy(own: Store, folder: Path) -> Store:
    """The store with a database of its own, so that what is set for the pictures stays among them."""
    assert own.database is not None
    shutil.copyfile(own.database, folder / "mlflow.db")
    return replace(own, tracking_uri=f"{SQLITE}{folder / 'mlflow.db'}", lock=folder / ".lock")


def _keep(content: bytes, name: str) -> None:
    IMAGES.mkdir(exist_ok=True)
    path = IMAGES / f"mlflow-{name}.png"
    path.write_bytes(content)
    Image.open(path).convert("RGB").quantize(COLOURS).save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
