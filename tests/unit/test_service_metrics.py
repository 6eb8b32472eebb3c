"""What is counted of predictions and of what is served, without any HTTP."""

from __future__ import annotations

from typing import Any

from leeway.explainers.conformal import Calibration
from leeway.served.contract import Contract, Estimated, Estimates, Warned
from serving import metrics
from serving.keeper import State
from serving.loading import Loaded, Pointer
from serving.paths import PipelinePath


def release(version: int, use_case: str) -> Loaded:
    """Of a regression; nothing here predicts."""
    target = {"role": "target", "name": "price", "unit": "USD"}
    manifest: dict[str, Any] = {"columns": [target], "classes": None}
    bounds = Calibration("regression", 0.9, 0, None)
    path, pointer = PipelinePath(lambda: None, ()), Pointer(use_case, version, "", "")
    return Loaded(pointer, manifest, path, None, bounds, None, (), Contract(()), path)


def sample(name: str, **labels: str) -> float | None:
    return metrics.REGISTRY.get_sample_value(name, labels)


def test_predicted_numbers_fall_into_steps_of_every_decade() -> None:
    numbers = [-3e9, -1.5, 0.0, 0.0004, 180_000.0, 180_000.0, 7e9]
    warned = [Warned("rooms", "outside_training_range", "")]
    found = [Estimated("", number, None, warned) for number in numbers]
    answers = Estimates("homes", "price", "USD", 0.9, 3, "", found)
    metrics.predicted(release(3, "homes"), answers, 0.002)
    of = {"use_case": "homes", "model_version": "3"}

    def within(bound: str) -> float | None:
        return sample("prediction_value_bucket", **of, unit="USD", le=bound)

    assert within("0.0") == 3
    assert within("0.001") == 4
    assert within("100000.0") == 4
    assert within("200000.0") == 6
    assert within("+Inf") == 7
    assert sample("prediction_value_sum", **of, unit="USD") == sum(numbers)
    assert sample("predictions_total", **of) == 7
    assert sample("prediction_latency_seconds_bucket", **of, le="0.0025") == 1
    code = "outside_training_range"
    assert sample("prediction_warnings_total", **of, input="rooms", code=code) == 7


def test_what_is_served_is_1_what_was_is_0_and_what_waits_is_told() -> None:
    def told(version: int) -> float | None:
        return sample("model_loaded", use_case="flats", model_version=str(version))

    first = State({"flats": release(1, "flats")})
    second = State({"flats": release(2, "flats")}, {})
    metrics.state_changed(State(), State({}, {"flats": "its file was changed"}), breaker_open=True)
    assert told(1) is None
    assert sample("champion_waiting", use_case="flats") == 1
    assert sample("ledger_breaker_open") == 1
    metrics.state_changed(State(), first, breaker_open=False)
    assert sample("champion_waiting", use_case="flats") == 0
    assert sample("ledger_breaker_open") == 0
    metrics.state_changed(first, second, breaker_open=False)
    assert (told(1), told(2)) == (0, 1)
    metrics.state_changed(second, first, breaker_open=False)
    assert (told(1), told(2)) == (1, 0)
