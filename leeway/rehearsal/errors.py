"""Why a rehearsal cannot take place; the message is for a person, with what to do."""


class CannotRehearse(ValueError):
    """Nothing was rehearsed, and nothing was changed."""
