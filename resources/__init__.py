"""With what: the outside things that assets use, each behind one small interface.

Belongs here: settings, the database, the ledger, the object store, sources, tracking. Does not
belong here: what is computed (`leeway`) or when (`orchestration`).
"""
