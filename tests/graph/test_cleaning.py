"""What the dbt step of several batches tells Dagster, refuses, and leaves behind."""

from __future__ import annotations

import os

import dagster as dg
import pytest

from resources.postgres import transaction
from tests.graph.conftest import NAME, Graph, check_results, penguins

NODES = ["raw", "staged", "clean"]
YEARS = {"a": [2007], "b": [2008]}


@pytest.fixture(scope="module")
def two(graph: Graph) -> dg.ExecuteInProcessResult:
    """The run that materialized two batches."""
    for number, (batch, years) in enumerate(YEARS.items()):
        graph.write(batch, penguins(first_key=1 + 1000 * number, year=years))
    before = dict(os.environ)
    result = graph.materialize([*YEARS], NODES)
    assert result.success
    assert dict(os.environ) == before, "a password or a token stays behind in this process"
    return result


@pytest.mark.parametrize("node", ["staged", "clean"])
@pytest.mark.parametrize("batch", [*YEARS])
def test_each_partition_shows_what_was_committed_of_its_own_batch(
    graph: Graph, two: dg.ExecuteInProcessResult, node: str, batch: str
) -> None:
    """Guards: each showed the digest and address of the last batch, and the rows of all."""
    (found,) = [
        event.materialization
        for event in two.get_asset_materialization_events()
        if event.asset_key == dg.AssetKey([NAME, node]) and event.partition == batch
    ]
    commit = graph.platform.ledger.require(NAME, node, batch)
    shown = {name: value.value for name, value in found.metadata.items()}
    assert shown["dagster/row_count"] == commit.rows
    assert shown["dagster/uri"] == commit.uri
    assert shown["digest"] == commit.digest
    assert shown["dagster/table_name"] == f"{NAME}.{node}"
    assert shown.get("excluded_rows") == {"staged": None, "clean": 0}[node]


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize("node", ["staged", "clean"])
def test_one_model_can_be_made_without_the_other(graph: Graph, node: str) -> None:
    """Guards: lineage was read from the SQL of both, and a run could not be continued."""
    assert graph.materialize(["a"], [node]).success


def clean(graph: Graph, batch: str, spoil: str = "") -> dict[str, str | None]:
    """Materializes a batch, some of whose rows in raw are spoiled; what each failing check says."""
    first_key = 1000 + 1000 * len(graph.platform.ledger.batches(NAME))
    graph.write(batch, penguins(first_key=first_key, year=[2009]))
    assert graph.materialize([batch], ["raw"]).success
    if spoil:
        with transaction(graph.platform.settings) as cursor:
            cursor.execute(f"update {NAME}.raw set {spoil} where batch_id = %s", (batch,))  # noqa: S608
    result = graph.materialize([batch], ["staged", "clean"])
    checks = check_results(result)
    failed = {name: each.description for name, each in checks.items() if not each.passed}
    shown = graph.platform.ledger.current(NAME, "clean", batch) is not None
    assert checks
    assert (not failed) == result.success == shown
    return failed


@pytest.mark.usefixtures("two")
def test_a_batch_that_fails_a_test_does_not_block_the_batches_after_it(graph: Graph) -> None:
    """Guards: its rows stay in the table, which the tests of each later batch looked at."""
    rows = len(penguins(year=[2009])) - 1  # of which nothing was measured is rejected
    assert clean(graph, "bad", "bill_length_mm = 999, sex = 'O''Brien', island = 'No'") == {
        "penguins_clean_within_ranges": f"{rows} failing: column_name bill_length_mm, "
        f"failing_values {rows}, example 999, allowed at least 10, at most 100",
        "penguins_clean_among_values": f"{2 * rows} failing: column_name island, failing_values "
        f"{rows}, example No, allowed Biscoe, Dream, Torgersen; column_name sex, failing_values "
        f"{rows}, example o'brien, allowed female, male",
    }
    assert clean(graph, "good") == {}
    ((refused, said),) = clean(graph, "duplicates", "penguin_id = 1").items()
    assert refused.startswith("unique"), "keys are compared with those of every batch"
    assert said == f"1 failing: unique_field 1, n_records {rows + 1}"


@pytest.mark.usefixtures("two")
def test_a_partition_that_is_no_batch_id_is_refused_before_dbt(graph: Graph) -> None:
    hostile = "x', 1); drop schema penguins cascade; --"
    result = graph.materialize([hostile], ["staged", "clean"])
    graph.instance.delete_dynamic_partition(f"{NAME}_batches", hostile)
    assert not result.success
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "is not a batch id" in str(failure.step_failure_data.error)
