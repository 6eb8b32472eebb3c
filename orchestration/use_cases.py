"""The use cases of this installation, read from their YAML without Dagster.

Belongs here: finding and validating `orchestration/defs/*/defs.yaml`, with errors that a person can
act on. Does not belong here: assets.
"""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import ValidationError

from leeway.identifiers import check_identifier
from leeway.spec import UseCase
from leeway.spec.base import require_known
from leeway.spec.problems import problem_lines
from resources.yaml_files import read_yaml

DEFS = Path(__file__).parent / "defs"
# What Dagster's components may have at the top of a file.
_KEYS = ("type", "attributes", "requirements", "template_vars_module", "post_processing")


class InvalidUseCase(ValueError):
    """A defs.yaml is not a use case; the message has the file, the field and what is allowed."""


def use_case_names(folder: Path = DEFS) -> list[str]:
    """The names of the use cases in their order, also of those whose file is not valid."""
    return sorted(path.parent.name for path in folder.glob("*/defs.yaml"))


def find_use_case(name: str, folder: Path = DEFS) -> UseCase:
    """The use case called `name`, whatever the files of the others say.

    Raises:
        InvalidUseCase: when its file is not one, or when there is none, with those that there are.
    """
    names = use_case_names(folder)
    if name not in names:
        raise InvalidUseCase(f"no use case {name!r}; there are {', '.join(names) or 'none'}")
    return load_use_case(folder / name / "defs.yaml")


def load_use_cases(folder: Path = DEFS) -> dict[str, UseCase]:
    """Every use case by name, in the order of the names.

    Raises:
        InvalidUseCase: at the first file that is not one.
    """
    return {name: load_use_case(folder / name / "defs.yaml") for name in use_case_names(folder)}


def load_use_case(path: Path) -> UseCase:
    """The use case in one file.

    Raises:
        InvalidUseCase: when the file is not one.
    """
    try:
        check_identifier(path.parent.name)
        content = read_yaml(path)
    except (yaml.YAMLError, ValueError) as error:
        raise InvalidUseCase(f"{path}: {error}") from error
    except OSError as error:
        raise InvalidUseCase(
            f"{path}: {error.strerror}; make it a file that you may read, or remove its folder"
        ) from error
    if not isinstance(content, dict) or not isinstance(content.get("attributes"), dict):
        raise InvalidUseCase(f"{path}: needs the keys type and attributes")
    try:
        require_known("keys", content, _KEYS)
    except ValueError as error:
        raise InvalidUseCase(f"{path}: {error}") from error
    try:
        return UseCase.model_validate(content["attributes"])
    except ValidationError as error:
        raise InvalidUseCase("\n".join(problem_lines(path, error, "attributes"))) from error
