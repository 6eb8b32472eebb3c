"""`leeway why`: the chain of recorded facts about a model, a batch or a prediction.

Belongs here: which of them was asked about, and printing the answer. Does not belong here: reading
facts (`resources.why`) or the sentences (`leeway.why`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby

import click
from rich.padding import Padding
from rich.text import Text

from cli.output import console, emit
from leeway.identifiers import PREDICTION_ID
from leeway.why.statement import Answer, Citation, Statement, short
from resources.settings import get_settings
from resources.store import LocalStore
from resources.why.answers import why_batch, why_prediction, why_version
from resources.why.reading import NotRecorded

# Statements of one topic, and citations of one statement: JSON has all.
MOST_SHOWN, MOST_CITED = 20, 4


def why(about: str, batch: str | None, as_json: bool) -> None:
    """Answers about a use case, one of its versions, a batch of it, or a prediction.

    Raises:
        NotRecorded: when the ledger has nothing of it.
        orchestration.use_cases.InvalidUseCase: when there is no such use case.
    """
    try:
        answer = _answer(about, batch)
    except NotRecorded:
        if not PREDICTION_ID.fullmatch(about):
            from orchestration.use_cases import find_use_case

            find_use_case(re.split("[@/]", about)[0])  # says which there are, where it is none
        raise
    if as_json:
        emit(answer.as_dict())
    else:
        print_answer(answer)


def _answer(about: str, batch: str | None) -> Answer:
    settings = get_settings()
    objects = LocalStore(settings.store_root)
    name, at, version = about.partition("@")
    if batch is not None:
        if at or "/" in about:
            raise click.UsageError("--batch goes with the name of a use case alone")
        return why_batch(settings, name, batch)
    if "/" in about or PREDICTION_ID.fullmatch(about):
        return why_prediction(settings, objects, about)
    if at and not re.fullmatch("[0-9]{1,9}", version):
        raise click.UsageError(f"{version!r} is not a version; write {name}@2, for example")
    return why_version(settings, objects, name, int(version) if at else None)


def print_answer(answer: Answer) -> None:
    """Prints the statements for a person, by topic, each with what it rests on.

    Digests and ids are cut to their beginning; JSON has them whole.
    """
    console.print(Text(answer.title, style="bold"))
    for topic, statements in groupby(answer.statements, lambda each: each.topic):
        console.print(Text(topic, style="bold"))
        every = list(statements)
        for statement in every[:MOST_SHOWN]:
            console.print(Padding(_line(statement), (0, 0, 0, 2), expand=False))
        if len(every) > MOST_SHOWN:
            console.print(f"  … {len(every) - MOST_SHOWN} more; --json has all")


def _line(statement: Statement) -> Text:
    style = "" if statement.known else "yellow"
    return Text.assemble((short(statement.text), style), (_cited(statement.rests_on), "dim"))


def _cited(citations: Sequence[Citation]) -> str:
    if not citations:
        return ""
    told = list(dict.fromkeys(each.told for each in citations))
    shown = told[:MOST_CITED]
    more = f"; {len(told) - len(shown)} more" if len(told) > len(shown) else ""
    return f" [{'; '.join(shown)}{more}]"
