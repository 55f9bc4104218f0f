"""What MLflow is told of the answers of the toy's package."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow.models import ModelSignature


def of_answers() -> "ModelSignature":
    """One number."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    return ModelSignature(outputs=Schema([ColSpec(DataType.double, "loudness")]))
