"""`leeway dev` refuses a port that is taken, and names one that it would take."""

from __future__ import annotations

import socket

import pytest
from click.testing import CliRunner

from cli.main import HIGHEST_PORT, cli


@pytest.mark.parametrize(("port", "other"), [(28_500, 28_600), (HIGHEST_PORT, HIGHEST_PORT - 100)])
@pytest.mark.parametrize("beside", [0, 1])
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
