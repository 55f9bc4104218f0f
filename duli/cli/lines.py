"""The release lines: the default one in the root of the repository, further ones in
pipelines/NAME.
"""

from pathlib import Path

FURTHER = "pipelines/*/params.yaml"
LINKS = ("duli", "stages", "requirements.lock")  # that a further line has to the code


def root() -> Path:
    """The root of the repository, relative to the current line."""
    return Path("../..") if further() else Path()


def further() -> bool:
    """Whether the current line is a further one, which reaches the code by links."""
    return Path("stages").is_symlink()


def folders() -> list[Path]:
    """The folder of each line, relative to the current one, which comes first; in the folder of a
    further line, that one alone.
    """
    return [Path(), *sorted(path.parent for path in Path().glob(FURTHER))]


def repro(folder: Path) -> str:
    """The command, given in the root of the repository, that builds the line of that folder."""
    return f"make repro LINE={folder.name}" if folder.name else "make repro"
