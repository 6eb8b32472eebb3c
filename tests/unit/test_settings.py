"""A setting that cannot be right is refused with its variable and a remedy, never with a secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from cli.output import settings_refused
from resources.settings import PROJECT, Settings

CANARY = "hunter2canary"


@pytest.fixture(autouse=True)
def _nothing_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Settings.model_fields:
        monkeypatch.delenv(f"LEEWAY_{field.upper()}", raising=False)


def of_file(folder: Path, text: str) -> Settings:
    path = folder / ".env"
    path.write_text(text)
    return Settings(_env_file=path)


def refused(**fields: Any) -> str:
    with pytest.raises(ValidationError) as found:
        Settings(_env_file=None, **fields)
    return str(found.value)


ADDRESSES = {
    f"mysql://ana:{CANARY}@h/db": "must begin with postgresql://",
    f"ana:{CANARY}@h/db": "must begin with postgresql://",
    f"postgresql://ana:{CANARY}%zz@h/db": "not an address that libpq reads",
    f"postgresql://ana:{CANARY}@h:port/db": "its port is not a number",
    f"postgresql://ana:{CANARY}@h1,h2/db": "several hosts",
    f"postgresql://ana:{CANARY}@h": "names no database",
    f"postgresql://ana:{CANARY}@h/": "names no database",
    f"postgresql://ana:{CANARY}@h/{'d' * 56}": "at most 55",
    f"postgresql://ana:{CANARY}@h/db?nonsense=1": "not an address that libpq reads",
    f"postgresql://ana:{CANARY}@h/db?target_session_attrs=any": "parameter target_session_attrs",
}


@pytest.mark.parametrize(("url", "reason"), ADDRESSES.items(), ids=ADDRESSES.values())
def test_an_address_that_cannot_be_used_is_refused_with_the_reason_and_without_its_password(
    url: str, reason: str
) -> None:
    """Regression: one without a database made one called None; another was a traceback."""
    message = refused(database_url=url)
    assert reason in message
    assert "database_url" in message
    assert CANARY not in message


GOOD = [
    "postgresql://ana@db.example.org/" + "d" * 55,
    "postgresql://ana:p%40ss@db.example.org:5433/leeway?sslmode=verify-full&sslrootcert=/ca.pem",
    "postgres://db.example.org/leeway?channel_binding=require",
    "postgresql:///leeway?host=/run/postgresql&user=ana",
    "postgresql://[::1]:5432/leeway",
]


@pytest.mark.parametrize("url", GOOD)
def test_an_address_that_libpq_and_dbt_can_use_is_accepted(url: str) -> None:
    assert Settings(_env_file=None, database_url=url).database_url is not None


@pytest.mark.parametrize(
    "uri",
    [f"postgresql://ana:{CANARY}@h/db", f"ana:{CANARY}@mlflow.example.org", f"https:///{CANARY}",
     f"http://ana:{CANARY}@", f"http://ana:{CANARY}@h:port/", f"http://[::1/{CANARY}",
     f"./{CANARY}", "databricks", f"sqlite:///{CANARY}.db"],
)  # fmt: skip
def test_an_mlflow_that_is_no_server_is_refused_by_the_name_of_its_variable(uri: str) -> None:
    """Regression: MLflow took it for a folder or a database, and failed in the middle of a run."""
    with pytest.raises(ValidationError) as found:
        Settings(_env_file=None, mlflow_tracking_uri=uri)
    said = settings_refused(found.value)
    assert said.startswith("LEEWAY_MLFLOW_TRACKING_URI: it must be http:// or https:// and a host")
    assert uri not in said
    assert CANARY not in f"{said} {found.value}"


@pytest.mark.parametrize(
    "uri", ["http://localhost:5000", f"https://ana:{CANARY}@mlflow.example.org/x", "http://[::1]/"]
)
def test_an_mlflow_that_is_a_server_is_accepted(uri: str) -> None:
    assert Settings(_env_file=None, mlflow_tracking_uri=uri).mlflow_tracking_uri == uri


def test_no_message_and_no_text_of_the_settings_holds_a_secret(tmp_path: Path) -> None:
    """Regression: a misspelt variable in `.env` printed the whole address."""
    url = f"postgresql://ana:{CANARY}@h/db"
    tracking = f"https://ana:{CANARY}@mlflow.example.org"
    lines = f"LEEWAY_DATABSE_URL={url}\nLEEWAY_MLFLOW_TRACKING_URI={tracking}\n"
    with pytest.raises(ValidationError, match="databse_url") as found:
        of_file(tmp_path, lines)
    said = settings_refused(found.value)
    assert said == "LEEWAY_DATABSE_URL: Extra inputs are not permitted"
    settings = of_file(tmp_path, lines.replace("DATABSE", "DATABASE"))
    assert settings.mlflow_tracking_uri == tracking
    assert CANARY not in f"{found.value} {found.value!r} {settings} {settings!r}"
    assert CANARY not in refused(environment="production", mlflow_tracking_uri=tracking)


def test_variables_of_other_programs_are_none_of_ours_and_one_of_ours_must_be_known(
    tmp_path: Path,
) -> None:
    """Regression: OPENBLAS_NUM_THREADS in `.env` stopped every command."""
    found = of_file(tmp_path, "OPENBLAS_NUM_THREADS=1\nHOME=/nowhere\nLEEWAY_ENVIRONMENT=test\n")
    assert found.environment == "test"
    assert found.home == PROJECT / ".leeway", "HOME is not LEEWAY_HOME"
    for misspelt in ("LEEWAY_DATA_DRI=/mirror", "leeway_hme=/x"):
        with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
            of_file(tmp_path, misspelt)


def test_a_variable_without_a_value_is_unset(tmp_path: Path) -> None:
    """Regression: `LEEWAY_HOME=` was the folder from which the command was called."""
    lines = [f"LEEWAY_{field.upper()}=" for field in Settings.model_fields]
    assert of_file(tmp_path, "\n".join(lines)) == Settings(_env_file=None)


def test_every_setting_of_the_example_is_one(tmp_path: Path) -> None:
    text = (PROJECT / ".env.example").read_text()
    lines = [line.removeprefix("# ") for line in text.splitlines() if line.startswith("# LEEWAY_")]
    assert {line.partition("=")[0] for line in lines} == {
        f"LEEWAY_{field.upper()}" for field in Settings.model_fields
    }
    assert of_file(tmp_path, "\n".join(lines)).database_url is not None


STORES = {
    "/srv/objects": Path("/srv/objects"),
    "objects": PROJECT / "objects",
    "~/objects": Path.home() / "objects",
    "file:///srv/my%20objects": Path("/srv/my objects"),
}


@pytest.mark.parametrize(("url", "folder"), STORES.items())
def test_the_store_is_one_folder_wherever_a_command_is_called(
    url: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: a relative one was another folder for each folder of the caller."""
    settings = Settings(_env_file=None, store_url=url)
    monkeypatch.chdir(tmp_path)
    assert settings.store_root == folder


