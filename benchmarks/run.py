"""`leeway run penguins --all` beside a plain script that calls the same functions.

Belongs here: timing the two as processes, in turn, on one installation of their own. Does not
belong here: the script (`benchmarks.plain_script`).

    .venv/bin/python -m benchmarks.run 5
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.timing import compare, installation_at, report
from orchestration.use_cases import load_use_cases

LIMIT = 1.3


def forget_studies() -> None:
    """Removes what the round before has tuned.

    `leeway run` goes on with the study of an equal training, and would have nothing left to tune.
    """
    import optuna

    from resources.platform import Platform

    optuna.logging.disable_default_handler()
    storage = Platform().optuna_storage()
    for study in optuna.get_all_study_summaries(storage):
        if study.n_trials != load_use_cases()["penguins"].search.trials:
            raise SystemExit(f"the round before tuned {study.n_trials} trials: not the same work")
        optuna.delete_study(study_name=study.study_name, storage=storage)


def main(repetitions: int) -> int:
    """Measures and prints; 1 when the ratio is above the limit."""
    programs = Path(sys.executable).parent
    with tempfile.TemporaryDirectory(prefix="leeway-") as folder, installation_at(Path(folder)):
        found = compare(
            {
                "plain script": [sys.executable, "-m", "benchmarks.plain_script"],
                "leeway run": [str(programs / "leeway"), "run", "penguins", "--all"],
            },
            repetitions,
            Path(folder),
            before_each=forget_studies,
        )
    return report("leeway run penguins, against a plain script", found, LIMIT)


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5))
