"""The `model` section: which architecture, with which settings."""

import importlib
import importlib.util
import json
from typing import Annotated, Any

from pydantic import Field, ValidationInfo, field_validator

from duli.params import Section

# A name that becomes `duli/models/NAME.py`; a leading underscore is for what the architectures share.
ModelName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class ModelChoice(Section):
    """An architecture and its settings, checked by the `Settings` of that architecture (which needs no torch)."""

    name: ModelName
    settings: Any  # an instance of the architecture's Settings, made by `_of_the_architecture`

    @field_validator("name")
    @classmethod
    def _exists(cls, name: str) -> str:
        if importlib.util.find_spec(f"duli.models.{name}") is None:
            raise ValueError(f"is no architecture: there is no duli/models/{name}.py")
        return name

    @field_validator("settings")
    @classmethod
    def _of_the_architecture(cls, settings: Any, info: ValidationInfo) -> Any:
        if "name" not in info.data:
            return settings
        name = info.data["name"]
        architecture = importlib.import_module(f"duli.models.{name}")
        # Through JSON, as params.py does it: a list is then taken for a tuple. pydantic puts the place of an inner mistake behind ours.
        return architecture.Settings.model_validate_json(json.dumps(settings))
