"""Batches of an HTTP API are whole, or the answer that was wrong is named; nothing comes twice."""

from __future__ import annotations

import itertools
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from leeway.spec import HttpSource
from resources.files import SourceError
from resources.settings import PROJECT, get_settings
from resources.sources import HttpApi
from resources.web import Patience, Web
from tests.reference import Reference, asking_this_machine, serving

CANARY = "hunter2canary"
MONTHS: dict[str, list[dict[str, Any]]] = {
    "2024-01": [{"id": i, "price": 1000.5 + i, "state": "Ohio"} for i in range(7)],
    "2024-02": [{"id": i, "price": None, "state": "Iowa"} for i in range(7, 13)],
}


@pytest.fixture
def reference(reference: Reference) -> Reference:
    """It holds the months."""
    reference.hold(MONTHS)
    (reference.folder / "marks").unlink(missing_ok=True)
    return reference


def api(reference: Reference, patience: Patience | None = None, **fields: Any) -> HttpApi:
    fields = {"kind": "http", "url": reference.url, "batches": "months", "rows": "listings",
              "batch_parameter": "month", "page_size": 3} | fields  # fmt: skip
    quick = Patience(attempts=3, first_delay=0.01, silence=1, answer=1.5)
    return HttpApi(HttpSource.model_validate(fields), Web(patience or quick))


def pages_asked(reference: Reference) -> list[int]:
    paths = [each["path"] for each in reference.asked()]
    return [int(found[1]) for path in paths if (found := re.search(r"[?&]page=(\d+)", path))]


def test_every_row_comes_once_and_in_order(reference: Reference) -> None:
    source = api(reference)
    assert source.batches() == ["2024-01", "2024-02"]
    table = source.read("2024-01")
    assert table.to_pydict() == {
        "id": [str(i) for i in range(7)],
        "price": [f"{1000.5 + i}" for i in range(7)],
        "state": ["Ohio"] * 7,
    }
    assert source.read("2024-02")["price"].null_count == 6, "and its last page is full"
    assert source.description == f"HTTP API {reference.url}"


BAD = ["500", "429", "503 after 0", "html", "half", "short", "empty", "repeat", "never", "drip"]


@pytest.mark.parametrize("fault", BAD)
@pytest.mark.parametrize("page", [1, 2, 3])
def test_a_page_that_fails_is_asked_for_again_and_nothing_is_lost_or_doubled(
    reference: Reference, fault: str, page: int
) -> None:
    reference.next("", *[""] * (page - 1), fault)
    assert api(reference).read("2024-01")["id"].to_pylist() == [str(i) for i in range(7)]
    expected = sorted([1, 2, 3, page])
    assert pages_asked(reference) == expected


ENDS = {
    "500": "the server answered 500",
    "html": "the answer is no JSON but HTML",
    "half": r"the connection broke off \(\w+\)",
    "short": "the page has 2 rows and not 3, as total 7 and source.page_size 3 make it",
    "empty": "the page has 0 rows and not 3",
    "repeat": "the page is page 1 once more",
    "never": "no answer for 1 s",
}


@pytest.mark.parametrize(("fault", "says"), ENDS.items())
def test_a_page_that_always_fails_is_named_with_what_is_wrong(
    reference: Reference, fault: str, says: str
) -> None:
    reference.next("", "", *[fault] * 9)
    place = f"{reference.url}/listings, month 2024-01, page 2: "
    with pytest.raises(SourceError, match=f"^{re.escape(place)}{says}.*last of 3 attempts"):
        api(reference).read("2024-01")
    assert pages_asked(reference) == [1, 2, 2, 2]


def test_a_server_that_limits_the_pages_is_understood(reference: Reference) -> None:
    with pytest.raises(SourceError, match=r"page has 7 rows and not 3.*source\.page_size"):
        api(reference, page_size_parameter="per_page_limit", url=_capped(reference)).read("2024-01")


def _capped(reference: Reference) -> str:
    """An API that gives seven rows a page, whatever it is asked."""
    return f"{reference.url}/capped"


