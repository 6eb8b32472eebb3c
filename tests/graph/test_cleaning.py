"""What the dbt step of several batches tells Dagster, refuses, and leaves behind."""

from __future__ import annotations

import os

import dagster as dg
import pytest

from resources.postgres import transaction
from tests.batches import penguins
from tests.faults.harness import LONG
from tests.graph.conftest import FIRST, NAME, SECOND, Graph, check_results


@pytest.mark.parametrize("node", ["staged", "clean"])
@pytest.mark.parametrize("batch", [FIRST, SECOND])
def test_each_partition_shows_what_was_committed_of_its_own_batch(
    complete: Graph, node: str, batch: str
) -> None:
    """Guards: each showed the digest and address of the last batch, and the rows of all."""
    of_batch = dg.AssetRecordsFilter(complete.stage.key(node), asset_partitions=[batch])
    (found,) = complete.instance.fetch_materializations(of_batch, limit=2).records
    assert found.asset_materialization is not None
    commit = complete.platform.ledger.require(NAME, node, batch)
    shown = {name: value.value for name, value in found.asset_materialization.metadata.items()}
    assert shown["dagster/row_count"] == commit.rows
    assert shown["dagster/uri"] == commit.uri
    assert shown["digest"] == commit.digest
    assert shown["dagster/table_name"] == f"{NAME}.{node}"
    assert shown.get("excluded_rows") == {"staged": None, "clean": 0}[node]


def clean(
    graph: Graph, batch: str, spoil: str = "", *, apart: bool = False
) -> dict[str, str | None]:
    """Materializes a batch, some of whose rows in raw are spoiled; what each failing check says.

    With `apart`, one model after the other, of which each needs the lineage of its own SQL alone.
    """
    first_key = 2000 + 1000 * len(graph.platform.ledger.batches(NAME))
    graph.write(batch, penguins(first_key=first_key, year=[2009]))
    assert graph.materialize([batch], ["raw"]).success
    if spoil:
        with transaction(graph.platform.settings) as cursor:
            cursor.execute(f"update {NAME}.raw set {spoil} where batch_id = %s", (batch,))  # noqa: S608
    if apart:
        assert graph.materialize([batch], ["staged"]).success
    before = dict(os.environ)
    result = graph.materialize([batch], ["clean"] if apart else ["staged", "clean"])
    assert dict(os.environ) == before, "a password or a token stays behind in this process"
    checks = check_results(result)
    failed = {name: each.description for name, each in checks.items() if not each.passed}
    shown = graph.platform.ledger.current(NAME, "clean", batch) is not None
    assert checks
    assert (not failed) == result.success == shown
    return failed


def test_a_batch_that_fails_a_test_does_not_block_the_batches_after_it(complete: Graph) -> None:
    """Guards: its rows stay in the table, which the tests of each later batch looked at.

    Guards, too: lineage was read from the SQL of both models, so that neither could be made alone.
    """
    rows = len(penguins(year=[2009])) - 1  # one of them was never measured
    assert clean(complete, "bad", "bill_length_mm = 999, sex = 'O''Brien', island = 'No'") == {
        "penguins_clean_within_ranges": f"{rows} failing: column_name bill_length_mm, "
        f"failing_values {rows}, example 999, allowed at least 10, at most 100",
        "penguins_clean_among_values": f"{2 * rows} failing: column_name island, failing_values "
        f"{rows}, example No, allowed Biscoe, Dream, Torgersen; column_name sex, failing_values "
        f"{rows}, example o'brien, allowed female, male",
    }
    assert clean(complete, "good", apart=True) == {}


def test_a_partition_that_is_no_batch_id_is_refused_before_dbt(complete: Graph) -> None:
    hostile = "x', 1); drop schema penguins cascade; --"
    result = complete.materialize([hostile], ["staged", "clean"])
    complete.instance.delete_dynamic_partition(f"{NAME}_batches", hostile)
    assert not result.success
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "is not a batch id" in str(failure.step_failure_data.error)


@pytest.mark.faults
@pytest.mark.skipif(not LONG, reason="minutes: make proof")
def test_keys_are_compared_with_those_of_every_batch(complete: Graph) -> None:
    """It comes after the others, whose batches it makes fail."""
    rows = len(penguins(year=[2009])) - 1
    ((refused, said),) = clean(complete, "duplicates", "penguin_id = 2").items()
    assert refused.startswith("unique")
    assert said == f"1 failing: unique_field 2, n_records {rows + 1}"
