"""Which effects a fraction of a two-level design cannot tell apart.

Belongs here: generators, defining relation, resolution, alias chains. Does not belong here: runs.

A word is a set of factors as bits: bit 0 is factor A. Words multiply as `^`, because the square of
a column of signs is the identity I, word 0. Source: Box, Hunter and Hunter, Statistics for
Experimenters, 2nd edition 2005, chapter 6; Montgomery, Design and Analysis of Experiments, 8th
edition 2013, chapter 8.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

LETTERS = "ABCDEFGHJKLMNOP"  # I is the identity
MOST_FACTORS = len(LETTERS)
LOWEST_RESOLUTION = 3  # below it two factors share one effect
_GENERATOR = re.compile(r"\s*([A-Z])\s*=\s*([+-]?)\s*([A-Z]+)\s*")


class DesignError(ValueError):
    """The runs are no two-level design, or not the one that was declared.

    `row` is the one that is wrong, from 1, where it is one row.
    """

    def __init__(self, message: str, row: int | None = None) -> None:
        super().__init__(message)
        self.row = row


@dataclass(frozen=True)
class Generator:
    """One factor of a fraction is the product of others, or with sign -1 its opposite."""

    factor: int
    word: int
    sign: int

    def __str__(self) -> str:
        return f"{LETTERS[self.factor]}={signed_text(self.word, self.sign)}"


@dataclass(frozen=True)
class AliasStructure:
    """The defining relation: every word that is the same sign in all cells, with that sign."""

    relation: Mapping[int, int]

    @property
    def resolution(self) -> int | None:
        """Length of the shortest word; None for a full design, where nothing is aliased."""
        return min((word.bit_count() for word in self.relation), default=None)

    def __str__(self) -> str:
        words = sorted(self.relation, key=_order)
        return " = ".join(["I", *(signed_text(word, self.relation[word]) for word in words)])

    def chain(self, word: int) -> tuple[tuple[int, int], ...]:
        """All words that share the effect of `word`, each with its sign relative to it.

        The first has the fewest factors, and of those the first letters. It gives the effect its
        name, and each part of a name is a name: as of monomials in a graded order.
        """
        found = [(word, 1), *((word ^ each, sign) for each, sign in self.relation.items())]
        return tuple(sorted(found, key=lambda pair: _order(pair[0])))


def parse_generators(texts: Sequence[str], factors: int) -> tuple[Generator, ...]:
    """Reads generators such as `D=ABC` or `E=-AB`: letters count the factors, leaving out I.

    Raises:
        DesignError: when a text is no generator, names a factor that is not there or is itself
            generated, generates a factor twice, or makes two factors indistinguishable.
    """
    found = [_parse(text, factors) for text in texts]
    generated = [each.factor for each in found]
    for text, each in zip(texts, found, strict=True):
        letter = LETTERS[each.factor]
        if generated.count(each.factor) > 1:
            raise DesignError(f"generators: {letter} is generated more than once; give it once")
        both = [other for other in generated if each.word >> other & 1]
        if both:
            raise DesignError(
                f"generators: {text!r} uses {LETTERS[both[0]]}, which is itself generated; "
                "write the right side with factors that are not"
            )
    aliases = alias_structure(found)
    if aliases.resolution is not None and aliases.resolution < LOWEST_RESOLUTION:
        raise DesignError(
            f"generators: {', '.join(texts)} give {aliases}, so that effects of single factors "
            "cannot be told apart; choose words that share fewer factors"
        )
    return tuple(found)


def _parse(text: str, factors: int) -> Generator:
    known = LETTERS[:factors]
    matched = _GENERATOR.fullmatch(text)
    if matched is None:
        raise DesignError(f"generators: {text!r} is not of the form D=ABC or D=-ABC")
    factor, sign, word = matched.groups()
    for letter in factor + word:
        if letter not in known:
            raise DesignError(
                f"generators: {text!r} names {letter}; the {factors} factors are {known} in their "
                "order (no factor is called I)"
            )
    if len(set(word)) < len(word):
        raise DesignError(f"generators: {text!r} names a factor twice on the right; name each once")
    bits = sum(1 << known.index(letter) for letter in word)
    return Generator(known.index(factor), bits, -1 if sign == "-" else 1)


def alias_structure(generators: Sequence[Generator]) -> AliasStructure:
    """The defining relation: all products of the generators' words."""
    relation = {0: 1}
    for each in generators:
        own = each.word | 1 << each.factor
        relation |= {word ^ own: sign * each.sign for word, sign in relation.items()}
    del relation[0]
    return AliasStructure(relation)


def generators_of(relation: Mapping[int, int]) -> tuple[Generator, ...]:
    """Generators that give a defining relation, the factors with the last letters generated."""
    rows: dict[int, tuple[int, int]] = {}
    for start, start_sign in sorted(relation.items()):  # no word has a letter after its own last
        word, sign = start, start_sign
        for lead, (other, other_sign) in rows.items():
            if word >> lead & 1:
                word, sign = word ^ other, sign * other_sign
        if word:
            rows[word.bit_length() - 1] = (word, sign)
    return tuple(Generator(lead, w ^ 1 << lead, s) for lead, (w, s) in sorted(rows.items()))


def letters_of(word: int) -> tuple[int, ...]:
    """Positions of the factors of a word."""
    return tuple(factor for factor in range(MOST_FACTORS) if word >> factor & 1)


def word_text(word: int) -> str:
    """Letters of a word: `ABC`, or `I` for the identity."""
    return "".join(LETTERS[factor] for factor in letters_of(word)) or "I"


def signed_text(word: int, sign: int) -> str:
    """As `word_text`, with a minus before a word of sign -1."""
    return ("-" if sign < 0 else "") + word_text(word)


def product_of(signs: Sequence[float], word: int) -> float:
    """Product of the signs of a word's factors; 1 for the identity."""
    return prod(signs[factor] for factor in letters_of(word))


def _order(word: int) -> tuple[int, str]:
    return word.bit_count(), word_text(word)
