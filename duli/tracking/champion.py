"""The record of the champion in git: its release, by content, and the figures it was
promoted with.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from duli.base.errors import DataError

RESTORE = 'restore it from git, or write {"champion": null} to begin anew'
# Figures that the business report sets beside those of a new release, besides the score.
FIGURES = (
    "accuracy_of_accepted",
    "coverage",
    "latency_ms",
    "throughput_per_second",
    "unit_cost_usd_per_million",
    "gross_margin",
)


class Record(BaseModel):
    """A promoted release. `release` is its identity; run and model version locate it in a certain
    MLflow store.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    name: str
    version: str  # of the release, for people
    model_version: int
    release: str  # SHA-256 over the digests of all its files
    run_id: str
    test_digest: str  # of the test split it was judged on
    model_sha256: str
    wheel_sha256: str
    signer: str | None  # fingerprint of the key that signed it; None: unsigned
    measures: dict[str, float]  # by dotted name

    @property
    def label(self) -> str:
        """The name of the release in a sentence."""
        return f"version {self.model_version} ({self.version}, release {self.release[:8]})"


class Champions(BaseModel):
    """The content of champion.json."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    champion: Record | None
    previous: Record | None = None  # what a rollback goes back to


def load(path: Path) -> Champions:
    """The champion and the one before, from a champion.json; raises `DataError` if it is
    missing, damaged or of another form.
    """
    try:
        return parse(json.loads(path.read_bytes()), str(path))
    except FileNotFoundError:
        raise DataError(f"{path} is missing; {RESTORE}") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); {RESTORE}") from None
    except (ValueError, RecursionError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} is not JSON ({error}); {RESTORE}") from None


def parse(content: Any, name: str = "champion.json") -> Champions:
    """The champion and the one before, from the content of the file `name`; raises `DataError`
    if the JSON is of another form.
    """
    try:
        return Champions.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the whole of it"
        raise DataError(f"{name}: {place}: {first['msg']}; {RESTORE}") from None


def figures(measures: Mapping[str, float], score: str) -> dict[str, float]:
    """The measures of `FIGURES` and the score of a release, from its measures by dotted name."""
    names = [f"business.{name}.value" for name in (score, *FIGURES)]
    return {name: measures[name] for name in names if name in measures}
