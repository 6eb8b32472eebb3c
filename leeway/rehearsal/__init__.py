"""Faults planted on purpose into a batch, and what came of each.

Belongs here: the faults as pure functions of a table, which of them a use case gets, and the
verdict on what caught them. Does not belong here: running a graph (`cli.rehearse`), or anything
that is written or read. docs/rehearsal.md.
"""
