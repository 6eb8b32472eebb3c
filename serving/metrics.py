"""The numbers of the service for Prometheus.

Belongs here: every metric, its labels, and counting. Does not belong here: the route that tells
them (`serving.operations`), or measuring a request (`serving.observed`).

Labels have a bounded number of values: templates of routes, never paths; the inputs and classes of
a release. With several workers each writes to files of its own in PROMETHEUS_MULTIPROC_DIR, and
whichever is asked adds them up.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections import Counter as Tally
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import psutil
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    multiprocess,
)
from prometheus_client.exposition import choose_encoder

from leeway.served.contract import Classes, Estimates

if TYPE_CHECKING:
    from serving.keeper import State
    from serving.loading import Loaded

disable_created_metrics()  # type: ignore[no-untyped-call]  # twice as many series, for nothing
REGISTRY = CollectorRegistry()
_WORKERS = "PROMETHEUS_MULTIPROC_DIR"
_RELEASE = ("use_case", "model_version")
_SECONDS = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
# A prediction may be of any size: each decade in three steps. What is below zero is one step, since
# a histogram with more of them has no sum, and so no mean.
_VALUES = (0.0, *(step * 10.0**power for power in range(-3, 9) for step in (1, 2, 5)))


class Numbers(Histogram):
    """A histogram of numbers that come a hundred at once."""

    def observe_all(self, amounts: Sequence[float]) -> None:
        """As `observe` of each, which looks at each bucket in turn: longer than the model takes."""
        self._sum.inc(sum(amounts))
        places = Tally(bisect_left(self._upper_bounds, each) for each in amounts)
        for place, times in places.items():
            self._buckets[place].inc(times)


def _counter(name: str, about: str, *labels: str) -> Counter:
    return Counter(name, about, labels, registry=REGISTRY)


def _gauge(name: str, about: str, *labels: str, good: bool = False) -> Gauge:
    """0 or 1: of several workers the one that is worst off counts; those that ended do not."""
    mode: Literal["livemin", "livemax"] = "livemin" if good else "livemax"
    return Gauge(name, about, labels, registry=REGISTRY, multiprocess_mode=mode)


REQUESTS = _counter(
    "http_requests_total", "Requests by route and status.", "method", "route", "status"
)
REQUEST_SECONDS = Histogram(
    "http_request_duration_seconds",
    "From a request's head to the end of its answer.",
    ("method", "route"),
    buckets=_SECONDS,
    registry=REGISTRY,
)
REFUSED = _counter("requests_refused_total", "Requests refused, by kind.", "route", "kind")
PREDICTIONS = _counter("predictions_total", "Instances predicted.", *_RELEASE)
CLASSES = _counter("predicted_classes_total", "Instances by predicted class.", *_RELEASE, "class")
LATENCY = Histogram(
    "prediction_latency_seconds",
    "Of a predict request, from its body to its answer.",
    _RELEASE,
    buckets=_SECONDS,
    registry=REGISTRY,
)
VALUES = Numbers(
    "prediction_value",
    "Predicted numbers, in the unit of the target.",
    (*_RELEASE, "unit"),
    buckets=_VALUES,
    registry=REGISTRY,
)
WARNED = _counter(
    "prediction_warnings_total", "Inputs the model does not know.", *_RELEASE, "input", "code"
)
LOGGED = _counter(
    "inference_log_rows_total", "Answers by what became of their row in the log.", "outcome"
)
TRIED = _counter(
    "challenger_requests_total",
    "Requests that a challenger was to answer: answered, failed, or dropped for want of time.",
    *_RELEASE,
    "mode",
    "outcome",
)
TRIED_SECONDS = Histogram(
    "challenger_latency_seconds",
    "Of a request that a challenger answered.",
    (*_RELEASE, "mode"),
    buckets=_SECONDS,
    registry=REGISTRY,
)
TRIAL_LOGGED = _counter(
    "trial_log_rows_total", "Requests of trials by what became of their row in the log.", "outcome"
)
ON_TRIAL = _gauge("challenger_on_trial", "1: it is tried, 0: no longer.", *_RELEASE)
LOADED = _gauge("model_loaded", "1: the release is served, 0: no longer.", *_RELEASE, good=True)
EXPLAINER = _gauge(
    "explainer_loaded", "1: it explained last time, 0: it could not.", *_RELEASE, good=True
)
WAITING = _gauge("champion_waiting", "1: the champion is not served.", "use_case")
BREAKER = _gauge("ledger_breaker_open", "1: the ledger failed often and is left alone.")
LEDGER_FAILURES = _counter("ledger_failures_total", "Times that the ledger did not answer.")
ROUND_FAILURES = _counter("champion_round_failures_total", "Rounds of looking that broke off.")
LOAD_FAILURES = _counter("release_load_failures_total", "Releases not loaded.", "use_case")


def answered(method: str, template: str, status: int, refused: str | None, seconds: float) -> None:
    """Counts a request that was answered; `refused` is the kind of its refusal."""
    requests, durations = _of_route(method, template, status)
    requests.inc()
    durations.observe(seconds)
    if refused is not None:
        REFUSED.labels(template, refused).inc()


def predicted(loaded: Loaded, answers: Classes | Estimates, seconds: float) -> None:
    """Counts the instances of a predict request, what came out, and what was warned of."""
    release = (loaded.pointer.use_case, str(loaded.pointer.version))
    predictions, latency = _of_release(*release)
    latency.observe(seconds)
    predictions.inc(len(answers.predictions))
    if isinstance(answers, Classes):
        for name, times in Tally(each.prediction for each in answers.predictions).items():
            CLASSES.labels(*release, name).inc(times)
    else:
        values = _values(*release, answers.unit or "")
        values.observe_all([each.prediction for each in answers.predictions])
    for each in answers.predictions:
        for warning in each.warnings:
            WARNED.labels(*release, warning.input, warning.code).inc()


def explained(loaded: Loaded, *, well: bool) -> None:
    """Tells whether what explains a release did."""
    EXPLAINER.labels(loaded.pointer.use_case, str(loaded.pointer.version)).set(well)


def state_changed(before: State, after: State, *, breaker_open: bool) -> None:
    """Tells what is served now."""
    BREAKER.set(breaker_open)
    for name in after.served.keys() | after.waiting.keys():
        WAITING.labels(name).set(name in after.waiting)
    served, gone = (
        {(name, str(each.pointer.version)) for name, each in state.served.items()}
        for state in (after, before)
    )
    for release in gone - served:
        LOADED.labels(*release).set(0)
    for release in served:
        LOADED.labels(*release).set(1)


def exposition(accept: str) -> tuple[bytes, str]:
    """All of them as text, and its media type; `accept` is the header of who asks."""
    encode, media_type = choose_encoder(accept)
    if _WORKERS not in os.environ:
        return encode(REGISTRY), media_type
    _forget_ended_workers(os.environ[_WORKERS])
    together = CollectorRegistry()
    multiprocess.MultiProcessCollector(together)  # type: ignore[no-untyped-call]
    return encode(together), media_type


def _forget_ended_workers(folder: str) -> None:
    """What a worker counted stays when it ends; what it had loaded does not."""
    for path in Path(folder).glob("gauge_live*.db"):
        pid = int(path.stem.rpartition("_")[2])
        if not psutil.pid_exists(pid):
            multiprocess.mark_process_dead(pid, folder)  # type: ignore[no-untyped-call]


@lru_cache(maxsize=4096)
def _of_route(method: str, template: str, status: int) -> tuple[Counter, Histogram]:
    return (
        REQUESTS.labels(method, template, str(status)),
        REQUEST_SECONDS.labels(method, template),
    )


@lru_cache(maxsize=256)
def _of_release(use_case: str, version: str) -> tuple[Counter, Histogram]:
    return PREDICTIONS.labels(use_case, version), LATENCY.labels(use_case, version)


@lru_cache(maxsize=256)
def _values(use_case: str, version: str, unit: str) -> Numbers:
    return VALUES.labels(use_case, version, unit)
