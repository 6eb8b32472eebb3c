"""A fitted pipeline as bytes, and back.

Belongs here: the skops format, the types that a file may hold, and the canonical form that makes
the same model the same bytes. Does not belong here: where the bytes are kept.

Loading runs no code of the file: skops builds objects of the types listed here and of its own
defaults, and refuses all others. It does not bound the indices inside a decision tree (skops says
so of `sklearn.tree._tree.Tree`), so load only files whose digest the release ledger knows.
"""

from __future__ import annotations

import hashlib
import io
import json
from typing import Any
from zipfile import ZIP_STORED, ZipFile, ZipInfo

TRUSTED_TYPES = (
    "leeway.training.estimators.RelativeLasso",
    "leeway.training.estimators.XGBoostClassifier",
    "leeway.training.estimators.XGBoostRegressor",
    "leeway.training.transformers.CategoryImputer",
    "leeway.training.transformers.CategoryPosition",
    "leeway.training.transformers.ClusterDistances",
    "leeway.training.transformers.GapScaler",
    "leeway.training.transformers.MixedImputer",
    "leeway.training.transformers.NeighbourImputer",
    "leeway.training.transformers.PairTransformer",
    "leeway.training.transformers.TargetMeanEncoder",
    "leeway.training.transformers.category_name",
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.impute._iterative.IterativeImputer",
    "sklearn.impute._iterative._ImputerTriplet",
    "sklearn.model_selection._split.KFold",
    "sklearn.tree._tree.Tree",
)
SCHEMA = "schema.json"
EPOCH = (1980, 1, 1, 0, 0, 0)  # the first date that a zip file can state


class UntrustedModel(ValueError):
    """A model file holds a type that is not on Leeway's list; the message names it."""


def save_model(pipeline: Any) -> bytes:
    """The bytes of a fitted pipeline, the same for the same fitted state.

    skops names arrays by their address in memory and stamps files with the time. Here arrays are
    named by their content, in order of their names, without time or compression: compressed bytes
    would differ between versions of zlib.

    Raises:
        UntrustedModel: when `load_model` would refuse the result.
    """
    import skops.io

    data = _canonical(skops.io.dumps(pipeline))
    _check_types(data)
    return data


def load_model(data: bytes) -> Any:
    """The fitted pipeline that `save_model` was given; predicts the same bits.

    Raises:
        UntrustedModel: when the file holds a type that is not listed in `TRUSTED_TYPES`.
        zipfile.BadZipFile: when the bytes are no model file.
    """
    import skops.io
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401  # names its module

    _check_types(data)
    return skops.io.loads(data, trusted=list(TRUSTED_TYPES))


def _check_types(data: bytes) -> None:
    import skops.io

    unknown = sorted(set(skops.io.get_untrusted_types(data=data)) - set(TRUSTED_TYPES))
    if unknown:
        raise UntrustedModel(
            f"the model file holds {', '.join(unknown)}, which Leeway does not load: "
            "train the model again with this version"
        )


def _canonical(data: bytes) -> bytes:
    with ZipFile(io.BytesIO(data)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(files.pop(SCHEMA))
    contents: dict[str, bytes] = {}
    names: dict[str, str] = {}
    for name, content in files.items():
        suffix = name.rpartition(".")[2]
        clean = _without_padding(content) if suffix == "npy" else content
        names[name] = f"{hashlib.sha256(clean).hexdigest()}.{suffix}"
        contents[names[name]] = clean
    _rename(schema, names)
    contents[SCHEMA] = json.dumps(schema, separators=(",", ":")).encode()
    buffer = io.BytesIO()
    with ZipFile(buffer, "w", ZIP_STORED) as archive:
        for name in sorted(contents):
            archive.writestr(ZipInfo(name, EPOCH), contents[name])
    return buffer.getvalue()


def _without_padding(content: bytes) -> bytes:
    """An array file with zeros in the bytes between the fields of its records."""
    import numpy as np

    values = np.load(io.BytesIO(content), allow_pickle=False)
    if values.dtype.names is None:
        return content
    clean = np.zeros(values.shape, values.dtype)
    for field in values.dtype.names:
        clean[field] = values[field]
    buffer = io.BytesIO()
    np.save(buffer, clean, allow_pickle=False)
    return buffer.getvalue()


def _rename(node: Any, names: dict[str, str]) -> None:
    """Names files by content and drops object addresses, which skops only uses to share objects."""
    if isinstance(node, list):
        for child in node:
            _rename(child, names)
    elif isinstance(node, dict):
        if "__loader__" in node:
            node.pop("__id__", None)
            if node.get("file") in names:
                node["file"] = names[node["file"]]
        for child in node.values():
            _rename(child, names)
