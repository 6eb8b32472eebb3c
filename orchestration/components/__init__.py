"""Components that `dg` can instantiate from YAML."""

from orchestration.components.use_case import UseCaseComponent

__all__ = ["UseCaseComponent"]
