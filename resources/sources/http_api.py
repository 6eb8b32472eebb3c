"""Rows of an HTTP API, page by page, for each batch that it lists.

Belongs here: what a page must hold, and when a batch is complete. Does not belong here: requests
(`resources.web`), or the pages of an interrupted reading (`pages`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from leeway.data.records import NotRecords, parse_json, table_of_records
from leeway.identifiers import check_batch
from leeway.spec import HttpSource
from resources.addresses import place_of
from resources.files import SourceError, largest_bytes, too_large
from resources.sources.base import Origin, digest_of_rows, sha256, unknown_batch
from resources.sources.pages import Page, Pages
from resources.variables import variable
from resources.web import Answer, Passing, Patience, Web

if TYPE_CHECKING:
    import pyarrow as pa

_READINGS = 3  # of a batch that changes while it is read


class _Changed(Exception):
    """The pages that came are not of one state of the batch."""


class HttpApi:
    """An API that lists its batches and gives their rows in pages."""

    origin: Origin = "real"

    def __init__(self, source: HttpSource, web: Web | None = None) -> None:
        self.source = source
        self.web = web or Web(Patience(requests_per_second=source.requests_per_second))
        named = place_of(source.url) if source.url else f"of {source.url_env}"
        self.description = f"HTTP API {named}"

    def batches(self) -> list[str]:
        """See `BatchSource`; in the order of the API."""
        url = self._url(self.source.batches)
        found = self.web.get(url, _json, self._headers())
        try:
            if not isinstance(found, list):
                raise ValueError("the answer is no list of batch ids")
            return [check_batch(str(each)) for each in dict.fromkeys(map(str, found))]
        except ValueError as error:
            raise SourceError(f"{place_of(url)}: {error}; check source.batches") from error

    def place(self, batch: str) -> str:
        """See `BatchSource`."""
        url = place_of(self._url(self.source.rows))
        return f"{url}, {self.source.batch_parameter} {batch}"

    def read(self, batch: str) -> pa.Table:
        """See `BatchSource`."""
        batches = self.batches()
        if batch not in batches:
            raise unknown_batch(self.place(batch), batch, batches)
        pages = Pages(self.web.settings.home, self._url(self.source.rows), batch, repr(self.source))
        for _ in range(_READINGS):
            resumed = pages.begin()
            try:
                table, count = self._collect(batch, pages, resumed)
            except _Changed:
                pages.forget()
                continue
            pages.end(count)
            return table
        raise SourceError(
            f"{self.place(batch)}: the batch changed while its pages were read, "
            f"{_READINGS} times. Run the command again when nobody writes to the batch"
        )

    def fingerprint(self, batch: str) -> str | None:
        """See `BatchSource`; of the rows, of which only pages that changed are sent again."""
        return digest_of_rows(self.read(batch)) if batch in self.batches() else None

    def _collect(self, batch: str, pages: Pages, resumed: bool) -> tuple[pa.Table, int]:
        """All rows of a batch, and on how many pages they are."""
        import pyarrow as pa

        tables: list[pa.Table] = []
        seen: dict[str, int] = {}
        total, rows, size, number = None, 0, 0, 0
        while total is None or rows < total:
            number += 1
            kept = pages.get(number)
            if resumed and kept and not kept.marks and pages.of_this_reading(number):
                body, items, found = kept.body, *self._rows(kept.body, number, {})
            else:
                body, items, found = self._page(batch, number, pages, kept, seen)
            if total is not None and found != total:
                raise _Changed
            seen[sha256(repr(items).encode())] = number
            total, rows, size = found, rows + len(items), size + len(body)
            if size > largest_bytes():
                raise too_large(self.place(batch))
            tables.append(self._table(items, rows - len(items) + 1, batch))
        if not rows:
            raise SourceError(f"{self.place(batch)}: the batch has no rows; nothing was stored")
        return pa.concat_tables(tables, promote_options="default"), number

    def _page(
        self, batch: str, number: int, pages: Pages, kept: Page | None, seen: dict[str, int]
    ) -> tuple[bytes, list[Any], int]:
        """One page: the body, its rows, and how many rows there are on all pages."""

        def read(answer: Answer) -> tuple[bytes, list[Any], int]:
            if answer.status == 304 and kept is None:
                raise Passing("the server says that nothing changed, which it was not asked")
            if answer.status == 304 and kept is not None:
                try:
                    return kept.body, *self._rows(kept.body, number, seen)
                except Passing:  # what was kept does not fit the other pages
                    raise _Changed from None
            items, total = self._rows(answer.body, number, seen)
            pages.put(number, answer.body, answer.headers)
            return answer.body, items, total

        source = self.source
        asked = {
            source.batch_parameter: batch,
            source.page_parameter: number,
            source.page_size_parameter: source.page_size,
        }
        conditions = kept.conditions if kept else {}
        url = f"{self._url(source.rows)}?{urlencode(asked)}"
        place = f"{self.place(batch)}, page {number}"
        return self.web.get(url, read, {**self._headers(), **conditions}, place)

    def _rows(self, body: bytes, number: int, seen: dict[str, int]) -> tuple[list[Any], int]:
        """The rows of a page and the number of all rows; a page that is not whole may pass."""
        found = _parsed(body)
        source = self.source
        if not isinstance(found, dict):
            raise Passing("the answer is no object")
        items, total = found.get(source.rows_field), str(found.get(source.total_field))
        if not isinstance(items, list):
            names = ", ".join(map(repr, found)) or "nothing"
            raise Passing(f"the answer has no list {source.rows_field!r}; it has {names[:200]}")
        if not total.isdecimal() or len(total) > 15:
            raise Passing(f"the answer has no number of all rows {source.total_field!r}")
        expected = min(source.page_size, int(total) - (number - 1) * source.page_size)
        if len(items) != max(0, expected):
            raise Passing(
                f"the page has {len(items)} rows and not {max(0, expected)}, as "
                f"{source.total_field} {total} and source.page_size {source.page_size} make it"
            )
        twin = seen.get(sha256(repr(items).encode()))
        if twin is not None:
            raise Passing(f"the page is page {twin} once more")
        return items, int(total)

    def _table(self, items: list[Any], first: int, batch: str) -> pa.Table:
        try:
            return table_of_records(items, first)
        except NotRecords as error:
            raise SourceError(f"{self.place(batch)}: {error}") from error

    def _url(self, path: str) -> str:
        source = self.source
        base = source.url or variable(str(source.url_env), "source.url_env")
        if "?" in base or "#" in base:
            raise SourceError(
                f"{place_of(base)}: the address goes on after ? or #; give the address that paths "
                "are added to, and a secret by source.token_env"
            )
        return f"{base.rstrip('/')}/{path}"

    def _headers(self) -> dict[str, str]:
        sent = {"Accept": "application/json"}
        if self.source.token_env is not None:
            token = variable(self.source.token_env, "source.token_env")
            sent["Authorization"] = f"Bearer {token}"
        return sent


def _json(answer: Answer) -> Any:
    return _parsed(answer.body)


def _parsed(body: bytes) -> Any:
    try:
        return parse_json(body)
    except NotRecords as error:
        hint = " but HTML" if body.lstrip()[:1] == b"<" else f": {error}"
        raise Passing(f"the answer is no JSON{hint}") from None
