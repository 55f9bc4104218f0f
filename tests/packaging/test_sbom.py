"""The bill of materials is valid CycloneDX 1.6, says what pip brings, and is the same for the same
release.
"""

import json
import re
from importlib import metadata
from typing import Any

import pytest

from duli.packaging import environment, locked, sbom
from tests.closure import ROOT
from tests.packaging import tiny

RUNTIME, OPTIONAL = ("numpy", "onnxruntime"), ("pillow",)


def facts() -> dict[str, Any]:
    return tiny.evidence(tiny.model(), 50, 60)


def made(
    evidence: dict[str, Any] | None = None, timestamp: str | None = None, **changes: Any
) -> bytes:
    libraries = environment.closure(*RUNTIME), environment.closure(*OPTIONAL)
    pins = locked.pins((ROOT / "requirements.lock").read_text(), libraries[0] | libraries[1])
    evidence = evidence or facts()
    return sbom.of(
        tiny.release(**changes),
        *tiny.product(evidence),
        evidence,
        [*RUNTIME, *OPTIONAL],
        *libraries,
        {name: [digest for pin in found for digest in pin.digests] for name, found in pins.items()},
        timestamp,
    )


def errors(content: bytes) -> Any:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    return JsonStrictValidator(SchemaVersion.V1_6).validate_str(content.decode())


def component(content: bytes, kind: str) -> dict[str, Any]:
    (found,) = (one for one in json.loads(content)["components"] if one["type"] == kind)
    return dict(found)


@pytest.mark.parametrize("licence", ["Apache-2.0", "LicenseRef-Proprietary", "MIT OR Apache-2.0"])
def test_the_strict_validator_accepts_it(licence: str) -> None:
    assert errors(made(licence=licence)) is None
    people = facts()
    people["stats"]["sensitive"] = ["age_group"]
    people["evaluation"] |= {"slices": {}, "robustness": {}}
    assert errors(made(people)) is None
    assert errors(made(timestamp="2026-11-30T12:00:00Z")) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"machine-learning-model"', b'"neural"'),
        (b'"supervised"', b'"guessed"'),
        (b'"lowerBound"', b'"lower"'),
        (b"urn:uuid:", b"uuid:"),
    ],
)
def test_the_validator_refuses_other_things(old: bytes, new: bytes) -> None:
    assert old in made()
    assert errors(made().replace(old, new)) is not None


def test_the_same_release_has_the_same_bytes_and_another_one_another_serial_number() -> None:
    assert made() == made()
    evidence = facts()
    evidence["choice"]["sha256"] = "f" * 64
    numbers = {
        json.loads(one)["serialNumber"] for one in (made(), made(evidence), made(version="1.2.1"))
    }
    assert len(numbers) == 3
    assert all(
        re.fullmatch(
            r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", number
        )
        for number in numbers
    )
    assert b"timestamp" not in made()


def test_it_says_who_supplies_and_what_a_library_has_to_be() -> None:
    bom = json.loads(made(timestamp="2026-11-30T12:00:00Z"))
    assert bom["metadata"]["timestamp"] == "2026-11-30T12:00:00Z"
    assert bom["metadata"]["supplier"] == {"name": tiny.RELEASE["publisher"]}
    assert bom["metadata"]["authors"] == [{"name": tiny.RELEASE["publisher"]}]
    libraries = {one["name"]: one for one in bom["components"] if one["type"] == "library"}
    assert libraries["numpy"]["authors"] == [{"name": "Travis E. Oliphant et al."}]
    for library in libraries.values():
        assert library["supplier"]["name"]
        assert "<" not in library["supplier"]["name"]  # no address behind a name
        assert {one["alg"] for one in library["hashes"]} == {"SHA-256"}


def test_the_libraries_are_what_the_wheel_brings() -> None:
    bom = json.loads(made())
    libraries = {one["name"]: one for one in bom["components"] if one["type"] == "library"}
    assert {name for name, one in libraries.items() if one["scope"] == "required"} == set(
        environment.closure(*RUNTIME)
    )
    assert {name for name, one in libraries.items() if one["scope"] == "optional"} == {"pillow"}
    assert libraries["numpy"]["version"] == metadata.version("numpy")
    assert libraries["numpy"]["licenses"] == [
        {"expression": metadata.metadata("numpy").get("License-Expression")}
    ]
    assert libraries["onnxruntime"]["licenses"] == [{"license": {"name": "MIT License"}}]
    assert all(
        one["licenses"] != [{"license": {"name": "not declared"}}] for one in libraries.values()
    )
    needs = {one["ref"]: one.get("dependsOn", []) for one in bom["dependencies"]}
    assert set(needs) == {
        one["bom-ref"] for one in (*bom["components"], bom["metadata"]["component"])
    }
    assert {libraries[name]["purl"] for name in ("numpy", "onnxruntime", "pillow")} | {
        "model:bright-row"
    } == set(needs["release:bright-row"])
    assert libraries["protobuf"]["purl"] in needs[libraries["onnxruntime"]["purl"]]


def test_it_names_no_registry() -> None:
    assert set(re.findall(rb"https?://[^\s\"]+", made())) == {
        b"http://cyclonedx.org/schema/bom-1.6.schema.json"
    }


def test_the_model_and_its_data() -> None:
    evidence = facts()
    model, data = component(made(), "machine-learning-model"), component(made(), "data")
    assert model["hashes"] == [{"alg": "SHA-256", "content": evidence["choice"]["sha256"]}]
    card = model["modelCard"]
    assert card["modelParameters"]["datasets"] == [{"ref": data["bom-ref"]}]
    assert (card["modelParameters"]["task"], card["modelParameters"]["modelArchitecture"]) == (
        "image-classification",
        "rows",
    )
    metrics = {
        (one["type"], one["slice"]): one
        for one in card["quantitativeAnalysis"]["performanceMetrics"]
    }
    accuracy = evidence["evaluation"]["accuracy"]
    assert metrics["accuracy", "test split"] == {
        "type": "accuracy",
        "slice": "test split",
        "value": str(accuracy["value"]),
        "confidenceInterval": {
            "lowerBound": str(accuracy["low"]),
            "upperBound": str(accuracy["high"]),
        },
    }
    assert metrics["accuracy", "test split, corrupted: fog"]["value"] == str(15 / 60)
    assert metrics["accuracy", "test split, PGD: 8_of_255"]["value"] == str(13 / 60)
    assert [one["groupAtRisk"] for one in card["considerations"]["fairnessAssessments"]] == [
        "thickness: 1 to 2"
    ]
    digests = {one["name"]: one["value"] for one in data["data"][0]["contents"]["properties"]}
    assert digests["duli:file.rows.bin.sha256"] == digests["duli:split.test.digest"] == tiny.DIGEST
    assert data["licenses"] == [{"license": {"name": "CC0-1.0"}}]
