"""A training of which only the profiles of its batches are known, and no model.

Belongs here: the reference that such a model would have had. Does not belong here: models that
exist (`leeway.backtest.models`, `leeway.backtest.recorded`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from leeway.backtest.facts import Trained
from leeway.drift.profile import merge_profiles
from leeway.drift.stored import Stored
from leeway.drift.training_part import reference_stored

ASSUMED = "no recorded model was trained on these batches, so it is assumed that it was promoted"


def unknown_model(stored: Mapping[str, Stored], batches: Sequence[str]) -> Trained:
    """A model that nobody has; its reference is the profile of all rows of its batches."""
    members = [stored[name] for name in batches]
    whole = merge_profiles([each.profiles["clean"] for each in members])
    reference = reference_stored(whole, members)
    name = f"{len(batches)} batches"
    return Trained(name, tuple(batches), reference, "promoted", ASSUMED, whole.rows, known=False)
