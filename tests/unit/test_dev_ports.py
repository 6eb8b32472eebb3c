"""`leeway dev` refuses a port that is taken, and names one that it would take."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.dev import _pages
from cli.main import HIGHEST_PORT, cli
from resources.settings import get_settings
from resources.tracking import server_address
from tests.reference import asking_this_machine


@pytest.mark.parametrize(("port", "other"), [(28_500, 28_600), (HIGHEST_PORT, HIGHEST_PORT - 100)])
@pytest.mark.parametrize("beside", [0, 1, 2])
def test_a_port_in_use_is_refused_with_one_that_is_valid(
    port: int, other: int, beside: int
) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port + beside))
        taken.listen()
        done = CliRunner().invoke(cli, ["dev", "--port", str(port)])
    assert done.exit_code == 1
    assert f"port {port + beside} of 127.0.0.1 is in use" in done.stderr
    assert f"`leeway dev --port {other}`" in done.stderr


def test_a_server_of_mlflow_is_named_without_its_password_and_none_is_started(
    tmp_path: Path,
) -> None:
    with asking_this_machine(tmp_path / "home"):
        assert _pages(3000) == {
            "Dagster UI": 3000,
            "dbt docs": 3001,
            "MLflow UI": 3002,
            "service": 3003,
            "dashboard": 3004,
        }
        assert server_address(get_settings()) is None
    other = "https://ann:secret@mlflow.example:8443/of?token=secret"
    with asking_this_machine(tmp_path / "home", MLFLOW_TRACKING_URI=other):
        assert _pages(3000) == {
            "Dagster UI": 3000,
            "dbt docs": 3001,
            "service": 3003,
            "dashboard": 3004,
        }
        assert server_address(get_settings()) == "https://mlflow.example:8443/of"
