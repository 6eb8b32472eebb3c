"""What a release needs to be served: its inputs, and the proof that they become the same features.

Belongs here: pure functions over the rows of a request. Does not belong here: HTTP, loading a
release, or anything that is fitted.
"""
