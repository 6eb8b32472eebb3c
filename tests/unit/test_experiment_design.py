"""Runs are read as the design that they are, and refused with the remedy when they are none."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leeway.experiment.aliases import (
    DesignError,
    alias_structure,
    generators_of,
    parse_generators,
    signed_text,
    word_text,
)
from leeway.experiment.design import Design, two_level_design

NAMES = ["(1)", "a", "b", "ab", "c", "ac", "bc", "abc"]
FULL = [cell[::-1] for cell in product((-1, 1), repeat=3)]


def table(cells: Any, responses: Any, names: str = "abc") -> dict[str, list[Any]]:
    runs: dict[str, list[Any]] = {
        name: list(column) for name, column in zip(names, zip(*cells, strict=True), strict=True)
    }
    return runs | {"y": list(responses)}


def read(runs: Mapping[str, Any], *generators: str, **levels: Any) -> Design:
    return two_level_design(runs, [name for name in runs if name != "y"], "y", generators, levels)


def refused(runs: Mapping[str, Any], *generators: str, **levels: Any) -> str:
    with pytest.raises(DesignError) as caught:
        read(runs, *generators, **levels)
    return str(caught.value)


def with_value(name: str, row: int, value: Any) -> dict[str, list[Any]]:
    runs = table(FULL, range(8))
    runs[name][row] = value
    return runs


def test_runs_in_any_order_give_cells_in_standard_order() -> None:
    order = [5, 2, 7, 0, 3, 6, 1, 4]
    design = read(table([FULL[row] for row in order], order))
    assert [tuple(cell) for cell in design.cells] == FULL
    assert design.means.tolist() == list(range(8))
    assert [design.treatment(cell) for cell in range(8)] == [
        "(1)",
        "a",
        "b",
        "ab",
        "c",
        "ac",
        "bc",
        "abc",
    ]


def test_natural_levels_are_coded_with_the_smaller_one_low() -> None:
    runs = {
        "speed": [120.5, 80, 120.5, 80, 100.25],
        "tool": [2, 2, 1, 1, 1.5],
        "y": [4, 3, 2, 1, 9],
    }
    design = read(runs)
    assert design.means.tolist() == [1, 2, 3, 4]
    assert design.centre.tolist() == [9]
    assert [(f.low, f.centre, f.high) for f in design.factors] == [(80, 100.25, 120.5), (1, 1.5, 2)]


@pytest.mark.parametrize("number", [float, Decimal])
def test_a_centre_of_decimal_fractions_is_one(number: Any) -> None:
    """(0.1 + 0.7) / 2 is not 0.4 in binary; a numeric column of a database brings decimals."""
    levels = [number(text) for text in ("0.1", "0.4", "0.7")]
    design = read({"feed": levels, "y": [number("1.5"), number("2.5"), number("3.5")]})
    assert design.centre.tolist() == [2.5]
    assert design.means.tolist() == [1.5, 3.5]


def test_texts_and_decimals_are_levels_and_declared_ones_say_which_is_high() -> None:
    runs: dict[str, Any] = {
        "coat": ["TiN", "none"] * 2,
        "feed": [Decimal("0.1")] * 2 + [Decimal("0.3")] * 2,
    }
    runs |= {"y": [1, 2, 3, 4]}
    assert read(runs).means.tolist() == [1, 2, 3, 4]
    assert read(runs, coat=("none", "TiN")).means.tolist() == [2, 1, 4, 3]


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (FULL, "full 2^3 design, unreplicated"),
        (FULL * 3, "full 2^3 design, 3 replicates"),
        ([*FULL, (0, 0, 0), (0, 0, 0)], "full 2^3 design, unreplicated, 2 at the centre"),
        ([*FULL, FULL[0]], "full 2^3 design, unequal replication, 1 to 2 runs per cell"),
    ],
)
def test_a_design_says_what_it_is(cells: Any, said: str) -> None:
    assert read(table(cells, range(len(cells)))).description.startswith(said)


@pytest.mark.parametrize(
    ("runs", "parts"),
    [
        (with_value("a", 2, None), ["row 3", "'a' has no value", "leave the run out"]),
        (with_value("y", 4, float("nan")), ["row 5", "'y' has no value"]),
        (with_value("y", 4, "12,5"), ["row 5", "response 'y' is '12,5'", "no number"]),
        (with_value("y", 4, float("inf")), ["row 5", "inf", "no number"]),
        (with_value("b", 1, 0.5), ["'b' has the levels -1, 0.5, 1", "midway", "here 0", "0.5"]),
        (with_value("b", 1, 0), ["row 2", "b is at its centre 0 and a is not", "Remove the row"]),
        (with_value("c", 1, "high"), ["'c' mixes texts and numbers"]),
        (table([(1, *cell[1:]) for cell in FULL], range(8)), ["'a' has only the level 1"]),
        (table(FULL[:7], range(7)), ["1 of 8 cells have no run: a 1, b 1, c 1", "Add the runs"]),
        ({"a": [], "y": []}, ["'a' has no run"]),
        ({"a": [-1, 1], "y": [1]}, ["differ in length", "'a': 2"]),
        ({"t": ["x", "y", "z"], "y": [1, 2, 3]}, ["'x', 'y', 'z'", "texts have none"]),
    ],
)
def test_what_is_no_two_level_design_is_refused(
    runs: dict[str, list[Any]], parts: list[str]
) -> None:
    message = refused(runs)
    assert [part for part in parts if part not in message] == []


def test_wrong_names_and_levels_are_refused() -> None:
    runs = table(FULL, range(8))
    with pytest.raises(DesignError, match=r"no column 'd'; the runs have a, b, c, y"):
        two_level_design(runs, ["a", "d"], "y")
    with pytest.raises(DesignError, match="'a' is named more than once"):
        two_level_design(runs, ["a", "b", "c", "a"], "y")
    with pytest.raises(DesignError, match="from 1 to 15"):
        two_level_design(
            {f"x{i}": [1] for i in range(16)} | {"y": [1]}, [f"x{i}" for i in range(16)], "y"
        )
    assert "row 1: factor 'a' is -1; its levels are 0 and 1, or 0.5" in refused(runs, a=(0, 1))
    assert "both 1; give two levels" in refused(runs, a=(1, 1))
    assert "no run has its level 1;" in refused({"a": [-1, 0], "y": [1, 2]}, a=(-1, 1))


def test_a_fraction_that_is_not_declared_is_named() -> None:
    runs = table([(*cell, -cell[0] * cell[1] * cell[2]) for cell in FULL], range(8), "abcd")
    message = refused(runs)
    assert "8 of 16 cells have no run" in message
    assert "declare its generators: these are D=-ABC (I = -ABCD)" in message
    assert read(runs, "D=-ABC").description.startswith(
        "2^(4-1) fraction of resolution IV by D=-ABC"
    )


@pytest.mark.parametrize(
    ("generators", "parts"),
    [
        (["D=AB", "D=AC"], ["D is generated more than once"]),
        (["D=AB", "E=AB"], ["I = DE", "cannot be told apart"]),
        (["D=A"], ["I = AD", "cannot be told apart"]),
        (["D=AB", "E=CD"], ["'E=CD' uses D", "itself generated"]),
        (["D=D"], ["'D=D' uses D"]),
        (["D=AAB"], ["names a factor twice"]),
        (["D=AF"], ["names F", "the 5 factors are ABCDE"]),
        (["D=AI"], ["names I", "no factor is called I"]),
        (["ABCD"], ["not of the form D=ABC"]),
    ],
)
def test_generators_that_make_no_design_are_refused(
    generators: list[str], parts: list[str]
) -> None:
    with pytest.raises(DesignError) as caught:
        parse_generators(generators, 5)
    assert [part for part in parts if part not in str(caught.value)] == []


def test_a_run_outside_the_fraction_and_a_missing_one_are_named() -> None:
    cells = [(*cell, cell[0] * cell[1]) for cell in FULL]
    wrong = [*cells[:5], (*cells[5][:3], -cells[5][3]), *cells[6:]]
    assert "row 6 does not keep the generator D=AB" in refused(
        table(wrong, range(8), "abcd"), "D=AB"
    )
    message = refused(table(cells[1:], range(7), "abcd"), "D=AB")
    assert "1 of 8 cells have no run: a -1, b -1, c -1, d 1. Add the runs." in message


def chains(texts: list[str], factors: int) -> tuple[str, int | None, list[str]]:
    found = alias_structure(parse_generators(texts, factors))
    effects = [1 << factor for factor in range(factors)]
    said = ["+".join(signed_text(*each) for each in found.chain(word)) for word in effects]
    return str(found), found.resolution, said


def test_the_quarter_fraction_of_a_textbook_has_its_alias_structure() -> None:
    """Montgomery, Design and Analysis of Experiments, table 8.8: 2^(6-2) with E=ABC, F=BCD."""
    relation, resolution, effects = chains(["E=ABC", "F=BCD"], 6)
    assert (relation, resolution) == ("I = ABCE = ADEF = BCDF", 4)
    assert effects[0] == "A+BCE+DEF+ABCDF"
    assert effects[3] == "D+AEF+BCF+ABCDE"
    found = alias_structure(parse_generators(["E=ABC", "F=BCD"], 6))
    assert [word_text(word) for word, _ in found.chain(0b10001)] == ["AE", "BC", "DF", "ABCDEF"]


def test_signs_of_generators_reach_the_aliases() -> None:
    assert chains(["D=-AB", "E=AC"], 5)[0] == "I = -ABD = ACE = -BCDE"
    assert chains(["C=-AB"], 3)[2] == ["A+-BC", "B+-AC", "C+-AB"]


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.data())
def test_generators_are_found_again_from_the_relation_that_they_give(data: st.DataObject) -> None:
    basic, generated = data.draw(st.integers(2, 5)), data.draw(st.integers(1, 4))
    words = [word for word in range(1, 2**basic) if word.bit_count() > 1]
    chosen = data.draw(st.lists(st.sampled_from(words), max_size=generated, unique=True))
    signs = data.draw(st.lists(st.sampled_from(["", "-"]), min_size=4, max_size=4))
    letters = "ABCDEFGHJ"
    texts = [
        f"{letters[basic + place]}={signs[place]}{word_text(word)}"
        for place, word in enumerate(chosen)
    ]
    parsed = parse_generators(texts, basic + len(chosen))
    relation = alias_structure(parsed).relation
    assert len(relation) == 2 ** len(chosen) - 1
    assert generators_of(relation) == parsed
    assert set(relation.values()) <= {-1, 1}

    names = {alias_structure(parsed).chain(word)[0][0] for word in range(2**basic)}
    assert len(names) == 2**basic
    parts = {name & ~(1 << factor) for name in names for factor in range(basic + len(chosen))}
    assert parts <= names, "hierarchy of a model relies on it"
