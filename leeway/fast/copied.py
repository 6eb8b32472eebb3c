"""The fast path of a fitted pipeline: reading what its transformers have learned.

Belongs here: the transformers of `leeway.training.preprocessing`. Does not belong here: estimators
(`leeway.fast.copied_models`), or what is computed from it (`leeway.fast.blocks`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from leeway.fast.blocks import Block, Clusters, Lookup, Numbers, Pair, Regression, Rounds
from leeway.fast.copied_models import NotCovered, copied_model
from leeway.fast.model import Fast

if TYPE_CHECKING:
    from leeway.served.inputs import Input


def copied(pipeline: Any, inputs: Sequence[Input]) -> Fast:
    """The fast path of a fitted pipeline of `leeway.training.folds.make_pipeline`.

    Raises:
        NotCovered: when a step has no copy.
    """
    preprocess, model = pipeline.named_steps["preprocess"], pipeline.named_steps["model"]
    reader = _Reader(inputs)
    blocks: list[Block] = []
    for name, steps, columns in preprocess.transformers_:
        if name == "remainder":  # the columns that no block has, which are dropped
            continue
        made = list(reader.blocks(name, steps, list(columns)))
        blocks += made
        reader.start += sum(each.width for each in made)
    return Fast(
        tuple(reader.numbers),
        tuple(reader.texts),
        tuple(reader.pairs),
        tuple(_joined(blocks)),
        copied_model(model, reader.start),
    )


class _Reader:
    """Reads block by block; `start` is the place of the next feature."""

    def __init__(self, inputs: Sequence[Input]) -> None:
        self.numbers = [each.name for each in inputs if each.type != "category"]
        self.texts = [each.name for each in inputs if each.type == "category"]
        self.pairs: list[Pair] = []
        self.start = 0

    def blocks(self, name: str, steps: Any, columns: list[str]) -> Iterator[Block]:
        """The blocks of one transformer of the `ColumnTransformer`."""
        kinds = [type(step).__name__ for _, step in steps.steps]
        if kinds[-1] == "OneHotEncoder":
            yield from self._one_hot(steps, columns)
        elif "CategoryPosition" in kinds:
            yield from self._positions(steps, columns)
        elif "TargetMeanEncoder" in kinds:
            yield from self._target_means(steps, columns)
        elif kinds[0] == "PairTransformer":
            pair = steps["derive"]
            left, right = (self.numbers.index(each) for each in columns)
            self.pairs.append(Pair(pair.operation, left, right))
            yield self._numbers(steps, [len(self.numbers) + len(self.pairs) - 1])
        elif "ClusterDistances" in kinds:
            derive, rescale = steps["derive"], steps["rescale"]
            points = self._numbers(steps, [self.numbers.index(each) for each in columns])
            yield Clusters(self.start, points, derive.centres_, rescale.mean_, rescale.scale_)
        elif kinds[0] == "GapScaler":
            yield self._numbers(steps, [self.numbers.index(each) for each in columns])
        else:
            raise NotCovered(f"{name}: {', '.join(kinds)}")

    def _numbers(self, steps: Any, columns: list[int]) -> Numbers:
        scale, impute = steps["scale"], steps.named_steps.get("impute")
        fill, rounds = _filled(impute, len(columns))
        return Numbers(
            self.start, np.array(columns, np.int32), scale.mean_, scale.scale_, fill, rounds
        )

    def _one_hot(self, steps: Any, columns: list[str]) -> Iterator[Lookup]:
        start = self.start
        known = [each.tolist() for each in steps["encode"].categories_]
        for name, fill, each in zip(columns, steps["impute"].fill_values_, known, strict=True):
            yield Lookup(start, self.texts.index(name), fill, tuple(each), None)
            start += len(each)

    def _positions(self, steps: Any, columns: list[str]) -> Iterator[Lookup]:
        for place, name in enumerate(columns):
            known = steps["order"].known_[place].tolist()
            places = [*range(len(known)), *(at - 0.5 for at in range(len(known) + 1))]
            every = np.zeros((len(places), len(columns)))
            every[:, place] = places
            values = steps["scale"].transform(every)[:, place : place + 1]
            fill = steps["impute"].fill_values_[place]
            text, start = self.texts.index(name), self.start + place
            yield Lookup(start, text, fill, tuple(known), _own(values), ordered=True)

    def _target_means(self, steps: Any, columns: list[str]) -> Iterator[Lookup]:
        encode = steps["encode"]
        width = len(encode.encodings_) // len(columns)
        for place, name in enumerate(columns):
            known = encode.categories_[place].tolist()
            asked = np.empty((len(known) + 1, len(columns)), dtype=object)
            for other, categories in enumerate(encode.categories_):
                asked[:, other] = categories[0]
            asked[:, place] = [*known, _unlike(known)]
            features = steps["scale"].transform(encode.transform(asked))
            values = features[:, place * width : (place + 1) * width]
            fill = steps["impute"].fill_values_[place]
            text, start = self.texts.index(name), self.start + place * width
            yield Lookup(start, text, fill, tuple(known), _own(values))


def _filled(impute: Any, width: int) -> tuple[Any, tuple[Rounds, ...]]:
    """What fills each column at once, and what looks at the others of its row."""
    fill, rounds = np.full(width, np.nan), []
    if impute is None:
        return fill, ()
    parts = [(impute, np.ones(width, np.bool_))]
    if type(impute).__name__ == "MixedImputer":
        chosen = np.array(impute.strategies)
        names = [name for name, _ in impute.imputers]
        parts = [(e, chosen == n) for n, e in zip(names, impute.imputers_, strict=True)]
    for each, own in parts:
        kind = type(each).__name__
        if kind == "SimpleImputer":
            fill[own] = np.nan_to_num(each.statistics_[own])  # a column without any value is 0
        elif kind == "IterativeImputer":
            rounds.append(_rounds(each, own))
        else:
            raise NotCovered(f"imputation by {kind}")
    return fill, tuple(rounds)


def _rounds(impute: Any, own: Any) -> Rounds:
    steps = []
    for triplet in impute.imputation_sequence_:
        column, estimator = int(triplet.feat_idx), triplet.estimator
        if type(estimator).__name__ != "BayesianRidge":
            raise NotCovered(f"iterative imputation by {type(estimator).__name__}")
        steps.append(
            Regression(
                column,
                np.asarray(triplet.neighbor_feat_idx, np.int32),
                np.asarray(estimator.coef_, np.float64),
                float(estimator.intercept_),
                float(impute._min_value[column]),
                float(impute._max_value[column]),
            )
        )
    first = np.nan_to_num(impute.initial_imputer_.statistics_)
    return Rounds(first, tuple(steps), own)


def _joined(blocks: Sequence[Block]) -> list[Block]:
    """Number blocks that stand side by side as one: each costs a request microseconds."""
    found: list[Block] = []
    for each in blocks:
        last = found[-1] if found else None
        if not (
            isinstance(each, Numbers)
            and isinstance(last, Numbers)
            and not (each.rounds or last.rounds)
        ):
            found.append(each)
            continue
        names = ("columns", "mean", "scale", "fill")
        both = {n: np.concatenate([getattr(last, n), getattr(each, n)]) for n in names}
        found[-1] = Numbers(last.start, **both)
    return found


def _own(values: Any) -> Any:
    return np.ascontiguousarray(values, dtype=np.float64)


def _unlike(known: Sequence[str]) -> str:
    """A text that none of them is."""
    return max(known, key=len) + "?"
