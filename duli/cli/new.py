"""Makes a further release line, from another line or from own data."""

import io
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from duli.base import files, rooms
from duli.base.errors import DataError, ParamsError
from duli.cli.lines import LINKS
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
HEADER = """\
# What people turn of the line {name}. Further knobs have defaults in their section's type
# (duli/**/params.py) and need a `+`: `dvc exp run -S +train.compile=true`. `duli check` checks all.
"""


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
        (_copied(name, line), None) if line is not None else ("", _found(Path(source), wanted))
    )
    said: list[str] = []
    folder.parent.mkdir(exist_ok=True)
    # Beside its place, so that one rename makes it: a line is there whole or not at all.
    with tempfile.TemporaryDirectory(prefix=".new-", dir=folder.parent) as scratch:
        made = Path(scratch) / name
        made.mkdir()
        if found is not None:
            params, said = _of_own(name, Path(source), found, _kept(found, made / OWN))
        files.write_text(made / "params.yaml", params)
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
    _tell(name, folder, said)


def _line(source: str) -> Path | None:
    """The folder of the line that `source` names or is; None if it is not a line."""
    if (Path(source) / "params.yaml").is_file():
        return Path(source).resolve()
    if Path(source).exists():
        return None
    folder = CODE / LINES.get(source, Path("pipelines") / source)
    return folder if re.fullmatch(NAME, source) and (folder / "params.yaml").is_file() else None


def _copied(name: str, place: Path) -> str:
    """The params of another line, adapted to the new one; files that they name stay
    where they are.
    """
    from duli.base.params import Params
    from duli.datasets.shared.params import Data
    from duli.economics.params import Report
    from duli.training.params import Training
    from stages import sections

    sections.check(place / "params.yaml")
    folder, params = CODE / "pipelines" / name, Params(place / "params.yaml")
    changes = {
        "release.name": name,
        "release.version": "0.1.0",
        "prepare.limit": None,  # somebody's quick try of the other line
    }
    paths = {
        "report.market": params.section("report", Report).market,
        "data.local": params.section("data", Data).local,
        "train.transfer.init_from": params.section("train", Training).transfer.init_from,
    }
    for key, path in paths.items():
        if path and not Path(path).is_absolute() and not path.startswith("models:/"):
            changes[key] = os.path.relpath(place / path, folder)
    text = (place / "params.yaml").read_bytes().decode()
    spans = [
        (node.start_mark.index, node.end_mark.index, value)
        for key, value in changes.items()
        if (node := params.node(key)) is not None
    ]
    for start, end, value in sorted(spans, reverse=True):
        text = f"{text[:start]}{_yaml(value)}{text[end:]}"
    return HEADER.format(name=name) + re.sub(r"\A(#.*\n)*", "", text)


def _found(place: Path, wanted: Wanted) -> Found:
    from duli.cli.convert import converted

    if place.exists():
        return converted(place, wanted, _digits()["task"])
    known = ", ".join(
        [*LINES, *sorted(one.parent.name for one in (CODE / "pipelines").glob("[!.]*/params.yaml"))]
    )
    raise DataError(
        f"there is no {place}, and no line of that name (there are: {known}); give one of these, a"
        " folder, or a file"
    )


def _of_own(name: str, place: Path, found: Found, pin: dict[str, Any]) -> tuple[str, list[str]]:
    """The params of a line of own data, from the templates of its kind and of the task, and remarks
    on the data; the market is that of the digits.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    from duli.serving.sources import readable

    digits, things = _digits(), rooms.kind(found.kind, "releasing.release").Kind.words.things
    task = rooms.task(digits["task"], "intake.facts")
    facts = task.facts(found.examples, found.own, VALIDATION)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parents[1]),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  # it makes YAML
    )
    environment.filters["yaml"] = _yaml
    text = environment.get_template(f"kinds/{found.kind}/intake/params.yaml.j2").render(
        task=f"tasks/{digits['task']}/intake/params.yaml.j2",
        header=HEADER.format(name=name),
        name=name,
        own={
            "title": name.replace("-", " ").capitalize(),
            "licence": "not stated",
            "kind": found.kind,
            **found.own,
            "columns": found.columns,
            "sensitive": found.sensitive,
            **pin,
        },
        facts=facts,
        rows=found.examples.num_rows,
        things=things,
        source=readable(place.resolve().name).strip()[:200],
        validation=VALIDATION,
        test=TEST,
        publisher=digits["release"]["publisher"],
        report=digits["report"],
        market=os.path.relpath(CODE / digits["report"]["market"], CODE / "pipelines" / name),
        adapt=", ".join(MARKET),
        margin=MARGIN,
    )
    return text, [task.told(facts, things), *found.notes]


def _digits() -> dict[str, Any]:
    """The params of the default line."""
    from duli.base.params import Params
    from stages import sections

    sections.check(CODE / "params.yaml")
    return Params(CODE / "params.yaml").values


def _kept(found: Found, folder: Path) -> dict[str, Any]:
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


def _yaml(value: Any) -> str:
    """`value` as YAML on one line."""
    from ruamel.yaml import YAML

    yaml, text = YAML(typ="safe", pure=True), io.StringIO()
    yaml.default_flow_style, yaml.width, yaml.allow_unicode = True, sys.maxsize, True
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # declared as None
    yaml.dump(value, text)
    return text.getvalue().removesuffix("\n").removesuffix("\n...")


def _checked(path: Path) -> None:
    """Runs the checks of `duli check`; raises `ParamsError` without the path of the file, which is
    temporary.
    """
    from stages import sections

    try:
        sections.check(path)
    except ParamsError as error:
        raise ParamsError(
            str(error).replace(f"{path}: ", "").replace(str(path), "params.yaml")
        ) from None


def _tell(name: str, folder: Path, said: list[str]) -> None:
    """Prints what was written; `said` describes own data and is empty for a copy of
    another line.
    """
    if said:
        print("found", "\n  ".join(said))
    print(f"\nwrote {os.path.relpath(folder)}/")
    print(
        "  params.yaml    its knobs; set data.own.licence and release.title, .publisher, .licence,"
        " .intended before you release"
    )
    print("  dvc.yaml       a copy of the graph that all lines share")
    if said:
        print(
            f"  {OWN}/           your examples, pinned by their SHA-256; git ignores them, DVC"
            " keeps them from the first run on"
        )
    print(f"\nnext: make repro LINE={name}   # data to report; what is slow says how far it is")
    print(f"then: make report LINE={name}")
    if said:
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
