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

LIMIT = 1.3


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
        )
    return report("leeway run penguins, against a plain script", found, LIMIT)


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5))
