"""What keeps a use case from being replayed.

Belongs here: refusals that a person can act on. Does not belong here: any import, as every verb
asks whether an error is one of these.
"""


class CannotBacktest(ValueError):
    """There is too little to replay, or the policy is none; the message says what is needed."""
