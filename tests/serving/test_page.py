"""The page of a release in a real browser: it draws, reads pictures, asks and answers, by mouse,
touch and keyboard.
"""

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from harness import browser
from tests.packaging import tiny, tinytable, tinytext
from tests.serving.served import Served, serving

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow
ROWS = [f"row {index}" for index in range(28)]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A model that says which of 28 rows is the brightest, and takes itself for one of digits."""
    with serving(package=rows(tmp_path_factory.mktemp("installed"), framing="centred")) as one:
        yield one


def rows(folder: Path, framing: str) -> Path:
    """The package of that model, for pictures on dark ground."""
    size, pictures = (
        {"channels": 1, "height": 28, "width": 28},
        {"ground": "dark", "framing": framing},
    )
    return tiny.package(
        folder / "bright_row",
        tiny.model(size=(28, 28)),
        classes=ROWS,
        input=size,
        pictures=pictures,
        title="Rows & more",
    )


@pytest.fixture(scope="module")
def opened(served: Served) -> "Iterator[Page]":
    """One browser for all tests, whose start takes longer than they do."""
    with browser.page(base_url=f"http://127.0.0.1:{served.port}/", has_touch=True) as one:
        yield one


@pytest.fixture
def page(opened: "Page", served: Served) -> "Iterator[Page]":
    """The page once it is ready."""
    with behaving(opened, served.port) as one:
        yield one


@contextmanager
def behaving(opened: "Page", port: int) -> "Iterator[Page]":
    """The page of a server once it is ready; raises `AssertionError` if it breaks its own policy or
    asks anybody else.
    """
    own = (f"http://127.0.0.1:{port}/", "data:", "blob:")
    wrong: list[str] = []
    listeners: dict[Any, Any] = {
        "console": lambda message: (
            wrong.append(message.text) if message.type in ("error", "warning") else None
        ),
        "pageerror": lambda error: wrong.append(str(error)),
        "request": lambda request: (
            None if request.url.startswith(own) else wrong.append(request.url)
        ),
    }
    for event, listener in listeners.items():
        opened.on(event, listener)
    opened.goto(f"http://127.0.0.1:{port}/")
    opened.wait_for_selector("body[data-ready]")
    yield opened
    for event, listener in listeners.items():
        opened.remove_listener(event, listener)
    assert wrong == []


def draw(page: "Page", *points: tuple[float, float]) -> None:
    """A stroke with the mouse; the points are shares of the pad."""
    box = page.locator("#pad").bounding_box()
    assert box
    placed = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*placed[0])
    page.mouse.down()
    for point in placed[1:]:
        page.mouse.move(*point, steps=5)
    page.mouse.up()


def answered(page: "Page") -> str:
    from playwright.sync_api import expect

    # and no script in a string, which the page's policy forbids
    expect(page.locator("#label")).not_to_have_text("–")
    expect(page.locator("#answer")).to_have_attribute("aria-busy", "false")
    return page.inner_text("#label")


def seen(page: "Page") -> Any:
    """The grey picture that the page shows as what the model sees."""
    values = page.evaluate(
        "[...document.querySelector('#seen').getContext('2d').getImageData(0, 0, 28, 28).data]"
    )
    return np.array(values).reshape(28, 28, 4)[..., 0]


def test_a_stroke_is_centred_and_answered(page: "Page") -> None:
    draw(page, (0.2, 0.1), (0.8, 0.1))  # at the top of the pad, so the middle of the field
    assert answered(page) in ("row 13", "row 14")
    picture = seen(page)
    rows, columns = np.nonzero(picture > 100)
    assert columns.max() - columns.min() + 1 in (19, 20, 21)  # the box of MNIST
    mass = picture.sum()
    assert abs((picture.sum(axis=0) * (np.arange(28) + 0.5)).sum() / mass - 14) < 0.1
    assert abs((picture.sum(axis=1) * (np.arange(28) + 0.5)).sum() / mass - 14) < 0.1
    assert rows.size
    best = page.locator("#bars li.best")
    assert best.locator(".name").inner_text() == page.inner_text("#label")
    share = float(best.locator(".share").inner_text().removesuffix(" %"))
    assert f"{share:.1f} % sure" in page.inner_text("#sure")


def test_the_page_says_what_the_release_is(page: "Page") -> None:
    assert page.title() == "Rows & more"
    assert (
        "On 60 test images it has never seen it answers 100.00 % right (95 % interval 98.77 % to"
        " 100.00 %)" in page.inner_text("#headline")
    )
    assert re.search(
        r"Verified when the server started: all \d+ files are as released; UNSIGNED",
        page.inner_text("#integrity"),
    )
    assert page.get_by_role("link", name="Model card").get_attribute("href") == "card"


def test_an_unsure_answer_says_so(page: "Page") -> None:
    draw(page, (0.5, 0.1), (0.5, 0.9))  # all rows alike
    answered(page)
    assert "below 90 %, the model would rather abstain" in page.inner_text("#sure")
    assert page.locator("#answer.doubt").count() == 1


def test_clearing(page: "Page") -> None:
    draw(page, (0.2, 0.5), (0.8, 0.5))
    answered(page)
    page.get_by_role("button", name="Clear").click()
    assert page.inner_text("#sure") == "Nothing asked yet."
    assert seen(page).max() == 0


def test_by_keyboard_alone(page: "Page") -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "pad"
    page.keyboard.press("Space")
    for _ in range(12):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    assert answered(page) in ("row 13", "row 14")
    page.keyboard.press("Delete")
    assert page.inner_text("#sure") == "Nothing asked yet."
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "clear"


def test_by_touch(page: "Page") -> None:
    box = page.locator("#pad").bounding_box()
    assert box
    session = page.context.new_cdp_session(page)
    for kind, share in (
        ("touchStart", 0.2),
        ("touchMove", 0.4),
        ("touchMove", 0.8),
        ("touchEnd", None),
    ):
        points = (
            []
            if share is None
            else [{"x": box["x"] + share * box["width"], "y": box["y"] + box["height"] / 2}]
        )
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    assert answered(page) in ("row 13", "row 14")
    assert page.evaluate("scrollY") == 0


def png(pixels: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def choose(page: "Page", content: bytes, name: str = "picture.png") -> None:
    page.locator("#file").set_input_files(
        {"name": name, "mimeType": "image/png", "buffer": content}
    )


def test_a_picture_of_the_models_size_is_sent_as_it_is(page: "Page") -> None:
    pixels = np.random.default_rng(0).integers(0, 100, (28, 28), dtype=np.uint8)
    pixels[5] = 250
    choose(page, png(pixels))
    assert answered(page) == "row 5"
    assert np.abs(seen(page) - pixels).max() <= 1
    assert "turned as its EXIF says" in page.inner_text("#done")


def test_a_picture_on_paper_is_turned_into_light_ink(page: "Page") -> None:
    paper = np.full((200, 300), 240, np.uint8)
    paper[30:50, 60:240] = 20
    choose(page, png(paper))
    assert answered(page) in ("row 13", "row 14")
    assert seen(page)[0].max() == 0


def test_what_is_no_picture(page: "Page") -> None:
    choose(page, b"hello")
    page.get_by_text("This is no picture that the browser can read").wait_for()


@pytest.fixture
def another(opened: "Page") -> "Iterator[Callable[..., Page]]":
    """Opens further pages of the same browser, each with settings of its own."""
    pages: list[Page] = []

    def new(**settings: Any) -> "Page":
        assert opened.context.browser
        pages.append(opened.context.browser.new_page(**settings))
        return pages[-1]

    yield new
    for page in pages:
        page.close()


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1280, "light")])
def test_nothing_sticks_out(
    served: Served, another: "Callable[..., Page]", width: int, scheme: Any
) -> None:
    page = another(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.goto(f"http://127.0.0.1:{served.port}/")
    page.wait_for_selector("body[data-ready]")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(22, 24, 27)"
    assert dark == (scheme == "dark")


def test_other_models_get_pictures_alone(tmp_path: Path, another: "Callable[..., Page]") -> None:
    with serving(package=tiny.package(tmp_path / "bright_row")) as one:
        page = another()
        page.goto(f"http://127.0.0.1:{one.port}/")
        page.wait_for_selector("body[data-ready]")
        assert page.locator("#drawing").is_hidden()
        wide = np.zeros((30, 40), np.uint8)
        wide[10:20] = 255
        choose(page, png(wide))
        assert answered(page) == "middle"


def test_a_photograph_on_light_ground_is_turned_and_kept_whole(
    tmp_path: Path, another: "Callable[..., Page]"
) -> None:
    with serving(package=rows(tmp_path, framing="whole")) as one:
        page = another()
        page.goto(f"http://127.0.0.1:{one.port}/")
        page.wait_for_selector("body[data-ready]")
        assert page.locator("#drawing").is_hidden()
        assert page.get_attribute("#pad", "aria-label") == "Your picture"
        draw(page, (0.2, 0.5), (0.8, 0.5))
        assert page.inner_text("#label") == "–"  # nothing to draw on
        wide = np.full((280, 560), 250, np.uint8)
        wide[200:240] = 10  # black at 5/7 to 6/7 of the height, which is half of the frame's
        choose(page, png(wide))
        assert answered(page) == "row 17"
        assert "whose border is light becomes its negative" in page.inner_text("#done")
        picture = seen(page)
        assert picture[17:19].min() > 150
        assert picture[:16].max() < 20
        assert picture[20:].max() < 20


def test_a_text_is_asked_while_it_is_written(
    tmp_path: Path, another: "Callable[..., Page]"
) -> None:
    """On a phone, by touch and keyboard."""
    with (
        serving(package=tinytext.package(tmp_path / "bright_row")) as one,
        behaving(another(viewport={"width": 360, "height": 700}, has_touch=True), one.port) as page,
    ):
        from playwright.sync_api import expect

        assert "On 60 test texts it has never seen" in page.inner_text("#headline")
        page.get_by_label("A text").press_sequentially("坏")
        expect(page.locator("#label")).to_have_text("bad")
        page.get_by_label("A text").fill("好 好 <b>")
        expect(page.locator("#label")).to_have_text("good")
        share = float(page.locator("#bars li.best .share").inner_text().removesuffix(" %"))
        assert f"{share:.1f} % sure: below 90 %, the model would rather abstain" in page.inner_text(
            "#sure"
        )
        page.get_by_role("button", name="Clear").tap()
        assert page.inner_text("#sure") == "Nothing asked yet."
        assert page.evaluate("document.activeElement.id") == "text"
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")  # the button with the example
        assert page.input_value("#text") == "这家酒店很好！"
        expect(page.locator("#sure")).to_contain_text("% sure")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_row_is_asked_while_it_is_typed(tmp_path: Path, another: "Callable[..., Page]") -> None:
    """On a phone, by keyboard alone; what is no number is marked and not asked."""
    with (
        serving(package=tinytable.package(tmp_path / "bright_row")) as one,
        behaving(another(viewport={"width": 360, "height": 700}), one.port) as page,
    ):
        from playwright.sync_api import expect

        page.keyboard.press("Tab")
        page.keyboard.type("1,5")
        expect(page.locator("#label")).to_have_text("left")
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.type("9")
        expect(page.locator("#label")).to_have_text("right")
        assert "% sure" in page.inner_text("#sure")
        page.get_by_label("width, cm").fill("x")
        expect(page.locator("#label")).to_have_text("–")
        assert page.inner_text("#sure") == "width, cm is no number."
        assert page.get_by_label("width, cm").get_attribute("aria-invalid") == "true"
        page.get_by_label("width, cm").fill("20")
        expect(page.locator("#label")).to_have_text("middle")
        page.get_by_role("button", name="Clear").click()
        assert page.inner_text("#sure") == "Nothing asked yet."
        assert page.evaluate("document.activeElement.id") == "feature-0"
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
