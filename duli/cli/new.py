"""Makes a further release line, from another line or from data of one's own."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from duli.base import files
from duli.base.errors import DataError, ParamsError
from duli.cli.lines import LINKS

if TYPE_CHECKING:
    from duli.intake.found import Found, Wanted

CODE = Path(__file__).resolve().parents[2]
NAME = r"[a-z][a-z0-9]*(-[a-z0-9]+)*"  # of a release: a wheel's and a command's
LINES = {"digits": Path()}  # lines that are no folder of pipelines/
VALIDATION, TEST = 0.15, 0.2  # shares of data that were published in no split
ACCEPTED = Path("data/accepted")
# What DVC keeps for itself in a line, and no example of it.
DVC_GITIGNORE = "/config.local\n/tmp\n/cache\n"
DVCIGNORE = """\
__pycache__/
*.pyc
# Says what the folder is for, and is no example.
/data/accepted/README.md
/.checkpoints/
"""
OWN = "own"  # folder of the line that holds what was made of the data
# Of the market facts, files that speak of what is sold; the others are about machines, wages and
# the like.
MARKET = (
    "segments.csv",
    "competitors.csv",
    "services.csv",
    "llm.csv",
    "size.csv",
    "assumptions.csv",
)
MARGIN = "margin: {measure: business.gross_margin, min: 0}"
THINGS = {"image": "images", "text": "texts", "table": "rows"}


def new(
    name: str,
    source: str,
    label: str | None,
    text: str | None,
    size: int | None,
    sensitive: list[str],
) -> None:
    """Makes pipelines/NAME, a release line that runs: from another line's recipe, or from data of
    your own.

    --from takes the name of a line that there is (digits, fashion, reviews ...), a folder with a
    subfolder of images for each class, or a .csv, .tsv or .parquet file: with a column of texts and
    one of labels, or with columns of numbers and one of labels. Nothing is written unless all of it
    can be; your files stay where they are, and a copy of them is what the line is pinned to.
    """
    from duli.intake.found import Wanted

    if not re.fullmatch(NAME, name):
        plain = "-".join(re.findall("[a-z0-9]+", name.lower())).lstrip("0123456789-")
        hint = f", such as {plain}" if plain else ""
        raise ParamsError(
            f"'{name}' is no name for a release; take lower-case letters, digits and single"
            f" hyphens{hint}"
        )
    folder = CODE / "pipelines" / name
    if os.path.lexists(folder) or name in LINES:
        raise ParamsError(
            f"there is a line '{name}' already ({CODE / LINES.get(name, folder)}); take another"
            " name, or remove that one"
        )
    wanted = Wanted(label, text, size, tuple(dict.fromkeys(sensitive)))
    line = _line(source)
    if line is not None and wanted != Wanted():
        raise ParamsError(
            f"--label, --text, --size and --sensitive are for data, and {source} is a release line;"
            " leave them out"
        )
    params, found = (
        (_copied(name, line), None) if line is not None else _of_own(name, Path(source), wanted)
    )
    folder.parent.mkdir(exist_ok=True)
    # Beside its place, so that one rename makes it: a line is there whole or not at all.
    with tempfile.TemporaryDirectory(prefix=".new-", dir=folder.parent) as scratch:
        made = Path(scratch) / name
        made.mkdir()
        if found is not None:
            params["data"]["own"] |= _kept(found, made / OWN)
        _write(params, made / "params.yaml")
        files.write_json(made / "champion.json", {"champion": None})
        # A dependency of `prepare`, so it is there also while nothing has been accepted.
        (made / ACCEPTED).mkdir(parents=True)
        (made / ACCEPTED / "README.md").symlink_to(
            os.path.relpath(CODE / ACCEPTED / "README.md", folder / ACCEPTED)
        )
        files.write_text(made / ".dvc/config", _dvc_config(folder))
        files.write_text(made / ".dvc/.gitignore", DVC_GITIGNORE)
        files.write_text(made / ".dvcignore", DVCIGNORE)
        for code in LINKS:
            (made / code).symlink_to(Path("../..") / code)
        _checked(made / "params.yaml")
        # Last: what is left of a process that was killed is no pipeline for DVC, which looks for
        # files of this name.
        shutil.copy(CODE / "dvc.yaml", made)
        made.chmod(folder.parent.stat().st_mode & 0o777)
        made.rename(folder)
    _tell(name, folder, found)


def _line(source: str) -> Path | None:
    """The folder of the line of that name, or of the one that `source` is itself; None where it is
    none.
    """
    if (Path(source) / "params.yaml").is_file():
        return Path(source).resolve()
    if Path(source).exists():
        return None
    folder = CODE / LINES.get(source, Path("pipelines") / source)
    return folder if re.fullmatch(NAME, source) and (folder / "params.yaml").is_file() else None


def _copied(name: str, place: Path) -> Any:
    """The params of another line, for a line of its own; files that they name stay where they
    are.
    """
    folder = CODE / "pipelines" / name
    params = _read(place / "params.yaml")

    def moved(path: str) -> str:
        return path if Path(path).is_absolute() else os.path.relpath(place / path, folder)

    params["release"]["name"], params["release"]["version"] = name, "0.1.0"
    params["report"]["market"] = moved(params["report"]["market"])
    params["prepare"]["limit"] = None  # somebody's quick try of the other line
    data, transfer = params["data"], params["train"].get("transfer", {})
    if data.get("local"):
        data["local"] = moved(data["local"])
    if transfer.get("init_from") and not transfer["init_from"].startswith("models:/"):
        transfer["init_from"] = moved(transfer["init_from"])
    return params


def _of_own(name: str, place: Path, wanted: "Wanted") -> tuple[Any, "Found"]:
    from duli.cli.convert import converted

    if not place.exists():
        known = ", ".join(
            [
                *LINES,
                *sorted(one.parent.name for one in (CODE / "pipelines").glob("[!.]*/params.yaml")),
            ]
        )
        raise DataError(
            f"there is no {place}, and no line of that name (there are: {known}); give one of"
            " these, a folder, or a file"
        )
    params = _copied(name, CODE)
    found = converted(place, wanted, params["task"])
    title = name.replace("-", " ").capitalize()
    params["kind"] = found.kind
    params["data"] |= {
        "dataset": "own",
        "local": OWN,
        "own": {
            "title": title,
            "licence": "not stated",
            "kind": found.kind,
            **{key: _flow(value) for key, value in found.own.items()},
            "columns": _flow(dict(found.columns)),
            "sensitive": _flow(found.sensitive),
        },
    }
    counts = [*per_class(found).values()]
    total = sum(counts)
    params["prepare"] |= {
        "validation_share": VALIDATION,
        "test_share": TEST,
        "tokens": _flow({"vocabulary": 4000, "length": 128}) if found.kind == "text" else None,
    }
    params["validate"] |= {
        "min_examples": total // 2,
        # Equal examples go there, and what nobody can read.
        "max_quarantined_share": round(min(1.0, 1.1 - total / found.examples.num_rows), 2),
        "class_share": _flow(_class_share(found)),
        "statistics": _flow({}),
    }
    _choose(params["model"], _model(found))
    params["train"] |= _recipe(found, total)
    params["train"]["augmentation"] = _flow(_augmentation(found))
    params["evaluate"]["slices"] = _flow({"min_examples": 30})
    params["quantize"] |= {
        "variants": _flow(
            {"image": ["int8", "fp16"], "text": ["int8_dynamic"], "table": ["int8"]}[found.kind]
        ),
        "calibration_rows": max(16, min(1024, total // 4)),
        # Of few examples the interval alone is wide: of none lost among n it reaches to about 3 /
        # n.
        "max_drop": _bound(0.01, total),
        "max_class_drop": _bound(0.02, min(counts)),
    }
    params["quantize"]["distilled"] |= {
        "epochs": params["train"]["epochs"],
        "model": _flow(_model(found)),
    }
    params["release"] |= {
        "title": title,
        "summary": (
            f"Sorts {THINGS[found.kind]} into {len(counts)} classes, on a CPU, with ONNX Runtime"
            " alone"
        ),
        "licence": "LicenseRef-Proprietary",
        "intended": [
            f"{THINGS[found.kind].capitalize()} like those of {_one_line(place.resolve().name)}"
        ],
        "not_intended": ["Decisions about people, or payments, without review"],
        "limits": ["Nothing else than the data named in this card was ever tested"],
    }
    require = params["gates"]["require"]
    # The baselines are what it has to beat; what is good enough beyond that, you know.
    del require["accuracy"]
    require["quantization_drop"]["max"] = 5
    del require["margin"]  # by the digits' prices it would say nothing of this release
    params["gates"].yaml_add_eol_comment(
        f"no margin is asked for: add {MARGIN} once report.market is your own", "require"
    )
    params["report"].yaml_add_eol_comment(
        f"the facts about DIGITS: copy the folder, and adapt {', '.join(MARKET)}", "market"
    )
    params["promotion"] |= {"not_worse_by": 0.02, "seed_noise": 0.005}
    return params, found


def per_class(found: "Found", split: str | None = None) -> dict[str, int]:
    """How many different examples each class has, in one published split or in all."""
    from duli.tasks.classification.intake import labels

    return labels.per_class(found.examples, found.own["classes"], split)


def _one_line(text: str) -> str:
    from duli.serving.sources import readable

    return readable(text).strip()[:200]


def _class_share(found: "Found") -> dict[str, float]:
    """Bounds of a class's share of any split: from 2/3 of the rarest to 3/2 of the commonest, after
    what chance does in small splits.

    Chance is given four standard errors of a share, sqrt(p (1 - p) / n), in the smallest split
    there will be.
    """
    published = [per_class(found, split) for split in found.examples["split"].unique().to_pylist()]
    shares = [count / sum(part.values()) for part in published for count in part.values()]
    sizes = [sum(part.values()) for part in published]
    smallest = min(VALIDATION * max(sizes), *sizes)

    def by_chance(share: float) -> float:
        return 4 * float((share * (1 - share) / smallest) ** 0.5)

    low, high = min(shares), max(shares)
    return {
        "min": round(max(0.0, low - by_chance(low)) / 1.5, 4),
        "max": round(min(1.0, 1.5 * (high + by_chance(high))), 4),
    }


def _choose(section: Any, model: dict[str, Any]) -> None:
    """Puts a network into the section `model`, without those it could be; comments on knobs that
    stay, stay.
    """
    name = model["name"]
    for other in [key for key in section if key not in ("name", name)]:
        del section[other]
    section["name"] = name
    section.yaml_add_eol_comment("duli/models/NAME.py; its settings stand under its name", "name")
    settings = {
        key: _flow(value) if isinstance(value, list) else value
        for key, value in model[name].items()
    }
    if name not in section:
        section[name] = settings
        return
    for key in [key for key in section[name] if key not in settings]:
        del section[name][key]
    section[name] |= settings


def _bound(most: float, examples: int) -> float:
    """What a variant may lose among so many examples, of which `VALIDATION` are there to see it."""
    return round(min(0.5, most + 4 / (VALIDATION * examples)), 4)


def _model(found: "Found") -> dict[str, Any]:
    if found.kind == "text":
        # Of 10,000 reviews one layer learns as much as two, in a third of the time.
        settings = {
            "layers": 1,
            "heads": 4,
            "width": 128,
            "feed_forward": 256,
            "dropout": 0.1,
            "convolution": 3,
            "pooling": "mean",
        }
        return {"name": "encoder", "encoder": settings}
    plain = {"activation": "relu", "initialisation": "he", "normalisation": "batch", "dropout": 0.1}
    if found.kind == "table" or min(found.own["shape"][1:]) < 20:
        return {"name": "mlp", "mlp": {"widths": [128, 64], **plain}}
    fastconv = {
        "stem": 32,
        "blocks": [[32], [64, 64]],
        "activation": "relu",
        "initialisation": "default",
        "normalisation": "batch",
    }
    return {"name": "fastconv", "fastconv": {**fastconv, "dropout": 0.1}}


def _recipe(found: "Found", total: int) -> dict[str, Any]:
    """Enough steps for small data, and the batch small enough for several in an epoch; texts are
    slow to learn from, and need fewer.
    """
    steps, large, fewest, rate = (
        (600, 64, 2, 0.001) if found.kind == "text" else (1500, 128, 4, 0.005)
    )
    batch = large if total >= 10_000 else 32
    epochs = max(fewest, min(40, round(steps * batch / total)))
    return {
        "epochs": epochs,
        "hardest": 1.0,
        "batch": batch,
        "learning_rate": rate,
        "evaluations": min(8, epochs),
        "early_stopping": None,
    }


def _augmentation(found: "Found") -> dict[str, float]:
    return {"rotate": 10.0, "scale": 0.1, "shift": 2.0} if found.kind == "image" else {}


def _kept(found: "Found", folder: Path) -> dict[str, Any]:
    """Writes the examples, and says how they are pinned."""
    import pyarrow.parquet as pq

    from duli.datasets.own import FILE

    with files.atomic(folder / FILE) as file:
        pq.write_table(
            found.examples, file, compression="zstd", row_group_size=4096, write_page_checksum=True
        )
    return {"bytes": (folder / FILE).stat().st_size, "sha256": files.sha256(folder / FILE)}


def _dvc_config(folder: Path) -> str:
    """The settings of the repository, its remotes and its cache, for a line in `folder`.

    A line is a DVC project of its own, so that DVC's commands in the root do not speak of it.
    """
    from configobj import ConfigObj

    def moved(path: str) -> str:
        if "://" in path or Path(path).is_absolute():
            return path
        return os.path.relpath(CODE / ".dvc" / path, folder / ".dvc")

    place = CODE / ".dvc/config"
    text = place.read_text(encoding="utf-8") if place.is_file() else ""
    config = ConfigObj(text.splitlines(), indent_type="    ")
    config["cache"] = {
        **config.get("cache", {}),
        "dir": moved(config.get("cache", {}).get("dir", "cache")),
    }
    for section in config.values():
        if "url" in section:
            section["url"] = moved(section["url"])
    return "\n".join(config.write()) + "\n"


def _read(path: Path) -> Any:
    from ruamel.yaml import YAML

    return YAML().load(path.read_text(encoding="utf-8"))


def _write(params: Any, path: Path) -> None:
    import io

    from ruamel.yaml import YAML
    from ruamel.yaml.representer import RoundTripRepresenter

    class Representer(RoundTripRepresenter):
        """Writes null as null, where ruamel would write nothing."""

    Representer.add_representer(
        type(None), lambda self, _: self.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    yaml, text = YAML(), io.StringIO()
    yaml.Representer = Representer
    yaml.width = 140
    yaml.dump(params, text)
    lines = [line for line in text.getvalue().splitlines() if line]
    while lines[0].startswith("#"):  # about the line it was copied from
        del lines[0]
    # A blank line before each section: ruamel hangs those of the original on values that may have
    # gone.
    knobs = "".join(
        f"\n{line}\n" if re.match(r"(?!task:)\w", line) and index else f"{line}\n"
        for index, line in enumerate(lines)
    )
    files.write_text(
        path,
        f"# Every knob of the release line {path.parent.name}. `duli check` validates all of it at"
        f" once.\n{knobs}",
    )


def _flow(value: Any) -> Any:
    """A list or a mapping that is written on one line, as those that are in it."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq

    if isinstance(value, str) or not isinstance(value, Iterable):
        return value
    made = (
        CommentedMap((key, _flow(one)) for key, one in value.items())
        if hasattr(value, "items")
        else CommentedSeq(map(_flow, value))
    )
    made.fa.set_flow_style()
    return made


