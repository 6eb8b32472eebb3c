"""Reading recorded facts for `leeway.why`: the ledger, Dagster's runs, and objects.

Belongs here: SQL that changes nothing, and which of its rows belong together. Does not belong here:
what is said of them (`leeway.why`).
"""
