"""What the UI shows of a materialization is what the ledger holds of that very batch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape

import dagster as dg
import pytest

from leeway.data.tables import from_parquet
from leeway.data.validation import validate
from leeway.graph import nodes_of
from resources.origin import git_commit, user_name
from resources.postgres import transaction
from tests.graph.conftest import FIRST, NAME, SECOND, Graph

BATCHES = [FIRST, SECOND]
NODES = nodes_of("classification")
KEYS = [(node.name, batch) for node in NODES for batch in (BATCHES if node.per_batch else [""])]
# Where a node's objects are in the store; a view has none beside those of raw.
ZONES = dict.fromkeys((node.name for node in NODES), "models")
ZONES |= {"raw": "raw", "staged": "raw", "clean": "clean", "training_set": "clean"}
ZONES |= {"predictions": "predictions"}
ZONES |= dict.fromkeys(
    ("profile", "reference_profile", "drift", "damage", "performance", "report"), "reports"
)
TABLES = ("raw", "staged", "clean", "training_set", "predictions")
PLOTS = {
    "model_selection": "comparison",
    "explainers": "pca_map",
    "release": "confusion_matrix",
    "drift": "effects",
    "damage": "shares",
}
Shown = Mapping[tuple[str, str], Mapping[str, dg.MetadataValue]]


@pytest.fixture(scope="module")
def shown(complete: Graph) -> Shown:
    """Metadata by node and batch of one run of two batches, of which the first has a reject."""
    found = {}
    for node, batch in KEYS:
        records = complete.instance.fetch_materializations(
            dg.AssetRecordsFilter(
                asset_key=dg.AssetKey([NAME, node]), asset_partitions=[batch] if batch else None
            ),
            limit=1,
        )
        materialized = records.records[0].asset_materialization
        assert materialized is not None
        found[node, batch] = materialized.metadata
    return found


@pytest.mark.parametrize(("node", "batch"), KEYS)
def test_rows_and_address_are_those_of_the_commit(
    complete: Graph, shown: Shown, node: str, batch: str
) -> None:
    """Regression: each batch of the dbt models had the address of the last and the rows of all."""
    commit = complete.platform.ledger.require(NAME, node, batch)
    metadata = shown[node, batch]
    assert metadata["dagster/row_count"].value == commit.rows
    assert metadata["dagster/uri"].value == commit.uri
    assert metadata["digest"].value == commit.digest
    name = commit.digest.removeprefix("sha256:")
    assert f"/{ZONES[node]}/{NAME}/{name}." in commit.uri
    assert complete.platform.store.get(commit.uri, commit.digest), "which verifies the digest"


@pytest.mark.parametrize(("node", "batch"), [(n, b) for n in ("raw", "clean") for b in BATCHES])
def test_the_object_of_a_batch_holds_the_rows_of_its_table(
    complete: Graph, node: str, batch: str
) -> None:
    commit = complete.platform.ledger.require(NAME, node, batch)
    held = from_parquet(complete.platform.store.get(commit.uri, commit.digest))
    if node == "raw":  # as they came; those that were rejected are in no table
        held = validate(held, complete.stage.use_case, batch=batch).accepted
    names = ", ".join(held.column_names)
    with transaction(complete.platform.settings) as cursor:
        cursor.execute(
            f"select {names} from {NAME}.{node} where batch_id = %s order by 1",  # noqa: S608  # ours
            (batch,),
        )
        rows = cursor.fetchall()
    key = held.column_names[0]
    assert rows == [tuple(row.values()) for row in held.sort_by(key).to_pylist()]
    assert len(rows) == commit.rows
    assert len(rows) > 100


@pytest.mark.parametrize(("node", "batch"), [key for key in KEYS if key[0] in TABLES])
def test_a_table_shows_its_columns_and_those_that_they_come_from(
    complete: Graph, shown: Shown, node: str, batch: str
) -> None:
    # dagster-dbt describes the columns of a model in its definition.
    specs = {spec.key.path[-1]: spec for spec in complete.definitions.resolve_all_asset_specs()}
    metadata = {**specs[node].metadata, **shown[node, batch]}
    schema = getattr(metadata["dagster/column_schema"], "value", None)
    schema = schema or metadata["dagster/column_schema"]
    assert isinstance(schema, dg.TableSchema)
    columns = {column.name: column.type for column in schema.columns}
    assert "penguin_id" in columns
    assert "?" not in columns.values()
    if node == "raw":
        return
    lineage = metadata["dagster/column_lineage"].value
    assert isinstance(lineage, dg.TableColumnLineage)
    upstream = {"staged": "raw", "clean": "staged"}.get(node, "clean")
    for name, sources in lineage.deps_by_column.items():
        assert name in columns
        assert {source.asset_key for source in sources} == {dg.AssetKey([NAME, upstream])}
    assert [s.column_name for s in lineage.deps_by_column["penguin_id"]] == ["penguin_id"]


@pytest.mark.parametrize("batch", BATCHES)
def test_the_report_of_a_batch_is_a_page_that_its_node_leads_to(
    complete: Graph, shown: Shown, batch: str
) -> None:
    metadata = shown["report", batch]
    commit = complete.platform.ledger.require(NAME, "report", batch)
    assert metadata["report"].value == commit.uri
    assert "/reports/" in commit.uri
    page = complete.platform.store.get(commit.uri, commit.digest).decode()
    assert f"batch {batch}" in page
    assert "bill_length_mm" in page
    rejected = complete.platform.ledger.require(NAME, "raw", batch).facts["rejected"]
    assert f"{rejected} were rejected" in page
    # It says what the metadata of the nodes says, in the same words.
    said = {"drift": ["reason"], "predictions": ["reason"]}
    said["damage"] = ["reason", "metric", "change", "rows", "auc_of_a_classifier"]
    for node, names in said.items():
        for name in names:
            assert escape(str(shown[node, batch][name].value)) in page, (node, name)
    assert "pdf" in metadata or "WeasyPrint" in str(metadata["pdf_warning"].value)


def test_a_release_says_how_long_its_training_took_by_whom_and_from_which_commit(
    complete: Graph, shown: Shown
) -> None:
    champion = complete.platform.releases.champion(NAME)
    assert champion is not None
    known = champion.facts["training"]
    assert set(known) == {"training_seconds", "git_commit", "user"}
    assert 0 < known["training_seconds"] < 600
    assert (known["git_commit"], known["user"]) == (git_commit(), user_name())
    metadata = shown["release", ""]
    assert metadata["training_seconds"].value == known["training_seconds"]
    assert metadata["git_commit"].value == (known["git_commit"] or "unknown")


def test_a_release_names_the_features_that_matter_most(complete: Graph, shown: Shown) -> None:
    commits = [complete.platform.ledger.require(NAME, node) for node in ("explainers", "release")]
    explainers, release = (
        json.loads(complete.platform.store.get(commit.uri, commit.digest)) for commit in commits
    )
    strengths = [each["mean_abs_shap"] for each in release["importance"]]
    assert len(strengths) == 6
    assert strengths == sorted(strengths, reverse=True)
    assert release["importance"] == explainers["shap"]["importance"]
    assert shown["explainers", ""]["importance"].value == release["importance"]


def test_a_release_shows_its_errors_by_segment(complete: Graph, shown: Shown) -> None:
    commit = complete.platform.ledger.require(NAME, "release")
    kept = json.loads(complete.platform.store.get(commit.uri, commit.digest))["segments"]
    assert list(kept) == ["island=Biscoe", "island=Dream", "island=Torgersen"]
    records = getattr(shown["release", ""]["segments"], "records")  # noqa: B009  # of any metadata
    found = {r.data["segment"]: r.data["rows"] for r in records if r.data["metric"] == "accuracy"}
    assert found == {name: metrics["accuracy"]["rows"] for name, metrics in kept.items()}
    tracking = complete.platform.tracking(NAME, commit.run_id)
    assert "segments.json" in {a.path for a in tracking.client.list_artifacts(tracking.run_id)}
    ((version,),) = (tracking.client.search_model_versions(f"name = '{NAME}'"),)
    assert "| island=Dream |" in str(version.description)


def test_sql_finds_what_was_scored_and_how_good_it_was(complete: Graph, shown: Shown) -> None:
    with transaction(complete.platform.settings) as cursor:
        cursor.execute("select batch, rows, version from monitoring.scoring_runs order by batch")
        scored = cursor.fetchall()
        cursor.execute(
            "select value from monitoring.segment_metrics "
            "where batch = '2009' and segment = 'all rows' and metric = 'accuracy'"
        )
        ((accuracy,),) = cursor.fetchall()
    rows = {b: complete.platform.ledger.require(NAME, "predictions", b).rows for b in BATCHES}
    assert scored == [(batch, rows[batch], 1) for batch in BATCHES]
    commit = complete.platform.ledger.require(NAME, "performance", "2009")
    stored = json.loads(complete.platform.store.get(commit.uri, commit.digest))
    assert stored["segments"]["all rows"]["accuracy"]["value"] == accuracy
    assert stored["fitted"] > 0, "the batch was trained on; its held-out rows judge"


@pytest.mark.parametrize(("node", "name"), PLOTS.items())
def test_a_decision_has_a_picture(shown: Shown, node: str, name: str) -> None:
    for (each, _), metadata in shown.items():
        if each == node:
            assert str(metadata[name].value).startswith("![plot](data:image/png;base64,")
