"""Numbers and names in sentences."""

from __future__ import annotations

import pytest

from modellab.verdict import words


@pytest.mark.parametrize(
    ("own", "other", "told"),
    [
        (1.0, 33.2, "at a 33rd of the compute"),
        (1.0, 11.0, "at an 11th of the compute"),
        (1.0, 8.0, "at an 8th of the compute"),
        (1.0, 22.0, "at a 22nd of the compute"),
        (1.0, 1800.0, "at a 1,800th of the compute"),
        (1.0, 18_000.0, "at an 18,000th of the compute"),
        (1.0, 2.0, "at half of the compute"),
        (1.0, 3.0, "at a third of the compute"),
        (1.0, 1.2, "at about the same compute"),
        (2.5, 1.0, "with 2.5 times the compute"),
        (33.0, 1.0, "with 33 times the compute"),
        (0.0, 1.0, ""),
    ],
)
def test_compute(own: float, other: float, told: str) -> None:
    assert words.compute(own, other) == told


def test_numbers() -> None:
    shown = [words.number(v) for v in (0, 12345.6, 1000, 12.3456, 0.00123456, -2.5, 100.0)]
    assert shown == ["0", "12,346", "1,000", "12.35", "0.001235", "-2.5", "100"]
    assert words.number(float("inf")) == "an unknown number of"
    assert [words.part(v, 100.0) for v in (0.0, 1e-5, 12.0)] == ["nothing", "almost nothing", "12"]
    assert [words.times(n) for n in (1, 2, 3)] == ["once", "twice", "3 times"]
    assert [words.small(n) for n in (0, 4, 11)] == ["no", "four", "11"]
    assert [words.rows(n) for n in (1, 30918)] == ["1 row", "30,918 rows"]
    assert words.loss(0.1234, True) == "12.34 %"
    assert words.loss(0.1234, False) == "0.1234"
    assert [words.p_value(p) for p in (0.0001, 0.0312)] == ["p < 0.001", "p = 0.031"]


def test_lists_and_names() -> None:
    assert words.listed(["A"]) == "A"
    assert words.listed(["A", "B"]) == "A and B"
    assert words.listed(["A", "B", "C"]) == "A, B and C"
    assert words.listed(["A", "B", "C", "D", "E"]) == "A, B and 3 others"
    assert words.name("a\tb\n") == "a b"
    assert words.baseline("No change", "no_change") == "No change (repeating the last label)"
    assert words.baseline("Mine", "something") == "Mine"
    assert words.fault("label_noise") == "one label in twenty wrong"
    assert words.fault("new_kind") == "new kind"
