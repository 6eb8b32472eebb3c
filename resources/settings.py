"""Where things are: typed settings from the environment and `.env`, validated once.

Belongs here: every LEEWAY_ variable and the paths that follow from them. Does not belong here:
connecting to anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar
from urllib.parse import unquote, urlsplit

from pydantic import Field, IPvAnyNetwork, SecretStr, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

Item = TypeVar("Item")
Listed = Annotated[tuple[Item, ...], NoDecode]  # separated by commas
PROJECT = Path(__file__).resolve().parent.parent
_PREFIX = "LEEWAY_"
_SCHEME = re.compile(r"postgres(ql)?(\+psycopg2)?://")
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?|https?://\[[0-9a-f:]+\](:[0-9]{1,5})?")
LONGEST_NAME = 63 - len("_dagster")
ADDRESS = ("host", "port", "user", "password", "dbname")
# Those that libpq also reads from a variable: dbt has a field for a few of them only.
PASSED_ON = {
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "channel_binding": "PGCHANNELBINDING",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "options": "PGOPTIONS",
}
# Passwords that stand in examples and manuals, in lower case: no secrets.
GUESSED = {"", "admin", "changeme", "leeway", "password", "postgres", "root", "secret"}
# Of libpq in this process alone: dbt goes on with its own.
NETWORK = ("keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count")

_INSTEAD: list[Settings] = []  # of `instead`, the innermost last


def parsed_url(url: str) -> dict[str, str]:
    """The parts of a PostgreSQL address under libpq's names; `host` and `dbname` are there.

    libpq itself takes it apart, so that a password with odd characters, or one among the
    parameters, means here what it means when it connects.

    Raises:
        ValueError: when it is not the address of one database; the message repeats no part of it
            but the names of parameters.
    """
    import psycopg2
    from psycopg2.extensions import parse_dsn

    if not _SCHEME.match(url):
        raise ValueError("it must begin with postgresql://")
    address, mark, query = _SCHEME.sub("postgresql://", url, count=1).partition("?")
    try:
        # SQLAlchemy writes a blank of a parameter as `+`, which libpq takes for a plus.
        found: dict[str, str] = parse_dsn(address + mark + query.replace("+", "%20"))
    except psycopg2.ProgrammingError:
        raise ValueError(
            "it is not an address that libpq reads; write postgresql://user:password@host/database "
            "and %XX for each odd character of the password"
        ) from None  # the cause quotes the address
    if "," in found.get("host", "") + found.get("port", ""):
        raise ValueError("it names several hosts, and dbt can take only one; name one")
    if not found.get("dbname"):
        raise ValueError("it names no database; end it with the warehouse's, such as /leeway")
    if len(found["dbname"].encode()) > LONGEST_NAME:
        raise ValueError(
            f"its database has a name of {len(found['dbname'].encode())} bytes, and the others are "
            f"called after it; at most {LONGEST_NAME}, since PostgreSQL cuts off what is over 63"
        )
    if not found.get("port", "0").isdecimal():
        raise ValueError("its port is not a number")
    if unknown := sorted(found.keys() - {*ADDRESS, *PASSED_ON, *NETWORK}):
        raise ValueError(
            f"its parameter {', '.join(unknown)} cannot be handed to dbt; there are "
            f"{', '.join([*PASSED_ON, *NETWORK])}"
        )
    return {"host": "localhost"} | found


class _OwnKeys(DotEnvSettingsSource):
    """`.env` without the variables of other programs; what begins with LEEWAY_ must be known."""

    def __call__(self) -> dict[str, Any]:
        """The values by the rest of the variable's name, which may be that of no field."""
        known, prefix = self.settings_cls.model_fields, _PREFIX.lower()
        return {
            key.removeprefix(prefix): value
            for key, value in super().__call__().items()
            if key in known or key.startswith(prefix)
        }


