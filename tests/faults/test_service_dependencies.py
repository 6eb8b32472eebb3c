"""What the service needs goes away under load, one by one and all at once, and comes back.

Belongs here: a service over a real PostgreSQL, a real MLflow server and a folder of objects, which
are stopped, silent, slow or broken while a second process asks for predictions at a constant rate.
Does not belong here: a service that starts without them (test_service_starts.py).

Reliability matrix, S1 and S11. `make proof` tries every fault for LEEWAY_KILLS seconds each, and
waits until the service has recovered by itself; `make test` tries two, without MLflow, whose server
takes long to start, and asks the service to `reload`, since the ledger is left alone for a minute
after five failures.
"""

from __future__ import annotations

import json
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from resources.embedded import server_of
from resources.postgres import database_url, dsn, embedded_url, transaction
from resources.settings import PROJECT, Settings
from tests.conftest import installation
from tests.databases import trust_the_machine
from tests.embedded import remove, stop_embedded
from tests.faults.harness import LONG, figure, standing_still, times, until, waiting, zero
from tests.faults.load import Load, load, quantile
from tests.faults.released import BODIES, Made, make, make_champion
from tests.installed import Installed
from tests.mlflow_server import running_mlflow
from tests.project_copy import NAME
from tests.proxy import How, Proxy, proxy
from tests.service.service import Client, ready

pytestmark = [pytest.mark.faults, pytest.mark.timeout(3600)]
PER_SECOND = 100


@dataclass
class World:
    """A service, and all that it depends on."""

    settings: Settings  # of this process, which goes to the database past the proxy
    home: Path  # of the database's server
    client: Client
    database: Proxy
    mlflow: Proxy | None
    made: dict[int, Made]
    served: int = 1
    phases: dict[str, tuple[float, float]] = field(default_factory=dict)
    promoted: list[float] = field(default_factory=list)

    def deep(self) -> dict[str, bool]:
        """Which dependencies answer, as /health/deep says."""
        status, found = self.client.get("/health/deep")
        assert status == 200
        return {n: each["status"] == "answers" for n, each in found["dependencies"].items()}

    def promote(self, version: int) -> None:
        """Moves the champion, and notes how long it took to be served."""
        make_champion(self.settings, version)
        self.promoted.append(until_served(self.client, version))
        self.served = version


def until_served(client: Client, version: int) -> float:
    seconds = until(lambda: client.get("/ready")[1]["served"] == {NAME: version}, 5)
    assert seconds is not None
    return seconds


@pytest.fixture
def home(server_home: Path) -> Iterator[Path]:
    """Of a database server; one of its own where it will be stopped."""
    if not LONG:
        yield server_home
        return
    found = Path(tempfile.mkdtemp(prefix="leeway-"))
    trust_the_machine(make_url(embedded_url(found)))
    yield found
    stop_embedded(found, "immediate")
    remove(found)


@pytest.fixture
def world(home: Path, tmp_path: Path) -> Iterator[World]:
    server = server_of(home)
    assert server is not None
    socket = f"{server.sockets}/.s.PGSQL.{server.port}"
    with ExitStack() as stack:
        settings = stack.enter_context(installation(home, tmp_path / "home"))
        database = stack.enter_context(proxy(socket))
        mlflow, variables = None, {}
        if LONG:
            address = stack.enter_context(running_mlflow(dsn("mlflow", settings), tmp_path))
            mlflow = stack.enter_context(proxy(("127.0.0.1", int(address.rpartition(":")[2]))))
            variables = {"LEEWAY_MLFLOW_TRACKING_URI": f"http://127.0.0.1:{mlflow.port}"}
        made = {version: make(settings, version) for version in (1, 2)}
        make_champion(settings, 1)
        url = database_url("leeway", settings).set(host="127.0.0.1", port=database.port, query={})
        variables["LEEWAY_DATABASE_URL"] = url.render_as_string(hide_password=False)
        client = stack.enter_context(ready(Installed(PROJECT, settings.home), **variables))
        yield World(settings, home, client, database, mlflow, made)


@contextmanager
def behind(found: Proxy | None, how: How) -> Iterator[None]:
    if found is not None:
        found.how = how
    yield
    if found is not None:
        found.how = "passes"


@contextmanager
def ended(world: World) -> Iterator[None]:
    """The database's server is stopped, as by a crash, and started again."""
    stop_embedded(world.home, "immediate")
    yield
    embedded_url(world.home)


@contextmanager
def frozen(world: World) -> Iterator[None]:
    """Each process of the database's server is stopped where it is (SIGSTOP)."""
    server = server_of(world.home)
    assert server is not None
    with standing_still(server.process):
        yield


@contextmanager
def swallowed(world: World) -> Iterator[None]:
    """The network is lost while the service waits for the answer to a look and to a write."""
    with transaction(world.settings) as cursor:
        cursor.execute("lock table leeway.moves, monitoring.inference_log")
        assert until(lambda: waiting(world.settings) >= 2, 20) is not None
        world.database.how = "is silent"
    yield
    world.database.how = "passes"


