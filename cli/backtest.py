"""`leeway backtest`: a use case replayed under today's policy and another.

Belongs here: replaying, and handing the report over. Does not belong here: the replay
(`leeway.backtest`), where its models come from (`cli.backtest_models`), reading what it needs
(`resources.backtest`), or the tables for people (`cli.backtest_tables`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cli.backtest_models import Chosen, chosen_models
from cli.output import emit, say
from leeway.backtest.errors import CannotBacktest
from leeway.backtest.facts import in_time
from leeway.backtest.plan import notes_on
from leeway.backtest.policy import under
from leeway.backtest.report import Replayed, Report
from leeway.backtest.walk import walk
from leeway.data.training_set import NotEnoughRows
from leeway.spec import UseCase
from orchestration.use_cases import find_use_case
from resources.backtest import read_policy


def backtest(
    name: str,
    policy: Path | None,
    as_json: bool,
    *,
    refit: bool,
    changes: Sequence[str],
    plot: Path | None,
    on_node: bool,
) -> None:
    """Replays, and prints the report.

    Args:
        name: of the use case.
        policy: the file of the other policy; None replays today's alone.
        as_json: one object on standard output, in place of tables.
        refit: train at each retrain, also where recorded models are.
        changes: batches that are known to have changed.
        plot: where the picture goes.
        on_node: show the picture in Dagster, too.

    Raises:
        CannotBacktest: when the policy is none, or there is too little to replay.
        SourceError: when the source is needed and cannot be read.
    """
    use_case = find_use_case(name)
    if use_case.task == "experiment":
        raise CannotBacktest(f"{name} is an experiment: no model is trained, and no policy holds")
    sides = [
        use_case,
        *([] if policy is None else [under(use_case, read_policy(policy, use_case))]),
    ]
    try:
        report = _replayed(name, sides, chosen_models(name, use_case, refit=refit), changes)
    except NotEnoughRows as error:
        raise CannotBacktest(f"{name}: the first batches cannot train a model: {error}") from error
    if plot is not None:
        _write_plot(plot, report)
    if on_node:
        from cli.backtest_node import show_on_node

        show_on_node(report)
    if as_json:
        emit(report.as_dict())
        return
    from cli.backtest_tables import print_report

    print_report(report)


def _replayed(
    name: str, sides: Sequence[UseCase], chosen: Chosen, changes: Sequence[str]
) -> Report:
    """The report on each side: today's, and the other where there is one."""
    batches = in_time(chosen.stored, sides[0].drift.batches_per_year)
    first = set(chosen.models.first().batches)
    later = [batch.name for batch in batches if batch.name not in first]
    for change in changes:
        if change not in later:
            told = f"{change!r} is no batch that is replayed; these are {', '.join(later)}"
            raise CannotBacktest(f"{name}: --change: {told}")
    found = []
    for told, side in zip(("today's policy", "the other policy"), sides, strict=False):
        say(f"{name}: {told} over {len(later)} batches, after {len(first)} to train the first on")
        found.append(Replayed(side, walk(name, side, batches, chosen.models), tuple(changes)))
    notes = [*chosen.notes, *notes_on(sides[0], sides, refitted=chosen.told == "refitted")]
    return Report(name, chosen.told, notes, *found)


def _write_plot(path: Path, report: Report) -> None:
    from leeway.backtest.plot import backtest_plot

    try:
        path.write_bytes(backtest_plot(report))
    except OSError as error:
        raise CannotBacktest(f"{path}: {error.strerror}; name a file that you may write") from error
    say(f"the picture is {path}")
