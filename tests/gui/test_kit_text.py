from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QPushButton

from modellab.gui.kit import (
    MINUS,
    ElidedLabel,
    FigureLabel,
    Label,
    StatFigure,
    count_text,
    describe,
    duration_text,
    number_text,
    one_line,
    parse_number,
    short_number,
    size_text,
    tip_text,
)
from modellab.gui.theme import set_font

pytestmark = pytest.mark.usefixtures("looks")


def test_a_name_with_line_breaks_is_shown_in_one_line():
    assert one_line("two\n lines\tand more") == "two lines and more"
    assert one_line("x" * 10_000, 5) == "xxxxx"


@pytest.mark.parametrize(
    ("value", "text"),
    [(45312, "45,312"), (0, "0"), (-1234, f"{MINUS}1,234"), (999.6, "1,000")],
)
def test_counts(value, text):
    assert count_text(value) == text


@pytest.mark.parametrize(
    ("value", "digits", "signed", "text"),
    [
        (0.1263, 3, False, "0.126"),
        (-0.5, 2, False, f"{MINUS}0.50"),
        (0.039, 3, True, "+0.039"),
        (-0.0001, 2, False, "0.00"),
        (-0.0001, 2, True, "+0.00"),
        (12345.6, 1, False, "12,345.6"),
        (math.nan, 3, False, "–"),
        (math.inf, 3, True, "+∞"),
        (-math.inf, 3, False, f"{MINUS}∞"),
    ],
)
def test_numbers(value, digits, signed, text):
    assert number_text(value, digits, signed=signed) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0001, "0.0001"),
        (0.05, "0.05"),
        (1.0, "1"),
        (12500.0, "12,500"),
        (0.0, "0"),
        (1e-7, f"1e{MINUS}7"),
        (-2.5, f"{MINUS}2.5"),
        (3.2e10, "3.2e10"),
        (math.nan, "–"),
        (-math.inf, f"{MINUS}∞"),
    ],
)
def test_short_numbers(value, text):
    assert short_number(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15))
def test_a_short_number_reads_back(value):
    read = parse_number(short_number(value, 8))
    assert read is not None
    assert math.isclose(read, value, rel_tol=1e-6, abs_tol=1e-300)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0.4 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (68, "1 min 08 s"),
        (3600, "1 h 00 min"),
        (12000, "3 h 20 min"),
        (200000, "2 d 7 h"),
        (-1, "–"),
        (math.nan, "–"),
        (math.inf, "∞"),
    ],
)
def test_durations(seconds, text):
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (3_100_000, "3.1 MB"),
        (268e6, "268 MB"),
        (2e13, "20.0 TB"),
    ],
)
def test_sizes(size, text):
    assert size_text(size) == text


@given(st.text(max_size=80))
def test_a_tooltip_can_never_be_markup(text):
    tip = tip_text(text)
    if not text:
        assert tip == ""
        return
    inner = tip.removeprefix("<qt>").removesuffix("</qt>").replace("<br>", "")
    assert "<" not in inner
    assert ">" not in inner


def test_names_of_strangers_stay_plain(qtbot):
    name = "<img src=x><b>price</b>"
    button = QPushButton()
    qtbot.addWidget(button)
    describe(button, name, name)
    assert "<b>" not in button.toolTip()
    assert button.accessibleDescription() == name
    label = Label(name)
    qtbot.addWidget(label)
    assert label.textFormat() == Qt.TextFormat.PlainText
    assert label.text() == name


def test_an_elided_label_cuts_and_tells_the_whole(qtbot):
    label = ElidedLabel("a rather long name of a column, with\nits second line")
    qtbot.addWidget(label)
    label.resize(60, 20)
    label.show()
    assert label.elided()
    assert "second line" in label.toolTip()
    label.resize(600, 20)
    assert not label.elided()
    assert label.toolTip() == ""
    label.set_tip("why")
    assert "why" in label.toolTip()


def test_an_elided_label_stays_within_its_room(qtbot):
    label = ElidedLabel("WWWWWWWWWWWWWWWWWWWWWWWWWWWW")
    qtbot.addWidget(label)
    label.resize(100, 24)
    label.show()
    assert isinstance(label, QLabel)
    assert label.minimumSizeHint().width() < 40
    image = label.grab().toImage()
    ground = image.pixelColor(99, 1)
    assert all(image.pixelColor(99, y) == ground for y in range(24))


def test_a_figure_is_read_out_with_its_caption(qtbot):
    figure = StatFigure("198 /s", "actual speed")
    qtbot.addWidget(figure)
    assert figure.accessibleName() == "actual speed: 198 /s"
    figure.set_value("200 /s")
    assert figure.value() == "200 /s"
    assert figure.accessibleName() == "actual speed: 200 /s"


def test_tone_is_a_property_that_the_style_sheet_sees(qtbot):
    from modellab.gui.theme import LIGHT

    label = Label("x", tone="second")
    qtbot.addWidget(label)
    label.ensurePolished()
    assert label.palette().windowText().color().name() == LIGHT.second.lower()
    label.set_tone("alarm")
    assert label.palette().windowText().color().name() == LIGHT.alarm.lower()


def test_a_figure_keeps_its_width_while_it_has_room(qtbot):
    label = FigureLabel("12,345", 20, 600)
    qtbot.addWidget(label)
    label.setText("10,000")
    wide = label.width()
    for text in ("12,346", "12,399", "12,111"):
        label.setText(text)
        needed = label.fontMetrics().horizontalAdvance(text)
        assert needed <= label.minimumWidth() == label.maximumWidth() <= needed + 18
    assert abs(label.width() - wide) <= 14
    label.setText("1,234,567")
    longer = label.minimumWidth()
    assert longer > wide
    label.setText("1")
    assert label.minimumWidth() < wide
    label.setText("1,234,567")
    set_font(label, 32, 600)
    assert label.minimumWidth() > longer
    assert label.minimumHeight() >= label.fontMetrics().height()
