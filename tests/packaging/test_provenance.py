"""Both statements are in-toto's and SLSA's own, say what they do not claim, and only the one beside
the wheel names the commit.
"""

import json
from typing import Any

import pytest
from google.protobuf.json_format import Parse, ParseDict
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.v1 import statement, statement_pb2

from duli.packaging import provenance
from duli.packaging.commit import Commit
from tests.packaging import tiny

FACTS = tiny.evidence(tiny.model(), 50, 60)
TIME = "2026-11-30T12:00:00Z"
SUBJECTS, MATERIALS = {"b": "2" * 64, "a": "1" * 64}, {"requirements.lock": "3" * 64}


def inside() -> bytes:
    return provenance.of_wheel(tiny.release(), SUBJECTS, FACTS, MATERIALS)


def beside(commit: Commit | None) -> bytes:
    return provenance.of_release(tiny.release(), SUBJECTS, FACTS, MATERIALS, commit)


def read(content: bytes) -> Any:
    """By in-toto's own classes, which refuse what is not of their kind; the field of ours is taken
    out first, and must be the only one.
    """
    facts = json.loads(content)
    parsed = Parse(content, statement_pb2.Statement())
    statement.Statement.copy_from_pb(parsed).validate()
    facts["predicate"].pop("duli_not_claimed")
    slsa = ParseDict(facts["predicate"], provenance_pb2.Provenance())
    assert slsa.build_definition.build_type
    assert slsa.run_details.builder.id
    return facts


COMMIT = Commit("a" * 40, dirty=True, time=TIME)


@pytest.mark.parametrize(
    "content", [inside(), beside(None), beside(COMMIT)], ids=["inside", "unknown", "commit"]
)
def test_they_are_statements(content: bytes) -> None:
    facts = read(content)
    assert facts["predicateType"] == "https://slsa.dev/provenance/v1"
    assert facts["subject"] == [
        {"name": "a", "digest": {"sha256": "1" * 64}},
        {"name": "b", "digest": {"sha256": "2" * 64}},
    ]
    build = facts["predicate"]["buildDefinition"]
    assert build["externalParameters"]["train"] == {"epochs": 3, "seed": 0}
    assert build["externalParameters"]["release"]["version"] == "1.2.0rc1"
    made_from = {one["name"]: one["digest"] for one in build["resolvedDependencies"]}
    assert made_from["data/rows.bin"] == made_from["weights"] == {"sha256": tiny.DIGEST}
    assert made_from["variants/int8.onnx"] == {"sha256": FACTS["choice"]["sha256"]}
    assert made_from["requirements.lock"] == {"sha256": "3" * 64}


def test_a_damaged_statement_is_none() -> None:
    with pytest.raises(ValueError, match="At least one digest"):
        read(inside().replace(b'"sha256": "' + b"1" * 64 + b'"', b""))
    with pytest.raises(ValueError, match="Wrong statement type"):
        read(inside().replace(b"in-toto.io/Statement/v1", b"in-toto.io/Statement/v0"))


def claims(content: bytes) -> str:
    return " ".join(json.loads(content)["predicate"]["duli_not_claimed"])


def test_what_is_not_claimed() -> None:
    for content in (inside(), beside(None)):
        assert "No SLSA level is claimed" in claims(content)
        assert "not hermetic" in claims(content)
    assert "The commit of the code is not named here" in claims(inside())
    assert "The commit of the code is not known" in claims(beside(None))
    assert "not known" not in claims(beside(COMMIT._replace(dirty=False)))


def test_only_the_one_beside_the_wheel_names_the_commit() -> None:
    resolved = json.loads(beside(COMMIT))["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert resolved[-1] == {
        "name": "code",
        "digest": {"gitCommit": "a" * 40},
        "annotations": {"dirty": True, "committed": TIME},
    }
    assert b"gitCommit" not in inside()
    assert b"gitCommit" not in beside(None)
