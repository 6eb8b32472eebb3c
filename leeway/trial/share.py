"""Which requests a challenger answers: a share of the keys, always the same ones.

Belongs here: that choice, which needs no memory and is the same in every process. Does not belong
here: what is answered.
"""

from __future__ import annotations

from hashlib import blake2b

_PLACES = 2**64


def is_challenged(trial: str, key: str, share: float) -> bool:
    """Whether the challenger answers for a key.

    Who has a key gets answers of one model as long as the trial lasts, and of another trial's
    challenger independently of this one.

    Args:
        trial: names the trial.
        key: of the row, or of the request where rows have none.
        share: of the keys, 0 to 1.
    """
    digest = blake2b(f"{trial}\0{key}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") < share * _PLACES
