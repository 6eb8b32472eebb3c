"""The private copy of a graph that `leeway rehearse` plants faults into, and what it reads of it.

Belongs here: running the graph and reading what a run left. Does not belong here: the order of the
steps (`cli.rehearse`), faults or verdicts (`leeway.rehearsal`).
"""
