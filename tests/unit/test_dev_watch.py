"""What `leeway dev` does with a service that ends again and again."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from cli.dev import _watch
from resources.processes import Keeper, Service, end_together


def ending(name: str, program: str, folder: Path, keeper: Keeper) -> Service:
    """A service whose program ends by itself."""
    command, log = [sys.executable, "-c", program], folder / f"{name}.log"
    return Service(name, command, log, keeper, environment=os.environ, folder=folder)


def test_a_page_that_ends_for_good_is_given_up_and_the_dagster_ui_ends_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Guards: a page of MLflow that could not start took the daemon and its sensors with it."""
    keeper = Keeper()
    page = ending("MLflow UI", "raise SystemExit(3)", tmp_path, keeper)
    ui = ending("Dagster UI", "import time; time.sleep(1.5)", tmp_path, keeper)
    services = [page, ui]
    try:
        with pytest.raises(SystemExit, match="error: the Dagster UI ended with code 0 again; see"):
            _watch(services)
    finally:
        end_together([page, ui], 5)
        os.close(keeper.pipe)  # with which it ends
        keeper.process.wait()
    assert services == []
    told = capsys.readouterr().err
    assert told.count("the MLflow UI ended with code 3; it is started again") == 3
    assert told.count("the MLflow UI ended with code 3 again; see") == 1
    assert "The others go on without it." in told
