"""The component: one `defs.yaml` becomes the asset graph of one use case.

Belongs here: taking the validated YAML and asking each stage for its assets. Does not belong here:
the schema (`leeway.spec`) or what the assets do (`assets`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Self

import dagster as dg
from pydantic import BaseModel

from assets.stage import stage_of
from leeway.identifiers import check_identifier
from leeway.spec import UseCase


class UseCaseComponent(dg.Component):
    """A table and a target: data, checks, drift, training, release and predictions."""

    def __init__(self, use_case: UseCase) -> None:
        self.use_case = use_case

    @classmethod
    def get_model_cls(cls) -> type[BaseModel] | None:
        """The schema that the YAML's `attributes` are validated against."""
        return UseCase

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> Self:
        """The component of one YAML file."""
        if not isinstance(attributes, UseCase):
            raise TypeError(f"expected the attributes of a use case, got {type(attributes)}")
        return cls(attributes)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Definitions of the graph; the folder's name is the use case's name."""
        name = check_identifier(
            context.path.name if context.path.is_dir() else context.path.parent.name
        )
        return build_graph(name, self.use_case)


def build_graph(name: str, use_case: UseCase) -> dg.Definitions:
    """All assets, checks, jobs, sensors and schedules of one use case."""
    from assets.registry import assets_of, checks_of
    from orchestration.conditions import conditions_of
    from orchestration.jobs import jobs_of
    from orchestration.schedules import schedules_of
    from orchestration.sensors import sensors_of

    stage = replace(stage_of(name, use_case), conditions=conditions_of(use_case))
    return dg.Definitions(
        assets=assets_of(stage),
        asset_checks=checks_of(stage),
        jobs=jobs_of(stage),
        sensors=sensors_of(stage),
        schedules=schedules_of(stage),
    )
