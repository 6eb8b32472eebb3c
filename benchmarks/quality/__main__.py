"""Leeway's whole search beside others, by 5-fold cross-validation on the same folds.

Belongs here: the command. Does not belong here: everything else of `benchmarks.quality`.

    LEEWAY_DATA_DIR=... .venv/bin/python -m benchmarks.quality --rows 10000 --results quality.jsonl
"""

from __future__ import annotations

import argparse
import os
import warnings
from pathlib import Path

from benchmarks.quality.contenders import CONTENDERS, FLAML, has_flaml
from benchmarks.quality.measure import measure
from benchmarks.quality.summary import dominated, picture, table_of
from benchmarks.quality.tables import TABLES
from benchmarks.timing import say


def main() -> int:
    """Measures and prints; 1 when another is both better and cheaper somewhere."""
    warnings.simplefilter("ignore")
    options = _options()
    folder = os.environ.get("LEEWAY_DATA_DIR")
    if not folder:
        raise SystemExit("LEEWAY_DATA_DIR names no folder: the tables are not part of the project")
    contenders = options.only or list(CONTENDERS)
    if FLAML in contenders and not has_flaml():
        say("FLAML is not installed and left out: uv pip install flaml lightgbm")
        contenders = [name for name in contenders if name != FLAML]
    tables = options.tables or list(TABLES)
    found = measure(tables, contenders, Path(folder), options.rows, options.results, say)
    say(table_of(found))
    if options.picture:
        picture(found, options.picture)
    worse = dominated(found)
    say(f"better and cheaper than Leeway: {', '.join(worse) or 'none'}")
    return 1 if worse else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality")
    parser.add_argument("tables", nargs="*", choices=[[], *TABLES], help="default: all")
    parser.add_argument("--only", nargs="+", choices=list(CONTENDERS), help="contenders")
    parser.add_argument("--rows", type=int, default=10_000, help="at most, drawn with seed 42")
    parser.add_argument(
        "--results", type=Path, required=True, help="JSON lines; what it holds is not made again"
    )
    parser.add_argument("--picture", type=Path, help="a png of quality against CPU seconds")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
