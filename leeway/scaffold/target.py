"""The target: which task it asks for, its classes, and the bound that a model of it must keep.

Belongs here: classification or regression, and what follows from the number of rows of each class.
Does not belong here: any other column.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from leeway.scaffold.content import MOST_LEVELS, Content
from leeway.scaffold.errors import CannotInfer
from leeway.spec import NUMERIC_TYPES, ColumnType, Gate

FEWEST_ROWS = 30
_MOST_WHOLE = 20  # distinct whole numbers that are taken for classes
_PER_CLASS = 20  # rows of each of them, on average
_FEWEST_PER_CLASS = 15  # for five folds: four fifths of the rows train
_FEWEST_TO_FOLD = 6  # for two
_FEW = 100
_RARE = 0.05
_SHOWN = 10
_FOLDS = 5


@dataclass(frozen=True)
class Target:
    """What is learned: `values` are the classes, and `left_out` rows have none of them.

    `folds` is how many the rarest class allows.
    """

    task: Literal["classification", "regression"]
    type: ColumnType
    values: tuple[str, ...] | None
    folds: int
    gate: Gate
    left_out: int
    assumptions: tuple[str, ...]


def target_of(name: str, content: Content, classes: Sequence[tuple[str, int]]) -> Target:
    """The task of a target.

    Args:
        name: of the column.
        content: its facts.
        classes: its distinct values as categories, with their rows; none when they are too many.

    Raises:
        CannotInfer: when no model can learn it.
    """
    if content.given < FEWEST_ROWS:
        raise CannotInfer(
            f"{content.given} of {content.rows} rows have a value of the target {name!r}: at least "
            f"{FEWEST_ROWS} are needed to train on some and judge on others; add rows to the file"
        )
    if content.distinct < 2:
        raise CannotInfer(
            f"the target {name!r} has the same value in every row: there is nothing to learn; "
            "choose another --target"
        )
    if content.unusable is not None:
        raise CannotInfer(f"the target {name!r} {content.unusable}: write plain numbers or classes")
    if _has_classes(content):
        return _classification(name, content, classes)
    if content.type not in NUMERIC_TYPES:
        raise CannotInfer(
            f"the target {name!r} holds {content.distinct} different values of type "
            f"{content.type}: a class needs rows to learn it from, at most {MOST_LEVELS} classes "
            "and 5 rows each, and anything else must be numbers; choose another --target"
        )
    said = f"{name} is the target: a number, so this is a regression"
    if content.type == "integer" and content.distinct <= _MOST_WHOLE:
        said += (
            f", although there are only {content.distinct} different values; for a classification "
            "write task: classification, and type: category for the column"
        )
    few = _few(content)
    gate = Gate(metric="r2", at_least=0)
    bar = "a model is released only if it is better than always the mean (gate r2 at least 0)"
    return Target("regression", content.type, None, _FOLDS, gate, 0, (said, *few, bar))


def _few(content: Content) -> list[str]:
    if content.given >= _FEW:
        return []
    return [
        f"there are only {content.given} rows, a fifth of which is held out: the intervals of the "
        "metrics will be wide"
    ]


def _has_classes(content: Content) -> bool:
    if content.type == "boolean":
        return True
    if content.type in NUMERIC_TYPES:
        whole = all(text.removesuffix(".0").lstrip("+-").isdigit() for text, _ in content.levels)
        enough = content.given >= content.distinct * _PER_CLASS
        rarest = content.levels[-1][1] if content.levels else 0
        few = 0 < content.distinct <= _MOST_WHOLE and enough
        return few and whole and (rarest >= _FEWEST_PER_CLASS or content.distinct == 2)
    return content.type == "text" and bool(content.levels) and content.given >= 5 * content.distinct


def _classification(name: str, content: Content, classes: Sequence[tuple[str, int]]) -> Target:
    boolean = content.type == "boolean"
    if boolean:
        classes = _as_booleans(classes)
    kept = [(text, count) for text, count in classes if count >= _FEWEST_TO_FOLD]
    rare = [text for text, count in classes if count < _FEWEST_TO_FOLD]
    left_out = sum(count for text, count in classes if text in rare)
    if len(kept) < 2 or (boolean and rare):
        raise CannotInfer(
            f"class {rare[0]!r} of the target {name!r} has fewer than {_FEWEST_TO_FOLD} rows, and "
            "no two classes are left without it: collect more rows of it"
        )
    total = sum(count for _, count in kept)
    shares = [f"{text!r} {count / total:.1%}" for text, count in kept[:_SHOWN]]
    shown = ", ".join(shares) + (", …" if len(kept) > _SHOWN else "")
    said = [f"{name} is the target: a classification of {len(kept)} classes ({shown})"]
    if content.type in NUMERIC_TYPES:
        said[0] += "; for a regression write task: regression, and type: number for the column"
    if rare:
        said.append(
            f"{name}: {', '.join(map(repr, rare[:_SHOWN]))} of fewer than {_FEWEST_TO_FOLD} rows "
            f"each cannot be learned; their {left_out} rows will be rejected, with the reason"
        )
    rarest = kept[-1][1]
    folds = _FOLDS if rarest >= _FEWEST_PER_CLASS else max(2, min(_FOLDS, rarest // 3))
    if folds < _FOLDS:
        said.append(f"{folds} folds instead of 5, since a class has only {rarest} rows")
    said += _few(content)
    if len(kept) == 2 and rarest <= _RARE * total:
        said.append(
            f"only {rarest} rows are {kept[-1][0]!r}, a fifth of them is held out: their metrics "
            "have wide intervals; where one wrong decision costs more than the other, write costs"
        )
    gate, bar = _gate(kept[0][1] / total, kept[0][0], len(kept))
    values = None if boolean else tuple(sorted(text for text, _ in kept))
    kind: ColumnType = "boolean" if boolean else "category"
    return Target("classification", kind, values, folds, gate, left_out, (*said, bar))


def _as_booleans(classes: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    counts = {"true": 0, "false": 0}
    for text, count in classes:
        counts["true" if text.casefold() in ("true", "1") else "false"] += count
    return sorted(counts.items(), key=lambda pair: -pair[1])


def _gate(share: float, commonest: str, classes: int) -> tuple[Gate, str]:
    """Macro F1 of always saying the commonest class: its F1, 2p/(1+p), shared by all classes."""
    baseline = 2 * share / (1 + share) / classes
    bound = math.floor(baseline * 100 + 1) / 100
    said = (
        f"a model is released only if it is better than always {commonest!r} (gate macro_f1 at "
        f"least {bound:g})"
    )
    return Gate(metric="macro_f1", at_least=bound), said
