"""A release as the service holds it: verified, proven on its golden rows, ready to predict.

Belongs here: reading the files of a release by their digests, and the proof. Does not belong here:
which release that is (`serving.champions`), or HTTP.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from leeway.data.frames import frame_of
from leeway.explainers.conformal import Calibration
from leeway.prediction import Threshold
from leeway.served import golden
from leeway.served.answers import classified, estimated, warnings_of
from leeway.served.contract import Answers, Classes, Contract, Estimates
from leeway.served.inputs import Input, Instance, table_of
from leeway.training.model_file import load_model


class Objects(Protocol):
    """Where the bytes of an object are."""

    def get(self, uri: str, digest: str) -> bytes:
        """The bytes, verified."""


@dataclass(frozen=True)
class Pointer:
    """Which release serves: its manifest by address and digest, and its version."""

    use_case: str
    version: int
    digest: str
    uri: str


class Refused(RuntimeError):
    """The release cannot be served; the message says why and what to do."""


@dataclass(frozen=True)
class Loaded:
    """A release that predicts."""

    pointer: Pointer
    manifest: dict[str, Any]
    pipeline: Any
    calibration: Calibration
    threshold: Threshold | None
    inputs: tuple[Input, ...]
    contract: Contract = field(init=False)

    def __post_init__(self) -> None:
        """Makes the types of its requests once."""
        object.__setattr__(self, "contract", Contract(self.inputs))

    @property
    def target(self) -> dict[str, Any]:
        """The column that is predicted, as the manifest has it."""
        return next(each for each in self.manifest["columns"] if each["role"] == "target")

    @property
    def answers(self) -> type[Answers]:
        """The type of its answers."""
        return Estimates if self.manifest["classes"] is None else Classes

    def outputs(self, instances: Sequence[Instance]) -> tuple[golden.Floats, golden.Floats]:
        """Features, shape (rows, features), and probabilities or predictions of them."""
        frame = frame_of(table_of(instances, self.inputs), self.inputs)
        return golden.features_of(self.pipeline, frame), golden.outputs_of(self.pipeline, frame)

    def predict(self, instances: Sequence[Instance]) -> Classes | Estimates:
        """The answers, each with an id of its own."""
        _, outputs = self.outputs(instances)
        warned = [warnings_of(each, self.inputs) for each in instances]
        who: dict[str, Any] = {
            "use_case": self.pointer.use_case,
            "target": self.target["name"],
            "unit": self.target["unit"],
            "coverage": self.calibration.coverage,
            "model_version": self.pointer.version,
            "release": self.pointer.digest,
        }
        classes, calibration = self.manifest["classes"], self.calibration
        if classes is None:
            found = estimated(outputs, warned, calibration, _new_id)
            return Estimates(**who, predictions=found)
        decided = classified(outputs, warned, classes, self.threshold, calibration, _new_id)
        return Classes(**who, predictions=decided)


def load(pointer: Pointer, objects: Objects) -> Loaded:
    """The release, proven to make what training made of its golden rows.

    Raises:
        Refused: when it does not, or was made before releases had golden rows.
        OSError: when an object is not there.
        resources.store.CorruptObject: when one was changed.
    """
    manifest = json.loads(objects.get(pointer.uri, pointer.digest))

    def read(name: str) -> bytes:
        entry = manifest["files"].get(name)
        if entry is None:
            raise Refused(
                f"version {pointer.version} of {pointer.use_case} has no {name}: it was released "
                f"by an older Leeway; `leeway run {pointer.use_case} --select release` makes it"
            )
        return objects.get(entry["uri"], entry["digest"])

    explainers = json.loads(read("explainers"))
    loaded = Loaded(
        pointer,
        manifest,
        load_model(read("model")),
        Calibration.from_dict(explainers["calibration"]),
        Threshold.from_dict(manifest["threshold"]),
        tuple(Input.from_dict(each) for each in json.loads(read("inputs"))),
    )
    _prove(loaded, golden.from_bytes(read("golden")))
    return loaded


def _prove(loaded: Loaded, known: golden.Golden) -> None:
    def serve(instance: Instance) -> tuple[golden.Floats, golden.Floats]:
        features, outputs = loaded.outputs([instance])
        return features[0], outputs[0]

    found = golden.first_difference(known, serve)
    if found is not None:
        made_with = ", ".join(f"{name} {v}" for name, v in loaded.manifest["libraries"].items())
        raise Refused(
            f"version {loaded.pointer.version} of {loaded.pointer.use_case} is not served, for "
            f"{found}. It was made with {made_with}: serve it with these, or train it again"
        )


def _new_id() -> str:
    return uuid.uuid4().hex
