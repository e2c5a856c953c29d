from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuropair.catalog.report.blocks import cell, chosen, decimal
from neuropair.catalog.report.svg import LETTER, Plot, element, shortened, ticks


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_lie_between_the_ends(low: float, span: float) -> None:
    high = low + span
    found = ticks(low, high)
    slack = 1e-6 * max(abs(low), span)
    assert all(low - slack <= value <= high + slack for value in found)
    assert len(found) <= 6


@given(st.text(min_size=1), st.floats(20, 400))
def test_a_shortened_text_fits(text: str, width: float) -> None:
    short = shortened(text, width)
    assert len(short) <= max(3, int(width / LETTER))
    assert short == text or "…" in short


@given(st.integers(0, 300), st.integers(2, 40))
def test_a_choice_is_spread_and_keeps_both_ends(n: int, most: int) -> None:
    some = chosen(range(n), most)
    assert len(some) == min(n, most)
    assert some == sorted(set(some))
    if n:
        assert (some[0], some[-1]) == (0, n - 1)


def test_attributes_and_texts_are_escaped() -> None:
    drawn = element("text", "<b>", aria_label='"><script>')
    assert "<b>" not in drawn
    assert "<script>" not in drawn


def test_a_plot_puts_values_where_its_axes_say() -> None:
    plot = Plot((0.0, 10.0), (-1.0, 1.0), height=100)
    assert plot.to_x(0) == plot.left
    assert plot.to_y(-1) == 100 - plot.bottom
    assert plot.to_y(1) == plot.top
    assert "<title>A &amp; B</title>" in plot.drawn("A & B")


@pytest.mark.parametrize(
    ("value", "text"),
    [(1234567.0, "1,234,567"), (0.12345, "0.123"), (0.0, "0"), (1e-9, "1.0e-09")],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert decimal(value) == text


def test_cells_name_what_is_absent() -> None:
    assert cell(None).text == cell(float("nan")).text == "\N{EN DASH}"
    assert cell(True).mark == cell("fails").mark == "bad"
    assert cell(12000).text == "12,000"
