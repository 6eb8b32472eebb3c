"""Pure functions: what Leeway computes, usable from a notebook and testable in milliseconds.

Belongs here: functions of values in memory. Does not belong here: Dagster, a database, the network
or a clock. A node of the graph that needs several modules has a package; the rules that hold the
graph together (`graph`, `plan`, `release`, `freshness`) are modules beside them.
"""
