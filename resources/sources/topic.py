"""A topic of Kafka: what came since the last batch becomes the next one.

Belongs here: when a batch is cut, of which offsets, and its rows. Does not belong here: brokers
(`resources.kafka`), or what a message means (`leeway.data.messages`). A cut is recorded in our own
database before anything is read for good; the brokers only hear afterwards how far it is stored.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from leeway.data.messages import Message, table_of_messages
from leeway.spec import KafkaSource
from leeway.spec.policies import as_timedelta
from resources.files import SourceError
from resources.kafka import Reader, reader
from resources.sources.base import Origin, sha256, unknown_batch
from resources.topic_ranges import Range, record, recorded, stored

if TYPE_CHECKING:
    import pyarrow as pa

_CUT_SECONDS = 20.0  # of one look; a sensor has 60
Bounds = dict[int, tuple[int, int]]


class Topic:
    """The messages of one topic, each in one batch of the group."""

    origin: Origin = "real"

    def __init__(self, source: KafkaSource, columns: Sequence[str]) -> None:
        self.source = source
        self.columns = columns
        self.description = f"topic {source.topic} of {source.servers_env}"
        self._bounds: Bounds | None = None  # as the last look found them

    def batches(self) -> list[str]:
        """See `BatchSource`; what waits long enough, or fills one, becomes a batch."""
        with reader(self.source, self.description) as topic:
            self._bounds = topic.bounds()
            self._cut(topic, self._bounds)
            self._follow(topic)
        return list(self._ranges())

    def place(self, batch: str) -> str:
        """See `BatchSource`; with the offsets."""
        parts = [
            f"partition {each.partition} from {each.first} to {each.after - 1}"
            for each in self._ranges().get(batch, ())
        ]
        return ", ".join([self.description, *parts])

    def read(self, batch: str) -> pa.Table:
        """See `BatchSource`; in order of partition and offset."""
        known = self._ranges()
        if batch not in known:
            raise unknown_batch(self.description, batch, list(known))
        with reader(self.source, self.description) as topic:
            oldest = {partition: low for partition, (low, _) in topic.bounds().items()}
            found, held = _lost(known[batch], oldest)
            found += topic.messages(held)
        found.sort(key=lambda message: (message.partition, message.offset))
        largest = self.source.message_kilobytes * 1024
        return table_of_messages(self.source.topic, found, self.columns, largest)

    def fingerprint(self, batch: str) -> str | None:
        """See `BatchSource`; of the offsets, because no message ever changes."""
        ranges = self._ranges().get(batch)
        if ranges is None:
            return None
        if self._bounds is None:
            with reader(self.source, self.description) as topic:
                self._bounds = topic.bounds()
        if any(each.first < self._bounds.get(each.partition, (0, 0))[0] for each in ranges):
            return None
        return sha256(repr((self.source.topic, ranges)).encode())

    def tell_stored(self) -> None:
        """Tells the group how far all is stored, where a batch was committed just now."""
        with reader(self.source, self.description) as topic:
            self._follow(topic)

    def _ranges(self) -> dict[str, list[Range]]:
        return recorded(self.source.group, self.source.topic)

    def _follow(self, topic: Reader) -> None:
        offsets = stored(self.source.group, self.source.topic)
        failed = topic.commit(offsets) if offsets else ""
        if failed:  # nothing depends on it: our own database says what is stored
            logging.getLogger(__name__).warning(
                "%s: the offset of group %s is behind: %s",
                self.description, self.source.group, failed,
            )  # fmt: skip

    def _cut(self, topic: Reader, bounds: Bounds) -> None:
        """Records the batches that are full, and the rest when it has waited long enough."""
        waiting = _waiting(self._ranges().values(), bounds, self.description)
        if not waiting or not self._is_due(topic, waiting, bounds):
            return
        started = time.monotonic()
        ends = {each.partition: each.first for each in waiting}
        count = size = 0
        held = [_held(each, bounds) for each in waiting]
        for message in topic.messages([each for each in held if each.first < each.after]):
            ends[message.partition] = message.offset + 1
            count, size = count + 1, size + len(message.value or b"")
            if count == self.source.rows or size >= self.source.megabytes * 2**20:
                waiting = self._record(waiting, ends)
                count = size = 0
                if not waiting or time.monotonic() - started > _CUT_SECONDS:
                    return
        self._last(topic, waiting, bounds)

    def _last(self, topic: Reader, waiting: Sequence[Range], bounds: Bounds) -> None:
        """What is left and fills no batch becomes one when it has waited long enough."""
        if waiting and self._has_waited(topic, waiting, bounds):
            self._record(waiting, {each.partition: each.after for each in waiting})

    def _record(self, waiting: Sequence[Range], ends: dict[int, int]) -> list[Range]:
        """Makes a batch of what waits up to `ends`; what waits then: nothing if it was taken."""
        taken = [Range(w.partition, w.first, ends[w.partition]) for w in waiting]
        taken = [each for each in taken if each.first < each.after]
        if not record(self.source.group, self.source.topic, taken):
            return []  # another process is at it: its batches are as good
        left = [Range(w.partition, ends[w.partition], w.after) for w in waiting]
        return [each for each in left if each.first < each.after]

    def _is_due(self, topic: Reader, waiting: Sequence[Range], bounds: Bounds) -> bool:
        """Whether there may be a batch: enough messages, or one that waits for long."""
        enough = sum(each.after - each.first for each in waiting) >= self.source.rows
        return enough or self._has_waited(topic, waiting, bounds)

    def _has_waited(self, topic: Reader, waiting: Sequence[Range], bounds: Bounds) -> bool:
        """Whether the first message of a partition is old enough; one without a time is."""
        held = [_held(each, bounds) for each in waiting]
        if any(each.first == each.after for each in held):
            return True  # all of it is lost, which is to be told
        since = datetime.now(UTC) - as_timedelta(self.source.wait)
        first = [Range(each.partition, each.first, each.first + 1) for each in held]
        return any(each.at is None or each.at <= since for each in topic.messages(first))


def _waiting(batches: Iterable[Sequence[Range]], bounds: Bounds, place: str) -> list[Range]:
    """The offsets of each partition that are in no batch yet.

    A partition that is new to the group begins at the oldest message that it holds.

    Raises:
        SourceError: when a partition ends before what was read of it.
    """
    ended: dict[int, int] = {}
    for ranges in batches:
        for each in ranges:
            ended[each.partition] = max(each.after, ended.get(each.partition, 0))
    found = []
    for partition, (low, high) in bounds.items():
        first = ended.get(partition, low)
        if high < first:
            raise SourceError(
                f"{place}: partition {partition} ends at offset {high}, and was read up to "
                f"{first}: this is another topic of the same name. Give source.group another name "
                "to read it from its beginning"
            )
        if first < high:
            found.append(Range(partition, first, high))
    return found


def _held(each: Range, bounds: Bounds) -> Range:
    """The part of a range that the topic still holds."""
    low = bounds[each.partition][0]
    return Range(each.partition, min(max(each.first, low), each.after), each.after)


def _lost(ranges: Sequence[Range], oldest: dict[int, int]) -> tuple[list[Message], list[Range]]:
    """A message for each range of which the topic deleted a part, and what it holds of them."""
    lost, held = [], []
    for each in ranges:
        low = min(max(each.first, oldest.get(each.partition, each.after)), each.after)
        if low > each.first:
            problem = (
                f"lost: offsets {each.first} to {low - 1} were deleted by the topic's retention "
                "before they were read"
            )
            lost.append(Message(each.partition, each.first, None, problem=problem))
        if low < each.after:
            held.append(Range(each.partition, low, each.after))
    return lost, held
