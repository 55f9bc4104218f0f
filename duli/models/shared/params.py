"""The `model` section: which architecture, and the settings of each that is listed."""

import difflib
import importlib
import json
import pkgutil
from typing import Annotated, Any

from pydantic import AfterValidator, Field, create_model, model_validator

from duli import models
from duli.base.params import Section


def architectures() -> list[str]:
    """The names of all architectures: the files of duli/models/."""
    return sorted(
        module.name for module in pkgutil.iter_modules(models.__path__) if not module.ispkg
    )


def _exists(name: str) -> str:
    if name not in architectures():
        close = difflib.get_close_matches(name, architectures(), n=1)
        hint = f"; did you mean '{close[0]}'?" if close else ""
        raise ValueError(f"is no architecture: there is no duli/models/{name}.py{hint}")
    return name


ModelName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$"), AfterValidator(_exists)]


class ModelChoice(Section):
    """The chosen architecture and its settings.

    In params.yaml the settings stand under the architecture's name, so that `model.name` alone
    changes the choice. The settings of every architecture that is listed are checked by its own
    `Settings` (which needs no torch); the chosen one has its defaults where it is not listed.
    """

    name: ModelName
    settings: Any  # an instance of the Settings of that architecture

    @model_validator(mode="before")
    @classmethod
    def _check_all_and_choose(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        if values.get("name") in architectures():
            values = {values["name"]: {}, **values}
        expected: dict[str, Any] = {
            name: (_settings(name), ...) for name in architectures() if name in values
        }
        # Through JSON, as params.py does it: a list is then taken for a tuple. pydantic hands on
        # the place of each mistake.
        listed = create_model(
            "Listed", __base__=Section, name=(ModelName, ...), **expected
        ).model_validate_json(json.dumps(values))
        name: str = listed.name  # type: ignore[attr-defined]  # made at run time
        return {"name": name, "settings": getattr(listed, name)}

    @classmethod
    def keys(cls) -> list[str]:
        return ["name", *architectures()]

    @classmethod
    def inner(cls, key: str) -> type[Section] | None:
        return _settings(key) if key in architectures() else None


def _settings(name: str) -> type[Section]:
    settings: type[Section] = importlib.import_module(f"duli.models.{name}").Settings
    return settings
