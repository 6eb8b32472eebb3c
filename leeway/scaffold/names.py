"""Names: what a column of the source is called here, and the unit that its name tells.

Belongs here: the mapping of headers to identifiers, units and phrases. Does not belong here: the
values of a column (`leeway.scaffold.content`).

The mapping: a header that is an identifier stays. Any other is written in lower-case ASCII letters
and digits with `_` between words (`TotalCharges [USD]` becomes `total_charges_usd`); one that is
empty then is `column_` and its position; one that begins with a digit, or that SQL or Leeway
reserves, gets `source_` before it; one that is taken gets `_2`, `_3` and so on behind it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from leeway.identifiers import check_identifier
from leeway.spec.rules import is_own

_LONGEST = 48
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_BRACKETED = re.compile(r"[\[(]\s*([^\[\]()]+?)\s*[\])]\s*$")
# Units that the last word of a name tells without doubt: `_m` or `_min` could be anything.
# fmt: off
_UNITS = {
    "mm": "mm", "cm": "cm", "km": "km", "sqft": "sqft", "sqm": "m2", "m2": "m2", "km2": "km2",
    "mg": "mg", "g": "g", "kg": "kg", "lb": "lb", "lbs": "lb", "oz": "oz", "ml": "ml",
    "ms": "ms", "sec": "s", "secs": "s", "seconds": "s", "mins": "min", "minutes": "min",
    "hrs": "h", "hours": "h", "days": "days", "weeks": "weeks", "months": "months",
    "years": "years", "usd": "USD", "eur": "EUR", "gbp": "GBP", "chf": "CHF", "jpy": "JPY",
    "inr": "INR", "pct": "percent", "percent": "percent", "rpm": "rpm", "mph": "mph",
    "kmh": "km/h", "hz": "Hz", "khz": "kHz", "mhz": "MHz", "ghz": "GHz", "kw": "kW",
    "kwh": "kWh", "pa": "Pa", "kpa": "kPa", "bar": "bar", "psi": "psi", "celsius": "°C",
    "degc": "°C", "fahrenheit": "°F", "degf": "°F", "kelvin": "K", "kb": "kB", "mb": "MB",
    "gb": "GB",
}
# In brackets a unit is meant to be one, so short ones are read there, too.
_IN_BRACKETS = _UNITS | {
    "m": "m", "s": "s", "min": "min", "h": "h", "k": "K", "c": "°C", "°c": "°C", "°f": "°F",
    "nm": "Nm", "n": "N", "v": "V", "a": "A", "w": "W", "l": "l", "t": "t", "%": "percent",
    "$": "USD", "€": "EUR", "£": "GBP", "km/h": "km/h", "m/s": "m/s", "m³": "m3", "m²": "m2",
}
# fmt: on


def identifiers(headers: Sequence[str]) -> dict[str, str]:
    """The name of each column by its header; see the module for the rule."""
    names = {header: header for header in headers if _is_free(header)}
    taken = set(names)
    for position, header in enumerate(headers, start=1):
        if header not in names:
            names[header] = free_name(_identifier(header, position), taken)
            taken.add(names[header])
    return {header: names[header] for header in headers}


def free_name(wished: str, taken: set[str]) -> str:
    """`wished`, or the first of `wished_2`, `wished_3`, … that is not taken."""
    name, number = wished, 1
    while name in taken:
        number += 1
        name = f"{wished[: _LONGEST - 1 - len(str(number))]}_{number}"
    return name


def _is_free(name: str) -> bool:
    try:
        check_identifier(name)
    except ValueError:
        return False
    return not is_own(name)


def _identifier(header: str, position: int) -> str:
    spaced = _WORDS.sub("_", header).casefold()
    plain = unicodedata.normalize("NFKD", spaced).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:_LONGEST].rstrip("_")
    if not name:
        return f"column_{position}"
    return name if _is_free(name) else f"source_{name}"[:_LONGEST].rstrip("_")


def unit_of(header: str, name: str) -> str | None:
    """The unit that a header tells in brackets, or its name in its last word."""
    bracketed = _BRACKETED.search(header)
    if bracketed is not None and bracketed[1].casefold() in _IN_BRACKETS:
        return _IN_BRACKETS[bracketed[1].casefold()]
    words = name.split("_")
    return _UNITS.get(words[-1]) if len(words) > 1 else None


_SIGNS = ("%", "$", "€", "£", "°c", "°f", "km/h", "m/s", "m²", "m³")


def unit_of_sign(sign: str) -> str | None:
    """The unit that a sign or a word beside a number is, such as % or kg; None when it is none."""
    folded = sign.casefold()
    return _IN_BRACKETS[folded] if folded in _SIGNS else _UNITS.get(folded)


def is_number(text: str) -> bool:
    """Whether a text is a number, as no name is."""
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True


def phrase(name: str) -> str:
    """A name as words, for descriptions: `bill_length_mm` is `bill length mm`."""
    return name.replace("_", " ")
