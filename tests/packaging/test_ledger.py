"""The ledger quotes what the data set declares, says what it does not, and is of one data set."""

import json

import pytest

from duli.base.errors import DataError
from duli.datasets import fashion_mnist, mnist
from duli.packaging import ledger
from tests.packaging import tiny

FACTS = tiny.evidence(tiny.model(), 50, 60)


def test_it_says_what_is_declared_and_what_is_not() -> None:
    (data,) = json.loads(ledger.of(FACTS["raw"], FACTS["stats"]))["datasets"]
    assert (data["name"], data["licence"], data["sources"]) == (
        "rows",
        "CC0-1.0",
        ["mirror https://rows.example/"],
    )
    assert data["terms"] == {
        "spdx": "CC0-1.0",
        "permits": ["anything"],
        "requires": [],
        "prohibits": "not declared",
    }
    assert data["files"] == {"rows.bin": {"bytes": 40961, "sha256": tiny.DIGEST}}
    assert data["splits"]["test"] == {"examples": 60, "digest": tiny.DIGEST}
    silent = {key: value for key, value in FACTS["raw"].items() if key not in ("terms", "sources")}
    for raw in (silent, {**silent, "terms": None, "sources": []}):
        (data,) = json.loads(ledger.of(raw, FACTS["stats"]))["datasets"]
        assert set(data["terms"].values()) == {data["sources"]} == {"not declared"}


@pytest.mark.parametrize("change", [{"dataset": "columns"}, {"licence": "MIT"}])
def test_two_data_sets_are_refused(change: dict[str, str]) -> None:
    with pytest.raises(DataError, match="run `dvc repro`"):
        ledger.of({**FACTS["raw"], **change}, FACTS["stats"])


@pytest.mark.parametrize("dataset", [mnist, fashion_mnist])
def test_data_sets_declare_their_terms_completely(dataset: object) -> None:
    assert set(dataset.TERMS) == set(ledger.TERMS)
    assert {"notice"} <= set(dataset.TERMS["requires"])
