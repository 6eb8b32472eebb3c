"""What a service would have logged: answers of the champion to rows that a test has.

Belongs here: rows of the inference log. Does not belong here: what is found of them.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime

import pyarrow as pa

from assets.released import champion_of
from assets.stage import Stage
from leeway.explainers.conformal import Calibration
from leeway.prediction import prediction_table
from leeway.served.contract import Classes, Classified
from leeway.served.logged import Answered, as_copied
from resources.inference_log import write
from resources.platform import Platform


def answer(
    stage: Stage,
    platform: Platform,
    clean: pa.Table,
    at: Sequence[datetime],
    version: int | None = None,
) -> list[str]:
    """Logs the champion's answer to each clean row, at a time each; returns the ids.

    `version` is who is said to have answered; None: the champion.
    """
    champion = champion_of(platform, stage.name)
    assert champion is not None
    classes = champion.manifest["classes"]
    use_case, key = stage.use_case, stage.use_case.key.name
    asked = clean.select([column.name for column in use_case.feature_columns]).to_pylist()
    said = prediction_table(
        champion.pipeline, clean, use_case, classes, Calibration("classification", 0.9, 0, None)
    ).to_pylist()
    requests, ids = [], []
    for inputs, found, when in zip(asked, said, at, strict=True):
        ids.append(uuid.uuid4().hex)
        shares = {name: found[f"probability_{name}"] for name in classes}
        one = Classified(ids[-1], found["prediction"], shares, None, [])
        release = champion.release
        answers = Classes(
            stage.name, use_case.target.name, None, 0.9, version or release.version,
            release.digest, [one],
        )  # fmt: skip
        called = [str(found[key])]
        requests.append(Answered(when.timestamp(), 0.002, [inputs], answers, called))
    write(platform.settings, as_copied(requests))
    return ids