def _checked(path: Path) -> None:
    """As `duli check`; raises `ParamsError` that does not name the file, which nobody will find."""
    from stages import sections

    try:
        sections.check(path)
    except ParamsError as error:
        raise ParamsError(
            str(error).replace(f"{path}: ", "").replace(str(path), "params.yaml")
        ) from None


def _tell(name: str, folder: Path, found: "Found | None") -> None:
    if found is not None:
        counts = per_class(found)
        classes = ", ".join(f"{one} {count:,}" for one, count in [*counts.items()][:8]) + (
            " ..." if len(counts) > 8 else ""
        )
        print(
            f"found {sum(counts.values()):,} different {THINGS[found.kind]} of {len(counts)}"
            f" classes: {classes}"
        )
        for note in found.notes:
            print(f"  {note}")
    print(f"\nwrote {os.path.relpath(folder)}/")
    print(
        "  params.yaml    every knob; set data.own.licence and release.title, .publisher, .licence,"
        " .intended before you release"
    )
    print("  dvc.yaml       a copy of the graph that all lines share")
    if found is not None:
        print(
            f"  {OWN}/           your examples, pinned by their SHA-256; git ignores them, DVC"
            " keeps them from the first run on"
        )
    print(f"\nnext: make repro LINE={name}   # data to report; what is slow says how far it is")
    print(f"then: make report LINE={name}")
    if found is not None:
        place, own = os.path.relpath(CODE / "data/market"), os.path.relpath(folder / "data")
        print(
            "\nits money is not yours yet: prices, customers and competitors in the report are"
            " those of the digits"
        )
        print(
            f"  cp -r {place} {own}/   # then set report.market: data/market in its"
            " params.yaml, and"
        )
        print(f"  adapt there {', '.join(MARKET)}, and report.price_per_1000, .market_size")
        print(f"  no gate asks for a margin; add to gates.require   {MARGIN}")


def _side(text: str) -> int:
    value = int(text)
    if not 4 <= value <= 512:
        raise ValueError
    return value


_side.__name__ = "number of pixels from 4 to 512"

OPTIONS: dict[str, dict[str, Any]] = {
    "name": {"metavar": "NAME", "help": "of the line, its wheel and its registered model"},
    "--from": {
        "dest": "source",
        "required": True,
        "metavar": "LINE|FOLDER|FILE",
        "help": "a line there is, or your data",
    },
    "--label": {
        "metavar": "COLUMN",
        "help": "that holds the labels (default: the one called label, class, target ...)",
    },
    "--text": {
        "metavar": "COLUMN",
        "help": "that holds the texts (default: the one called text, review ..., or the only one)",
    },
    "--size": {
        "type": _side,
        "metavar": "PIXELS",
        "help": "a side that images are brought to (default: their own, or at most 64)",
    },
    "--sensitive": {
        "action": "append",
        "default": [],
        "metavar": "COLUMN",
        "help": (
            "about people: results are shown by it, and nothing is learned from it; may be given"
            " again"
        ),
    },
}
