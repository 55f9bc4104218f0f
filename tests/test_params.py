"""Params are strict: each of the worst inputs gives file, key, value and fix, and all mistakes come
at once.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import Field

from duli.base.errors import ParamsError
from duli.base.params import Params, Section
from stages import sections
from tests.closure import ROOT

LINES = (ROOT / "params.yaml", *sorted(ROOT.glob("pipelines/*/params.yaml")))
# One value in every line, and in the files all the same.
TURNED = {
    "task",  # by lines of another
    "prepare.limit",  # by the README's commands
    "release.sign",
    "release.version",  # by whoever releases
    "release.publisher",
    "release.licence",
    "report.market",  # dvc.yaml reads it
    "report.as_of",
    "report.licence",  # the report's register of assumptions says that it stands in params.yaml
    "report.day_rate",
    "report.volume_per_month",
    "report.compute",
    "report.instances",
    "report.utilisation",
    "benchmark.slo_ms",  # a promise; and DVC has to find the section
    "promotion.require_signature",  # by docs/promotion.md
    "retrain.max_age_days",  # by docs/retraining.md
}


class Knobs(Section):
    lr: Annotated[float, Field(gt=0, le=1)]
    epochs: Annotated[int, Field(ge=1)]
    name: str = "x"
    widths: tuple[int, ...] = (1,)


def load(tmp_path: Path, text: str | bytes) -> Knobs:
    path = tmp_path / "params.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return Params(path).section("train", Knobs)


def test_yaml_1_2_numbers(tmp_path: Path) -> None:
    knobs = load(tmp_path, "train: {lr: 1e-3, epochs: 0o17, widths: [8, 16]}")
    assert (knobs.lr, knobs.epochs, knobs.widths) == (0.001, 15, (8, 16))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "train: {lr: 0.1, epoch: 3, epochs: 3}",
            "unknown key 'train.epoch'.*did you mean 'epochs'",
        ),
        ("train: {lr: 0.1}", "'train.epochs' is missing"),
        ("train: {lr: '0.1', epochs: 3}", r"train\.lr = '0\.1' should be a valid number"),
        ("train: {lr: yes, epochs: 3}", r"train\.lr = 'yes' should be a valid number"),
        ("train: {lr: true, epochs: 3}", r"train\.lr = True should be a valid number"),
        ("train: {lr: 0.1, epochs: 2.5}", r"train\.epochs = 2\.5 should be a valid integer"),
        ("train: {lr: 0.1, epochs: 0}", r"train\.epochs = 0 should be greater than or equal to 1"),
        ("train: {lr: .nan, epochs: 1}", r"train\.lr = nan is not a finite number"),
        ("train: {lr: .inf, epochs: 1}", r"train\.lr = inf is not a finite number"),
        (
            "train: {lr: 0.1, epochs: 1, name: 1.0}",
            r'train\.name = 1\.0 should be text; put it in quotes: "1\.0"',
        ),
        (
            "train: {lr: 0.1, epochs: 1, widths: 3}",
            r"train\.widths = 3 should be a valid (tuple|array)",
        ),
        ("train:\n  lr: 0.1\n  lr: 0.2\n  epochs: 1", 'line 3: found duplicate key .?"?lr'),
        ("train: [1, 2]", r"train = \[1, 2\]"),
        ("train: null", "train = None"),
        (
            "train: {lr: 0.1, epochs: 1, name: 2026-11-23}",
            "in section .train., 2026-11-23 is read as a date.*put it in quotes",
        ),
        ("model: {}", "section 'train' is missing"),
        ("", "holds NoneType"),
        ("- a\n- b", "holds list"),
        ("train: {lr: 0.1", "is not valid YAML"),
        ("train: !!python/object/apply:os.system ['true']", "is not valid YAML"),
        (b"\xff\xfe\x00train", "not UTF-8"),
        ("a" * 2_000_000, "larger than"),
        ("train: " + "[" * 5000, "is not valid YAML"),
    ],
)
def test_worst_inputs(tmp_path: Path, text: str | bytes, said: str) -> None:
    with pytest.raises(ParamsError, match=said) as caught:
        load(tmp_path, text)
    assert "params.yaml" in str(caught.value)


def test_no_file_names_the_fix(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match="folder of a release line"):
        Params(tmp_path / "params.yaml")
    with pytest.raises(ParamsError, match="cannot read"):
        Params(tmp_path)


def test_all_mistakes_of_all_sections_at_once(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("kind: image\ntrain: {lr: -1, epochs: 0}\ntrian: {}\n")
    with pytest.raises(ParamsError) as caught:
        Params(path).check({"train": Knobs, "other": Knobs}, {"kind": ["image"]})
    lines = str(caught.value).splitlines()
    assert len(lines) == 4
    assert "unknown section 'trian'; did you mean 'train'?" in lines[0]


def test_sections_do_not_change(tmp_path: Path) -> None:
    knobs = load(tmp_path, "train: {lr: 0.1, epochs: 3}")
    with pytest.raises(ValueError, match="frozen"):
        knobs.lr = 0.2  # type: ignore[misc]


@pytest.mark.parametrize("path", LINES, ids=str)
def test_a_params_file_fits_on_two_screens(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 120


def test_a_knob_that_every_line_leaves_alone_is_a_default() -> None:
    """Gates apart, which are no knobs: each is there because it is listed."""
    values = [dict(_leaves(Params(path).values)) for path in LINES]
    same = {
        key for key in values[0] if all(key in one and one[key] == values[0][key] for one in values)
    }
    assert {key for key in same if not key.startswith("gates.")} == TURNED


def test_dvc_has_to_find_the_chosen_architecture(tmp_path: Path) -> None:
    text = (ROOT / "params.yaml").read_text().replace("  mlp: {}\n", "")
    (tmp_path / "params.yaml").write_text(text)
    sections.check(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text(text.replace("name: fastconv #", "name: mlp #"))
    with pytest.raises(ParamsError, match=r"'model\.mlp'.*`mlp: {}`"):
        sections.check(tmp_path / "params.yaml")


def test_a_knob_that_no_file_holds_is_known(tmp_path: Path) -> None:
    text = (ROOT / "params.yaml").read_text().replace("\ntrain:", "\ntrain:\n  compil: true")
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(ParamsError, match=r"'train\.compil'.*'compile'"):
        sections.check(tmp_path / "params.yaml")


def _leaves(values: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(values, dict):
        for name, inner in values.items():
            yield from _leaves(inner, f"{key}.{name}" if key else name)
    else:
        yield key, values
