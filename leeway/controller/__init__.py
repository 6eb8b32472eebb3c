"""When a model is trained again: a pure state machine over what was recorded.

Belongs here: what follows from recorded facts, a policy and a given time. Does not belong here:
finding drift (`leeway.drift`), reading facts or starting runs (`orchestration`), a clock.

`facts` says what is known, `waits` how long to wait, `words` what a person reads, and `machine`
decides.
"""
