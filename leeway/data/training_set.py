"""The training set: which rows take part, and which of them are held out for good.

Belongs here: the split. Does not belong here: reading batches, or fitting anything.

A row is held out by a hash of its key, after Géron, Hands-On Machine Learning (3rd ed., ch. 2): it
stays held out in every later training set, so that a champion and its challenger can be compared on
rows that neither has seen, however many batches have come since.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from leeway.spec import UseCase

PART = "part"
TRAIN, TEST = "train", "test"
_SCALE = 2.0**64


class NotEnoughRows(ValueError):
    """One part of the split would be empty or could not judge a model."""


@dataclass(frozen=True)
class TrainingSet:
    """Rows in order of their key with the column `part`, and how many had no target."""

    table: pa.Table
    unlabelled: int


def build_training_set(batches: dict[str, pa.Table], use_case: UseCase) -> TrainingSet:
    """One table of all labelled rows, each marked train or test.

    Raises:
        NotEnoughRows: when a part would be empty, or the training part lacks a class.
    """
    if not batches:
        raise NotEnoughRows("there is no batch to train on")
    names = [c.name for c in use_case.columns if c.role != "ignored"]
    tables = [table.select([*names, "batch_id"]) for table in batches.values()]
    whole = pa.concat_tables(tables).sort_by(use_case.key.name)
    target = whole[use_case.target.name]
    labelled = whole.filter(pc.is_valid(target)) if target.null_count else whole
    held_out = _held_out(labelled, use_case)
    part = pc.if_else(held_out, TEST, TRAIN)
    table = labelled.append_column(PART, part)
    _check(table, use_case)
    return TrainingSet(table, whole.num_rows - labelled.num_rows)


def part_of(table: pa.Table, part: str) -> pa.Table:
    """The rows of one part, without the column that marks it."""
    return table.filter(pc.equal(table[PART], part)).drop_columns([PART])


def _held_out(table: pa.Table, use_case: UseCase) -> pa.Array:
    split = use_case.split
    if split.by == "random":
        keys = pc.cast(table[use_case.key.name], pa.string()).to_pylist()
        return pa.array([_share_of(split.seed, key) < split.test for key in keys], pa.bool_())
    time = use_case.with_role("time")[0].name
    # Newest first; a row without a time comes last, and so is trained on.
    order = pc.rank(table[time], sort_keys="descending", tiebreaker="first")
    return pc.less_equal(order, table.num_rows - round(table.num_rows * (1 - split.test)))


def _share_of(seed: int, key: str) -> float:
    """A number in [0, 1) that a key always has."""
    hashed = hashlib.sha256(f"{seed}:{key}".encode()).digest()
    return int.from_bytes(hashed[:8], "big") / _SCALE


def _check(table: pa.Table, use_case: UseCase) -> None:
    target = use_case.target.name
    parts = {part: part_of(table.select([target, PART]), part) for part in (TRAIN, TEST)}
    for part, rows in parts.items():
        if rows.num_rows == 0:
            raise NotEnoughRows(
                f"the {part} part is empty: {table.num_rows} labelled rows with split.test = "
                f"{use_case.split.test}; collect more rows"
            )
    if use_case.task != "classification":
        return
    known = set(pc.unique(parts[TRAIN][target]).to_pylist())
    unknown = set(pc.unique(parts[TEST][target]).to_pylist()) - known
    if unknown:
        raise NotEnoughRows(
            f"class {sorted(map(str, unknown))[0]!r} of {target} is in the test part only: "
            "it has too few rows; collect more, or leave it out of values"
        )
