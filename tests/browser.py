"""A real browser, for pages that have to work in one."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# No sandbox: root has none. The rest keeps the browser from calling its maker.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def page(width: int = 1280, height: int = 900, **context: Any) -> "Iterator[Page]":
    """An empty page of headless Chromium; `context` as for playwright's `new_page` (color_scheme,
    ...).

    The browser is CHROMIUM of the environment, or the first of `NAMES` on PATH; a test that finds
    none fails.
    """
    from playwright.sync_api import expect, sync_playwright

    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.fail(
            "this test needs a Chromium; `make browser` installs Debian's, or name one with"
            " CHROMIUM=/path/to/it"
        )
    expect.set_options(timeout=30_000)  # as all else waits; a busy machine takes more than 5 s
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(FLAGS))
        try:
            yield browser.new_page(viewport={"width": width, "height": height}, **context)
        finally:
            browser.close()
