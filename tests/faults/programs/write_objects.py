"""Writes objects into the store, one after another, until it is killed.

Arguments: root, `atomic` or `naive`, bytes of one object, number of objects (0: no end).
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from resources.store import LocalStore

root, how, size, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
store = LocalStore(root)
base = bytes(range(256)) * (size // 256)
print("ready", flush=True)  # noqa: T201
number = 0
while count == 0 or number < count:
    number += 1
    data = number.to_bytes(8, "big") + base
    if how == "atomic":
        store.put("clean", "penguins", "parquet", data)
    else:
        path = root / "clean" / "penguins" / f"{hashlib.sha256(data).hexdigest()}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    if number > 3:  # some stay, as the old ones; the disk of a test is small
        old = (number - 1).to_bytes(8, "big") + base
        name = hashlib.sha256(old).hexdigest()
        (root / "clean" / "penguins" / f"{name}.parquet").unlink()
