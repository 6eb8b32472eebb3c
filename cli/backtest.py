"""`leeway backtest`: a use case replayed under today's policy and another.

Belongs here: replaying, and handing the report over. Does not belong here: the replay
(`leeway.backtest`), where its models come from (`cli.backtest_models`), reading what it needs
(`resources.backtest`), or the tables for people (`cli.backtest_tables`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cli.backtest_models import Chosen, chosen_models
from cli.output import emit, say
from leeway.backtest.errors import CannotBacktest
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
        CannotBacktest: when the policy is none, there is too little to replay, or the picture
            cannot be written where it should go.
        SourceError: when the source is needed and cannot be read.
    """
    sides = _sides(name, policy)
    if plot is not None:
        _check_plot(plot)
    try:
        report = _replayed(name, sides, chosen_models(name, sides[0], refit=refit), changes)
    except NotEnoughRows as error:
        raise CannotBacktest(f"{name}: the first batches cannot train a model: {error}") from error
    if plot is not None:
        _write_plot(plot, report)
    if on_node:
        from cli.backtest_node import show_on_node

        show_on_node(report)
    _show(report, as_json=as_json)


def _sides(name: str, policy: Path | None) -> list[UseCase]:
    """The use case under today's policy, and under the other where there is one."""
    use_case = find_use_case(name)
    if use_case.task == "experiment":
        raise CannotBacktest(f"{name} is an experiment: no model is trained, and no policy holds")
    if policy is None:
        return [use_case]
    return [use_case, under(use_case, read_policy(policy, use_case))]


def _replayed(
    name: str, sides: Sequence[UseCase], chosen: Chosen, changes: Sequence[str]
) -> Report:
    """The report on each side: today's, and the other where there is one."""
    first = set(chosen.models.first().batches)
    later = [batch.name for batch in chosen.batches if batch.name not in first]
    for change in changes:
        if change not in later:
            told = f"{change!r} is no batch that is replayed; these are {', '.join(later)}"
            raise CannotBacktest(f"{name}: --change: {told}")
    found = []
    for told, side in zip(("today's policy", "the other policy"), sides, strict=False):
        say(f"{name}: {told} over {len(later)} batches, after {len(first)} to train the first on")
        found.append(
            Replayed(side, walk(name, side, chosen.batches, chosen.models), tuple(changes))
        )
    notes = [*chosen.notes, *notes_on(sides, refitted=chosen.told == "refitted")]
    return Report(name, chosen.told, notes, *found)


def _show(report: Report, *, as_json: bool) -> None:
    if as_json:
        emit(report.as_dict())
        return
    from cli.backtest_tables import print_report

    print_report(report)


def _check_plot(path: Path) -> None:
    """Refuses a path that cannot be written, before the replay; a file that is there stays as is.

    Raises:
        CannotBacktest: with what keeps it from being written.
    """
    is_there = path.exists()
    with _writing(path):
        path.open("ab").close()
        if not is_there:
            path.unlink()


def _write_plot(path: Path, report: Report) -> None:
    from leeway.backtest.plot import backtest_plot

    picture = backtest_plot(report)
    with _writing(path):
        path.write_bytes(picture)
    say(f"the picture is {path}")


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        told = f"{error.strerror}; name a file that you may write"
        raise CannotBacktest(f"--plot {path}: {told}") from error
