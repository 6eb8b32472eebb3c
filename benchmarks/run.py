"""`leeway run NAME --all` beside a plain script that calls the same functions.

Belongs here: timing the two as processes, in turn, on one installation of their own, and what each
spends its time on. Does not belong here: the script (`benchmarks.plain_script`).

    .venv/bin/python -W ignore -m benchmarks.run penguins tool_life --repetitions 3
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from benchmarks.timing import compare, installation_at, report, say, steps_of_last_run
from orchestration.use_cases import load_use_cases

LIMIT = 1.3
LEEWAY = str(Path(sys.executable).parent / "leeway")


def main() -> int:
    """Measures and prints; 1 when a ratio is above the limit."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run")
    parser.add_argument("names", nargs="+", choices=list(load_use_cases()), metavar="NAME")
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="leeway-") as folder, installation_at(Path(folder)):
        set_up()
        return max(measure(name, options.repetitions, Path(folder)) for name in options.names)


def set_up() -> None:
    """Makes what the first run of an installation makes, such as the tables of MLflow."""
    subprocess.run([LEEWAY, "run", "penguins"], check=True, capture_output=True)
    forget_studies(set())


def forget_studies(tuned: set[int]) -> None:
    """Removes what the round before has tuned.

    `leeway run` goes on with the study of an equal training, and would have nothing left to tune.
    Every round must have as many trials, which are kept in `tuned`: a search may end before it has
    as many as it was allowed.
    """
    import optuna

    from resources.platform import Platform

    optuna.logging.disable_default_handler()
    storage = Platform().optuna_storage()
    for study in optuna.get_all_study_summaries(storage):
        tuned.add(study.n_trials)
        optuna.delete_study(study_name=study.study_name, storage=storage)
    if len(tuned) > 1:
        raise SystemExit(f"the rounds tuned {sorted(tuned)} trials: not the same work")


def measure(name: str, repetitions: int, folder: Path) -> int:
    """Times one use case; 1 when the ratio is above the limit."""
    from resources.settings import get_settings
    from resources.stand_ins import reading_of

    # Which source is read is decided once, and may ask the network.
    read = reading_of(name, load_use_cases()[name], get_settings())
    script = [sys.executable, "-m", "benchmarks.plain_script", name]
    tuned: set[int] = set()
    found = compare(
        {"plain script": script, "leeway run": [LEEWAY, "run", name, "--all"]},
        repetitions,
        folder,
        before_each=lambda: forget_studies(tuned),
        warm_up=0,
    )
    code = report(f"leeway run {name} ({read.description}), against a plain script", found, LIMIT)
    say(f"  the script: {shown(parts_of_script(folder / 'output.log').items())}")
    forget_studies(tuned)  # the next use case has studies of its own
    steps = [(step.name, step.end - step.begin) for step in steps_of_last_run()]
    say(f"  the steps of the last run: {shown(steps)}")
    return code


def parts_of_script(log: Path) -> dict[str, float]:
    """Median seconds of each part."""
    rounds = [json.loads(line) for line in log.read_text().splitlines() if line[:7] == '{"start']
    return {part: statistics.median(each[part] for each in rounds) for part in rounds[0]}


def shown(parts: Iterable[tuple[str, float]]) -> str:
    """Parts with their seconds, on one line."""
    return ", ".join(f"{part} {seconds:.1f}" for part, seconds in parts)


if __name__ == "__main__":
    raise SystemExit(main())
