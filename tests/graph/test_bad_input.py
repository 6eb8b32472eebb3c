"""A file that is wrong gives one clear message or rejects with reasons, and nothing stored is lost.

Belongs here: bad files through the nodes that read them, beside batches that were stored before.
Does not belong here: every rule about a row (tests/unit/test_validation.py) or every kind of
damaged file (tests/unit/test_read_file.py).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import dagster as dg
import pandas as pd
import pyarrow as pa
import pytest

from assets import training, training_set
from assets.stage import Stage, stage_of
from cli.execution import failure_of
from leeway.data.tables import to_parquet
from resources.postgres import transaction
from resources.warehouse import read_batch
from tests.batches import penguins
from tests.graph.conftest import FIRST, NAME, Graph, check_results

GOOD = FIRST
ROW = 3  # of the value that is wrong, from 0


@dataclass
class Stored:
    """A graph with a good batch and the champion that was trained on it."""

    graph: Graph
    before: Any = None  # its state before the tests

    def state(self) -> Any:
        """What readers see of the good batch: commits, objects, tables, the champion."""
        platform = self.graph.platform
        commits = {
            key: commit
            for key, commit in platform.ledger.every_current(NAME).items()
            if key[1] in (GOOD, "")
        }
        for commit in commits.values():
            platform.store.get(commit.uri, commit.digest)  # raises unless it is there, and whole
        tables = [read_batch(NAME, table, GOOD, ["penguin_id"]) for table in ("raw", "clean")]
        return commits, tables, platform.releases.champion(NAME)

    def raw(self, batch: str, content: bytes) -> dg.ExecuteInProcessResult:
        """Writes a file and materializes its node `raw`."""
        self.graph.write_bytes(batch, content)
        return self.graph.materialize([batch], ["raw"])

    def rejects(self, batch: str) -> list[tuple[Any, ...]]:
        """Row, column, value and reason of each reject of a batch."""
        with transaction() as cursor:
            cursor.execute(
                "select row_number, column_name, value, reason from penguins.rejects "
                "where batch_id = %s order by row_number, column_name, reason",
                (batch,),
            )
            return cursor.fetchall()


@pytest.fixture(scope="module")
def stored(complete: Graph) -> Stored:
    found = Stored(complete)
    found.before = found.state()
    return found


@pytest.fixture(autouse=True)
def _nothing_is_lost(stored: Stored) -> Iterator[None]:
    """After every test, what was stored before it is still there as it was."""
    yield
    assert stored.state() == stored.before


_keys = count(10_000, 100)  # no two batches share a key


def later(**changes: Any) -> pd.DataFrame:
    """A good batch of 60 rows, with the values of one row changed."""
    table = penguins(first_key=next(_keys), year=[2008]).head(60).astype(object)
    for column, value in changes.items():
        table.loc[ROW, column] = value
    return table


def csv(table: pd.DataFrame) -> bytes:
    return table.to_csv(index=False).encode()


LINES = csv(later()).splitlines(keepends=True)
REFUSED = {
    "empty": (b"", ["{file}: the file is empty", "needs names and at least one row"]),
    "blank-lines": (b"\n \n", ["{file}: the file is empty", "names and at least one row"]),
    "header-only": (
        LINES[0],
        ["{file}: the batch has a header but no rows", "Remove the file, or give it at least one"],
    ),
    "column-missing": (
        csv(later().drop(columns="sex")),
        ["{file}: missing column 'sex'", "the batch has penguin_id, species,", "Mend the source"],
    ),
    "column-renamed": (
        csv(later().rename(columns={"bill_length_mm": "bill_len_mm"})),
        ["{file}: missing column 'bill_length_mm' (renamed to 'bill_len_mm'?)", "Mend the source"],
    ),
    "column-retyped": (
        csv(later().assign(body_mass_g="heavy")),
        ["{file}: column 'body_mass_g': every value is not a number", "'heavy'", "mend the source"],
    ),
    "column-twice": (
        csv(later()).replace(b"sex", b"island", 1),
        ["{file}: the header names 'island' more than once"],
    ),
    "latin-1": (
        csv(later(sex="m\u00e4nnlich")).decode().encode("latin-1"),
        ["{file}: byte 301 (line 5) is not UTF-8: b'\\xe4'", "Save the file as UTF-8"],
    ),
    "utf-16": (
        csv(later()).decode().encode("utf-16"),
        ["{file}: byte 0 (line 1) is not UTF-8", "Save the file as UTF-8"],
    ),
    "ragged-row": (
        csv(later()) + b"2001,Adelie\n",
        ["{file}: ", "Expected 9 columns, got 2: 2001,Adelie", "each row needs one value per col"],
    ),
}  # fmt: skip
FORMULA = '=HYPERLINK("http://example.org")'
REJECTED: dict[str, tuple[dict[str, Any], list[tuple[str, str | None, str]]]] = {
    "key-of-another-batch": (
        {"penguin_id": 7}, [("penguin_id", "7", f"the key came before, in batch {GOOD}")],
    ),
    "missing-key": ({"penguin_id": ""}, [("penguin_id", None, "missing")]),
    "missing-time": ({"year": ""}, [("year", None, "missing")]),
    "nan": ({"body_mass_g": "NaN"}, [("body_mass_g", "NaN", "not a finite number")]),
    "infinity": (
        {"body_mass_g": "-inf"},
        [("body_mass_g", "-inf", "below the allowed 1000"),
         ("body_mass_g", "-inf", "not a finite number")],
    ),
    "text-in-a-number": ({"body_mass_g": "heavy"}, [("body_mass_g", "heavy", "not a number")]),
    "formula": ({"island": FORMULA}, [("island", FORMULA, "not one of Biscoe, Dream, Torgersen")]),
    "formula-in-a-number": ({"body_mass_g": "=1+1"}, [("body_mass_g", "=1+1", "not a number")]),
    "out-of-range": ({"bill_depth_mm": 187}, [("bill_depth_mm", "187", "above the allowed 50")]),
}  # fmt: skip
ACCEPTED = {
    "one-row": (LINES[0] + LINES[1], 1, []),
    "column-added": (csv(later().assign(beak="orange")), 60, ["beak"]),
    "columns-in-another-order": (csv(later()[sorted(later().columns)]), 60, []),
    "byte-order-mark": (b"\xef\xbb\xbf" + csv(later()), 60, []),
    "constant-column": (csv(later().assign(body_mass_g=4000)), 60, []),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_that_cannot_be_read_is_refused_with_place_reason_and_remedy(
    stored: Stored, case: str
) -> None:
    content, expected = REFUSED[case]
    result = stored.raw(case, content)
    assert not result.success
    message = failure_of(result.all_events)
    assert message.startswith(f"{NAME}, batch {case}: ")
    for part in expected:
        assert part.format(file=stored.graph.folder / f"{case}.csv") in message
    assert "Traceback" not in message
    assert stored.graph.platform.ledger.current(NAME, "raw", case) is None
    assert stored.rejects(case) == []


@pytest.mark.parametrize("case", REJECTED)
def test_a_row_that_is_wrong_is_rejected_with_field_value_and_reason(
    stored: Stored, case: str
) -> None:
    changes, expected = REJECTED[case]
    table = later(**changes)
    result = stored.raw(case, csv(table))
    assert result.success
    found = stored.rejects(case)
    assert [each[:3] for each in found] == [(ROW + 1, *each[:2]) for each in expected]
    for (*_, reason), (*_, start) in zip(found, expected, strict=True):
        assert reason.startswith(start)
    raw = read_batch(NAME, "raw", case, ["row_number"])
    assert raw.num_rows == len(table) - 1, "every other row is there"
    assert ROW + 1 not in raw["row_number"].to_pylist()
    commit = stored.graph.platform.ledger.require(NAME, "raw", case)
    assert (commit.rows, commit.facts["rows"], commit.facts["rejected"]) == (59, 60, 1)
    check = check_results(result)["few_rejects"]
    assert check.passed
    assert "1 of 60 rows rejected, 1.7%" in str(check.description)


@pytest.mark.parametrize("case", ACCEPTED)
def test_a_file_that_is_merely_unusual_is_read_whole(stored: Stored, case: str) -> None:
    content, rows, ignored = ACCEPTED[case]
    result = stored.raw(case, content)
    assert result.success
    assert stored.rejects(case) == []
    commit = stored.graph.platform.ledger.require(NAME, "raw", case)
    assert (commit.rows, commit.facts["ignored_columns"]) == (rows, ignored)
    assert commit.facts["source_digest"] == f"sha256:{hashlib.sha256(content).hexdigest()}"
    found = read_batch(NAME, "raw", case, ["row_number"])
    assert found["penguin_id"].to_pylist()[0] >= 10_000, "its first column is not spoiled"


def test_a_key_that_repeats_keeps_its_first_row(stored: Stored) -> None:
    lines = csv(later()).splitlines(keepends=True)
    assert stored.raw("duplicate-key", b"".join([*lines, lines[2]])).success
    key = lines[2].split(b",")[0].decode()
    expected = (61, "penguin_id", key, "the key repeats one of an earlier row")
    assert stored.rejects("duplicate-key") == [expected]
    kept = read_batch(NAME, "raw", "duplicate-key", ["row_number"])["row_number"].to_pylist()
    assert kept == list(range(1, 61))


def test_batches_that_overlap_pass_the_tests_of_the_clean_table(stored: Stored) -> None:
    """Guards: the rows of both stood in the clean table, which then refused every later batch."""
    own, taken = later(), penguins(year=[2007, 2008]).iloc[1:31]
    assert stored.raw("overlap", csv(pd.concat([taken, own]))).success
    assert len(stored.rejects("overlap")) >= 30
    again = stored.graph.materialize(["overlap"], ["raw", "staged", "clean"])
    assert again.success
    assert check_results(again)["unique_penguins_clean_penguin_id"].passed
    assert read_batch(NAME, "clean", "overlap", ["penguin_id"]).num_rows == 60
    takes_its_rows_from_a_later_one(stored, "earlier", own.head(10))


def takes_its_rows_from_a_later_one(stored: Stored, batch: str, shared: pd.DataFrame) -> None:
    """A batch that comes late, with keys that `overlap` has until then (docs/adr/0013)."""
    stored.graph.write_bytes(batch, csv(pd.concat([shared, later()])))
    result = stored.graph.materialize([batch], ["raw", "staged", "clean"])
    assert result.success
    assert check_results(result)["unique_penguins_clean_penguin_id"].passed
    rows = {each: read_batch(NAME, "clean", each, ["penguin_id"]) for each in (batch, "overlap")}
    assert {each: table.num_rows for each, table in rows.items()} == {batch: 70, "overlap": 50}
    lost = [each for each in stored.rejects("overlap") if each[3].endswith(f"in batch {batch}")]
    assert [int(each[2]) for each in lost] == shared["penguin_id"].tolist()
    ledger = stored.graph.platform.ledger
    assert ledger.require(NAME, "raw", "overlap").facts["rejected"] == 40
    assert ledger.require(NAME, "clean", "overlap").rows == 50
    told = {
        (event.asset_key.path[-1], event.partition)
        for event in result.get_asset_materialization_events()
        if event.asset_key is not None
    }
    assert told == {(n, each) for n in ("raw", "staged", "clean") for each in (batch, "overlap")}


def test_too_many_rejects_fail_the_check_by_name(stored: Stored) -> None:
    table = later()
    table.loc[:9, "species"] = "Emperor"
    result = stored.raw("another-species", csv(table))
    check = check_results(result)["few_rejects"]
    assert not check.passed
    assert check.severity is dg.AssetCheckSeverity.ERROR
    assert "10 of 60 rows rejected, 16.7%; allowed are 5.0%" in str(check.description)
    assert "species: not one of Adelie, Chinstrap, Gentoo" in str(check.metadata["reasons"].value)


def test_a_file_that_became_bad_leaves_what_it_was_before_and_is_read_when_mended(
    stored: Stored,
) -> None:
    path = stored.graph.folder / f"{GOOD}.csv"
    good = path.read_bytes()
    for content, _ in REFUSED.values():
        assert not stored.raw(GOOD, content).success
    assert stored.state() == stored.before
    half = later()
    assert stored.raw("mended", csv(half).replace(b"Adelie", b"Emperor", 1)).success
    assert len(stored.rejects("mended")) == 1
    assert stored.raw("mended", csv(half)).success
    assert stored.rejects("mended") == [], "a batch that is read again replaces its rejects"
    stored.graph.write_bytes(GOOD, good)


# What only a training notices: the real nodes on clean rows that are planted.


def trained_on(
    stored: Stored, case: str, *tables: pd.DataFrame, rejected: Sequence[int] = (0,)
) -> tuple[Stage, Any]:
    """Training set and model selection of another use case whose batches are `tables`.

    Of each as many rows are said to be rejected as `rejected` has.
    """
    platform = stored.graph.platform
    stage = stage_of(case, stored.graph.stage.use_case)
    for number, (table, bad) in enumerate(zip(tables, rejected, strict=True)):
        batch = f"b{number}"
        platform.ledger.register_batches(case, [batch])
        rows = to_parquet(pa.Table.from_pandas(table.assign(batch_id=batch), preserve_index=False))
        kept = platform.store.put("clean", case, "parquet", rows)
        for node in ("raw", "clean"):
            attempt = platform.ledger.begin(case, node, batch, "planted")
            platform.ledger.commit(attempt, input_digest=kept.digest, digest=kept.digest,
                                   uri=kept.uri, rows=len(table),
                                   facts={"rows": len(table) + bad, "rejected": bad})  # fmt: skip
    result = dg.materialize(
        [training_set.build(stage), training.build_selection(stage)],
        instance=stored.graph.instance,
        resources={"platform": platform},
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        raise_on_error=False,
    )
    return stage, result


def one_species() -> pd.DataFrame:
    return penguins(year=[2007], species=["Adelie"])


def one_gentoo(key: int) -> pd.DataFrame:
    """Two species, and one penguin of a third; its key decides whether it is held out."""
    table = penguins(year=[2007], species=["Adelie", "Chinstrap"])
    return pd.concat([table, penguins(first_key=key, species=["Gentoo"]).head(1)])


REFUSED_TRAININGS = {
    "one_class": (
        one_species(),
        ["every one of the ", "has class 'Adelie'", "needs rows of at least two classes"],
    ),
    "one_example_to_train_on": (
        one_gentoo(1002),
        ["class 'Gentoo' has 1 row but there are 3 folds", "collect more of them, or merge"],
    ),
    "one_example_held_out": (
        one_gentoo(1001),
        ["class 'Gentoo' of species is in the test part only", "collect more, or leave it out"],
    ),
    "no_target": (
        penguins(year=[2007]).assign(species=pd.Series(dtype="object")),
        ["the train part is empty: 0 labelled rows", "collect more rows"],
    ),
}


@pytest.mark.parametrize("case", REFUSED_TRAININGS)
def test_rows_that_cannot_be_learned_from_are_refused_with_reason_and_remedy(
    stored: Stored, case: str
) -> None:
    table, expected = REFUSED_TRAININGS[case]
    stage, result = trained_on(stored, case, table)
    assert not result.success
    message = failure_of(result.all_events)
    assert message.startswith(f"{case}: ")
    for part in expected:
        assert part in message
    assert stored.graph.platform.ledger.current(stage.name, "model_selection") is None


def test_a_constant_column_is_learned_from_like_any_other(stored: Stored) -> None:
    stage, result = trained_on(stored, "constant", penguins(year=[2007]).assign(body_mass_g=4000.0))
    assert result.success
    commit = stored.graph.platform.ledger.require(stage.name, "model_selection")
    selected = json.loads(stored.graph.platform.store.get(commit.uri, commit.digest))
    assert [candidate["error"] for candidate in selected["candidates"]] == [None, None]


def test_a_batch_with_too_many_rejects_is_not_trained_on_and_is_named(stored: Stored) -> None:
    """Regression: the check looked at the newest batch alone, and the training at none."""
    first, second = penguins(year=[2007]), penguins(first_key=5001, year=[2008])
    stage, result = trained_on(stored, "half_bad", first, second, rejected=(90, 0))
    assert result.success
    made = stored.graph.platform.ledger.require(stage.name, "training_set")
    assert (made.facts["batches"], made.facts["left_out"]) == (["b1"], ["b0"])
    (event,) = result.asset_materializations_for_node("half_bad__training_set")
    assert event.metadata["left_out_batches"].value == "b0"
    assert made.rows == (second["species"].notna()).sum()


def test_without_a_batch_that_may_be_trained_on_the_training_says_why(stored: Stored) -> None:
    _, result = trained_on(stored, "all_bad", penguins(year=[2007]), rejected=(90,))
    message = failure_of(result.all_events)
    assert message.startswith("all_bad: no batch is left to train on, because more than 5.0% of")
    assert "(b0); the table all_bad.rejects says why" in message


def test_a_bad_batch_is_not_hidden_by_a_good_one_after_it(stored: Stored) -> None:
    bad = later()
    bad.loc[:9, "species"] = "Emperor"
    stored.graph.write("3001-bad", bad)
    stored.graph.write("3002-good", later())
    result = stored.graph.materialize(["3001-bad", "3002-good"], ["raw"])
    check = check_results(result)["few_rejects"]
    assert not check.passed
    assert str(check.description).startswith("Batch 3001-bad: 10 of 60 rows rejected")
    (stored.graph.folder / "3001-bad.csv").unlink()
    assert stored.raw("3001-bad", csv(later())).success
