"""Housing from its source to its predictions, on made-up rows, since its own cannot be had here.

Its search is short: what is looked at is that every choice is made, shown and kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import yaml

from cli.status import status_of
from leeway.data.frames import feature_frame, target_array
from leeway.data.tables import from_parquet
from leeway.data.training_set import TRAIN, part_of
from leeway.spec import ArchiveSource, StandIn, SyntheticRows, UseCase
from leeway.training.decisions import settle
from leeway.training.folds import one_thread
from leeway.training.model_file import load_model
from leeway.training.preprocessing import build_preprocessor
from orchestration.use_cases import load_use_cases
from resources.platform import Platform
from tests.conftest import used_installation
from tests.graph.answered import assert_service_agrees
from tests.graph.conftest import opened

NAME = "housing"
ROWS = 800


def short(use_case: UseCase) -> UseCase:
    """Two candidates and trials of three folds, few rows, and an address that nobody answers at."""
    search = use_case.search.model_copy(
        update={"candidates": ("ridge", "xgboost"), "trials": 2, "folds": 3}
    )
    source = use_case.source
    assert isinstance(source, ArchiveSource)
    nowhere = source.model_copy(update={"url": "https://nosuch.invalid/housing.csv"})
    rows = StandIn(synthetic=SyntheticRows(rows=ROWS))
    return use_case.model_copy(update={"search": search, "source": nowhere, "stand_in": rows})


@pytest.fixture(scope="module")
def shown(
    server_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, Mapping[str, Any]]]:
    """Metadata by node of one run of the whole graph."""
    use_case, home = short(load_use_cases()[NAME]), tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("LEEWAY_DATA_DIR", raising=False)  # a mirror would have the table itself
        yield from _shown(server_home, home, use_case, patch)


def _shown(
    server_home: Path, home: Path, use_case: UseCase, patch: pytest.MonkeyPatch
) -> Iterator[Mapping[str, Mapping[str, Any]]]:
    with used_installation(server_home, home), opened(NAME, use_case, home) as graph:
        patch.setattr("cli.status.find_use_case", lambda name: use_case)
        result = graph.materialize(["synthetic-1"])
        assert result.success, [e for e in result.all_events if e.is_step_failure]
        yield {
            event.asset_key.path[-1]: event.materialization.metadata
            for event in result.get_asset_materialization_events()
            if event.asset_key is not None
        }


def test_rows_that_were_made_up_are_said_to_be(shown: Mapping[str, Mapping[str, Any]]) -> None:
    assert shown["raw"]["origin"].value == "synthetic"
    assert "in place of archive housing.csv" in shown["raw"]["source"].value
    data = status_of(NAME)["use_cases"][NAME]["data"]
    assert (data["origin"], data["rows"], data["last_batch"]) == ("synthetic", ROWS, "synthetic-1")
    assert data["source"].startswith("synthetic rows of the same schema")


@pytest.mark.usefixtures("shown")
def test_the_service_predicts_as_the_graph_does() -> None:
    assert_service_agrees(Platform(), NAME, "synthetic-1")


def test_the_choices_are_on_the_node_with_their_numbers_and_pictures(
    shown: Mapping[str, Mapping[str, Any]],
) -> None:
    selection = shown["model_selection"]
    filled = [record.data for record in selection["imputation"].records]
    assert {each["strategy"] for each in filled} == {"median", "mean", "knn", "iterative"}
    bedrooms = [each for each in filled if each["column"] == "total_bedrooms"]
    assert [each["chosen"] for each in bedrooms].count("yes") == 1
    clusters = [record.data for record in selection["clusters"].records]
    assert [each["clusters"] for each in clusters] == list(range(5, 16))
    assert [each["chosen"] for each in clusters].count("yes") == 1
    pictures = {name for name in selection if "/" in name and "dagster/" not in name}
    assert {"optimization/elbow_plot/place", "optimization/silhouette_plot/place"} <= pictures
    assert "imputation/comparison/total_bedrooms" in pictures
    assert all("data:image/png" in str(selection[name].value) for name in pictures)


def test_the_model_has_the_choices_and_the_release_has_them_to_read(
    shown: Mapping[str, Mapping[str, Any]],
) -> None:
    platform = Platform()
    champion = platform.releases.champion(NAME)
    assert champion is not None, "the made-up target can be learned well enough for the gates"
    release = platform.ledger.require(NAME, "release")
    files = yaml.safe_load(platform.store.get(release.uri, release.digest))["files"]
    kept = files["best_params"]
    best = yaml.safe_load(platform.store.get(kept["uri"], kept["digest"]))
    chosen = {r.data["clusters"] for r in shown["model_selection"]["clusters"].records
              if r.data["chosen"]}  # fmt: skip
    assert {best["chosen"]["clusters"]["place"]} == chosen
    assert best["chosen"]["imputation"]["total_bedrooms"] in ("median", "mean", "knn", "iterative")
    assert best["algorithm"] == champion.algorithm
    assert 20 <= shown["explainers"]["shap_rows"].value <= ROWS


def test_whatever_was_fitted_saw_the_training_part_alone(
    shown: Mapping[str, Mapping[str, Any]],
) -> None:
    """Imputers, scalers and clusters: whatever is fitted before the model."""
    platform = Platform()
    release = platform.ledger.require(NAME, "release")
    files = json.loads(platform.store.get(release.uri, release.digest))["files"]
    content = {
        name: platform.store.get(file["uri"], file["digest"]) for name, file in files.items()
    }
    selection = json.loads(content["model_selection"])
    table = from_parquet(content["training_set"])
    use_case = settle(short(load_use_cases()[NAME]), selection["choices"])
    everything = feature_frame(table, use_case)

    def learned(rows: pa.Table) -> Any:
        target = target_array(rows, use_case)
        with one_thread():
            fitted = build_preprocessor(use_case).fit(feature_frame(rows, use_case), target)
        return fitted.transform(everything)

    train = part_of(table, TRAIN)
    released = load_model(content["model"]).named_steps["preprocess"].transform(everything)
    np.testing.assert_allclose(released, learned(train), rtol=1e-9, atol=1e-9)
    assert not np.allclose(released, learned(table), rtol=1e-3, atol=1e-3), "the control"
