"""By how much a column has moved, in its own unit: what a person acts on.

Belongs here: the shift of a quantile, of the share of a level, of the share of missing values, each
with an interval. Does not belong here: distances, which have no unit (`leeway.drift.effects`).

The shift of quantiles is the shift function of K. A. Doksum (Empirical probability plots and
statistical inference for nonlinear models, Annals of Statistics 2, 1974), with the band of
Dvoretzky, Kiefer and Wolfowitz around both distribution functions: it holds for all deciles at
once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isfinite, log, sqrt
from typing import Any

from leeway.drift.distances import deviation_margin, level_margin
from leeway.drift.levels import CategoryProfile
from leeway.drift.number_pair import LEVELS, NumberPair, quantile_bounds

SHARE = "share of rows"


@dataclass(frozen=True)
class Change:
    """What moved, from where to where, and bounds of the difference; a bound of None is unknown."""

    what: str
    reference: float
    current: float
    low: float | None
    high: float | None
    unit: str

    @property
    def least(self) -> float:
        """The least that it has certainly moved, in either direction; 0 when it may not have."""
        if self.low is not None and self.low > 0:
            return self.low
        return -self.high if self.high is not None and self.high < 0 else 0.0

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)

    def told(self) -> str:
        """For a sentence."""
        if self.unit == SHARE:
            moved = f"{self.reference:.1%} to {self.current:.1%} of the rows"
            return f"{self.what}: {moved.replace('%', ' %')}"
        low, high = ("?" if end is None else f"{end:+.4g}" for end in (self.low, self.high))
        moved = f"{self.what}: {self.reference:.4g} to {self.current:.4g} {self.unit}".strip()
        return f"{moved} (between {low} and {high})"


def moved_told(column: Mapping[str, Any]) -> str:
    """By how much a column moved, in its unit, or why that is undefined.

    Args:
        column: `leeway.drift.column.ColumnDrift.as_dict`.
    """
    change = column["change"]
    return Change(**change).told() if change else str(column["reason"])


def number_change(pair: NumberPair, rows: tuple[int, int], alpha: float, unit: str) -> Change:
    """The decile that has certainly moved furthest; the median unless it moved half as far."""
    margins = [sqrt(log(4 / alpha) / (2 * count)) for count in rows]
    found = [_quantile_change(pair, level, margins, unit) for level in LEVELS]
    furthest, median = max(found, key=lambda change: change.least), found[len(found) // 2]
    return furthest if median.least < furthest.least / 2 else median


def _quantile_change(pair: NumberPair, level: float, margins: list[float], unit: str) -> Change:
    ours, theirs = (
        quantile_bounds(pair, side, level, margin)
        for side, margin in zip((pair.reference, pair.current), margins, strict=True)
    )
    what = "median" if level == 0.5 else f"{level:.0%} quantile".replace("%", " %")
    low, high = (
        end if isfinite(end) else None for end in (theirs[1] - ours[2], theirs[2] - ours[1])
    )
    return Change(what, ours[0], theirs[0], low, high, unit)


def level_change(ours: CategoryProfile, theirs: CategoryProfile, alpha: float) -> Change:
    """The level whose share changed most."""
    rows = (ours.known, theirs.known)

    def shares(level: str) -> tuple[float, float]:
        return ours.counts.get(level, 0) / rows[0], theirs.counts.get(level, 0) / rows[1]

    def moved(level: str) -> float:
        before, now = shares(level)
        return abs(now - before)

    # Sorted, so that of equal ones the same is named each time.
    level = max(sorted(ours.counts.keys() | theirs.counts.keys()), key=moved)
    what = f"level {level!r}" if level in ours.counts else f"new level {level!r}"
    return _share_change(what, *shares(level), level_margin(*rows, alpha))


def unseen_change(ours: CategoryProfile, theirs: CategoryProfile, alpha: float) -> Change:
    """The share of rows of levels that the reference has not."""
    new = {level: count for level, count in theirs.counts.items() if level not in ours.counts}
    most = max(sorted(new), key=lambda level: new[level], default="")
    what = f"levels that the reference has not, {len(new)}, such as {most!r}"
    margin = deviation_margin(ours.known, theirs.known, 2, alpha)
    return _share_change(what, 0.0, sum(new.values()) / theirs.known, margin)


def missing_change(before: float, now: float, rows: tuple[int, int], alpha: float) -> Change:
    """The share of rows without a usable value."""
    return _share_change("no usable value", before, now, deviation_margin(*rows, 2, alpha))


def _share_change(what: str, before: float, now: float, margin: float) -> Change:
    moved = now - before
    return Change(what, before, now, max(-1.0, moved - margin), min(1.0, moved + margin), SHARE)
