"""Numbers for people: few digits, and none that lies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duli.reporting.shared import wording


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (1234.5, "1,234"),
        (99.996, "100.00"),
        (12.3, "12.30"),
        (0, "0.00"),
        (0.2, "0.20"),
        (0.125, "0.125"),
        (0.016545, "0.0165"),
        (0.00604, "0.00604"),
        (-1234.5, "−1,234"),
        (-0.0, "0.00"),
    ],
)
def test_money(amount: float, text: str) -> None:
    assert wording.money(amount) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.9943, "99.43 %"),
        (1, "100.00 %"),
        (0, "0.00 %"),
        (0.99999, "99.999 %"),
        (0.00001, "0.001 %"),
        (-1.1525, "−115.25 %"),
    ],
)
def test_percent(share: float, text: str) -> None:
    assert wording.percent(share) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.44, "44 %"),
        (0.004, "under 1 %"),
        (0.996, "over 99 %"),
        (0, "0 %"),
        (1, "100 %"),
        (-1.15, "−115 %"),
    ],
)
def test_share(share: float, text: str) -> None:
    assert wording.share(share) == text


@given(st.floats(0, 1))
def test_only_all_is_written_as_all(share: float) -> None:
    if 1e-8 < share < 1 - 1e-8:
        assert wording.percent(share) not in ("100.00 %", "0.00 %")
        assert wording.share(share) not in ("100 %", "0 %")


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (55_738_645, "55,700,000"),
        (241_053.7, "241,000"),
        (12.345, "12.35"),
        (0, "0"),
        (-1234, "−1,230"),
    ],
)
def test_about(number: float, text: str) -> None:
    assert wording.about(number) == text


@pytest.mark.parametrize(
    ("number", "text"), [(0.442000001, "0.442"), (13680, "13,680"), (0.35, "0.35"), (-2, "−2")]
)
def test_quantity(number: float, text: str) -> None:
    assert wording.quantity(number) == text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("service.mistral_ocr", "Mistral OCR"),
        ("service.google_cloud_vision", "Google Cloud Vision"),
    ],
)
def test_title(name: str, text: str) -> None:
    assert wording.title(name) == text


@pytest.mark.parametrize(
    ("number", "text"), [(151_234, "151 kB"), (2_345_678, "2.35 MB"), (999, "0.999 kB")]
)
def test_size(number: float, text: str) -> None:
    assert wording.size(number) == text
