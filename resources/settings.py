"""Where things are: typed settings from the environment and `.env`, validated once.

Belongs here: every LEEWAY_ variable and the paths that follow from them. Does not belong here:
connecting to anything.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PROJECT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """One installation of Leeway. Each field is the variable `LEEWAY_` and its name."""

    model_config = SettingsConfigDict(
        env_prefix="LEEWAY_", env_file=PROJECT / ".env", extra="forbid", frozen=True
    )

    environment: Literal["local", "test", "production"] = "local"
    home: Path = Field(default=PROJECT / ".leeway", description="state of this installation")
    database_url: SecretStr | None = Field(
        default=None, description="PostgreSQL 14 or later; unset: the embedded one under home"
    )
    store_url: str | None = Field(default=None, description="folder of objects; unset: under home")
    mlflow_tracking_uri: str | None = Field(
        default=None, description="MLflow server; unset: its tables in PostgreSQL"
    )
    data_dir: Path | None = Field(default=None, description="mirror of public data sets")

    @field_validator("home", "data_dir")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return None if value is None else value.expanduser().absolute()

    @model_validator(mode="after")
    def _no_default_in_production(self) -> Self:
        if self.environment == "production" and self.database_url is None:
            raise ValueError(
                "LEEWAY_ENVIRONMENT is production, but LEEWAY_DATABASE_URL is not set. The "
                "embedded PostgreSQL has no password; give the URL of a server"
            )
        return self

    @property
    def store_root(self) -> Path:
        """Folder of the object store."""
        return (
            Path(self.store_url).expanduser().absolute() if self.store_url else self.home / "store"
        )

    @property
    def dagster_home(self) -> Path:
        """Folder of the Dagster instance: its dagster.yaml and the logs of steps."""
        return self.home / "dagster"

    @property
    def dbt_target(self) -> Path:
        """Folder that dbt compiles into."""
        return self.home / "dbt"


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process.

    Raises:
        pydantic.ValidationError: names the variable, its value and what is allowed.
    """
    return Settings()
