"""The bill of materials of a release in CycloneDX 1.6, with its machine learning part:
https://cyclonedx.org/docs/1.6/json/.
"""

import json
import re
import uuid
from collections.abc import Collection, Iterator, Mapping
from importlib import metadata
from typing import Any

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.requirements import Requirement

from duli.base.files import sha256
from duli.packaging.card import limits
from duli.packaging.manifest import encoded
from duli.packaging.params import Release
from duli.packaging.product import Kind, Metric, Task

# What a serial number is derived from besides the content: RFC 9562, version 5, under the namespace
# of addresses.
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://cyclonedx.org/schema/bom/1.6")

Facts = dict[str, Any]


def of(
    release: Release,
    kind: Kind,
    task: Task,
    evidence: Mapping[str, Mapping[str, Any]],
    direct: Collection[str],
    required: Mapping[str, str],
    optional: Mapping[str, str],
    digests: Mapping[str, Collection[str]],
    timestamp: str | None = None,
) -> bytes:
    """The bill of materials as JSON: identical for identical input, as its serial number follows
    from its content.

    `required` and `optional` are the distributions that the wheel brings with it and those that
    only its extras bring, name -> version, all installed here: their licences and what they need
    are what they declare themselves. `direct` are those that the wheel asks for. `digests` are the
    SHA-256 of each library's archives, of which an installation takes one. `timestamp` is that of
    the commit (provenance names it); None leaves it out, so that the same release has the same
    bill.
    """
    optional = {name: version for name, version in optional.items() if name not in required}
    model, data, itself = (
        f"model:{release.name}",
        f"data:{evidence['stats']['dataset']}",
        f"release:{release.name}",
    )
    scopes = [
        *((*pair, "required") for pair in required.items()),
        *((*pair, "optional") for pair in optional.items()),
    ]
    libraries = [_library(name, version, scope, digests[name]) for name, version, scope in scopes]
    publisher = {"name": release.publisher}
    bom: Facts = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            **({"timestamp": timestamp} if timestamp else {}),
            "authors": [publisher],
            "component": {
                "type": "application",
                "bom-ref": itself,
                "name": release.name,
                "version": release.version,
                "description": release.summary,
                "supplier": publisher,
                "publisher": release.publisher,
                "licenses": [_licence(release.licence)],
            },
            "supplier": publisher,
        },
        "components": [
            _model(release, kind, task, evidence, model, data),
            _data(evidence, data),
            *libraries,
        ],
        "dependencies": _dependencies(itself, model, data, direct, {**required, **optional}),
    }
    serial = uuid.uuid5(NAMESPACE, sha256(json.dumps(bom, sort_keys=True).encode()))
    bom = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "serialNumber": f"urn:uuid:{serial}",
        **bom,
    }
    return encoded(bom)


def _model(
    release: Release,
    kind: Kind,
    task: Task,
    evidence: Mapping[str, Mapping[str, Any]],
    reference: str,
    data: str,
) -> Facts:
    trained, choice = evidence["model"], evidence["choice"]
    return {
        "type": "machine-learning-model",
        "bom-ref": reference,
        "name": f"{release.name}-model",
        "version": release.version,
        "description": f"{release.title}: the variant {choice['variant']}, in ONNX",
        "publisher": release.publisher,
        "licenses": [_licence(release.licence)],
        "hashes": [{"alg": "SHA-256", "content": choice["sha256"]}],
        "modelCard": {
            "modelParameters": {
                "approach": {"type": "supervised"},
                "task": task.hub(kind.modality),
                "architectureFamily": "neural network",
                "modelArchitecture": trained["architecture"]["name"],
                "datasets": [{"ref": data}],
                "inputs": [{"format": kind.tensor}],
                "outputs": [{"format": task.output}],
            },
            "quantitativeAnalysis": {
                "performanceMetrics": [_metric(metric) for metric in task.metrics()]
            },
            "considerations": _considerations(release, kind, task, evidence),
        },
        "properties": _properties(
            {
                "variant": choice["variant"],
                "bytes": choice["bytes"],
                "parameters": trained["weights"]["parameters"],
                "weights.sha256": trained["weights"]["sha256"],
                "architecture.source.sha256": trained["architecture"]["source_sha256"],
                **task.properties,
            }
        ),
    }


def _metric(metric: Metric) -> Facts:
    """A metric with its 95 % interval; digits as the run has them."""
    name, measure, part = metric
    interval = {"lowerBound": str(measure["low"]), "upperBound": str(measure["high"])}
    return {
        "type": name,
        "value": str(measure["value"]),
        "slice": part,
        "confidenceInterval": interval,
    }