@pytest.mark.parametrize("marks", ["etag", "date", "none"])
def test_what_did_not_change_is_not_sent_again_and_what_did_is(
    reference: Reference, marks: str
) -> None:
    (reference.folder / "marks").write_text(marks)
    os.utime(reference.folder / "listings.json", (1, 1_700_000_000))
    source = api(reference)
    before, table = source.fingerprint("2024-01"), source.read("2024-01")
    reference.next()
    assert source.fingerprint("2024-01") == before
    asked = [each for each in reference.asked() if "page=" in each["path"]]
    header = {"etag": "If-None-Match", "date": "If-Modified-Since", "none": None}[marks]
    assert [header in each["headers"] for each in asked] == [header is not None] * 3
    changed = [*MONTHS["2024-01"][:6], {"id": 6, "price": 1, "state": "Ohio"}]
    reference.hold(MONTHS | {"2024-01": changed})
    assert source.fingerprint("2024-01") not in (None, before)
    assert source.read("2024-01")["price"].to_pylist()[-1] == "1"
    reference.hold(MONTHS)
    assert source.fingerprint("2024-01") == before
    assert source.read("2024-01").equals(table)
    assert source.fingerprint("2031-01") is None


def test_a_batch_that_grew_between_two_readings_is_whole(reference: Reference) -> None:
    source = api(reference)
    source.read("2024-01")
    reference.hold({"2024-01": [{"id": i} for i in range(2)], "2024-02": MONTHS["2024-02"]})
    assert source.read("2024-01").to_pydict() == {"id": ["0", "1"]}
    reference.hold({"2024-01": [{"id": i} for i in range(20)]})
    assert source.read("2024-01")["id"].to_pylist() == [str(i) for i in range(20)]


@pytest.mark.parametrize("marks", ["etag", "none"])
def test_a_reading_that_was_cut_off_goes_on_with_the_page_where_it_was(
    reference: Reference, marks: str
) -> None:
    (reference.folder / "marks").write_text(marks)
    source = api(reference)
    reference.next("", "", "", *["500"] * 3)
    with pytest.raises(SourceError, match="page 3: the server answered 500"):
        source.read("2024-01")
    reference.next()
    assert source.read("2024-01")["id"].to_pylist() == [str(i) for i in range(7)]
    # A page with a mark is asked for if it changed; one without was sent just now.
    assert pages_asked(reference) == ([1, 2, 3] if marks == "etag" else [3])
    reference.next()
    source.read("2024-01")
    assert pages_asked(reference) == [1, 2, 3], "a reading that ended is no reason to trust pages"


def test_a_reading_that_was_cut_off_is_not_mixed_with_rows_that_came_since(
    reference: Reference,
) -> None:
    (reference.folder / "marks").write_text("none")
    reference.next("", "", "", *["500"] * 3)
    with pytest.raises(SourceError, match="page 3"):
        api(reference).read("2024-01")
    reference.hold({"2024-01": [{"id": -1}, *MONTHS["2024-01"]]})
    found = api(reference).read("2024-01")["id"].to_pylist()
    assert found == [str(i) for i in range(-1, 7)]


def test_a_reading_that_was_killed_goes_on(reference: Reference, tmp_path: Path) -> None:
    (reference.folder / "marks").write_text("none")
    reference.next("", "", "", "never")
    program = (
        "from leeway.spec import HttpSource\nfrom resources.sources import HttpApi\n"
        f"HttpApi(HttpSource(kind='http', url={reference.url!r}, batches='months', "
        "rows='listings', batch_parameter='month', page_size=3)).read('2024-01')"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=PROJECT) as process:
        while len(pages_asked(reference)) < 3:
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    reference.next()
    assert api(reference).read("2024-01")["id"].to_pylist() == [str(i) for i in range(7)]
    assert pages_asked(reference) == [3]


def test_a_damaged_page_that_was_kept_is_asked_for_again(reference: Reference) -> None:
    source = api(reference)
    table = source.read("2024-01")
    for path in (get_settings().home / "downloads" / "pages").rglob("*.page"):
        path.write_bytes(path.read_bytes()[:-4])
    assert source.read("2024-01").equals(table)


def test_a_batch_that_never_holds_still_is_refused(reference: Reference) -> None:
    source = api(reference, url=f"{reference.url}/restless")
    with pytest.raises(SourceError, match="the batch changed while its pages were read, 3 times"):
        source.read("2024-01")


def test_requests_keep_the_pace(reference: Reference) -> None:
    api(reference, Patience(requests_per_second=10)).read("2024-01")
    moments = [each["at"] for each in reference.asked()]
    assert len(moments) == 4
    assert all(after - before > 0.08 for before, after in itertools.pairwise(moments))


