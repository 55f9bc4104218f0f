"""MLflow's signature of the answers of a classifier's package."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow.models import ModelSignature


def of_answers() -> "ModelSignature":
    """MLflow's signature of the package's answers.

    It says nothing of inputs: MLflow would cast them to what it says, a pixel of 0.5 to 0, before
    the package could refuse them.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import Map

    columns = {
        "label": DataType.string,
        "probability": DataType.double,
        "abstains": DataType.boolean,
        "probabilities": Map(DataType.double),
    }
    outputs = Schema([ColSpec(kind, name) for name, kind in columns.items()])
    abstain = ParamSpec("abstain", DataType.boolean, default=False)
    return ModelSignature(outputs=outputs, params=ParamSchema([abstain]))