def _considerations(
    release: Release, kind: Kind, task: Task, evidence: Mapping[str, Mapping[str, Any]]
) -> Facts:
    shipped, things = evidence["choice"]["variant"], kind.words.things
    return {
        "useCases": [*release.intended, *(f"Not for: {line}" for line in release.not_intended)],
        "technicalLimitations": [
            *release.limits,
            *limits(kind, task, shipped),
        ],
        "performanceTradeoffs": [
            f"{shipped} {task.changed(things)}; {evidence['benchmark']['reason']}"
        ],
        "ethicalConsiderations": [
            {
                "name": (
                    f"Privacy: whether the model gives away {things} it was trained on was not"
                    " measured"
                )
            },
            {
                "name": "Licences: whether the data's licence reaches the model was not settled",
                "mitigationStrategy": f"The data: {evidence['stats']['licence']}",
            },
        ],
        # Energy is left out: CycloneDX asks for a number, and none was measured.
        "fairnessAssessments": [
            {"groupAtRisk": group, "harms": harm} for group, harm in task.groups().items()
        ],
    }


def _data(evidence: Mapping[str, Mapping[str, Any]], reference: str) -> Facts:
    raw, stats = evidence["raw"], evidence["stats"]
    digests = {f"file.{name}.sha256": file["sha256"] for name, file in raw["files"].items()}
    digests |= {f"split.{name}.digest": split["digest"] for name, split in stats["splits"].items()}
    return {
        "type": "data",
        "bom-ref": reference,
        "name": stats["dataset"],
        "description": stats["title"],
        "licenses": [{"license": {"name": stats["licence"]}}],
        "data": [
            {
                "type": "dataset",
                "name": stats["title"],
                "contents": {"properties": _properties(digests)},
                "classification": "public",
                **({"sensitiveData": list(stats["sensitive"])} if stats.get("sensitive") else {}),
            }
        ],
    }


def _library(name: str, version: str, scope: str, digests: Collection[str]) -> Facts:
    author = _author(name)
    return {
        "type": "library",
        "bom-ref": _purl(name, version),
        **({"supplier": {"name": author}, "authors": [{"name": author}]} if author else {}),
        "name": name,
        "version": version,
        "scope": scope,
        "hashes": [{"alg": "SHA-256", "content": one.removeprefix("sha256:")} for one in digests],
        "licenses": _declared(name),
        "purl": _purl(name, version),
    }


def _purl(name: str, version: str) -> str:
    """The package URL; for PyPI the name is in its normal form."""
    return f"pkg:pypi/{re.sub(r'[-_.]+', '-', name).lower()}@{version}"


def _author(name: str) -> str:
    """The author of a library, as the installed distribution says; empty if it does not."""
    about = metadata.metadata(name)
    for key in ("Author", "Maintainer", "Author-email", "Maintainer-email"):
        text = (about.get_all(key) or [""])[0].strip()
        if text and text != "UNKNOWN":
            return re.sub(r"\s*<[^>]*>", "", text).strip() or text
    return ""


def _declared(name: str) -> list[Facts]:
    """The licence as the installed distribution declares it: an SPDX expression, else its text on
    it, else its classifiers.
    """
    about = metadata.metadata(name)
    text, *_ = about.get_all("License-Expression") or about.get_all("License") or [""]
    text = text.strip()
    if text and "\n" not in text:
        return [_licence(text)]
    classifiers = [
        line.rsplit(" :: ", 1)[-1]
        for line in about.get_all("Classifier") or []
        if line.startswith("License :: ")
    ]
    return [{"license": {"name": line}} for line in classifiers] or [
        {"license": {"name": "not declared"}}
    ]


def _licence(text: str) -> Facts:
    try:
        return {"expression": str(canonicalize_license_expression(text))}
    except InvalidLicenseExpression:
        return {"license": {"name": text}}


def _dependencies(
    itself: str, model: str, data: str, direct: Collection[str], libraries: Mapping[str, str]
) -> list[Facts]:
    """The dependency graph of the components named here."""
    references = {name: _purl(name, version) for name, version in libraries.items()}
    needs = {name: set(_needed(name)) for name in libraries}
    return [
        {"ref": itself, "dependsOn": [model, *sorted(references[name] for name in direct)]},
        {"ref": model, "dependsOn": [data]},
        {"ref": data},
        *(
            {
                "ref": references[name],
                "dependsOn": sorted(references[need] for need in needs[name] & references.keys()),
            }
            for name in libraries
        ),
    ]


def _needed(name: str) -> Iterator[str]:
    for text in metadata.requires(name) or []:
        need = Requirement(text)
        if need.marker is None or need.marker.evaluate({"extra": ""}):
            yield need.name


def _properties(values: Mapping[str, Any]) -> list[Facts]:
    return [{"name": f"duli:{name}", "value": str(value)} for name, value in values.items()]
