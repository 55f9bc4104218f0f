"""A released model as a folder in MLflow's format: the ONNX file, and the wheel's own code."""

import re
import shutil
import zipfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from duli.base.files import sha256

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel
    from mlflow.models import ModelSignature

MODEL = "model.onnx"
CARD = "MODEL_CARD.md"
REQUIREMENTS = ("mlflow", "numpy", "onnx", "onnxruntime")
LOADER = "pyfunc"  # the module of a wheel that MLflow loads it by
WHEEL = "wheel_sha256"  # key of the metadata of the model in MLflow


class Package(NamedTuple):
    """The package in a wheel."""

    name: str
    files: dict[str, bytes]  # by path, the name of the package first
    requirements: list[str]  # names of what it cannot do without
    digest: str  # SHA-256 of the wheel


class Content(NamedTuple):
    """The registered content of a release."""

    onnx: Path
    # of the release that brought the model; a version's description is of the one that has it now
    card: str
    package: Package | None
    answers: "Callable[[], ModelSignature]"  # the signature of the package's answers


def package(wheel: Path | None) -> Package | None:
    """The part of a wheel that MLflow may load; None if MLflow cannot load a wheel of
    this version.
    """
    if wheel is None:
        return None
    with zipfile.ZipFile(wheel) as archive:
        files = {
            name: archive.read(name) for name in archive.namelist() if ".dist-info/" not in name
        }
        described = next(
            name for name in archive.namelist() if name.endswith(".dist-info/METADATA")
        )
        required = re.findall(
            r"^Requires-Dist: ([\w.-]+)(?!.*extra ==)",
            archive.read(described).decode(),
            re.MULTILINE,
        )
    names = [path.split("/")[0] for path in files if path.endswith(f"/{LOADER}.py")]
    return Package(names[0], files, required, sha256(wheel)) if names else None


def write(content: Content, folder: Path, logged: "LoggedModel", run_id: str) -> None:
    """Makes `folder`, which loads as an ONNX model and, where there is a package, as the release
    itself; there is no pickle in it.
    """
    import mlflow.onnx
    import onnx
    from mlflow.models import Model

    packed = content.package
    graph = onnx.load(str(content.onnx))
    signature, example = _of_graph(graph)
    required = dict.fromkeys([*REQUIREMENTS, *(packed.requirements if packed else ())])
    mlflow.onnx.save_model(
        graph,
        str(folder),
        mlflow_model=Model(
            artifact_path=logged.artifact_location,
            model_uuid=logged.model_id,
            run_id=run_id,
            model_id=logged.model_id,
        ),
        signature=signature,
        input_example=None if packed else example,
        # Named, or MLflow would load the model in a new process to find out.
        pip_requirements=[f"{name}=={metadata.version(name)}" for name in required],
        # What the release's own numbers were measured with.
        onnx_execution_providers=["CPUExecutionProvider"],
        save_as_external_data=False,
    )
    # The bytes that were evaluated and packed, not the ones a newer onnx writes for the same graph.
    shutil.copyfile(content.onnx, folder / MODEL)
    (folder / CARD).write_text(content.card, encoding="utf-8")
    if packed:
        _add(packed, folder, content.answers())


def _add(packed: Package, folder: Path, answers: "ModelSignature") -> None:
    """Lets MLflow answer by the code of the package instead of with the graph's output."""
    from mlflow.models import Model

    # of each wheel in a place of its own: the package refuses files that it does not know
    code = f"code-{packed.digest[:8]}"
    for path, content in packed.files.items():
        target = folder / code / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    described = Model.load(str(folder))
    described.flavors["python_function"] |= {
        "loader_module": f"{packed.name}.{LOADER}",
        "code": code,
        "data": f"{code}/{packed.name}",
    }
    described.signature = answers
    described.metadata = {WHEEL: packed.digest}
    described.save(str(folder / "MLmodel"))


def _of_graph(graph: Any) -> "tuple[ModelSignature, dict[str, Any]]":
    """The signature that the graph itself declares, and one example of zeros."""
    import numpy as np
    import onnx
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    def specs(values: Any) -> list[TensorSpec]:
        return [
            TensorSpec(
                np.dtype(onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)),
                tuple(
                    axis.dim_value if axis.HasField("dim_value") else -1
                    for axis in value.type.tensor_type.shape.dim
                ),
                value.name,
            )
            for value in values
        ]

    inputs = specs(graph.graph.input)
    example = {
        spec.name: np.zeros([max(size, 1) for size in spec.shape], spec.type) for spec in inputs
    }
    return ModelSignature(Schema(inputs), Schema(specs(graph.graph.output))), example
