"""Replaying a use case under a policy: what it would have alarmed, trained, promoted and cost.

Belongs here: a walk over batches in which the functions of production decide. Does not belong here:
those functions (`leeway.drift`, `leeway.controller`, `leeway.release`), reading the ledger or a
source (`resources.backtest`), the machine's clock.

`facts` says what a replay is fed and `clock` when it came, `walk` replays, `models` and `recorded`
say where its models come from, `report` puts two policies side by side, and `plot` draws them.
"""
