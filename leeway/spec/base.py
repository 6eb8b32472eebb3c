"""What all models of a use case share.

Belongs here: the strict base model, identifiers, and the check that a name is known. Does not
belong here: any field of a use case.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from leeway.identifiers import check_identifier

Identifier = Annotated[str, AfterValidator(check_identifier)]
VARIABLE_PATTERN = r"^[A-Z][A-Z0-9_]*$"
Variable = Annotated[str, Field(pattern=VARIABLE_PATTERN)]  # of the environment, or of `.env`


class Strict(BaseModel):
    """Refuses unknown keys, so that a misspelled option is an error and not silence.

    Refuses NaN and infinity, too: no value can be compared with the one, or reaches the other.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, content: Any) -> Any:
        if isinstance(content, dict):
            fields = cls.model_fields.items()
            require_known("keys", content, [field.alias or name for name, field in fields])
        return content


def require_known(where: str, names: Iterable[str], known: Iterable[str]) -> None:
    """Checks that each of `names` is among `known`.

    Raises:
        ValueError: names the field, the unknown name, the closest known one and all that are known.
    """
    known = list(known)
    for name in names:
        if name not in known:
            close = get_close_matches(str(name), known, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise ValueError(f"{where}: unknown name {name!r}{hint} (known: {', '.join(known)})")
