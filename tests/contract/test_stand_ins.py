"""Made-up rows come only where the YAML asks for them, and never beside or after real ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from resources.files import SourceError, Unavailable
from resources.ledger import Ledger
from resources.postgres import transaction
from resources.settings import Settings, get_settings
from resources.stand_ins import Reading, hold_against, reading_of
from tests.batches import age
from tests.small_use_case import small

SYNTHETIC = {"synthetic": {"rows": 200, "batches": 2}}
ABSENT = {"kind": "archive", "url": "https://nosuch.invalid/t.csv", "digest": f"sha256:{'0' * 64}"}
ROWS = "id,x,y\n1,2.5,3\n2,3.5,4\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A source that can be had."""
    path = tmp_path / "t.csv"
    path.write_text(ROWS)
    age(path)
    return path


def of(path: Path) -> dict[str, Any]:
    return {"kind": "file", "path": str(path)}


def test_a_source_that_cannot_be_had_is_replaced_once_and_for_all(
    shared: Settings, use_case_name: str, tmp_path: Path
) -> None:
    spec = small(of(tmp_path / "t.csv"), stand_in=SYNTHETIC)
    reading = reading_of(use_case_name, spec, shared)
    assert (reading.source.origin, reading.read_from) == ("synthetic", "stand_in.synthetic")
    assert reading.source.batches() == ["synthetic-1", "synthetic-2"]
    assert reading.source.read("synthetic-2").num_rows == 100
    assert reading.description == "synthetic rows of the same schema, in place of file t.csv"
    assert "no such file" in reading.note
    assert "goes on with them" in reading.note
    assert "another LEEWAY_HOME" in reading.note

    (tmp_path / "t.csv").write_text(ROWS)  # the source is there now
    age(tmp_path / "t.csv")
    assert reading_of(use_case_name, spec, shared).read_from == "stand_in.synthetic"


def test_a_source_that_gave_a_batch_is_never_replaced(
    shared: Settings, use_case_name: str, table: Path
) -> None:
    spec = small(of(table), stand_in=SYNTHETIC)
    reading = reading_of(use_case_name, spec, shared)
    assert (reading.source.origin, reading.read_from, reading.note) == ("real", "source", "")
    table.unlink()
    gone = reading_of(use_case_name, spec, shared)
    assert gone.read_from == "source"
    with pytest.raises(Unavailable, match="no such file"):
        gone.source.batches()


def test_batches_from_before_there_were_stand_ins_count(
    shared: Settings, use_case_name: str
) -> None:
    ledger = Ledger(shared)
    attempt = ledger.begin(use_case_name, "raw", "2009", "run")
    ledger.commit(attempt, input_digest="i", digest="d", uri="u", rows=1, facts={})
    assert (
        reading_of(use_case_name, small(ABSENT, stand_in=SYNTHETIC), shared).read_from == "source"
    )


def test_nothing_stands_in_where_the_yaml_does_not_ask_for_it(
    shared: Settings, use_case_name: str, tmp_path: Path
) -> None:
    reading = reading_of(use_case_name, small(of(tmp_path / "t.csv"), stand_in=None), shared)
    assert (reading.read_from, reading.source.origin) == ("source", "real")


def test_nothing_stands_in_in_production(shared: Settings, use_case_name: str) -> None:
    production = shared.model_copy(update={"environment": "production"})
    spec = small(ABSENT, stand_in=SYNTHETIC)
    assert reading_of(use_case_name, spec, production).read_from == "source"
    assert reading_of(use_case_name, spec, shared).read_from == "stand_in.synthetic"
    with pytest.raises(SourceError, match="production never does"):
        reading_of(use_case_name, spec, production)


def test_a_public_address_that_is_not_reached_is_one_that_cannot_be_had(
    shared: Settings, use_case_name: str
) -> None:
    reading = reading_of(use_case_name, small(ABSENT, stand_in=SYNTHETIC), shared)
    assert reading.source.origin == "synthetic"
    assert "in place of archive t.csv" in reading.description


def test_a_source_that_gives_something_wrong_is_an_error_and_nothing_is_decided(
    shared: Settings, use_case_name: str, table: Path
) -> None:
    spec = small(of(table), stand_in=SYNTHETIC)
    table.write_bytes(b'id,x,y\n1,"2')
    age(table)
    with pytest.raises(SourceError) as refused:
        reading_of(use_case_name, spec, shared)
    assert not isinstance(refused.value, Unavailable)
    table.write_text(ROWS)
    age(table)
    assert reading_of(use_case_name, spec, shared).read_from == "source"


def test_another_source_stands_in_before_made_up_rows(
    shared: Settings, use_case_name: str, table: Path
) -> None:
    both = small(ABSENT, stand_in=SYNTHETIC | {"source": of(table)})
    reading = reading_of(use_case_name, both, shared)
    assert (reading.read_from, reading.source.origin) == ("stand_in.source", "real")
    assert reading.source.batches() == ["t"]
    table.unlink()  # nor is it replaced in its turn
    assert reading_of(use_case_name, both, shared).read_from == "stand_in.source"


def test_what_was_decided_on_cannot_leave_the_yaml_silently(
    shared: Settings, use_case_name: str, table: Path
) -> None:
    reading_of(use_case_name, small(ABSENT, stand_in=SYNTHETIC), shared)
    with pytest.raises(SourceError, match=r"reads stand_in\.synthetic in place of file t\.csv"):
        reading_of(use_case_name, small(of(table), stand_in=None), shared)


def test_a_batch_from_elsewhere_is_refused_when_it_commits(
    shared: Settings, use_case_name: str, table: Path
) -> None:
    real = reading_of(use_case_name, small(of(table), stand_in=None), shared)  # nothing is recorded
    made_up = reading_of(use_case_name, small(ABSENT, stand_in=SYNTHETIC), shared)
    with (
        pytest.raises(SourceError, match=r"it came from source, and .* reads stand_in\.synthetic"),
        transaction(shared) as cursor,
    ):
        hold_against(cursor, use_case_name, "t", real)
    with transaction(shared) as cursor:
        hold_against(cursor, use_case_name, "synthetic-1", made_up)


def decide(home: str, url: str, name: str, source: dict[str, Any]) -> str:
    """In a process of its own."""
    import os

    os.environ |= {"LEEWAY_HOME": home, "LEEWAY_DATABASE_URL": url, "LEEWAY_ENVIRONMENT": "test"}
    get_settings.cache_clear()
    reading: Reading = reading_of(name, small(source, stand_in=SYNTHETIC), get_settings())
    return reading.read_from


def test_four_at_once_decide_alike(
    shared: Settings, use_case_name: str, table: Path, together: Callable[..., list[Any]]
) -> None:
    assert shared.database_url is not None
    url = shared.database_url.get_secret_value()
    sources = [of(table), of(table.with_name("gone.csv"))] * 2
    found = together(decide, [(str(shared.home), url, use_case_name, each) for each in sources])
    assert len(set(found)) == 1


@pytest.fixture
def use_case_name(request: pytest.FixtureRequest) -> str:
    return str(request.node.name)
