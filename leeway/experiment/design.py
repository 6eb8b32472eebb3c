"""A two-level design, read from a table of runs.

Belongs here: coding levels as -1 and +1, finding cells, replicates and centre points, and refusing
runs that are no such design. Does not belong here: effects (`leeway.experiment.effects`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leeway.experiment.aliases import (
    LETTERS,
    MOST_FACTORS,
    AliasStructure,
    DesignError,
    Generator,
    alias_structure,
    parse_generators,
)
from leeway.experiment.coding import Factor, coded, numbers
from leeway.experiment.missing_cells import check_cells

Floats = NDArray[np.float64]
_ROMAN = {3: "III", 4: "IV", 5: "V", 6: "VI", 7: "VII", 8: "VIII"}


@dataclass(frozen=True, eq=False)
class Design:
    """The runs of a design by cell.

    `cells` has shape (cells, factors) with -1 and +1, in the standard order of the factors that are
    not generated; `responses` holds the runs of each cell, `centre` those at the centre.
    """

    response: str
    factors: tuple[Factor, ...]
    generators: tuple[Generator, ...]
    cells: Floats
    responses: tuple[Floats, ...]
    centre: Floats

    @cached_property
    def aliases(self) -> AliasStructure:
        """What the fraction cannot tell apart."""
        return alias_structure(self.generators)

    @property
    def basic(self) -> tuple[int, ...]:
        """Positions of the factors that are not generated: a full design in these."""
        return _basic(len(self.factors), self.generators)

    @cached_property
    def replicates(self) -> Floats:
        """Runs per cell, shape (cells,)."""
        return np.array([len(runs) for runs in self.responses], np.float64)

    @property
    def equally_replicated(self) -> bool:
        """Whether every cell was run as often as every other."""
        return bool((self.replicates == self.replicates[0]).all())

    @cached_property
    def means(self) -> Floats:
        """Mean response of each cell, shape (cells,)."""
        return np.array([runs.mean() for runs in self.responses])

    @property
    def description(self) -> str:
        """What was run, in words."""
        count, generated = len(self.factors), len(self.generators)
        if self.aliases.resolution is None:
            kind = f"full 2^{count} design"
        else:
            roman = _ROMAN.get(self.aliases.resolution, str(self.aliases.resolution))
            made = ", ".join(str(each) for each in self.generators)
            kind = f"2^({count}-{generated}) fraction of resolution {roman} by {made}"
        low, high = int(self.replicates.min()), int(self.replicates.max())
        runs = "unreplicated" if high == 1 else f"{high} replicates"
        if low != high:
            runs = (
                f"unequal replication, {low} to {high} runs per cell: effects are contrasts of "
                "cell means, and sums of squares do not add up"
            )
        centre = f", {len(self.centre)} at the centre" if len(self.centre) else ""
        return f"{kind}, {runs}{centre}"

    def treatment(self, cell: int) -> str:
        """Name of a cell: the letters of the factors at their high level, `(1)` for none."""
        high = [
            f.letter.lower() for f, x in zip(self.factors, self.cells[cell], strict=True) if x > 0
        ]
        return "".join(high) or "(1)"


def two_level_design(
    runs: Mapping[str, Sequence[Any]],
    factors: Sequence[str],
    response: str,
    generators: Sequence[str] = (),
    levels: Mapping[str, tuple[Any, Any]] | None = None,
) -> Design:
    """The design that a table of runs is, whatever the order of its rows.

    Args:
        runs: columns by name, one value per run; others than factors and response are not read.
        factors: names of the factors, in the order of the letters A, B, C, ...
        response: name of the response.
        generators: of a fraction, such as `D=ABC`; without any the design is a full one.
        levels: low and high level of factors; without, the smaller of two values is the low one.

    Raises:
        DesignError: names the factor or row, the value, what is allowed, and the remedy.
    """
    _check_names(runs, factors, response)
    if not 1 <= len(factors) <= MOST_FACTORS:
        raise DesignError(f"factors: from 1 to {MOST_FACTORS} can be analysed, got {len(factors)}")
    parsed = parse_generators(generators, len(factors))
    found = [
        coded(name, letter, runs[name], (levels or {}).get(name))
        for name, letter in zip(factors, LETTERS, strict=False)
    ]
    declared = tuple(factor for factor, _ in found)
    codes = np.column_stack([codes for _, codes in found])
    values = numbers(response, runs[response])
    centre = _centre_rows(codes, declared)
    cells = _check_cells(codes, centre, declared, parsed)
    place = _places(codes, _basic(len(factors), parsed))
    by_cell = tuple(values[~centre & (place == cell)] for cell in range(len(cells)))
    return Design(response, declared, parsed, cells, by_cell, values[centre])


def _check_names(runs: Mapping[str, Sequence[Any]], factors: Sequence[str], response: str) -> None:
    names = [*factors, response]
    for name in names:
        if name not in runs:
            raise DesignError(f"no column {name!r}; the runs have {', '.join(runs)}")
        if names.count(name) > 1:
            raise DesignError(f"{name!r} is named more than once among factors and response")
    lengths = {name: len(runs[name]) for name in names}
    if len(set(lengths.values())) > 1:
        raise DesignError(f"columns differ in length: {lengths}; give one value per run")


def _basic(factors: int, generators: Sequence[Generator]) -> tuple[int, ...]:
    generated = {each.factor for each in generators}
    return tuple(factor for factor in range(factors) if factor not in generated)


def _places(codes: Floats, basic: Sequence[int]) -> NDArray[np.int64]:
    """Position of each row in the standard order of the basic factors."""
    bits = np.array([1 << place for place in range(len(basic))], np.int64)
    return np.asarray((codes[:, list(basic)] > 0) @ bits, np.int64)


def _centre_rows(codes: Floats, factors: Sequence[Factor]) -> NDArray[np.bool_]:
    """Which rows are centre points; refuses a row that is one in some factors only."""
    middle = codes == 0
    centre: NDArray[np.bool_] = middle.all(axis=1)
    partly = np.flatnonzero(middle.any(axis=1) & ~centre)
    if partly.size:
        row = int(partly[0])
        at, off = int(np.argmax(middle[row])), int(np.argmin(middle[row]))
        raise DesignError(
            f"row {row + 1}: {factors[at].name} is at its centre {factors[at].centre:g} and "
            f"{factors[off].name} is not; a centre point has every factor at its centre, and other "
            "runs have none there. Remove the row, or analyse it as a response surface.",
            row + 1,
        )
    return centre


def _check_cells(
    codes: Floats,
    centre: NDArray[np.bool_],
    factors: Sequence[Factor],
    generators: Sequence[Generator],
) -> Floats:
    """The cells in standard order; refuses runs outside the fraction and cells without a run."""
    basic = _basic(len(factors), generators)
    cells = np.empty((1 << len(basic), len(factors)))
    for place, factor in enumerate(basic):
        cells[:, factor] = np.where(np.arange(len(cells)) >> place & 1, 1.0, -1.0)
    for each in generators:
        used = [factor for factor in basic if each.word >> factor & 1]
        cells[:, each.factor] = each.sign * cells[:, used].prod(axis=1)
        wrong = ~centre & (codes[:, each.factor] != each.sign * codes[:, used].prod(axis=1))
        if wrong.any():
            row = int(np.argmax(wrong)) + 1
            raise DesignError(
                f"row {row} does not keep the generator {each}; mend the row, or the generators",
                row,
            )
    check_cells(codes[~centre], cells, factors, generators)
    return cells