@pytest.mark.parametrize("url", ["s3://bucket/objects", "gs://bucket", "file://server/share"])
def test_a_store_that_is_no_folder_is_refused(url: str) -> None:
    """Regression: a folder called `s3:` was made."""
    assert "objects live in a folder" in refused(store_url=url)


def test_lists_are_separated_by_commas_and_what_is_no_network_or_scheme_is_refused(
    tmp_path: Path,
) -> None:
    found = of_file(
        tmp_path,
        "LEEWAY_SOURCE_HOSTS=a.example.org, b.example.org\nLEEWAY_SOURCE_NETWORKS=10.0.0.0/8,::1\n",
    )
    assert found.source_hosts == ("a.example.org", "b.example.org")
    assert [str(each) for each in found.source_networks] == ["10.0.0.0/8", "::1/128"]
    assert found.source_schemes == ("https",), "the safe one, unless asked otherwise"
    assert "source_networks" in refused(source_networks="everything")
    for scheme in ("file", "https,ftp"):
        assert "Input should be 'https' or 'http'" in refused(source_schemes=scheme)


@pytest.mark.parametrize("password", ["SECRET", "postgres", "Admin", "changeme", "%70assword"])
def test_production_takes_no_password_of_an_example(password: str) -> None:
    url = f"postgresql://ana:{password}@h/db"
    said = refused(environment="production", database_url=url)
    assert "the password of LEEWAY_DATABASE_URL is one that stands in examples" in said
    assert url not in said
    assert Settings(_env_file=None, environment="local", database_url=url).database_url is not None
    for own in (f"postgresql://ana:{CANARY}@h/db", "postgresql://ana@h/db?sslcert=/c&sslkey=/k"):
        found = Settings(_env_file=None, environment="production", database_url=own)
        assert found.environment == "production"


def test_production_has_no_secret_unless_it_is_given_one() -> None:
    assert "LEEWAY_DATABASE_URL is not set" in refused(environment="production")
    secrets = [name for name, field in Settings.model_fields.items()
               if "Secret" in str(field.annotation)]  # fmt: skip
    assert secrets
    assert {Settings.model_fields[name].default for name in secrets} == {None}
