"""A release of which anything was changed is not served: the one before it goes on.

Belongs here: files of a release that are damaged, exchanged or gone, and what the service says.
Does not belong here: files that the ledger names and that are hostile (test_service_payloads.py).

Reliability matrix, S3. `make test` damages each file once under a running service, and some more in
this process; `make proof` as many as LEEWAY_KILLS says.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from leeway.digests import canonical_json
from resources.settings import Settings
from resources.store import CorruptObject, LocalStore
from serving.champions import champions, copies_of
from serving.keeper import Keeper
from serving.loading import Pointer, load
from tests.faults.harness import LONG, figure, seeded, times, until, zero
from tests.faults.released import BODIES, FILES, Made, make, make_champion, served
from tests.project_copy import NAME
from tests.service.service import PREDICT, Client

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]


def path_of(made: Made, name: str) -> Path:
    uri = made.uri if name == "manifest" else made.manifest["files"][name]["uri"]
    return Path(uri.removeprefix("file://"))


def flipped(data: bytes, other: bytes, draw: random.Random) -> bytes:
    changed = bytearray(data)
    changed[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return bytes(changed)


Damage = Callable[[bytes, bytes, random.Random], bytes | None]
# Of a file, given the same file of another release; None: the file is gone.
DAMAGES: dict[str, Damage] = {
    "a flipped bit": flipped,
    "another flipped bit": flipped,
    "truncated": lambda data, other, draw: data[: draw.randrange(len(data))],
    "longer": lambda data, other, draw: data + draw.randbytes(1 + draw.randrange(64)),
    "zeros within": lambda data, other, draw: data[: len(data) // 2] + bytes(len(data) // 2 + 1),
    "that of another release": lambda data, other, draw: other,
    "gone": lambda data, other, draw: None,
}


def replace(path: Path, data: bytes | None) -> None:
    if data is None:
        path.unlink(missing_ok=True)
    else:
        path.write_bytes(data)


@pytest.fixture(scope="module")
def client(shared: Settings) -> Iterator[Client]:
    make(shared, 1)
    make_champion(shared, 1)
    with served(shared) as found:
        yield found


@pytest.mark.parametrize("name", FILES)
def test_a_changed_byte_keeps_the_one_before_and_is_told(
    client: Client, shared: Settings, name: str
) -> None:
    def count() -> float:
        return client.metrics().get(f'release_load_failures_total{{use_case="{NAME}"}}', 0)

    version = 2 + FILES.index(name)
    path = path_of(make(shared, version), name)
    whole = path.read_bytes()
    path.write_bytes(flipped(whole, whole, seeded(name)))
    _, ready = client.get("/ready")
    before = count()
    make_champion(shared, version)
    assert until(lambda: count() > before, 10) is not None
    status, told = client.get("/ready")
    assert status == 200, "there is an answer"
    assert told["served"] == ready["served"], "the one before goes on"
    assert str(path) in told["waiting"][NAME]
    assert client.metrics()[f'champion_waiting{{use_case="{NAME}"}}'] == 1
    assert client.post(PREDICT, BODIES[0])[1]["model_version"] == ready["served"][NAME]
    assert not any("Traceback" in line for line in client.lines)
    path.write_bytes(whole)
    assert until(lambda: client.get("/ready")[1]["served"] == {NAME: version}, 10) is not None
    assert client.get("/ready")[0] == 200


def keeper_of(settings: Settings) -> Keeper:
    """What a service has, without HTTP: the ledger, the store, and copies of what it loaded."""
    return Keeper(copies_of(settings), partial(champions, settings))


def test_of_many_changes_none_is_served(fresh: Settings) -> None:
    one, two = make(fresh, 1), make(fresh, 2)
    make_champion(fresh, 1)
    keeper = keeper_of(fresh)
    keeper.refresh()
    make_champion(fresh, 2)
    draw, refused = seeded("corruptions"), 0
    cases = [(name, kind) for kind in DAMAGES for name in FILES]
    for number in range(times(len(cases))):
        name, kind = cases[number % len(cases)]
        path = path_of(two, name)
        whole, other = path.read_bytes(), path_of(one, name).read_bytes()
        damaged = DAMAGES[kind](whole, other, draw)
        assert damaged != whole
        replace(path, damaged)
        keeper.look_now()
        assert keeper.state.served[NAME].pointer.version == 1, (name, kind)
        assert keeper.state.waiting[NAME], (name, kind)
        refused += 1
        path.write_bytes(whole)
        forget(fresh, two)
    loaded = sum(is_served_unverified(fresh, one, two, draw) for _ in range(30))
    figure(
        f"corruptions: {zero(refused, 'changed releases were loaded')}, 0 crashes; without digests "
        f"{loaded} of 30 releases with one flipped bit were served (control)"
    )
    assert loaded > 0
    keeper.look_now()
    assert keeper.state.served[NAME].pointer.version == 2, "it is served once it is whole"


def forget(settings: Settings, made: Made) -> None:
    """Removes the copies of a release that this machine has."""
    for digest in (made.digest, *(each["digest"] for each in made.manifest["files"].values())):
        copy = settings.home / "serving" / "objects" / digest.removeprefix("sha256:")
        copy.unlink(missing_ok=True)


def test_no_byte_of_a_manifest_can_be_another_and_no_end_can_be_missing(fresh: Settings) -> None:
    made = make(fresh, 1)
    pointer, store = Pointer(NAME, 1, made.digest, made.uri), LocalStore(fresh.store_root)
    assert load(pointer, store).pointer == pointer
    path = path_of(made, "manifest")
    whole = path.read_bytes()
    bits = range(8) if LONG else (0,)
    flips = [(place, bit) for place in range(len(whole)) for bit in bits]
    ends = range(0, len(whole), 1 if LONG else 16)
    changed = [bytes([*whole[:at], whole[at] ^ 1 << bit, *whole[at + 1 :]]) for at, bit in flips]
    changed += [whole[:end] for end in ends]
    for data in changed:
        path.write_bytes(data)
        with pytest.raises(CorruptObject):
            load(pointer, store)
    figure(
        f"manifest of {len(whole):,} bytes, each changed in {len(bits)} of its bits, and cut off "
        f"at {len(ends)} places: {zero(len(changed), 'were loaded')}"
    )


def test_an_old_release_that_is_played_back_is_not_served(fresh: Settings) -> None:
    """Whole, with digests that are right: it is the ledger that says which one is meant."""
    one, two = make(fresh, 1), make(fresh, 2)
    make_champion(fresh, 1)
    keeper_of(fresh).refresh()
    last = fresh.home / "serving" / "champions.json"
    old = last.read_bytes()
    make_champion(fresh, 2)
    replace(path_of(two, "manifest"), path_of(one, "manifest").read_bytes())
    keeper = keeper_of(fresh)
    keeper.refresh()
    assert (keeper.state.served, list(keeper.state.waiting)) == ({}, [NAME])
    replace(path_of(two, "manifest"), canonical_json(two.manifest))
    keeper.look_now()
    assert keeper.state.served[NAME].pointer.version == 2
    last.write_bytes(old)
    keeper = keeper_of(fresh)
    keeper.refresh()
    assert keeper.state.served[NAME].pointer.version == 2, "what the ledger says counts"

    def away() -> dict[str, Pointer]:
        raise OSError("the ledger is away")

    last.write_bytes(old)
    keeper = Keeper(copies_of(fresh), away)
    keeper.refresh()
    assert keeper.state.known_from == "last", "without it, this machine's own record"
    assert keeper.state.served[NAME].pointer.version == 1


class Unverified:
    """A store that believes what it reads, and flips a bit of one file."""

    def __init__(self, store: LocalStore, flips: str, draw: random.Random) -> None:
        self._store, self._flips, self._draw = store, flips, draw

    def get(self, uri: str, digest: str) -> bytes:
        data = self._store.get(uri, digest)
        return flipped(data, data, self._draw) if uri == self._flips else data


def is_served_unverified(settings: Settings, one: Made, two: Made, draw: random.Random) -> bool:
    """The control: whether a flipped bit goes unnoticed by all but the digests."""
    uri = two.manifest["files"][draw.choice(("inputs", "fast", "explainers"))]["uri"]
    objects = Unverified(LocalStore(settings.store_root), uri, draw)
    try:
        load(Pointer(NAME, 2, two.digest, two.uri), objects)
    except Exception:
        return False
    return True


def test_a_copy_that_was_changed_is_fetched_again_and_without_the_store_refused(
    fresh: Settings,
) -> None:
    make(fresh, 1)
    make_champion(fresh, 1)
    keeper_of(fresh).refresh()
    copies = sorted((fresh.home / "serving" / "objects").iterdir())
    assert len(copies) == len(FILES)
    wholes = [copy.read_bytes() for copy in copies]
    for copy, whole in zip(copies, wholes, strict=True):
        copy.write_bytes(flipped(whole, whole, seeded(copy.name)))
    away = fresh.store_root.with_name("away")
    shutil.move(fresh.store_root, away)
    keeper = keeper_of(fresh)
    keeper.refresh()
    assert (keeper.state.served, list(keeper.state.waiting)) == ({}, [NAME])
    shutil.move(away, fresh.store_root)
    keeper.look_now()
    assert keeper.state.served[NAME].pointer.version == 1
    assert [copy.read_bytes() for copy in copies] == wholes
