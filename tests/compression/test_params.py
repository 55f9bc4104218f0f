"""The list of variants: what may stand in it."""

import pytest

from duli.base.errors import ParamsError
from duli.base.params import Params
from duli.compression.params import VARIANTS, Quantize, parts
from tests.closure import ROOT


@pytest.mark.parametrize(
    ("variant", "meant"),
    [
        ("int8", ("trained", "int8")),
        ("int8_dynamic", ("trained", "int8_dynamic")),
        ("narrow_int8_dynamic", ("narrow", "int8_dynamic")),
    ],
)
def test_a_name_says_network_and_format(variant: str, meant: tuple[str, str]) -> None:
    assert parts(variant) == meant
    assert variant in VARIANTS


@pytest.mark.parametrize(
    ("variants", "said"),
    [
        (["int8", "bf16"], "'bf16', which is no variant .known: fp16, int8"),
        (["fp32"], "fp32 is always made, take it out"),
        (["aware_int8"], "aware_int8, .* but not int8; add it"),
        (["int8", "aware_fp16"], "'aware_fp16', which is no variant"),
        (["int8", "int8"], "names int8 twice"),
    ],
)
def test_any_other_list_is_refused(variants: list[str], said: str) -> None:
    params = Params(ROOT / "params.yaml")
    params.values["quantize"]["variants"] = variants
    with pytest.raises(ParamsError, match=f"quantize.variants = .*{said}"):
        params.section("quantize", Quantize)


def test_a_section_within_a_section_is_named_in_full() -> None:
    params = Params(ROOT / "params.yaml")
    params.values["quantize"]["narrow"]["share"] = 1.5
    with pytest.raises(ParamsError, match=r"quantize\.narrow\.share = 1\.5"):
        params.section("quantize", Quantize)
