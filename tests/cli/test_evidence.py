"""Why a packed model answers otherwise than it was judged: saturation is told from rounding, and
each has its remedy.
"""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from duli.base import machine
from duli.cli import evidence
from duli.compression import saturation
from duli.packaging import answers
from duli.packaging.product import Answered

VNNI, PLAIN, ARM = ["avx2", "avx512_vnni"], ["avx2"], ["asimd"]
SATURATION = ("saturation: 7 pairs", "`dvc repro`")
ROUNDING = ("rounding", "`dvc repro --force --single-item evaluate`")


@pytest.mark.parametrize(
    ("pairs", "judged", "asked", "most", "told"),
    [
        (7, VNNI, PLAIN, 0.3, SATURATION),
        (7, PLAIN, VNNI, 0.3, SATURATION),
        (7, ARM, PLAIN, 0.3, SATURATION),
        (7, VNNI, VNNI, 0.005, ROUNDING),
        (7, PLAIN, PLAIN, 0.005, ROUNDING),  # both saturate alike
        (0, VNNI, PLAIN, 0.005, ROUNDING),
        (0, VNNI, PLAIN, 0.3, ("more than rounding, though no saturation", ROUNDING[1])),
    ],
)
def test_the_cause_follows_from_the_file_and_both_cpus(
    monkeypatch: pytest.MonkeyPatch,
    pairs: int,
    judged: list[str],
    asked: list[str],
    most: float,
    told: tuple[str, str],
) -> None:
    native = Answered(np.zeros(2, np.int64), np.full((2, 2), 0.5, np.float32), ["a", "b"])
    moved = 0.3 if machine.adds_in_16_bits(asked) else 0.0
    monkeypatch.setattr(
        answers,
        "answers",
        lambda *_, exact: native._replace(outputs=native.outputs + moved),
    )
    monkeypatch.setattr(machine, "cpu", lambda: {"cpu": "Here", "flags": asked})
    monkeypatch.setattr(saturation, "pairs", lambda _: pairs)
    monkeypatch.setattr(evidence, "_packed_model", lambda _: b"")
    release: Any = SimpleNamespace(
        reports={"evaluation": {}, "benchmark": {"hardware": {"cpu": "There", "flags": judged}}},
        manifest={"name": "bright-row"},
        wheel=b"",
    )
    split: Any = SimpleNamespace(examples=answers.Examples(b"", ""), read=lambda *_: native)
    said = evidence._cause(release, split, native.outputs, most)
    assert all(part in said for part in told)
    assert f"judged on There ({' '.join(judged)}), asked on Here ({' '.join(asked)})" in said
