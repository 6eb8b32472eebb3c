"""Rows that are made up: how many, and the truth that they follow.

Belongs here: the fields of a simulator and of synthetic stand-ins. Does not belong here: making the
rows (`leeway.data.synthetic`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from leeway.spec.base import Identifier, Strict, require_known
from leeway.spec.table import NUMERIC_TYPES
from leeway.spec.training import LARGEST_SEED

if TYPE_CHECKING:
    from leeway.spec.use_case import UseCase

SEED = 20_240_229


class Truth(Strict):
    """What a number follows from: mean + half of each effect times its code + noise.

    The code of a factor is -1 at its low level and 1 at its high one; that of any other feature is
    a standard normal number. `a*b` is the product of two codes.
    """

    mean: float
    effects: dict[str, float] = Field(default={}, description="by column, or by a*b")
    noise: float = Field(ge=0, description="standard deviation of what nothing explains")

    @property
    def columns(self) -> list[str]:
        """The columns that have a part in an effect."""
        return list(dict.fromkeys(name for term in self.effects for name in term.split("*")))


class Wear(Strict):
    """A column that grows from row to row, until a tool is worn and the next one begins at 0.

    The codes of the columns in `life` belong to a tool, and its rows scatter around them.
    """

    column: Identifier
    per_row: tuple[float, float] = Field(description="least and most that a row adds")
    life: Truth = Field(description="what the column reaches before the tool is changed")

    @model_validator(mode="after")
    def _grows(self) -> Self:
        low, high = self.per_row
        if not 0 < low <= high:
            raise ValueError(f"per_row: {[low, high]} must ascend from above 0")
        if self.life.mean <= high:
            raise ValueError(f"life.mean: a tool lives longer than one row, which adds {high}")
        return self


class SyntheticRows(Strict):
    """Rows that are made up to the declared columns (`leeway.data.synthetic`)."""

    rows: int = Field(default=5000, ge=10, le=1_000_000, description="of all batches together")
    batches: int = Field(default=1, ge=1, le=100)
    seed: int = Field(default=SEED, ge=0, le=LARGEST_SEED)
    truth: Truth | None = Field(default=None, description="of the target; null: one is chosen")
    wear: Wear | None = Field(default=None, description="for a table of tools in production")

    @model_validator(mode="after")
    def _rows_in_each(self) -> Self:
        if self.rows < 10 * self.batches:
            raise ValueError(
                f"rows: {self.rows} rows for {self.batches} batches; a batch needs 10 at least"
            )
        return self


class SimulatorSource(SyntheticRows):
    """A source of made-up rows, which are called synthetic wherever they are shown."""

    kind: Literal["simulator"]


def check_simulation(use_case: UseCase) -> None:
    """Checks that what made-up rows follow are columns of the use case.

    Raises:
        ValueError: names the field, the value, and what is allowed.
    """
    made: dict[str, SyntheticRows] = {}
    if isinstance(use_case.source, SimulatorSource):
        made["source"] = use_case.source
    if use_case.stand_in is not None:
        if use_case.stand_in.synthetic is not None:
            made["stand_in.synthetic"] = use_case.stand_in.synthetic
        if isinstance(use_case.stand_in.source, SimulatorSource):
            made["stand_in.source"] = use_case.stand_in.source
    for where, rows in made.items():
        _check_rows(use_case, where, rows)
        _check_replicates(use_case, where, rows)


def _check_rows(use_case: UseCase, where: str, rows: SyntheticRows) -> None:
    features = [column.name for column in use_case.feature_columns]
    if rows.truth is not None:
        require_known(f"{where}.truth.effects", rows.truth.columns, features)
        if use_case.target.type not in NUMERIC_TYPES or use_case.target.computed:
            raise ValueError(
                f"{where}.truth: it is of a target that is a number of the source; "
                f"{use_case.target.name!r} is none, leave truth out"
            )
    if rows.wear is None:
        return
    require_known(f"{where}.wear.column", [rows.wear.column], features)
    require_known(f"{where}.wear.life.effects", rows.wear.life.columns, features)
    if use_case.column(rows.wear.column).type not in NUMERIC_TYPES:
        raise ValueError(f"{where}.wear.column: {rows.wear.column!r} is no number")
    if use_case.experiment is not None:
        raise ValueError(f"{where}.wear: the rows of an experiment are its runs; leave it out")


def _check_replicates(use_case: UseCase, where: str, rows: SyntheticRows) -> None:
    if use_case.experiment is None:
        return
    from leeway.experiment.cells import cells_of

    cells = len(cells_of(use_case.experiment))
    if rows.rows % (cells * rows.batches):
        raise ValueError(
            f"{where}: {rows.rows} rows in {rows.batches} batches are no whole "
            f"replicates of {cells} cells; give {cells * rows.batches} rows or a multiple"
        )
