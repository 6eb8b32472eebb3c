"""Made-up rows as a source, or in place of one.

Belongs here: their batches. Does not belong here: the rows (`leeway.data.synthetic`), or when they
are used (`resources.stand_ins`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from leeway.spec import SyntheticRows, UseCase
from resources.sources.base import Origin, digest_of_rows, unknown_batch

if TYPE_CHECKING:
    import pyarrow as pa


class Synthetic:
    """Made-up rows of the declared columns; the ids of their batches say that they are."""

    origin: Origin = "synthetic"

    def __init__(
        self,
        use_case: UseCase,
        rows: SyntheticRows,
        description: str = "synthetic rows of the same schema",
    ) -> None:
        self.use_case = use_case
        self.rows = rows
        self.description = description

    def batches(self) -> list[str]:
        """See `BatchSource`."""
        return [f"synthetic-{number + 1}" for number in range(self.rows.batches)]

    def place(self, batch: str) -> str:
        """See `BatchSource`."""
        return self.description

    def read(self, batch: str) -> pa.Table:
        """See `BatchSource`; rows that do not divide by the batches are of the first ones."""
        from leeway.data.synthetic import synthetic_table

        if batch not in self.batches():
            raise unknown_batch(self.description, batch, self.batches())
        number = self.batches().index(batch)
        each, over = divmod(self.rows.rows, self.rows.batches)
        return synthetic_table(self.use_case, batch, number, each + (number < over), self.rows)

    def fingerprint(self, batch: str) -> str | None:
        """See `BatchSource`."""
        return digest_of_rows(self.read(batch)) if batch in self.batches() else None
