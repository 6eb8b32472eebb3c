"""A release as the service holds it: verified, proven on its golden rows, ready to predict.

Belongs here: reading the files of a release by their digests, and the proof. Does not belong here:
which release that is (`serving.champions`), or HTTP.
"""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from msgspec.structs import asdict

from leeway.explainers.conformal import Calibration
from leeway.fast.model import from_bytes
from leeway.prediction import Threshold
from leeway.served import golden
from leeway.served.answers import classified, estimated, warnings_of
from leeway.served.contract import Classes, Contract, Estimates, Warned
from leeway.served.inputs import Input, Instance
from leeway.served.row_keys import RowKey
from leeway.training.model_file import load_model
from resources.store import CorruptObject
from serving.paths import FastPath, Path, PipelinePath

log = logging.getLogger("leeway.serving")
_NOTHING_TO_SAY: list[Warned] = []
_VARIANT = {digit: "89ab"[number % 4] for number, digit in enumerate("0123456789abcdef")}


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
    """A release that predicts, and by which path; `reason` says why it is not the fast one."""

    pointer: Pointer
    manifest: dict[str, Any]
    path: Path
    reason: str | None
    calibration: Calibration
    threshold: Threshold | None
    inputs: tuple[Input, ...]
    contract: Contract
    by_pipeline: PipelinePath
    who: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        """Puts together once what all of its answers say."""
        who = {
            "use_case": self.pointer.use_case,
            "target": self.target["name"],
            "unit": self.target["unit"],
            "coverage": self.calibration.coverage,
            "model_version": self.pointer.version,
            "release": self.pointer.digest,
        }
        object.__setattr__(self, "who", who)

    @property
    def digests(self) -> set[str]:
        """Of the objects that it is made of."""
        return {self.pointer.digest, *(each["digest"] for each in self.manifest["files"].values())}

    @property
    def pipeline(self) -> Any:
        """The fitted pipeline, which is read when it is first asked for."""
        return self.by_pipeline.pipeline

    @property
    def target(self) -> dict[str, Any]:
        """The column that is predicted, as the manifest has it."""
        return next(each for each in self.manifest["columns"] if each["role"] == "target")

    @property
    def answers(self) -> type[Classes] | type[Estimates]:
        """The type of its answers."""
        return Estimates if self.manifest["classes"] is None else Classes

    @property
    def told(self) -> dict[str, Any]:
        """By which path it predicts: what was proven of the fast one, or why it is the pipeline."""
        if self.reason is None:
            return dict(self.manifest["fast"])
        return {"path": self.path.name, "reason": self.reason}

    def predict(self, rows: Sequence[Any]) -> Classes | Estimates:
        """The answers to rows of its contract, each with an id of its own."""
        found = self.path.predict(rows)
        warned = [_NOTHING_TO_SAY] * len(rows)
        for row in found.odd:
            warned[row] = warnings_of(asdict(rows[row]), self.inputs)
        ids = _new_ids(len(rows))
        classes, calibration = self.manifest["classes"], self.calibration
        if classes is None:
            estimates = estimated(found.outputs, warned, calibration, ids)
            return Estimates(**self.who, predictions=estimates)
        decided = classified(found.outputs, warned, classes, self.threshold, calibration, ids)
        return Classes(**self.who, predictions=decided)


def without_path(error: Exception) -> str:
    """Why a release is not loaded, without where its files are, which is for the log."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    if isinstance(error, CorruptObject):
        return "a file of the release was changed or damaged; the log of the service says which"
    return str(error)


def load(pointer: Pointer, objects: Objects) -> Loaded:
    """The release, proven to make what training made of its golden rows.

    It predicts by the fast path where that is proven here, too, and else by the pipeline.

    Raises:
        Refused: when neither is proven, or the release was made before there were golden rows.
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

    inputs = tuple(Input.from_dict(each) for each in json.loads(read("inputs")))
    keys = [each for each in manifest["columns"] if each["role"] == "key"]
    contract = Contract(inputs, RowKey(keys[0]) if keys else None)
    known = golden.from_bytes(read("golden"))
    by_pipeline = PipelinePath(lambda: load_model(read("model")), inputs)
    path, reason = _path(manifest, read, contract, known, by_pipeline)
    if reason is None:
        read("model")  # nothing is made of it yet: one changed byte refuses a release as a whole
    explainers = json.loads(read("explainers"))
    if reason is not None:
        about = f"version {pointer.version} of {pointer.use_case}"
        log.warning("%s predicts by its pipeline, many times slower: %s", about, reason)
    return Loaded(
        pointer,
        manifest,
        path,
        reason,
        Calibration.from_dict(explainers["calibration"]),
        Threshold.from_dict(manifest["threshold"]),
        inputs,
        contract,
        by_pipeline,
    )


def _path(
    manifest: dict[str, Any],
    read: Callable[[str], bytes],
    contract: Contract,
    known: golden.Golden,
    by_pipeline: PipelinePath,
) -> tuple[Path, str | None]:
    """The path that is proven, and why it is not the fast one."""
    told = manifest.get("fast", {"reason": "it was released by an older Leeway"})
    reason = told.get("reason")
    if "fast" in manifest["files"]:
        try:
            path = FastPath(from_bytes(read("fast")), list(contract.inputs.values()))
            difference = _difference(path, contract, known)
        except (ValueError, LookupError) as error:
            difference = str(error)
        if difference is None:
            return path, None
        reason = f"the fast path is not proven here: {difference}"
    difference = _difference(by_pipeline, contract, known)
    if difference is None:
        return by_pipeline, reason
    made_with = ", ".join(f"{name} {v}" for name, v in manifest["libraries"].items())
    raise Refused(
        f"version {manifest['version']} of {manifest['use_case']} is not served, for {difference}. "
        f"It was made with {made_with}: serve it with these, or train it again"
    )


def _difference(path: Path, contract: Contract, known: golden.Golden) -> str | None:
    """The first value of the golden rows that a path has otherwise."""

    def serve(instance: Instance) -> tuple[golden.Floats, golden.Floats]:
        found = path.predict([contract.instance(**instance)])
        return found.features[0], found.outputs[0]

    difference = golden.first_difference(known, serve)
    return None if difference is None else str(difference)


def _new_ids(count: int) -> list[str]:
    """UUIDs of version 7 (RFC 9562), as 32 hexadecimal digits: milliseconds, then 74 random bits.

    An index takes ids that grow in half the time that it takes for random ones.
    """
    began = f"{time.time_ns() // 1_000_000:012x}7"
    digits = secrets.token_hex(10 * count)
    return [
        f"{began}{digits[at : at + 3]}{_VARIANT[digits[at + 3]]}{digits[at + 4 : at + 19]}"
        for at in range(0, len(digits), 20)
    ]
