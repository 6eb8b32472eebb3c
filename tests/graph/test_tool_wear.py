"""Tools in production from their readings to predictions of their wear, on made-up rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from leeway.data.tables import from_parquet
from leeway.spec import StandIn, UseCase
from orchestration.use_cases import load_use_cases
from resources.platform import Platform
from tests.conftest import used_installation
from tests.faults.harness import LONG
from tests.graph.conftest import opened

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(not LONG, reason="a minute: make proof"),
    pytest.mark.timeout(300),
]
NAME, BATCH, ROWS = "tool_wear", "synthetic-1", 800


def short(use_case: UseCase) -> UseCase:
    """Two candidates and trials of three folds, few rows, and no topic."""
    search = use_case.search.model_copy(
        update={"candidates": ("ridge", "xgboost"), "trials": 2, "folds": 3}
    )
    assert use_case.stand_in is not None
    assert use_case.stand_in.synthetic is not None
    rows = use_case.stand_in.synthetic.model_copy(update={"rows": ROWS})
    update = {"search": search, "stand_in": StandIn(synthetic=rows)}
    return use_case.model_copy(update=update)


@pytest.fixture(scope="module")
def platform(server_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """After one run of the whole graph."""
    home = tmp_path_factory.mktemp("home")
    with (
        used_installation(server_home, home),
        pytest.MonkeyPatch.context() as patch,
        opened(NAME, short(load_use_cases()[NAME]), home) as graph,
    ):
        patch.delenv("SENSORS_SERVERS", raising=False)
        result = graph.materialize([BATCH])
        assert result.success, [e for e in result.all_events if e.is_step_failure]
        yield graph.platform


def rows_of(platform: Platform, node: str, batch: str = "") -> pd.DataFrame:
    commit = platform.ledger.require(NAME, node, batch)
    frame: pd.DataFrame = from_parquet(platform.store.get(commit.uri, commit.digest)).to_pandas()
    return frame


def test_what_a_tool_had_left_is_known_once_the_next_one_has_begun(platform: Platform) -> None:
    clean = rows_of(platform, "clean", BATCH).sort_values("reading")
    tool = (clean["tool_wear_min"].diff() < 0).cumsum()
    lives = clean.groupby(tool)["tool_wear_min"].transform("max")
    left = (lives - clean["tool_wear_min"]).where(tool < tool.max())
    assert len(clean) == ROWS
    assert tool.max() > 5
    pd.testing.assert_series_equal(clean["remaining_min"], left, check_names=False)


def test_a_model_of_the_minutes_left_is_judged_on_later_readings_and_predicts_the_last_tool(
    platform: Platform,
) -> None:
    parts = rows_of(platform, "training_set").groupby("part")["reading"]
    assert parts.max()["train"] < parts.min()["test"]
    release = platform.ledger.require(NAME, "release")
    manifest = json.loads(platform.store.get(release.uri, release.digest))
    assert manifest["metrics"]["mae"]["unit"] == "min"
    assert manifest["metrics"]["mae"]["rows"] == (parts.size()["test"])
    champion = platform.releases.champion(NAME)
    assert champion is not None, release.facts["reason"]
    clean, predicted = rows_of(platform, "clean", BATCH), rows_of(platform, "predictions", BATCH)
    last = clean.loc[clean["remaining_min"].isna(), "reading_id"]
    assert len(last) > 0
    assert predicted.set_index("reading_id").loc[last, "prediction"].notna().all()