@contextmanager
def gone(world: World) -> Iterator[None]:
    """The folder of the objects is away."""
    store = world.settings.store_root
    away = store.with_name("store away")
    store.rename(away)
    yield
    away.rename(store)


@contextmanager
def everything(world: World, how: How) -> Iterator[None]:
    with behind(world.database, how), behind(world.mlflow, how), gone(world):
        yield


Fault = Callable[[World], AbstractContextManager[None]]
ALL = {"database", "mlflow", "object_store"}
FAULTS: dict[str, tuple[Fault, set[str]]] = {
    "the database is stopped": (ended, {"database"}),
    "the database is frozen": (frozen, {"database"}),
    "the database is silent": (lambda w: behind(w.database, "is silent"), {"database"}),
    "the database is silent in the middle": (swallowed, {"database"}),
    "the database is slow": (lambda w: behind(w.database, "is slow"), {"database"}),
    "the database answers nonsense": (lambda w: behind(w.database, "garbles"), {"database"}),
    "MLflow refuses": (lambda w: behind(w.mlflow, "refuses"), {"mlflow"}),
    "MLflow is silent": (lambda w: behind(w.mlflow, "is silent"), {"mlflow"}),
    "MLflow answers nonsense": (lambda w: behind(w.mlflow, "garbles"), {"mlflow"}),
    "the objects are gone": (gone, {"object_store"}),
    "MLflow is slow": (lambda w: behind(w.mlflow, "is slow"), set()),  # it answers all the same
    "all refuse": (lambda w: everything(w, "refuses"), ALL),
    "all are silent": (lambda w: everything(w, "is silent"), ALL),
}
QUICK = ("the database is silent in the middle", "all refuse")


def suffer(world: World, name: str) -> None:
    """One fault, what is said of it meanwhile, and the recovery."""
    fault, concerned = FAULTS[name]
    before = world.client.metrics()
    with fault(world):
        began = time.time()
        expected = {each: each not in concerned for each in world.deep()}
        assert until(lambda: world.deep() == expected, 20) is not None, (name, world.deep())
        if "database" in concerned and "slow" not in name:
            failures = until(lambda: grown(world, before, "ledger_failures_total") > 0, 20)
            assert failures is not None, name
            assert world.client.get("/ready")[1]["ledger"] != "answers"
        assert world.client.ready(), "its champions are loaded"
        time.sleep(max(0.0, times(2) - (time.time() - began)))
        world.phases[name] = (began, time.time())
    if not LONG:
        until(lambda: world.client.post(f"/api/v1/{NAME}/reload")[0] == 200, 20)
    assert until(lambda: world.client.get("/ready")[1]["ledger"] == "answers", 90) is not None
    assert until(lambda: all(world.deep().values()), 20) is not None, name
    world.promote(3 - world.served)


def grown(world: World, before: dict[str, float], name: str) -> float:
    return world.client.metrics().get(name, 0) - before.get(name, 0)


def is_logged(world: World, found: Load) -> Callable[[], bool]:
    """Whether the inference log has each answer that was given, once, and nothing else."""
    given = sorted(
        str(uuid.UUID(json.loads(each.text)["predictions"][0]["prediction_id"]))
        for each in found.asked
    )

    def look() -> bool:
        with transaction(world.settings) as cursor:
            cursor.execute("select prediction_id::text from monitoring.inference_log")
            return sorted(row[0] for row in cursor.fetchall()) == given

    return look


def test_whatever_is_away_predictions_go_on_and_all_else_recovers(
    world: World, tmp_path: Path
) -> None:
    with load(world.client.port, BODIES, PER_SECOND, tmp_path) as found:
        time.sleep(2)
        began = time.time()
        time.sleep(times(3))
        world.phases["calm"] = (began, time.time())
        for name in FAULTS if LONG else QUICK:
            suffer(world, name)
    assert [(each.due, each.status) for each in found.failed()] == []
    odd = [e for e in found.asked if not any(m.answers(e.text, e.row) for m in world.made.values())]
    assert odd == []
    assert until(is_logged(world, found), 60) is not None
    counts = world.client.metrics()
    assert counts.get('inference_log_rows_total{outcome="dropped"}', 0) == 0
    assert counts['inference_log_rows_total{outcome="written"}'] == len(found.asked)
    tell(world, found)
    assert max(world.promoted) < 1 or not LONG


def tell(world: World, found: Load) -> None:
    calm = quantile(found.between(*world.phases.pop("calm")), 0.99)
    ratios = {
        name: quantile(found.between(*phase), 0.99) / calm for name, phase in world.phases.items()
    }
    worst = max(ratios, key=ratios.__getitem__)
    spooled = world.client.metrics().get('inference_log_rows_total{outcome="spooled"}', 0)
    figure(
        f"dependencies: {zero(len(found.asked), 'predictions failed')} while {len(ratios)} faults "
        f"were under way, {times(2)} s each at least; each is in the inference log once, "
        f"{spooled:.0f} of them by way of the disk; p99 {calm * 1e3:.1f} ms in calm, "
        f"{max(ratios.values()):.1f} times that at the worst ({worst}); a promotion after each "
        f"recovery was served within {max(world.promoted):.2f} s"
    )
