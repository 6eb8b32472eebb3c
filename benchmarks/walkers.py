"""Ways to walk the trees of a fitted model: what each takes for one row and for a hundred.

    .venv/bin/python -W ignore -m benchmarks.walkers

Belongs here: the library's own prediction, the fast path, and the same arrays walked by NumPy and
by a loop that Numba compiles, with what each costs a process. Does not belong here: servers
(`benchmarks.serving`).

All are asked in turn, each time for other rows, on one core and in one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from time import thread_time
from typing import Any

import numpy as np

from benchmarks import serving_models
from benchmarks.timing import say
from leeway.fast.copied_models import copied_model
from leeway.fast.trees import Trees

CALLS = {1: 500, 100: 100}
LIBRARIES = ("numpy", "numpy, numba", "numpy, sklearn.ensemble", "numpy, xgboost")
_COST = """
import json, time
began = time.perf_counter()
import {libraries}
{then}
seconds = time.perf_counter() - began
pss = next(line for line in open("/proc/self/smaps_rollup") if line.startswith("Pss:"))
print(json.dumps([seconds, int(pss.split()[1]) / 1000]))
"""
_COMPILE = {
    "numpy, numba": "from benchmarks.walkers import compiled; compiled()",
    "numpy, llvmlite.binding": "from leeway.fast.walk import compiled; compiled('<f8')",
}
_WHOLE = np.complex128  # of the size of a node: NumPy copies such numbers at once


def compiled(sums: str = "float64") -> Any:
    """A loop that adds to `sums` the leaves of each tree and row."""
    import numba

    place = "int32[::1]"
    takes = f"float64[::1], {place}, {place}, {place}, {sums}[::1], float64[:, ::1], {sums}[::1]"

    @numba.njit(f"void({takes})", nogil=True)
    def walk(
        limit: Any, feature: Any, following: Any, roots: Any, leaves: Any, rows: Any, sums: Any
    ) -> None:
        for tree in range(len(roots)):
            for row in range(len(rows)):
                at = roots[tree]
                while following[at] != at:
                    at = following[at] + (rows[row, feature[at]] > limit[at])
                sums[row] += leaves[feature[at]]

    return walk


def level_by_level(trees: Trees, features: Any) -> Any:
    """Predictions of shape (rows,): all rows go through all trees at once, by NumPy."""
    rows, many = len(features), len(trees.roots)
    twice = features.astype(np.float32).astype(np.float64).repeat(2, axis=1).reshape(-1)
    at = np.repeat(trees.roots, rows).astype(np.intp)
    first = np.tile(np.arange(0, twice.size, 2 * trees.width), many)
    known, found = trees.nodes.view(_WHOLE), np.empty(at.size, _WHOLE)
    node = found.view(trees.nodes.dtype)
    place, value = np.empty(at.size, np.intp), np.empty(at.size)
    right = np.empty(at.size, np.bool_)
    for _ in range(trees.depth):
        known.take(at, out=found, mode="clip")
        np.add(node["feature"], first, out=place)
        twice.take(place, out=value, mode="clip")
        np.greater(value, node["limit"], out=right)
        np.add(node["next"], right, out=at)
    known.take(at, out=found, mode="clip")
    leaves = trees.leaves[:, 0].take(node["feature"]).reshape(many, rows)
    sums = np.concatenate([np.full((1, rows), trees.start[0], leaves.dtype), leaves]).cumsum(axis=0)
    return sums[-1] / trees.divisor


def ways(fitted: serving_models.Fitted) -> dict[str, Callable[[Any], Any]]:
    """Each way, from features of shape (rows, features) to predictions of shape (rows,)."""
    model = fitted.pipeline.named_steps["model"]
    width = len(fitted.pipeline.named_steps["preprocess"].get_feature_names_out())
    trees = copied_model(model, width)
    assert isinstance(trees, Trees)  # noqa: S101  # both models of the benchmark are
    leaves = np.ascontiguousarray(trees.leaves[:, 0])
    walk = compiled("float32" if trees.leaves.dtype == np.float32 else "float64")
    fields = [np.ascontiguousarray(trees.nodes[name]) for name in ("limit", "feature", "next")]

    def by_numba(features: Any) -> Any:
        twice = features.astype(np.float32).astype(np.float64).repeat(2, axis=1)
        sums = np.full(len(features), trees.start[0], trees.leaves.dtype)
        walk(*fields, trees.roots, leaves, twice, sums)
        return sums / trees.divisor

    found: dict[str, Callable[[Any], Any]] = {
        "the library": model.predict,
        "LLVM, the fast path": lambda features: trees.outputs(features)[:, 0],
        "NumPy": lambda features: level_by_level(trees, features),
        "Numba": by_numba,
    }
    if hasattr(model, "estimators_"):
        every = [each.tree_ for each in model.estimators_]

        def loop(features: Any) -> Any:
            single = features.astype(np.float32)
            sums = np.zeros(len(features))
            for tree in every:
                sums += tree.predict(single)[:, 0]
            return sums / len(every)

        found["tree_.predict in a loop"] = loop
    return found


def compare(algorithm: str) -> None:
    """Prints the median of each way, in microseconds of CPU."""
    table, use_case, told = serving_models.housing()
    fitted = serving_models.fit(table, use_case, algorithm)
    features = np.ascontiguousarray(
        fitted.pipeline.named_steps["preprocess"].transform(fitted.frame)
    )
    every = ways(fitted)
    truth = every["the library"](features)
    for size, calls in CALLS.items():
        taken: dict[str, list[float]] = {name: [] for name in every}
        for call in range(calls):
            first = call * 97 % (len(features) - size)
            for name, way in every.items():
                # Of other rows each: the first way would bring the others' nodes into the cache.
                first = (first + 1009) % (len(features) - size)
                began = thread_time()
                way(features[first : first + size])
                taken[name].append(thread_time() - began)
        for name, way in every.items():
            same = np.mean(way(features) == truth)
            middle = statistics.median(taken[name]) * 1e6
            what = f"{algorithm} on {told}, {size:>3} rows, {name}"
            say(f"{what}: {middle:.0f} us of CPU, {same:.1%} equal")


def costs() -> None:
    """Prints what a process pays for the libraries, the second time that it is started."""
    for libraries, then in [*((each, "") for each in LIBRARIES), *_COMPILE.items()]:
        program = _COST.format(libraries=libraries, then=then)
        for _ in range(2):
            done = subprocess.run(
                [sys.executable, "-c", program], capture_output=True, text=True, check=True
            )
        seconds, megabytes = json.loads(done.stdout)
        compiling = " and compiling" if then else ""
        say(f"import {libraries}{compiling}: {seconds:.2f} s, {megabytes:.0f} MB")


def main() -> None:
    """Prints all of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.walkers")
    parser.add_argument("algorithms", nargs="*", default=list(serving_models.MODELS))
    asked = parser.parse_args()
    say(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    costs()
    os.sched_setaffinity(0, {0})
    for algorithm in asked.algorithms:
        compare(algorithm)


if __name__ == "__main__":
    main()
