"""Words, columns, scales and terms of the Decide page, without any widget."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from verdict_bench import USUAL, lane_row, tie, too_early, verdict

from modellab.experiment_faults import FAULT_KINDS
from modellab.gui.decide import words
from modellab.gui.decide.columns import COLUMNS, shown_columns
from modellab.gui.decide.price_scale import PriceScale, merged, winner_at
from modellab.gui.decide.scatter import curve_of, dots_of, front_of, usual_across
from modellab.gui.decide.terms import HELPED, POLICY_TERMS, TERMS, explain
from modellab.verdict.values import PriceBar

PRICES = st.floats(0, 1e9, allow_nan=False)


def test_every_term_is_explained_plainly_and_exactly() -> None:
    for key, term in TERMS.items():
        for text in (term.plain, term.exact):
            assert text.rstrip().endswith((".", "?")), key
            assert text[0].isupper() or text.startswith(("errors", "p-value")), key
    assert explain("regret", "pareto").count("\n\n") == 1
    assert all(key in TERMS for keys in POLICY_TERMS.values() for key in keys)
    assert all(key in TERMS for key in HELPED)
    with pytest.raises(KeyError):
        explain("no such term")


def test_every_policy_and_every_fault_has_words() -> None:
    from modellab.experiment import POLICY_KINDS

    assert set(POLICY_KINDS) <= set(POLICY_TERMS)
    assert all(words.fault_word(kind) != kind for kind in FAULT_KINDS)


@pytest.mark.parametrize("made", [verdict(), tie(), too_early()])
def test_every_cell_is_words(made) -> None:
    for column in COLUMNS:
        assert column.tip
        for row in made.lanes:
            assert column.text(row, made)
            key = column.key(row, made)
            assert isinstance(key, str) or not math.isnan(key)
            if column.detail is not None:
                assert row.name in column.detail(row, made)


@given(room=st.floats(0, 4000), chosen=st.dictionaries(
    st.sampled_from([c.id for c in COLUMNS]), st.booleans()))  # fmt: skip
def test_columns_keep_their_order_and_the_chosen_ones_stay(room, chosen) -> None:
    rows = [lane_row(name) for name in USUAL]
    found = shown_columns(rows, chosen, room)
    order = [c.id for c in COLUMNS]
    assert found == sorted(found, key=order.index)
    assert {"lane", "error", "cost"} <= set(found)
    assert {c for c, on in chosen.items() if on} <= set(found)
    hidden = {c for c, on in chosen.items() if not on} - {"lane", "error", "cost"}
    assert not hidden & set(found)


def test_columns_without_content_are_left_out() -> None:
    bare = [lane_row("Static", "Static", sensitivity={}, regret=None, drift=None)]
    assert not {"bad", "regret", "drift", "downtime"} & set(shown_columns(bare, {}, None))
    full = [lane_row(name) for name in USUAL]
    assert {"bad", "regret", "drift", "downtime"} <= set(shown_columns(full, {}, None))


@given(now=PRICES, high=PRICES, low=st.sampled_from([0.0, 0.001, 5.0]), share=st.floats(0, 1))
def test_a_price_scale_is_monotone_and_stays_inside(now, high, low, share) -> None:
    scale = PriceScale.of(PriceBar("error", now, low, high))
    assert scale.share(scale.low) == pytest.approx(0.0)
    assert scale.share(scale.high) == pytest.approx(1.0)
    price = scale.price(share)
    assert scale.low <= price <= scale.high
    # Three figures are kept: the place is off by no more than they allow.
    assert scale.share(price) == pytest.approx(share, abs=0.02)
    assert scale.share(scale.price(min(1.0, share + 0.1))) >= scale.share(price)


def test_who_wins_where() -> None:
    bar = PriceBar("error", 1.0, 0.0, 10.0, [(0, 2, "A"), (2, 3, "B"), (3, 10, "B")])
    assert merged(bar.segments) == [(0, 2, "A"), (2, 10, "B")]
    assert winner_at(bar, 1.0) == "A"
    assert winner_at(bar, 2.5) == "B"
    assert winner_at(bar, 11.0) == ""


def test_the_front_goes_down_only() -> None:
    made = verdict(lanes=[
        lane_row("Static", pareto=True), lane_row("Retrained", pareto=True), lane_row("Online"),
    ])  # fmt: skip
    steps = front_of(dots_of(made, "upkeep", "error"))
    assert [x for x, _ in steps] == sorted(x for x, _ in steps)
    assert [y for _, y in steps] == sorted((y for _, y in steps), reverse=True)
    assert len(steps) == 3


def test_what_lies_across() -> None:
    assert usual_across(verdict()) == "upkeep"
    free = [lane_row(name, upkeep=0.0) for name in USUAL]
    assert usual_across(verdict(lanes=free)) == "retrains"
    assert usual_across(verdict(lanes=free, hindsight=None)) == "cpu"
    assert curve_of(verdict(), "cpu", "error") == []
    assert curve_of(verdict(), "retrains", "total")[0][0] == 0.0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0"), (0.01, "< 0.1 s"), (0.44, "0.4 s"), (356, "356 s"), (1800, "30 min"),
     (3 * 3600, "3.0 h"), (20 * 86_400, "20 d")],
)  # fmt: skip
def test_spans_in_one_unit(seconds: float, text: str) -> None:
    assert words.span_text(seconds) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(0.0204, "error rate", "+0.020"), (0.0, "error rate", "0.000"),
     (2.0, "absolute error", "+2.00"), (-12.345, "absolute error", "−12.3"),
     (0.439, "absolute error", "+0.439"), (0.0, "absolute error", "0")],
)  # fmt: skip
def test_differences(value: float, unit: str, text: str) -> None:
    assert words.difference_text(value, unit) == text


@pytest.mark.parametrize(
    ("p", "text"), [(None, "–"), (1e-9, "< 0.001"), (0.0312, "0.031"), (0.4, "0.40")]
)
def test_p_values(p: float | None, text: str) -> None:
    assert words.p_text(p) == text


def test_a_tied_lane_that_errs_less_is_no_worse_than_the_best() -> None:
    assert words.best_word(verdict()) == "best"
    made = verdict(recommended="Static", lanes=[
        lane_row("Static", "Static"), lane_row("Online", "Static", outcome="tie"),
    ])  # fmt: skip
    assert words.best_word(made) == "recommended"
    assert words.against_text(made.lanes[0], made) == "recommended"
