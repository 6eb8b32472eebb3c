"""`leeway run NAME --all` beside a plain script that calls the same functions.

Belongs here: timing the two as processes, in turn, on one installation of their own, and what each
spends its time on. Does not belong here: the script (`benchmarks.plain_script`).

    .venv/bin/python -m benchmarks.run penguins 5
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from benchmarks.timing import compare, installation_at, report, say, steps_of_last_run
from orchestration.use_cases import load_use_cases

LIMIT = 1.3


def forget_studies(name: str) -> None:
    """Removes what the round before has tuned.

    `leeway run` goes on with the study of an equal training, and would have nothing left to tune.
    """
    import optuna

    from resources.platform import Platform

    optuna.logging.disable_default_handler()
    storage = Platform().optuna_storage()
    for study in optuna.get_all_study_summaries(storage):
        if study.n_trials != load_use_cases()[name].search.trials:
            raise SystemExit(f"the round before tuned {study.n_trials} trials: not the same work")
        optuna.delete_study(study_name=study.study_name, storage=storage)


def parts_of_script(log: Path) -> dict[str, float]:
    """Median seconds of each part, of the rounds after the first, which warms up."""
    rounds = [json.loads(line) for line in log.read_text().splitlines() if line[:7] == '{"start']
    return {part: statistics.median(each[part] for each in rounds[1:]) for part in rounds[-1]}


def shown(parts: Iterable[tuple[str, float]]) -> str:
    """Parts with their seconds, on one line."""
    return ", ".join(f"{part} {seconds:.1f}" for part, seconds in parts)


def main(name: str, repetitions: int) -> int:
    """Measures and prints; 1 when the ratio is above the limit."""
    programs = Path(sys.executable).parent
    with tempfile.TemporaryDirectory(prefix="leeway-") as folder, installation_at(Path(folder)):
        found = compare(
            {
                "plain script": [sys.executable, "-m", "benchmarks.plain_script", name],
                "leeway run": [str(programs / "leeway"), "run", name, "--all"],
            },
            repetitions,
            Path(folder),
            before_each=lambda: forget_studies(name),
        )
        code = report(f"leeway run {name}, against a plain script", found, LIMIT)
        say(f"  the script: {shown(parts_of_script(Path(folder) / 'output.log').items())}")
        steps = [(step.name, step.end - step.begin) for step in steps_of_last_run()]
        say(f"  the steps of the last run: {shown(steps)}")
    return code


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1], int(sys.argv[2])))