class Settings(BaseSettings):
    """One installation of Leeway. Each field is the variable `LEEWAY_` and its name."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        env_file=PROJECT / ".env",
        env_ignore_empty=True,  # `LEEWAY_HOME=` is unset, not the folder that one is in
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,  # an address may hold a password
    )

    environment: Literal["local", "test", "production"] = "local"
    home: Path = Field(default=PROJECT / ".leeway", description="state of this installation")
    database_url: SecretStr | None = Field(
        default=None, description="PostgreSQL 14 or later; unset: the embedded one under home"
    )
    store_url: str | None = Field(default=None, description="folder of objects; unset: under home")
    mlflow_tracking_uri: str | None = Field(
        default=None,
        repr=False,  # it may hold a password
        description="MLflow server; unset: its tables in PostgreSQL",
    )
    max_file_mb: int = Field(
        default=1024, ge=1, description="largest file or answer of a source, packed or unpacked"
    )
    max_batch_mb: int = Field(
        default=100, ge=1, description="largest body of a batch prediction, packed or unpacked"
    )
    data_dir: Path | None = Field(
        default=None, description="folder with public files, looked in before a download"
    )
    retraining: Literal["on", "off"] = Field(
        default="on", description="off: nothing is trained by itself, whatever a use case says"
    )
    source_schemes: Listed[Literal["https", "http"]] = ("https",)
    source_hosts: Listed[str] | None = Field(
        default=None, description="hosts that sources may ask; unset: every public one"
    )
    source_networks: Listed[IPvAnyNetwork] = Field(
        default=(), description="networks beside the public ones that sources may ask"
    )
    serve_hosts: Listed[str] | None = Field(
        default=None, description="names of the service; unset: with keys any, else this machine's"
    )
    serve_origins: Listed[str] = Field(
        default=(), description="web pages of other origins whose scripts may ask the service"
    )
    serve_rate: int | None = Field(
        default=None,
        ge=1,
        description="requests a second of a key; unset: 1000, without keys any",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, the environment, `.env`: the first that has a value decides."""
        assert isinstance(dotenv_settings, DotEnvSettingsSource)  # noqa: S101  # pydantic's promise
        return init_settings, env_settings, _OwnKeys(settings_cls, dotenv_settings.env_file)

    @field_validator("home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("data_dir")
    @classmethod
    def _absolute_data(cls, value: Path | None) -> Path | None:
        return None if value is None else PROJECT / value.expanduser()

    @field_validator(
        "source_schemes",
        "source_hosts",
        "source_networks",
        "serve_hosts",
        "serve_origins",
        mode="before",
    )
    @classmethod
    def _separated(cls, value: object) -> object:
        return [each.strip() for each in value.split(",")] if isinstance(value, str) else value

    @field_validator("serve_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            if not _ORIGIN.fullmatch(each):
                raise ValueError(
                    "an origin is a scheme, a host and perhaps a port, such as "
                    "https://models.example.org; all of them at once (*) is not allowed"
                )
        return value

    @field_validator("database_url")
    @classmethod
    def _one_database(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parsed_url(value.get_secret_value())
        return value

    @field_validator("mlflow_tracking_uri")
    @classmethod
    def _a_server(cls, value: str | None) -> str | None:
        if value is not None and not _is_http(value):
            raise ValueError(
                "it must be http:// or https:// and a host, such as https://mlflow.example.org; "
                "unset it to use the tables in PostgreSQL"
            )
        return value

    @field_validator("store_url")
    @classmethod
    def _a_folder(cls, value: str | None) -> str | None:
        return None if value is None else str(_folder(value))

    @model_validator(mode="after")
    def _no_default_in_production(self) -> Self:
        if self.environment == "production" and self.database_url is None:
            raise ValueError(
                "LEEWAY_ENVIRONMENT is production, but LEEWAY_DATABASE_URL is not set. The "
                "embedded PostgreSQL has no password; give the URL of a server"
            )
        if self.environment == "production" and self.database_url is not None:
            password = parsed_url(self.database_url.get_secret_value()).get("password")
            if password is not None and password.lower() in GUESSED:
                raise ValueError(
                    "LEEWAY_ENVIRONMENT is production, but the password of LEEWAY_DATABASE_URL is "
                    "one that stands in examples; give the role one of its own"
                )
        return self

    @property
    def store_root(self) -> Path:
        """Folder of the object store."""
        return Path(self.store_url) if self.store_url else self.home / "store"

    @property
    def dagster_home(self) -> Path:
        """Folder of the Dagster instance: its dagster.yaml and the logs of steps."""
        return self.home / "dagster"

    @property
    def dbt_target(self) -> Path:
        """Folder that dbt compiles into."""
        return self.home / "dbt"


def _is_http(url: str) -> bool:
    """Whether it is the address of a server, as an HTTP client takes it."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:  # a port that is none, or half an IPv6 address
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _folder(url: str) -> Path:
    """The folder of a file:// address or a path; a relative one starts at the project."""
    parts = urlsplit(url)
    if "://" not in url:
        return PROJECT / Path(url).expanduser()
    if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
        raise ValueError(
            f"objects live in a folder, and {parts.scheme}:// is none; give a path, or file:///path"
        )
    return Path(unquote(parts.path))


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process.

    Raises:
        pydantic.ValidationError: names the variable and what is allowed, not its value.
    """
    return _INSTEAD[-1] if _INSTEAD else Settings()


@contextmanager
def instead(settings: Settings) -> Iterator[None]:
    """Within the block, `get_settings` gives these, whatever the environment and `.env` say.

    For what this process does with an installation that is not the user's. A child of it reads the
    environment as always.
    """
    _INSTEAD.append(settings)
    get_settings.cache_clear()
    try:
        yield
    finally:
        _INSTEAD.pop()
        get_settings.cache_clear()


def retraining_is_off() -> bool:
    """Whether the installation forbids retraining now: read anew, since it has to work at once.

    Raises:
        pydantic.ValidationError: as `get_settings`.
    """
    return Settings().retraining == "off"
