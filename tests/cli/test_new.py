"""`duli new`: what it reads, what it writes, and that it leaves nothing where it cannot."""

import struct
import subprocess
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from configobj import ConfigObj
from dvc.repo import Repo
from PIL import Image
from ruamel.yaml import YAML

from duli.base import files, machine, rooms
from duli.base.params import Params
from duli.cli import new
from duli.cli.convert import converted
from duli.cli.lines import LINKS
from duli.datasets.shared.dataset import dataset
from duli.gates.gates import Gates
from duli.intake.found import Wanted
from duli.serving.kinds.image.images import decode
from duli.serving.kinds.image.pictures import Rules
from stages import sections
from tests.cli.lines import repository, tree
from tests.cli.test_commands import duli
from tests.closure import ROOT


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of its own; what is to be read lies in its folder `mine`."""
    (tmp_path / "mine").mkdir()
    return repository(tmp_path, monkeypatch)


def made(repo: Path, *arguments: str) -> tuple[dict[str, Any], list[dict[str, Any]], str]:
    """Params and rows of the line `line`, and what was said."""
    shown = duli(repo, "new", "line", *arguments)
    assert (shown.returncode, shown.stderr) == (0, "")
    folder = repo / "pipelines/line"
    params = YAML(typ="safe").load((folder / "params.yaml").read_text())
    sections.check(folder / "params.yaml")
    own = params["data"].get("own")
    assert own is None or (own["bytes"], own["sha256"]) == (
        (folder / "own/examples.parquet").stat().st_size,
        files.sha256(folder / "own/examples.parquet"),
    )
    if own is None:
        return params, [], shown.stdout
    batches = dataset("own", own).examples(folder / "own", 256)
    return params, [row for batch in batches for row in batch.to_pylist()], shown.stdout


def refused(repo: Path, *arguments: str, name: str = "line") -> str:
    """The one line that is said; nothing is left behind."""
    before = tree(repo)
    shown = duli(repo, "new", name, *arguments)
    assert shown.returncode == 2, shown.stdout + shown.stderr
    assert (shown.stdout, len(shown.stderr.splitlines())) == ("", 1), shown.stderr
    assert tree(repo) == before
    return shown.stderr


def image(
    path: Path, size: tuple[int, int] = (8, 8), mode: str = "L", seed: int = 0, **options: Any
) -> Path:
    """A picture of noise."""
    channels = {"L": (), "RGB": (3,), "RGBA": (4,)}[mode]
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*size[::-1], *channels), np.uint8)
    Image.fromarray(pixels, mode if mode != "L" else None).save(path, **options)
    return path


def images(
    folder: Path, classes: tuple[str, ...] = ("cat", "dog"), n: int = 60, **how: Any
) -> Path:
    for number, name in enumerate(classes):
        for index in range(n):
            image(folder / name / f"{index}.png", seed=1000 * number + index, **how)
    return folder


def table(n: int = 120, **more: list[Any]) -> dict[str, list[Any]]:
    """Two columns of numbers, two classes."""
    generator = np.random.default_rng(0)
    columns = {name: generator.normal(size=n).round(3).tolist() for name in ("width", "height")}
    return {**columns, "label": [("yes", "no")[row % 2] for row in range(n)], **more}


def text(columns: dict[str, list[Any]], delimiter: str = ",") -> str:
    def cell(value: Any) -> str:
        shown = "" if value is None else str(value)
        return f'"{shown}"' if any(one in shown for one in (delimiter, "\n")) else shown

    return "".join(
        delimiter.join(map(cell, row)) + "\n"
        for row in (columns.keys(), *zip(*columns.values(), strict=True))
    )


def write(
    repo: Path,
    columns: dict[str, list[Any]],
    name: str = "mine/rows.csv",
    delimiter: str = ",",
    **options: Any,
) -> str:
    (repo / name).write_text(text(columns, delimiter), **options)
    return name


def numbers(row: dict[str, Any]) -> list[float]:
    return np.frombuffer(row["content"], "<f4").tolist()


# ----- another line


def test_a_line_of_another_keeps_its_recipe_and_reads_the_same_files_from_its_own_folder(
    repo: Path,
) -> None:
    source = repo / "pipelines/fashion/params.yaml"
    source.write_text(
        source.read_text().replace(
            "\ntrain:", "\ntrain:\n  transfer: {init_from: models/start.safetensors}"
        )
    )
    params, _, said = made(repo, "--from", "fashion")
    before = YAML(typ="safe").load(source.read_text())
    assert (params["release"]["name"], params["release"]["version"]) == ("line", "0.1.0")
    folder = repo / "pipelines/line"
    for read in (
        lambda one: one["report"]["market"],
        lambda one: one["train"]["transfer"]["init_from"],
    ):
        assert (folder / read(params)).resolve() == (
            repo / "pipelines/fashion" / read(before)
        ).resolve()
    assert params["model"] == before["model"]
    knobs = (folder / "params.yaml").read_text().splitlines()
    others = [line for line in source.read_text().splitlines() if line not in knobs]
    # those that are asserted above
    assert len([line for line in others if not line.startswith("#")]) == 3
    assert (folder / "dvc.yaml").read_bytes() == (repo / "dvc.yaml").read_bytes()
    assert files.read_json(folder / "champion.json") == {"champion": None}
    assert "own/" not in said
    ours = {
        "params.yaml",
        "dvc.yaml",
        "champion.json",
        "data",
        "data/accepted",
        "data/accepted/README.md",
    }
    assert tree(folder) == {*ours, *LINKS, ".dvc", ".dvc/config", ".dvc/.gitignore", ".dvcignore"}


def test_a_line_is_a_dvc_project_with_the_cache_and_the_remotes_of_the_repository(
    repo: Path,
) -> None:
    (repo / ".dvc").mkdir()
    (repo / ".dvc/config").write_text(
        "[core]\n    remote = near\n    no_scm = true\n"
        "['remote \"near\"']\n    url = ../../store\n    verify = true\n"
        "['remote \"far\"']\n    url = s3://bucket/duli\n"
        "['remote \"disk\"']\n    url = /mnt/duli\n"
    )
    made(repo, "--from", "fashion")
    with Repo(str(repo / "pipelines/line")) as line, Repo(str(repo)) as root:
        assert line.root_dir == str(repo / "pipelines/line")
        assert line.cache.local_cache_dir == str(repo / ".dvc/cache")
        urls = [
            {name: remote["url"] for name, remote in one.config["remote"].items()}
            for one in (line, root)
        ]
        assert (
            urls
            == [
                {"near": str(repo.parent / "store"), "far": "s3://bucket/duli", "disk": "/mnt/duli"}
            ]
            * 2
        )
        assert line.config["core"]["remote"] == "near"
        assert line.config["remote"]["near"]["verify"] is True


@pytest.mark.parametrize("cache", ["../../caches/duli", "/mnt/cache"])
def test_a_line_follows_a_cache_that_was_moved(repo: Path, cache: str) -> None:
    (repo / ".dvc").mkdir()
    (repo / ".dvc/config").write_text(f"[cache]\n    dir = {cache}\n    type = symlink\n")
    made(repo, "--from", "fashion")
    kept = ConfigObj(str(repo / "pipelines/line/.dvc/config"))["cache"]
    assert (repo / "pipelines/line/.dvc" / kept["dir"]).resolve() == (
        repo / ".dvc" / cache
    ).resolve()
    assert kept["type"] == "symlink"


def test_a_line_of_a_line_of_own_data_reads_the_data_of_that(repo: Path) -> None:
    made(repo, "--from", write(repo, table()))
    shown = duli(repo, "new", "second", "--from", "line")
    assert shown.returncode == 0
    params = YAML(typ="safe").load((repo / "pipelines/second/params.yaml").read_text())
    assert (
        files.sha256(repo / "pipelines/second" / params["data"]["local"] / "examples.parquet")
        == params["data"]["own"]["sha256"]
    )


def test_a_line_can_be_named_by_its_folder_and_a_folder_of_data_comes_before_a_line_of_its_name(
    repo: Path,
) -> None:
    assert duli(repo / "pipelines", "new", "third", "--from", "fashion").returncode == 0
    images(repo / "fashion")
    params, rows, _ = made(repo, "--from", "fashion")
    assert (params["data"]["dataset"], len(rows)) == ("own", 120)


# ----- what is written


def test_params_of_own_data_name_one_network_keep_their_comments_and_are_as_easy_to_read(
    repo: Path,
) -> None:
    made(repo, "--from", write(repo, table()))
    shown = (repo / "pipelines/line/params.yaml").read_text()
    lines = shown.splitlines()
    assert lines[0].startswith("# What people turn of the line line. ")
    assert "    features: [width, height]" in lines
    assert any(
        line.startswith("  class_share: {min: ")
        and line.endswith(" # of each class within each split")
        for line in lines
    )
    assert any(line.startswith("  clip_norm: null # longer gradients") for line in lines)
    sections_of = [
        index
        for index, line in enumerate(lines)
        if line[:1].isalpha() and not line.startswith(("kind", "task"))
    ]
    assert all(lines[index - 1] == "" and lines[index - 2] for index in sections_of)
    assert shown.count("\n\n") == len(sections_of) == len(sections.SECTIONS) + 1
    assert list(YAML(typ="safe").load(shown)["model"]) == ["name", "mlp"]
    assert "fastconv" not in shown


def test_bounds_leave_room_for_chance_in_small_splits(repo: Path) -> None:
    """Of 40 rare rows among 400 some hundred splits are drawn; none may stop the line."""
    labels = ["rare" if row < 40 else "often" for row in range(400)]
    params, _, _ = made(repo, "--from", write(repo, table(400, label=labels)))
    bounds = params["validate"]["class_share"]
    generator = np.random.default_rng(0)
    share = generator.binomial(int(400 * params["prepare"]["validation_share"]), 0.1, 1000) / 60
    assert ((share >= bounds["min"]) & (1 - share <= bounds["max"])).all()
    assert params["validate"]["max_quarantined_share"] == 0.1


def test_a_line_of_own_data_has_to_beat_baselines_and_to_answer_tests_as_it_was_validated(
    repo: Path,
) -> None:
    params, _, _ = made(repo, "--from", write(repo, table()))
    gates = params["gates"]["require"]
    assert "accuracy" not in gates
    assert gates["beats_majority"] == {
        "measure": "evaluation.baseline.majority.gain_points",
        "min": 0,
        "on": "interval",
    }
    assert gates["beats_linear"] == {
        "measure": "evaluation.baseline.linear.gain_points.high",
        "min": 0,
    }
    assert gates["validation_gap"] == {"measure": "evaluation.validation_gap.low", "max": 0.02}


@pytest.mark.parametrize("source", ["fashion", "mine/rows.csv"])
def test_a_quick_try_of_the_line_it_is_made_of_cuts_no_data_of_a_new_one(
    repo: Path, source: str
) -> None:
    write(repo, table())
    for mould in (repo / "params.yaml", repo / "pipelines/fashion/params.yaml"):
        mould.write_text(mould.read_text().replace("limit: null", "limit: 50"))
        assert "limit: 50" in mould.read_text()
    params, _, _ = made(repo, "--from", source)
    assert params["prepare"]["limit"] is None


def test_it_says_whose_market_a_line_of_own_data_has_and_that_no_margin_is_asked_for(
    repo: Path,
) -> None:
    params, _, said = made(repo, "--from", write(repo, table()))
    assert "prices, customers and competitors in the report are those of the digits" in said
    assert "cp -r data/market pipelines/line/data/" in said
    assert f"no gate asks for a margin; add to gates.require   {new.MARGIN}" in said
    lines = (repo / "pipelines/line/params.yaml").read_text().splitlines()
    [market] = [line for line in lines if line.startswith("  market: ../../data/market # ")]
    assert "DIGITS" in market
    for file in new.MARKET:
        assert (ROOT / "data/market" / file).is_file()
        assert file in market
        assert file in said
    assert any(line.startswith("  require: # no margin is asked for") for line in lines)
    assert "margin" not in params["gates"]["require"]


def test_the_gate_it_names_is_one(repo: Path) -> None:
    made(repo, "--from", write(repo, table()))
    path = repo / "pipelines/line/params.yaml"
    path.write_text(
        path.read_text().replace("    latency: {", f"    {new.MARGIN}\n    latency: {{")
    )
    sections.check(path)
    assert Params(path).section("gates", Gates).require["margin"].measure == "business.gross_margin"


def test_half_of_the_rows_may_be_copies_of_others(repo: Path) -> None:
    twice = {name: values * 2 for name, values in table().items()}
    params, rows, said = made(repo, "--from", write(repo, twice))
    assert "120 examples are equal to another of their class" in said
    assert "found 120 different rows of 2 classes: no 60, yes 60" in said
    assert params["validate"]["max_quarantined_share"] == 0.6
    assert params["validate"]["min_examples"] == 60
    assert len(rows) == 240


def test_the_same_data_give_the_same_bytes(repo: Path) -> None:
    source = write(repo, table())
    first, _, _ = made(repo, "--from", source)
    assert duli(repo, "new", "again", "--from", source).returncode == 0
    assert (
        YAML(typ="safe").load((repo / "pipelines/again/params.yaml").read_text())["data"]["own"][
            "sha256"
        ]
        == first["data"]["own"]["sha256"]
    )


@pytest.mark.parametrize("moment", ["_kept", "_of_own", "_checked"])
def test_an_interruption_leaves_nothing(
    repo: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    source, step = write(repo, table()), getattr(new, moment)
    before = tree(repo)

    def interrupted(*arguments: Any) -> None:
        step(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(new, moment, interrupted)
    assert duli(repo, "new", "line", "--from", source).returncode == 130
    assert tree(repo) == before


def test_what_a_killed_process_leaves_is_no_pipeline_and_not_for_git(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, seen = write(repo, table()), []
    check = new._checked
    monkeypatch.setattr(
        new, "_checked", lambda path: (check(path), seen.extend(tree(repo / "pipelines")))
    )
    assert duli(repo, "new", "line", "--from", source).returncode == 0
    [scratch] = {name.split("/")[0] for name in seen if name.startswith(".new-")}
    assert f"{scratch}/line/own/examples.parquet" in seen
    assert not any(name.endswith("dvc.yaml") for name in seen)
    left = f"pipelines/{scratch}/line/params.yaml"
    assert (
        subprocess.run(["git", "check-ignore", "-q", left], cwd=ROOT, check=False).returncode == 0
    )


# ----- images


def test_images_of_one_size_stay_as_they_are(repo: Path) -> None:
    images(repo / "mine", size=(10, 6))
    params, rows, said = made(repo, "--from", "mine")
    own = params["data"]["own"]
    assert (own["kind"], own["classes"], own["shape"]) == ("image", ["cat", "dog"], [1, 6, 10])
    first = next(row for row in rows if row["id"] == "cat/3.png")
    assert first["content"] == np.asarray(Image.open(repo / "mine/cat/3.png")).tobytes()
    assert (first["label"], first["split"]) == (0, "")
    assert "were" not in said
    assert params["model"]["name"] == "mlp"  # too small for the convolutions


def test_colours_come_one_after_the_other(repo: Path) -> None:
    images(repo / "mine", size=(24, 24))
    image(repo / "mine/cat/colour.png", (24, 24), "RGB", seed=7)
    params, rows, _ = made(repo, "--from", "mine")
    assert params["data"]["own"]["shape"] == [3, 24, 24]
    assert params["model"]["name"] == "fastconv"
    content = {
        row["id"]: np.frombuffer(row["content"], np.uint8).reshape(3, 24, 24) for row in rows
    }
    assert (
        content["cat/colour.png"]
        == np.asarray(Image.open(repo / "mine/cat/colour.png")).transpose(2, 0, 1)
    ).all()
    assert (content["dog/0.png"] == np.asarray(Image.open(repo / "mine/dog/0.png"))).all()


def test_images_of_several_sizes_become_squares_of_the_usual_size(repo: Path) -> None:
    """One tiny image does not make the others tiny, and one of 200 pixels does not make them
    large.
    """
    images(repo / "mine", size=(40, 30))
    image(repo / "mine/cat/tiny.png", (2, 3))
    image(repo / "mine/cat/large.png", (200, 150))
    params, _, said = made(repo, "--from", "mine")
    assert params["data"]["own"]["shape"] == [1, 30, 30]
    assert (
        "images of 3 sizes were cut to their middle square and brought to 30 x 30 pixels (--size"
        " takes another)" in said
    )


@pytest.mark.parametrize(
    ("arguments", "shape"), [((), [1, 48, 64]), (("--size", "20"), [1, 20, 20])]
)
def test_large_images_become_smaller_by_the_mean_of_their_pixels(
    repo: Path, arguments: tuple[str, ...], shape: list[int]
) -> None:
    images(repo / "mine", size=(128, 96), n=50)
    params, rows, said = made(repo, "--from", "mine", *arguments)
    assert params["data"]["own"]["shape"] == shape
    assert f"brought to {shape[2]} x {shape[1]} pixels" in said
    if not arguments:
        pixels = np.asarray(Image.open(repo / "mine" / rows[0]["id"]), np.float64)
        mean = pixels.reshape(48, 2, 64, 2).mean(axis=(1, 3))
        assert np.abs(np.frombuffer(rows[0]["content"], np.uint8).reshape(48, 64) - mean).max() <= 1


@pytest.mark.parametrize("name", ["turned.png", "turned.tif"])
def test_an_image_is_turned_as_its_camera_was_held_and_counts_with_that_size(
    repo: Path, name: str
) -> None:
    images(repo / "mine", size=(12, 8))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    lying = image(repo / "mine/cat/lying.png", (8, 12), seed=9)
    with Image.open(lying) as stored:
        stored.save(repo / "mine/cat" / name, exif=exif)
        upright = np.rot90(np.asarray(stored), -1)
    lying.unlink()
    params, rows, _ = made(repo, "--from", "mine")
    assert params["data"]["own"]["shape"] == [1, 8, 12]
    content = next(row["content"] for row in rows if row["id"] == f"cat/{name}")
    assert (np.frombuffer(content, np.uint8).reshape(8, 12) == upright).all()


def test_sixteen_bits_lose_the_lower_eight_and_what_is_transparent_becomes_white(
    repo: Path,
) -> None:
    images(repo / "mine")
    deep = np.random.default_rng(1).integers(0, 1 << 16, (8, 8)).astype(np.uint16)
    Image.fromarray(deep).save(repo / "mine/cat/deep.png")
    grey, alpha = np.full((8, 8), 50, np.uint8), np.repeat(np.uint8([0, 255]), 32).reshape(8, 8)
    Image.merge("LA", (Image.fromarray(grey), Image.fromarray(alpha))).save(
        repo / "mine/cat/clear.png"
    )
    params, rows, said = made(repo, "--from", "mine")
    assert params["data"]["own"]["shape"] == [1, 8, 8]
    content = {row["id"]: np.frombuffer(row["content"], np.uint8).reshape(8, 8) for row in rows}
    assert (content["cat/deep.png"] == deep >> 8).all()
    assert (content["cat/clear.png"] == np.where(alpha, 50, 255)).all()
    assert "transparent parts became white, in 1 images" in said


@pytest.mark.parametrize(("highest", "depth"), [(4095, 12), (1000, 10), (255, 8), (40_000, None)])
def test_grey_levels_of_fewer_bits_than_sixteen_keep_what_tells_them_apart(
    repo: Path, highest: int, depth: int | None
) -> None:
    for index in range(120):
        folder = repo / "mine" / ("cat" if index % 2 else "dog")
        folder.mkdir(parents=True, exist_ok=True)
        deep = np.random.default_rng(index).integers(0, highest + 1, (8, 8)).astype(np.uint16)
        deep[0, 0] = highest
        Image.fromarray(deep).save(folder / f"{index}.png")
    params, rows, said = made(repo, "--from", "mine")
    assert params["data"]["own"].get("pictures", {}).get("depth") == depth
    assert ("16 bits" in said) == (depth is not None)
    rules = Rules.of(params["data"]["own"].get("pictures", {}))
    for row in rows[:9]:
        content = (repo / "mine" / row["id"]).read_bytes()
        assert decode(content, (1, 8, 8), rules).tobytes() == row["content"]
        assert np.frombuffer(row["content"], np.uint8)[0] == highest >> (depth or 16) - 8


def test_colours_of_twelve_bits_are_named(repo: Path) -> None:
    images(repo / "mine", size=(24, 24))
    rows = np.random.default_rng(0).integers(0, 4096, (24, 72)).astype(">u2")
    head = struct.pack(">IIBBBBB", 24, 24, 16, 2, 0, 0, 0)
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    content = (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", head)
        + _chunk(b"IDAT", packed)
        + _chunk(b"IEND", b"")
    )
    (repo / "mine/cat/dim.png").write_bytes(content)
    assert "1 images of 16 bits a colour have at most 15 of 255" in made(repo, "--from", "mine")[2]


def test_images_on_one_ground_have_a_ground_and_others_have_none(repo: Path) -> None:
    for index in range(120):
        folder = repo / "mine" / ("cat" if index % 2 else "dog")
        folder.mkdir(parents=True, exist_ok=True)
        ink = np.zeros((12, 12), np.uint8)
        ink[3:9, 3:9] = np.random.default_rng(index).integers(50, 256, (6, 6))
        Image.fromarray(ink).save(folder / f"{index}.png")
    params, rows, said = made(repo, "--from", "mine")
    assert params["data"]["own"]["pictures"] == {"ground": "dark"}
    assert "stand on dark ground" in said
    rules = Rules.of(params["data"]["own"]["pictures"])
    for row in rows:
        content = (repo / "mine" / row["id"]).read_bytes()
        assert decode(content, (1, 12, 12), rules).tobytes() == row["content"]
    Image.fromarray(255 - ink).save(repo / "mine/cat/other.png")
    assert "pictures" not in converted(repo / "mine", Wanted(), "classification").own


def test_what_is_left_out_is_said(repo: Path) -> None:
    images(repo / "mine")
    image(repo / "mine/bare.png")
    Image.new("L", (8, 8), 0).save(repo / "mine/cat/black.png")
    (repo / "mine/cat/notes.txt").write_text("x")
    (repo / "mine/cat/._0.png").write_text("what another system writes beside a file")
    (repo / "mine/__MACOSX/cat").mkdir(parents=True)
    (repo / "mine/cat/round").symlink_to(repo / "mine")
    _, rows, said = made(repo, "--from", "mine")
    assert len(rows) == 120
    assert "1 images of a single colour were left out (cat/black.png)" in said
    assert "1 images that lie in no class's folder were left out" in said
    assert ".txt" in said
    assert "._0" not in said


@pytest.mark.parametrize(("test", "split"), [("test", "test"), ("val", "test")])
def test_a_published_split_is_kept(repo: Path, test: str, split: str) -> None:
    images(repo / "mine/Train")
    for name, n in (("cat", 9), ("dog", 7)):
        for index in range(n):
            image(repo / "mine" / test / name / f"{index}.png", seed=5000 + 100 * n + index)
    _, rows, said = made(repo, "--from", "mine")
    assert Counter((row["split"], row["label"]) for row in rows) == {
        ("train", 0): 60,
        ("train", 1): 60,
        (split, 0): 9,
        (split, 1): 7,
    }
    assert f"the published split is kept: Train as train, {test} as test" in said


def test_classes_may_be_called_train_and_numbers_are_in_their_order(repo: Path) -> None:
    images(repo / "mine", ("train", "10", "9", 'a "b"'), n=30)
    params, _, _ = made(repo, "--from", "mine")
    assert params["data"]["own"]["classes"] == ['a "b"', "train", "9", "10"]


# ----- tables


def test_a_csv_of_numbers(repo: Path) -> None:
    columns = table(tall=[("true", "false")[row % 3 == 0] for row in range(120)])
    columns["width"][4] = None
    columns["height"][5] = "?"
    params, rows, said = made(repo, "--from", write(repo, columns))
    own = params["data"]["own"]
    assert (own["kind"], own["classes"], own["features"]) == (
        "table",
        ["no", "yes"],
        ["width", "height", "tall"],
    )
    assert ("shape" in own, own["columns"]) == (False, {})
    assert numbers(rows[1]) == pytest.approx([columns["width"][1], columns["height"][1], 1.0])
    assert np.isnan(numbers(rows[4])).tolist() == [True, False, False]
    assert np.isnan(numbers(rows[5])).tolist() == [False, True, False]
    assert (rows[7]["id"], rows[7]["label"]) == ("rows-8", 0)
    assert "2 numbers are missing" in said


@pytest.mark.parametrize(
    ("name", "delimiter", "options"),
    [
        ("mine/rows.csv", ",", {"encoding": "utf-8-sig"}),
        ("mine/rows.csv", ";", {}),
        ("mine/rows.csv", "|", {}),
        ("mine/rows.tsv", "\t", {"newline": "\r\n"}),
        ("mine/ROWS.CSV", ",", {}),
    ],
)
def test_files_as_other_programs_write_them(
    repo: Path, name: str, delimiter: str, options: dict[str, Any]
) -> None:
    columns = {
        "label": table()["label"],
        **{key: values for key, values in table().items() if key != "label"},
    }
    params, rows, _ = made(repo, "--from", write(repo, columns, name, delimiter, **options))
    assert params["data"]["own"]["features"] == ["width", "height"]
    assert numbers(rows[3]) == pytest.approx([columns["width"][3], columns["height"][3]])


def test_a_comma_may_be_the_decimal_point_where_semicolons_part_the_columns(repo: Path) -> None:
    columns = table()
    german = {
        **columns,
        **{
            name: [str(value).replace(".", ",") for value in columns[name]]
            for name in ("width", "height")
        },
    }
    _, rows, _ = made(repo, "--from", write(repo, german, delimiter=";"))
    assert numbers(rows[3]) == pytest.approx([columns["width"][3], columns["height"][3]])


def test_parquet_with_categories_and_long_texts(repo: Path) -> None:
    columns = table()
    held = pa.table(
        {
            "width": pa.array(columns["width"], pa.float64()),
            "count": pa.array([row % 7 for row in range(120)], pa.decimal128(5, 1)),
            "target": pa.array(columns["label"]).dictionary_encode(),
            "city": pa.array([f"city {row % 3}" for row in range(120)], pa.large_string()),
            "__index_level_0__": pa.array(range(5, 125)),
        }
    )
    pq.write_table(held, repo / "mine/rows.parquet")
    params, rows, said = made(repo, "--from", "mine/rows.parquet")
    own = params["data"]["own"]
    assert (own["features"], own["classes"], own["columns"]) == (
        ["width", "count"],
        ["no", "yes"],
        {"city": "text"},
    )
    assert (numbers(rows[9])[1], rows[9]["city"]) == (2.0, "city 0")
    assert "left out, because they only number the rows: __index_level_0__" in said


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        ([1, 2, 10], ["1", "2", "10"]),
        (["1.0", "2.0", ""], ["1.0", "2.0"]),
        (["true", "false", "false"], ["false", "true"]),
        ([" a", "a ", "b"], ["a", "b"]),
        (["好", "坏", "a/b"], ["a/b", "坏", "好"]),
        (["no", "yes", "~"], ["no", "yes", "~"]),
    ],
)
def test_labels_are_read_as_they_are_meant(
    repo: Path, labels: list[Any], classes: list[str]
) -> None:
    params, rows, said = made(
        repo, "--from", write(repo, table(60 * len(labels), label=labels * 60))
    )
    assert [one.lower() for one in params["data"]["own"]["classes"]] == classes
    missing = labels.count("") * 60
    assert len(rows) == 60 * len(labels) - missing
    assert (f"{missing} rows without a label were left out" in said) == bool(missing)
    if missing:
        assert [row["id"] for row in rows[:3]] == ["rows-1", "rows-2", "rows-4"]


def test_rows_with_infinite_numbers_are_named_and_left_to_quarantine(repo: Path) -> None:
    columns = table()
    columns["width"][3], columns["height"][4] = "inf", "1e300"
    columns["width"][5] = columns["height"][5] = None
    _, rows, said = made(repo, "--from", write(repo, columns))
    assert (
        "3 rows are without numbers, or with infinite ones; the line puts them into quarantine"
        in said
    )
    assert np.isinf(numbers(rows[4])).tolist() == [False, True]


# ----- texts


def texts(n: int = 120) -> dict[str, list[Any]]:
    return {
        "review": [f"text {row}, with a\nsecond line" for row in range(n)],
        "label": [("good", "bad")[row % 2] for row in range(n)],
    }


@pytest.mark.parametrize(
    ("rows", "batch", "epochs"), [(120, 32, 40), (2000, 32, 10), (10_000, 64, 4), (100_000, 64, 2)]
)
def test_texts_are_learned_from_in_few_steps(
    repo: Path, rows: int, batch: int, epochs: int
) -> None:
    """About 600 of them, as long as every text is seen twice: an encoder's step takes many times a
    table's.
    """
    params, _, _ = made(repo, "--from", write(repo, texts(rows)))
    assert (
        params["train"]["batch"],
        params["train"]["epochs"],
        params["model"]["encoder"]["layers"],
    ) == (batch, epochs, 1)


def test_a_csv_of_texts_with_what_else_is_known_of_each(repo: Path) -> None:
    more = {
        "Shop Domain": [("books", "hotels", "")[row % 3] for row in range(120)],
        "id": [f"r{row % 4}" for row in range(120)],
        "价格": [None if row == 1 else row / 2 + row % 3 for row in range(120)],
        "mail": [f"{row}@host" for row in range(120)],
        "sex": [("f", "m")[row % 2] for row in range(120)],
    }
    params, rows, said = made(
        repo, "--from", write(repo, {**texts(), **more}, encoding="utf-8"), "--sensitive", "sex"
    )
    own = params["data"]["own"]
    assert (own["kind"], own["classes"]) == ("text", ["bad", "good"])
    assert own["columns"] == {
        "shop_domain": "text",
        "id_column": "text",
        "column_5": "number",
        "sex": "text",
    }
    assert own["sensitive"] == ["sex"]
    assert rows[1] == {
        "id": "rows-2",
        "split": "",
        "label": 0,
        "content": b"text 1, with a\nsecond line",
        "shop_domain": "hotels",
        "id_column": "r1",
        "column_5": None,
        "sex": "m",
    }
    assert (rows[2]["shop_domain"], rows[2]["column_5"]) == (None, 3.0)
    assert "columns that are no numbers were left out: mail (such as '0@host')" in said
    assert "Shop Domain as shop_domain" in said
    assert params["prepare"]["tokens"] == {"vocabulary": 4000, "length": 128}
    assert params["model"]["name"] == "encoder"


def test_a_single_column_of_texts_needs_no_name_and_one_of_several_has_to_be_named(
    repo: Path,
) -> None:
    columns = texts()
    _, rows, _ = made(
        repo,
        "--from",
        write(repo, {"what they said": columns["review"], "label": columns["label"]}),
    )
    assert rows[0]["content"] == b"text 0, with a\nsecond line"
    two = write(repo, {**columns, "comment": columns["review"]})
    assert "(review, comment)" in refused(repo, "--from", two, name="two")
    neither = write(
        repo, {"first": columns["review"], "second": columns["review"], "label": columns["label"]}
    )
    assert "first, second, label" in refused(repo, "--from", neither, name="two")
    assert duli(repo, "new", "two", "--from", neither, "--text", "second").returncode == 0


def test_texts_are_normalised_and_empty_ones_are_counted(repo: Path) -> None:
    columns = texts()
    columns["review"][0], columns["review"][1] = "  cafe\u0301 ", "  "
    _, rows, said = made(repo, "--from", write(repo, columns, encoding="utf-8"))
    assert (rows[0]["content"].decode(), rows[1]["content"]) == ("caf\u00e9", b"")
    assert "1 texts are empty; the line puts them into quarantine" in said


def test_a_sensitive_number_is_judged_by_and_not_learned_from(repo: Path) -> None:
    age = [20 + row % 50 for row in range(120)]
    params, rows, _ = made(repo, "--from", write(repo, table(age=age)), "--sensitive", "age")
    own = params["data"]["own"]
    assert (own["features"], own["columns"], own["sensitive"]) == (
        ["width", "height"],
        {"age": "number"},
        ["age"],
    )
    assert rows[3]["age"] == 23.0
    assert dataset("own", own).SENSITIVE == ("age",)


# ----- what is refused


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "Line",
            (
                "'Line' is no name for a release; take lower-case letters, digits and single"
                " hyphens, such as line"
            ),
        ),
        ("my_line", "such as my-line"),
        ("1st", "such as st"),
        ("好", "is no name"),
        ("../x", "such as x"),
        ("numpy", "is taken by Python or by a library"),
        ("digits", "there is a line 'digits' already"),
        ("fashion", "there is a line 'fashion' already"),
        ("x" * 60, "at most 50 characters"),
    ],
)
def test_names_that_cannot_be_are_refused(repo: Path, name: str, said: str) -> None:
    shown = refused(repo, "--from", write(repo, table()), name=name)
    assert said in shown
    assert ".new-" not in shown


def test_what_is_not_there_is_refused(repo: Path) -> None:
    assert "digits, fashion" in refused(repo, "--from", "nothing")
    assert "mine/CLASS/image.png" in refused(repo, "--from", "mine")
    (repo / "mine/round").symlink_to("round")
    assert "mine/round" in refused(repo, "--from", "mine/round")
    assert "--sensitive" in refused(repo, "--from", "fashion", "--label", "x")
    assert "--size" in refused(repo, "--from", write(repo, table()), "--size", "9")
    (repo / "mine/a.docx").touch()
    shown = refused(repo, "--from", "mine/a.docx")
    assert "mine/a.docx is nothing" in shown
    for kind in rooms.names("kinds"):
        assert rooms.kind(kind, "intake.own").TAKES in shown


def test_too_few_images_are_refused(repo: Path) -> None:
    images(repo / "mine", ("cat",), n=30)
    assert "(cat)" in refused(repo, "--from", "mine")
    images(repo / "mine", ("dog",), n=3)
    assert "dog (3)" in refused(repo, "--from", "mine")
    (repo / "mine/mouse").mkdir()
    assert " mouse" in refused(repo, "--from", "mine")
    assert "subfolder" in refused(repo, "--from", "mine", "--label", "x")


def test_a_class_of_blank_images_is_named(repo: Path) -> None:
    images(repo / "mine")
    (repo / "mine/fog").mkdir()
    Image.new("L", (8, 8), 200).save(repo / "mine/fog/white.png")
    assert " fog" in refused(repo, "--from", "mine")


def test_folders_whose_names_look_alike_are_one_class_and_it_says_so(repo: Path) -> None:
    images(repo / "mine", ("cafe\u0301", "caf\u00e9", "dog"))
    params, _, said = made(repo, "--from", "mine")
    assert params["data"]["own"]["classes"] == ["café", "dog"]
    assert "several folders are called so, and are one class: café" in said


def test_a_class_that_one_published_part_lacks_is_refused(repo: Path) -> None:
    images(repo / "mine/train")
    images(repo / "mine/test", ("cat",), n=5, size=(9, 9))
    assert "test, train" in refused(repo, "--from", "mine")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def _png(width: int, height: int) -> bytes:
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + head
        + _chunk(b"IDAT", zlib.compress(b"\0" * 100))
        + _chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is no picture, or a damaged one"),
        (b"GIF89a", "is no picture, or a damaged one"),
        (_png(8, 8)[:40], "a damaged one"),
        (_png(30, 30), "is a damaged PNG"),
        (_png(32_000, 32_000), "claims to have more than 50,000,000 pixels"),
        (_png(11_000, 9_000), "claims to have 11,000 x 9,000 pixels, more than 50,000,000"),
        (_png(1 << 31, 8), "claims to have more than 50,000,000 pixels"),
    ],
    ids=[
        "empty",
        "head of a GIF",
        "cut",
        "few pixels",
        "a gigabyte",
        "99 million",
        "two thousand million",
    ],
)
def test_damaged_images_are_named(repo: Path, content: bytes, said: str) -> None:
    images(repo / "mine", n=2)
    (repo / "mine/dog/bad.png").write_bytes(content)
    shown = refused(repo, "--from", "mine")
    assert "mine/dog/bad.png " in shown
    assert said in shown
    assert "take it out" in shown


def test_more_than_the_memory_that_is_free_is_refused_before_it_is_read(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write(repo, table())
    images(repo / "mine/images", n=2)
    pq.write_table(pa.table(table()), repo / "mine/rows.parquet")
    monkeypatch.setattr(machine, "available_bytes", lambda: 400)
    for name in (source, "mine/rows.parquet"):
        assert " GB " in refused(repo, "--from", name)
    assert "--size" in refused(repo, "--from", "mine/images")


N = 120
BAD_TABLES = {
    "empty": ("", "is empty; give a file with a line of names"),
    "names alone": ("width,label\n", "has no row with a label in the column 'label'"),
    "three rows": (text(table(3)), "different examples"),
    "one class": (text(table(label=["a"] * N)), "has one class alone (a)"),
    "no label": (
        text({"width": [1.5] * N, "height": [2.5] * N}),
        "is called label, labels, class, target or the like; --label takes one of width, height",
    ),
    "two labels": (
        text(table(target=["a"] * N)),
        "several columns that may be the label (label, target); name one with --label",
    ),
    "labels missing": (text(table(label=[""] * N)), "has no row with a label"),
    "labels of many values": (
        text(table(2000, label=[row % 1000 for row in range(2000)])),
        "has 2,000 different examples, and too few of 0 (2)",
    ),
    "labels all different": (
        text(table(label=[f"v{row}" for row in range(N)])),
        "has 120 values in 120 rows: no classes; name another",
    ),
    "labels with fractions": (
        text(table(label=[row % 50 / 4 for row in range(N)])),
        "holds numbers with fractions, which are no classes",
    ),
    "names twice": (
        text(table()).replace("height", "width", 1),
        "has several columns called 'width'; give each a name of its own",
    ),
    "a column without a name": (
        text(table()).replace("height", "", 1),
        "has a column without a name",
    ),
    "no numbers": (
        text({"a": ["x", "y"] * 60, "b": ["x", "y"] * 60, "label": ["p", "q"] * 60}),
        "has no column of numbers besides 'label'",
    ),
    "ragged": (text(table()) + "1,2\n", "line 122 has 2 values, the first line names 3 columns"),
    "a column called #": (
        text(table(**{"#": [row % 3 for row in range(N)]})),
        "has a column called '#'",
    ),
}


@pytest.mark.parametrize(("content", "said"), BAD_TABLES.values(), ids=BAD_TABLES)
def test_tables_that_make_no_line_are_refused(repo: Path, content: str, said: str) -> None:
    (repo / "mine/rows.csv").write_text(content)
    shown = refused(repo, "--from", "mine/rows.csv")
    assert said in shown
    assert "rows.csv" in shown


def test_other_encodings_are_named_with_how_to_turn_them(repo: Path) -> None:
    for encoding, said in (
        ("gb18030", "is not UTF-8 (line 2); save it as CSV in UTF-8"),
        ("utf-16", "is UTF-16"),
        ("latin-1", "WINDOWS-1252"),
    ):
        label = "é" if encoding == "latin-1" else "好"
        assert said in refused(
            repo, "--from", write(repo, table(label=[label, "b"] * 60), encoding=encoding)
        )


def test_columns_that_are_not_there_or_of_the_wrong_kind_are_refused(repo: Path) -> None:
    source = write(
        repo,
        {
            **texts(),
            "mail": [f"{row}@host" for row in range(120)],
            "stars": [row % 5 for row in range(120)],
        },
    )
    for option in ("--label", "--text", "--sensitive"):
        assert f"{option} takes one of review, label, mail, stars" in refused(
            repo, "--from", source, option, "x"
        )
    # numbers are texts too
    assert "bad (5), good (5)" in refused(repo, "--from", source, "--text", "stars")
    assert "have to name different columns" in refused(repo, "--from", source, "--text", "label")
    assert "'mail' of mine/rows.csv has 120 different texts" in refused(
        repo, "--from", source, "--sensitive", "mail"
    )


def test_what_cannot_be_read_is_named(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write(repo, table())
    (repo / "mine/bad.parquet").write_bytes(b"PAR1 and nothing else PAR1")
    assert "mine/bad.parquet" in refused(repo, "--from", "mine/bad.parquet")

    pq.write_table(pa.table(table(weight=[float("nan")] * 120)), repo / "mine/gaps.parquet")
    assert "weight" in refused(repo, "--from", "mine/gaps.parquet")

    def denied(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_bytes", denied)
    assert "(Permission denied)" in refused(repo, "--from", source)
