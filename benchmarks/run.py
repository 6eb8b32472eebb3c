"""`leeway run NAME --all` beside a plain script that calls the same functions.

Belongs here: timing the two as processes, in turn, on one installation of their own, and what each
spends its time on. Does not belong here: the script (`benchmarks.plain_script`).

    .venv/bin/python -m benchmarks.run penguins 5
"""

from __future__ import annotations

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


def set_up(name: str) -> None:
    """Makes what a first run makes, and decides which source is read: it may ask the network.

    Tables of MLflow and Optuna, the parsed dbt project, files in memory: penguins stand for all.
    """
    from resources.settings import get_settings
    from resources.stand_ins import reading_of

    subprocess.run([LEEWAY, "run", "penguins"], check=True, capture_output=True)
    forget_studies("penguins")
    say(reading_of(name, load_use_cases()[name], get_settings()).description)


def parts_of_script(log: Path) -> dict[str, float]:
    """Median seconds of each part."""
    rounds = [json.loads(line) for line in log.read_text().splitlines() if line[:7] == '{"start']
    return {part: statistics.median(each[part] for each in rounds) for part in rounds[0]}


def shown(parts: Iterable[tuple[str, float]]) -> str:
    """Parts with their seconds, on one line."""
    return ", ".join(f"{part} {seconds:.1f}" for part, seconds in parts)


def main(name: str, repetitions: int) -> int:
    """Measures and prints; 1 when the ratio is above the limit."""
    with tempfile.TemporaryDirectory(prefix="leeway-") as folder, installation_at(Path(folder)):
        set_up(name)
        found = compare(
            {
                "plain script": [sys.executable, "-m", "benchmarks.plain_script", name],
                "leeway run": [LEEWAY, "run", name, "--all"],
            },
            repetitions,
            Path(folder),
            before_each=lambda: forget_studies(name),
            warm_up=0,
        )
        code = report(f"leeway run {name}, against a plain script", found, LIMIT)
        say(f"  the script: {shown(parts_of_script(Path(folder) / 'output.log').items())}")
        steps = [(step.name, step.end - step.begin) for step in steps_of_last_run()]
        say(f"  the steps of the last run: {shown(steps)}")
    return code


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1], int(sys.argv[2])))
