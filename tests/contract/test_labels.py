"""Labels that come late, in any order, twice, or never: what is known of them at each time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from leeway.data.labelled import with_labels
from leeway.spec import UseCase
from resources.files import SourceError
from resources.labels import known_labels, take_in
from resources.postgres import transaction
from resources.settings import Settings
from tests.small_use_case import small

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
KEYS = pa.chunked_array([pa.array([1, 2, 3, 4])])


class Truth:
    """A folder of labels, and a clock that goes on by an hour with each look at it."""

    def __init__(self, settings: Settings, folder: Path, **more: Any) -> None:
        self.settings, self.folder, self.hours = settings, folder, 0
        folder.mkdir()
        labels = {"source": {"kind": "file", "path": str(folder)}, "key": "who", "label": "truth"}
        self.use_case: UseCase = small({"kind": "file", "path": "x.csv"}, labels=labels | more)

    def write(self, name: str, text: str) -> None:
        (self.folder / f"{name}.csv").write_text(text)

    def take(self) -> list[str]:
        """The problems of what was new."""
        self.hours += 1
        assert self.use_case.labels is not None
        moment = START + timedelta(hours=self.hours)
        taken = take_in(self.settings, "u", self.use_case, self.use_case.labels, lambda: moment)
        return [problem for each in taken for problem in each.problems]

    def known(self, hours: float | None = None) -> dict[int, float]:
        at = START + timedelta(hours=self.hours if hours is None else hours)
        table = known_labels(self.settings, "u", self.use_case, KEYS, at)
        return dict(zip(table["key"].to_pylist(), table["label"].to_pylist(), strict=True))


@pytest.fixture
def truth(settings: Settings, tmp_path: Path) -> Truth:
    return Truth(settings, tmp_path / "labels")


def test_labels_are_taken_in_once_and_what_was_not_read_yet_was_not_known(truth: Truth) -> None:
    truth.write("a", "who,truth\n1,10\n9,90\n")
    truth.take()
    truth.take()
    truth.write("b", "who,truth\n2,20.5\n")
    truth.take()
    assert truth.known() == {1: 10, 2: 20.5}
    assert truth.known(2) == {1: 10}
    assert truth.known(0.5) == {}
    with transaction(truth.settings) as cursor:
        cursor.execute("select count(*) from leeway.labels")
        assert cursor.fetchone() == (3,)


def test_a_label_that_comes_again_takes_the_place_of_the_one_before(truth: Truth) -> None:
    truth.write("a", "who,truth\n1,10\n2,20\n")
    truth.take()
    truth.write("b", "who,truth\n1,11\n")
    truth.take()
    assert (truth.known(), truth.known(1)) == ({1: 11, 2: 20}, {1: 10, 2: 20})


def test_a_batch_that_was_corrected_is_known_as_it_was_until_then(truth: Truth) -> None:
    truth.write("a", "who,truth\n1,10\n2,20\n")
    truth.take()
    truth.write("a", "who,truth\n1,12\n")
    truth.take()
    assert (truth.known(), truth.known(1)) == ({1: 12}, {1: 10, 2: 20})


def test_a_batch_that_is_gone_leaves_its_labels(truth: Truth) -> None:
    truth.write("a", "who,truth\n1,10\n")
    truth.write("b", "who,truth\n2,20\n")
    truth.take()
    (truth.folder / "a.csv").unlink()
    truth.take()
    assert truth.known() == {1: 10, 2: 20}


def test_what_arrived_last_counts_in_whichever_order_it_was_read(
    settings: Settings, tmp_path: Path
) -> None:
    truth = Truth(settings, tmp_path / "labels", arrival_time="came", event_time="true_at")
    truth.write("a", "who,truth,came,true_at\n1,11,2026-11-20,2026-11-01\n1,10,2026-11-10,\n")
    truth.take()
    truth.write("b", "who,truth,came,true_at\n1,9,2026-11-05,\n2,20,,\n")
    truth.take()
    assert truth.known() == {1: 11, 2: 20}
    table = known_labels(settings, "u", truth.use_case, KEYS, START + timedelta(hours=2))
    first, second = table.to_pylist()
    assert first["event_at"] == datetime(2026, 11, 1, tzinfo=UTC)
    assert first["arrived_at"] == datetime(2026, 11, 20, tzinfo=UTC)
    assert second["arrived_at"] == START + timedelta(hours=2)  # when it was read
    assert second["event_at"] is None


def test_rows_that_are_no_labels_are_kept_with_what_is_wrong_and_known_to_nobody(
    truth: Truth,
) -> None:
    truth.write("a", "who,truth\n1,ten\n,20\n3,\n4,40\n")
    problems = truth.take()
    assert problems == ["truth 'ten': not a number", "who None: missing", "truth None: missing"]
    assert truth.known() == {4: 40}
    with transaction(truth.settings) as cursor:
        cursor.execute("select row_number, problem from leeway.labels order by 1")
        assert cursor.fetchall()[0] == (1, "truth 'ten': not a number")


def test_a_source_without_the_columns_is_refused_and_what_was_known_stays(truth: Truth) -> None:
    truth.write("a", "who,truth\n1,10\n")
    truth.take()
    truth.write("b", "who,label\n1,11\n")
    with pytest.raises(SourceError, match="missing column 'truth'; the source has who, label"):
        truth.take()
    assert truth.known() == {1: 10}


def test_known_labels_go_before_the_rows_own_target() -> None:
    use_case = small({"kind": "file", "path": "x.csv"})
    rows = pa.table({"id": [1, 2, 3], "x": [0.0, 0.0, 0.0], "y": [1.0, None, None]})
    labels = pa.table({"key": [1, 3], "label": [5.0, 7.0]})
    assert with_labels(rows, labels, use_case)["y"].to_pylist() == [5, None, 7]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"columns": [
            {"name": "id", "type": "date", "role": "key", "description": "d"},
            {"name": "x", "type": "number", "description": "d"},
            {"name": "y", "type": "number", "role": "target", "description": "d"},
        ]}, "a key of type integer, text or category"),
        ({"labels": {"source": {"kind": "file", "path": "l"}, "key": "k"}}, "label"),
        ({"labels": {"source": {"kind": "simulator", "rows": 5}, "key": "k", "label": "l"}},
         "labels.source"),
    ],
)  # fmt: skip
def test_labels_that_cannot_find_their_rows_are_refused(change: dict[str, Any], told: str) -> None:
    labels = {"source": {"kind": "file", "path": "l"}, "key": "k", "label": "l"}
    with pytest.raises(ValueError, match=told):
        small({"kind": "file", "path": "x.csv"}, **({"labels": labels} | change))