def test_a_server_that_asks_for_time_gets_it(reference: Reference) -> None:
    reference.next("", "429 after 1")
    api(reference).read("2024-01")
    _, first, second, *_ = [each["at"] for each in reference.asked()]
    assert second - first >= 1


def test_an_unknown_batch_and_an_empty_one_are_refused(reference: Reference) -> None:
    reference.hold(MONTHS | {"2024-03": []})
    with pytest.raises(SourceError, match="unknown batch '2031-01'; there are 2024-01, 2024-02"):
        api(reference).read("2031-01")
    with pytest.raises(SourceError, match="month 2024-03: the batch has no rows"):
        api(reference).read("2024-03")


@pytest.mark.parametrize(
    ("listing", "says"),
    [({"a/b": []}, "'a/b' is not a batch id"), ({"": []}, "'' is not a batch id")],
)
def test_a_batch_that_cannot_be_one_is_refused(
    reference: Reference, listing: dict[str, list[dict[str, Any]]], says: str
) -> None:
    reference.hold(listing)
    with pytest.raises(SourceError, match=f"/months: {says}"):
        api(reference).batches()


def test_what_is_no_list_of_batches_is_refused(reference: Reference) -> None:
    source = api(reference, batches="listings", rows="months", url=reference.url)
    with pytest.raises(SourceError, match="/listings: the server answered 404"):
        source.batches()
    found = api(reference, batches="object")
    with pytest.raises(SourceError, match="/object: the answer is no list of batch ids"):
        found.batches()


def test_a_row_that_is_none_is_refused_with_its_number(reference: Reference) -> None:
    reference.hold({"2024-01": [{"id": i} for i in range(4)] + [{"id": [1]}]})
    with pytest.raises(SourceError, match="month 2024-01: row 5: 'id' holds a list"):
        api(reference).read("2024-01")


@pytest.mark.usefixtures("one_mb")
def test_more_rows_than_may_be_read_are_refused(reference: Reference) -> None:
    reference.hold({"2024-01": [{"id": i, "x": "x" * 90_000} for i in range(15)]})
    with pytest.raises(SourceError, match="month 2024-01: it is too large: more than 1 MB"):
        api(reference).read("2024-01")


def test_the_token_and_the_address_come_from_variables_and_are_in_no_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "listings.json").write_text("{}")
    with serving(tmp_path, CANARY) as locked, asking_this_machine(tmp_path / "home"):
        locked.hold(MONTHS)
        named: dict[str, Any] = {
            "url": None,
            "url_env": "LISTINGS_URL",
            "token_env": "LISTINGS_TOKEN",
        }
        source = api(locked, **named)
        assert source.description == "HTTP API of LISTINGS_URL"
        with pytest.raises(SourceError, match=r"source\.url_env: the variable LISTINGS_URL is not"):
            source.batches()
        monkeypatch.setenv("LISTINGS_URL", locked.url)
        monkeypatch.setenv("LISTINGS_TOKEN", CANARY)
        assert source.read("2024-01").num_rows == 7
        said = []
        for url, token, fault in [
            (locked.url, f"{CANARY}x", ""),
            (locked.url, f"{CANARY}\n", ""),
            (f"{locked.url}?key={CANARY}", CANARY, ""),
            (locked.url.replace("//", f"//ana:{CANARY}@"), CANARY, ""),
            (f"http://{CANARY}:port", CANARY, ""),
            (locked.url, CANARY, "html"),
        ]:
            monkeypatch.setenv("LISTINGS_URL", url)
            monkeypatch.setenv("LISTINGS_TOKEN", token)
            locked.next(*[fault] * 5)
            with pytest.raises(SourceError) as refused:
                source.batches()
            said.append(str(refused.value))
            assert refused.value.__cause__ is None or CANARY not in str(refused.value.__cause__)
        assert CANARY not in "".join(said)
        assert "the server answered 401; check source.token_env" in said[0]


def test_the_token_goes_to_no_other_host(
    tmp_path: Path, reference: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LISTINGS_TOKEN", CANARY)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with serving(elsewhere) as other:
        other.hold(MONTHS)
        other.next()
        reference.next(f"to {other.url}/months", "to /months")
        source = api(reference, token_env="LISTINGS_TOKEN")
        assert source.batches() == source.batches()
        (stranger,) = other.asked()
        own = reference.asked()
    assert "Authorization" not in stranger["headers"]
    assert [each["headers"]["Authorization"] for each in own] == [f"Bearer {CANARY}"] * 3
