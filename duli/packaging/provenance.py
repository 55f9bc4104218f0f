"""The materials of a release, as an in-toto Statement v1 with the predicate of SLSA provenance v1.

The formats: https://in-toto.io/Statement/v1 and https://slsa.dev/spec/v1.0/provenance. There are
two statements of a release. The one inside the wheel follows from what the wheel is made of, so
that the same input gives the same wheel. The one beside the wheel also names the commit, which
changes with every commit whether the release does or not.
"""

from collections.abc import Mapping
from typing import Any

from duli.packaging.commit import Commit
from duli.packaging.manifest import encoded
from duli.packaging.params import Release

STATEMENT, PREDICATE = "https://in-toto.io/Statement/v1", "https://slsa.dev/provenance/v1"
# what the parameters mean: `dvc repro`, then `python -m stages package`
BUILD = "urn:duli:build:release-line:1"
BUILDER = "urn:duli:builder:local"  # whoever ran it, on a machine of theirs
NOT_CLAIMED = (
    (
        "No SLSA level is claimed: the statement is made by the build itself, not by a service that"
        " its publisher cannot influence."
    ),
    (
        "The build is not hermetic: it ran in the publisher's own environment, with a network, and"
        " nothing proves what else was there."
    ),
    (
        "That the sources are free of malice or mistakes is not claimed, nor that anybody reviewed"
        " them."
    ),
    (
        "That another machine makes the same weights is not claimed; the same files give the same"
        " wheel."
    ),
    (
        "The statement carries no signature of its own: where the release is signed, model.sig"
        " covers it with all other files."
    ),
)
OF_THE_WHEEL = (
    "The commit of the code is not named here: the same release would change with each commit. It"
    " stands in the statement beside it."
)
UNKNOWN = (
    "The commit of the code is not known: it did not lie in a git repository when the release was"
    " packed."
)
RECORDED = (
    "The commit is the one the packing code was at; of files that came from a cache, that their"
    " code was at it too is vouched for by the digests in dvc.lock alone. The commit that records"
    " this release can only come after it."
)


def of_wheel(
    release: Release,
    subjects: Mapping[str, str],
    evidence: Mapping[str, Mapping[str, Any]],
    materials: Mapping[str, str],
) -> bytes:
    """The statement inside the wheel, about the files `subjects` of the package (path -> SHA-256).

    `materials` are further files it was made from, name -> SHA-256.
    """
    return _statement(
        release, subjects, evidence, _resolved(evidence, materials), [*NOT_CLAIMED, OF_THE_WHEEL]
    )


def of_release(
    release: Release,
    subjects: Mapping[str, str],
    evidence: Mapping[str, Mapping[str, Any]],
    materials: Mapping[str, str],
    commit: Commit | None,
) -> bytes:
    """The statement beside the wheel, about all that is released (`subjects`, path -> SHA-256),
    made by code at `commit`.
    """
    resolved = _resolved(evidence, materials)
    if commit:
        facts = {"dirty": commit.dirty, "committed": commit.time}
        resolved.append({"name": "code", "digest": {"gitCommit": commit.sha}, "annotations": facts})
    return _statement(
        release, subjects, evidence, resolved, [*NOT_CLAIMED, RECORDED if commit else UNKNOWN]
    )


def _statement(
    release: Release,
    subjects: Mapping[str, str],
    evidence: Mapping[str, Mapping[str, Any]],
    resolved: list[dict[str, Any]],
    not_claimed: list[str],
) -> bytes:
    model = evidence["model"]
    facts = {
        "_type": STATEMENT,
        "subject": [_resource(name, digest) for name, digest in sorted(subjects.items())],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD,
                "externalParameters": {
                    "release": release.model_dump(mode="json"),
                    "dataset": evidence["stats"]["dataset"],
                    "model": model["architecture"],
                    "train": model["train"],
                    "variant": evidence["choice"]["variant"],
                },
                "internalParameters": {
                    "train": {
                        "device": model["device"],
                        "precision": model["precision"],
                        "versions": model["versions"],
                    },
                    "benchmark": {
                        "hardware": evidence["benchmark"]["hardware"],
                        "versions": evidence["benchmark"]["versions"],
                    },
                },
                "resolvedDependencies": resolved,
            },
            "runDetails": {"builder": {"id": BUILDER}},
            # SLSA lets others add fields that begin with their name.
            "duli_not_claimed": not_claimed,
        },
    }
    return encoded(facts)


def _resolved(
    evidence: Mapping[str, Mapping[str, Any]], materials: Mapping[str, str]
) -> list[dict[str, Any]]:
    raw, model, choice = evidence["raw"], evidence["model"], evidence["choice"]
    return [
        *(_resource(f"data/{name}", file["sha256"]) for name, file in raw["files"].items()),
        _resource("weights", model["weights"]["sha256"]),
        _resource("source of the architecture", model["architecture"]["source_sha256"]),
        _resource(choice["file"], choice["sha256"]),
        *(_resource(name, digest) for name, digest in materials.items()),
    ]


def _resource(name: str, digest: str) -> dict[str, Any]:
    """in-toto's ResourceDescriptor."""
    return {"name": name, "digest": {"sha256": digest}}
