"""The one refusal of `leeway new`.

Belongs here: the error that every module of this package raises. Does not belong here: anything
else.
"""


class CannotInfer(ValueError):
    """No use case can be made of the table; the message says of what, why, and what to do."""
