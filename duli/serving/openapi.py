"""Describes the server's routes as OpenAPI 3.1, from the release's own facts."""

from typing import Any

from .bodies import MAX_INPUTS
from .kind import Described, Kind
from .task import Task


def describe(release: dict[str, Any], kind: Kind, task: Task) -> dict[str, Any]:
    """The document of /openapi.json."""
    said, told, things = kind.described(), task.described(), kind.words.things
    model = f"/v2/models/{release['name']}"
    predicted = _answers(
        f"the answers, in the order of the {things}", {"$ref": "#/components/schemas/Predictions"}
    )
    ok = {
        "200": {
            "description": "yes",
            "content": {"application/json": {"schema": {"type": "object"}}},
        },
        "503": _refusal("the server stops"),
    }
    tensor = {
        "description": (
            f"As it looks with one and with two {things}; up to {MAX_INPUTS} go likewise, and lists"
            " may be flat."
        ),
        "anyOf": [
            {
                "type": "object",
                "required": ["name", "shape", "datatype", "data"],
                "properties": {
                    "name": {"const": kind.tensor.name},
                    "datatype": {"const": kind.tensor.datatype},
                    "shape": {"const": shape},
                    "data": data,
                    "parameters": {"type": ["object", "null"]},
                },
            }
            for shape, data in said.tensors
        ],
    }
    infer = {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": {"type": ["string", "null"]},
            "parameters": {
                "type": ["object", "null"],
                "properties": {
                    **told.wishes,
                    "binary_data_output": {"description": "true: as bytes"},
                },
            },
            "inputs": {"type": "array", "items": tensor, "minItems": 1, "maxItems": 1},
            "outputs": {
                "type": ["array", "null"],
                "minItems": 1,
                "maxItems": len(task.tensors),
                "items": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {"name": {"enum": [output.name for output in task.tensors]}},
                },
            },
        },
    }
    inferred = _answers("output tensors", {"type": "object", "required": ["model_name", "outputs"]})
    inferred["200"]["content"]["application/octet-stream"] = {
        "schema": {"type": "string", "format": "binary"}
    }
    params = {"type": ["object", "null"], "properties": told.wishes}
    one_of = [
        {"type": "object", "required": [name], "properties": {name: inner, **told.wishes}}
        for name, inner in said.asked.items()
    ]
    invocations = [
        {
            "type": "object",
            "required": [name],
            "properties": {name: inner, **told.wishes, "params": params},
        }
        for name, inner in said.invoked.items()
    ]
    paths = {
        "/predict": {
            "post": {
                "operationId": "predict",
                "summary": told.summary.format(things=things),
                "parameters": told.query,
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {"schema": {"oneOf": one_of}},
                        **{media: {"schema": schema} for media, schema in said.media.items()},
                    },
                },
                "responses": predicted,
            }
        },
        **({"/pixels": _pixels(said)} if hasattr(kind, "seen") else {}),
        "/invocations": {
            "post": {
                "operationId": "invocations",
                "summary": "The same, as MLflow's scoring server is asked.",
                "parameters": told.query,
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"oneOf": invocations}}},
                },
                "responses": predicted,
            }
        },
        f"{model}/infer": {
            "post": {
                "operationId": "infer",
                "summary": (
                    "The same in the Open Inference Protocol; binary tensors follow the JSON part."
                ),
                "parameters": told.query,
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": infer}},
                },
                "responses": inferred,
            }
        },
        **{
            path: {"get": {"operationId": name, "summary": summary, "responses": ok}}
            for path, name, summary in (
                ("/v2", "serverMetadata", "Name, version and extensions."),
                ("/v2/health/live", "live", "Whether the server runs."),
                ("/v2/health/ready", "ready", "Whether it takes requests."),
                (model, "modelMetadata", "Input and outputs of the model."),
                (f"{model}/ready", "modelReady", "Whether the model takes requests."),
                ("/about", "about", "The release: what it answers, its headline, its integrity."),
                ("/ping", "ping", "As MLflow's scoring server says that it is ready."),
            )
        },
        **{
            path: {
                "get": {
                    "operationId": name,
                    "summary": summary,
                    "responses": {"200": _text(summary, media)},
                }
            }
            for path, name, summary, media in (
                ("/card", "card", "The model card in Markdown.", "text/plain"),
                ("/metrics", "metrics", "Counters and histograms for Prometheus.", "text/plain"),
            )
        },
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": release.get("title") or release["name"],
            "version": release["version"],
            "summary": "A released model.",
        },
        "paths": paths,
        "components": {"schemas": {**said.schemas, "Prediction": told.prediction, **_schemas()}},
    }


def _pixels(said: Described) -> dict[str, Any]:
    seen = {
        "type": "object",
        "required": ["images", "done"],
        "properties": {
            "images": said.asked["images"],
            "done": {"type": "string", "description": "what was done to a picture"},
        },
    }
    content = {media: {"schema": schema} for media, schema in said.media.items()}
    return {
        "post": {
            "operationId": "pixels",
            "summary": "What the model sees of a picture, as /predict takes it.",
            "requestBody": {"required": True, "content": content},
            "responses": _answers("pixels", seen),
        }
    }


def _schemas() -> dict[str, Any]:
    return {
        "Predictions": {
            "type": "object",
            "required": ["predictions"],
            "properties": {
                "predictions": {
                    "type": "array",
                    "items": {"$ref": "#/components/schemas/Prediction"},
                }
            },
        },
        "Failure": {
            "type": "object",
            "required": ["error"],
            "properties": {"error": {"type": "string"}},
        },
    }


def _answers(what: str, schema: dict[str, Any]) -> dict[str, Any]:
    refusals = {
        "400": "the request is wrong",
        "413": "the body is too long",
        "415": "this Content-Type is not read",
        "503": "the server has too much to do; Retry-After says when to come again",
    }
    answered = {"200": {"description": what, "content": {"application/json": {"schema": schema}}}}
    return answered | {status: _refusal(reason) for status, reason in refusals.items()}


def _refusal(why: str) -> dict[str, Any]:
    return {
        "description": why,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Failure"}}},
    }


def _text(what: str, media: str) -> dict[str, Any]:
    return {"description": what, "content": {media: {"schema": {"type": "string"}}}}
