"""Which batch a key belongs to, and which batches are concerned when one gets or gives up a key."""

from __future__ import annotations

import pyarrow as pa
import pytest

from leeway.data.shared_keys import as_text, before, concerned, held_by, without
from leeway.data.tables import from_parquet, to_parquet


def held(**batches: list[int]) -> pa.Table:
    """Keys by batch, as the table raw has them."""
    return pa.table(
        {
            "key": pa.array([key for keys in batches.values() for key in keys], pa.int64()),
            "batch_id": [batch for batch, keys in batches.items() for _ in keys],
        }
    )


HELD = held(b2=[1, 2], b1=[3], b10=[4])
NONE = held()


def test_the_keys_of_earlier_batches_are_those_of_lesser_ids() -> None:
    assert before(HELD, "b2")["key"].to_pylist() == [3, 4], "as text, b10 is before b2"
    assert before(HELD, "b1").num_rows == 0
    assert without(HELD, "b2")["key"].to_pylist() == [3, 4]


@pytest.mark.parametrize(
    ("batch", "keys", "found"),
    [
        ("a", [1, 4], ["b10", "b2"]),
        ("b1", [3], []),
        ("b1", [3, 2], ["b2"]),
        ("b1", [], []),
        ("b3", [1, 3, 4], []),
        ("b0", [9], []),
    ],
)
def test_later_batches_with_a_key_that_a_batch_gets_are_concerned(
    batch: str, keys: list[int], found: list[str]
) -> None:
    assert concerned(HELD, NONE, batch, pa.array(keys, pa.int64())) == found


def test_later_batches_that_left_a_key_to_one_which_gives_it_up_are_concerned() -> None:
    left = pa.table({"key": ["3", "3", "heavy"], "batch_id": ["b2", "b0", "b4"]})
    assert concerned(HELD, left, "b1", pa.array([], pa.int64())) == ["b2"]
    assert concerned(HELD, left, "b1", pa.array([3], pa.int64())) == []


def test_keys_are_compared_as_text_because_their_type_may_have_changed() -> None:
    text = held_by(pa.array(["1", "2"]), "b2")
    assert concerned(text, NONE, "b1", pa.array([2], pa.int64())) == ["b2"]
    assert as_text(pa.chunked_array([pa.array([1]), pa.array([2])])).to_pylist() == ["1", "2"]


def test_a_note_makes_another_object_of_the_same_rows() -> None:
    table = pa.table({"id": [1, 2]})
    plain, noted = to_parquet(table), to_parquet(table, {"leeway.rejected_rows": "sha256:1"})
    assert plain != noted
    assert from_parquet(noted).equals(table)
    assert to_parquet(from_parquet(noted)) == plain, "a note is not carried on by the way"
