"""The licence ledger of the data: each data set, its publication, and the permissions that its
licence declares.
"""

from collections.abc import Mapping
from typing import Any

from duli.base.errors import DataError
from duli.packaging.manifest import encoded

FILE = "data_licences.json"
UNDECLARED = "not declared"
TERMS = ("spdx", "permits", "requires", "prohibits")
NOTE = (
    "Licences are quoted as the description of the data set states them, and terms as it declares"
    " them; nobody checked them for this release, and this is no legal advice. Whether a licence"
    " reaches a model that was trained on the data is not claimed either way."
)


def of(raw: Mapping[str, Any], stats: Mapping[str, Any]) -> bytes:
    """The ledger as JSON, of data/raw/dataset.json and data/prepared/stats.json; raises `DataError`
    where these are of two data sets.
    """
    if raw["dataset"] != stats["dataset"] or raw["licence"] != stats["licence"]:
        raise DataError(
            f"data/raw is of {raw['dataset']} ({raw['licence']}), the prepared examples are of"
            f" {stats['dataset']} ({stats['licence']}); run `dvc repro`"
        )
    terms = raw.get("terms") or {}
    facts = {
        "note": NOTE,
        "datasets": [
            {
                "name": raw["dataset"],
                "title": raw["title"],
                "licence": raw["licence"],
                "terms": {key: terms.get(key, UNDECLARED) for key in TERMS},
                # Where the bytes may be had; their digests, not the place, say that they are the
                # right ones.
                "sources": raw.get("sources") or UNDECLARED,
                "files": raw["files"],
                # What came in later has no licence but its owner's word.
                **({"accepted": stats["accepted"]} if stats.get("accepted") else {}),
                "splits": {
                    name: {"examples": split["examples"], "digest": split["digest"]}
                    for name, split in stats["splits"].items()
                },
                "quarantined": stats["quarantined"],
                "says_of_people": stats.get("sensitive", []),
            }
        ],
    }
    return encoded(facts)
