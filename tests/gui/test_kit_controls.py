from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QValidator, QWheelEvent
from PySide6.QtWidgets import QApplication, QCheckBox, QLineEdit, QVBoxLayout, QWidget

from modellab.gui.kit import (
    IconButton,
    LabeledField,
    LinkButton,
    LogSlider,
    NumberField,
    PlainButton,
    PrimaryButton,
    ProgressLine,
    QuietButton,
    SegmentedControl,
    SplitBar,
    ToggleSwitch,
    parse_number,
)
from modellab.gui.kit import fields as kit_fields
from modellab.gui.kit.fields import _next_step

pytestmark = pytest.mark.usefixtures("looks", "_windows")

KEPT = []


@pytest.fixture
def _windows():
    yield
    KEPT.clear()


def shown(qtbot, *widgets):
    """The widgets in a window that has the focus."""
    window = QWidget()
    layout = QVBoxLayout(window)
    for widget in widgets:
        layout.addWidget(widget)
    qtbot.addWidget(window)
    KEPT.append(window)
    window.resize(420, 200)
    window.show()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    return window


# ---------------------------------------------------------------- buttons


@pytest.mark.parametrize("kind", [PrimaryButton, PlainButton, QuietButton, LinkButton])
def test_a_button_explains_itself_and_works_by_keyboard(qtbot, kind):
    done = []
    button = kind("&Go on", "Do what is next.", clicked=lambda: done.append(1))
    window = shown(qtbot, button)
    assert button.accessibleName() == "Go on"
    assert "Do what is next." in button.toolTip()
    button.setFocus()
    qtbot.keyClick(button, Qt.Key.Key_Space)
    assert done == [1]
    button.set_reason("There is nothing yet.", "Do what is next.")
    assert not button.isEnabled()
    assert "nothing yet" in button.accessibleDescription()
    button.set_reason(None, "Do what is next.")
    assert button.isEnabled()
    assert "nothing yet" not in button.toolTip()
    window.close()


def test_a_pressed_callback_gets_no_argument(qtbot):
    got = []

    def callback(*values):
        got.append(values)

    button = IconButton("camera", "Picture", "Save a picture.", clicked=callback)
    shown(qtbot, button)
    button.click()
    assert got == [()]
    assert button.accessibleName() == "Picture"


# ---------------------------------------------------------------- segments


def segments(qtbot):
    told = []
    control = SegmentedControl(
        "View",
        [("lines", "lines", "As lines."), ("map", "heat map", "As a map."), ("off", "off", "Not.")],
        changed=told.append,
    )
    return control, told, shown(qtbot, control)


def test_segments_are_chosen_by_arrow_keys(qtbot):
    control, told, _ = segments(qtbot)
    first = control.button("lines")
    first.setFocus()
    qtbot.keyClick(first, Qt.Key.Key_Right)
    assert control.current() == "map"
    assert told == ["map"]
    assert control.button("map").hasFocus()


def test_tab_reaches_the_chosen_segment_alone(qtbot):
    before, after = QLineEdit(), QLineEdit()
    options = [(key, key, f"Show {key}.") for key in ("lines", "map", "off")]
    control = SegmentedControl("View", options, current="off")
    shown(qtbot, before, control, after)
    before.setFocus()
    qtbot.keyClick(before, Qt.Key.Key_Tab)
    assert control.button("off").hasFocus()
    qtbot.keyClick(control.button("off"), Qt.Key.Key_Tab)
    assert after.hasFocus()


def test_setting_a_segment_tells_nobody_but_clicking_does(qtbot):
    control, told, _ = segments(qtbot)
    control.set_current("map")
    assert (control.current(), told) == ("map", [])
    control.button("off").click()
    assert told == ["off"]
    control.button("off").click()
    assert told == ["off"]
    control.set_reason("map", "Needs a model.", "As a map.")
    assert not control.button("map").isEnabled()
    assert "Needs a model." in control.button("map").accessibleDescription()


# ---------------------------------------------------------------- switch


def test_a_switch_is_a_check_box(qtbot):
    told = []
    switch = ToggleSwitch("Freeze learning", "The lane stops learning.", toggled=told.append)
    shown(qtbot, switch)
    assert isinstance(switch, QCheckBox)
    switch.setFocus()
    qtbot.keyClick(switch, Qt.Key.Key_Space)
    qtbot.mouseClick(switch, Qt.MouseButton.LeftButton, pos=QPoint(6, 10))
    assert told == [True, False]
    on = switch.grab().toImage()
    switch.setChecked(True)
    assert switch.grab().toImage() != on


# ---------------------------------------------------------------- numbers


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,000", 1000),
        ("1e-4", 1e-4),
        ("−0.5", -0.5),
        (" 2k", 2000),
        ("1.5 M", 1.5e6),
        ("1 000", 1000),
        ("", None),
        ("abc", None),
        ("1e999", None),
        ("nan", None),
    ],
)
def test_what_people_type(text, value):
    assert parse_number(text) == value


def test_a_number_field_takes_effect_when_it_is_entered(qtbot):
    told = []
    field = NumberField(
        "Split", "Rows.", value=13594, maximum=45312, unit="rows", committed=told.append
    )
    shown(qtbot, field)
    assert field.text() == "13,594 rows"
    field.setFocus()
    field.selectAll()
    qtbot.keyClicks(field, "20000")
    assert told == []
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert told == [20000]
    assert field.text() == "20,000 rows"
    assert field.whole() == 20000
    field.set_number(5)
    assert told == [20000]


def test_a_number_out_of_range_becomes_the_limit(qtbot):
    told = []
    field = NumberField("Share", "x", value=10, minimum=2, maximum=90, committed=told.append)
    shown(qtbot, field)
    field.setFocus()
    field.selectAll()
    qtbot.keyClicks(field, "400")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert field.number() == 90
    assert told == [90]


def test_a_range_that_moves_the_value_is_no_entry(qtbot):
    told = []
    field = NumberField("Split", "x", value=400, maximum=2000, committed=told.append)
    shown(qtbot, field)
    field.setRange(0, 59)
    assert field.number() == 59
    assert told == []


def test_nonsense_cannot_be_typed(qtbot):
    field = NumberField("Share", "x", value=10)
    shown(qtbot, field)
    assert field.validate("12x", 3)[0] == QValidator.State.Invalid
    assert field.validate("", 0)[0] == QValidator.State.Intermediate
    field.setFocus()
    field.selectAll()
    qtbot.keyClicks(field, "abc")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert field.number() == 10


def test_a_log_field_keeps_small_numbers_and_steps_through_1_2_5(qtbot):
    field = NumberField("Rate", "x", value=0.0001, maximum=10, log=True)
    shown(qtbot, field)
    assert field.text() == "0.0001"
    seen = []
    for _ in range(4):
        field.stepBy(1)
        seen.append(field.number())
    assert seen == [0.0002, 0.0005, 0.001, 0.002]
    field.stepBy(-1)
    assert field.number() == 0.001
    field.set_number(3.3e-7)
    assert field.number() == pytest.approx(3.3e-7, rel=1e-6)


@given(st.floats(min_value=1e-9, max_value=1e9))
def test_stepping_up_then_down_ends_at_or_below(value):
    up = _next_step(value, up=True, least=1e-12)
    assert up > value
    assert _next_step(up, up=False, least=1e-12) <= value * (1 + 1e-9)
    assert up <= value * 2.51


def wheel(widget, steps=1):
    middle = QPointF(widget.rect().center())
    event = QWheelEvent(
        middle,
        widget.mapToGlobal(middle),
        QPoint(),
        QPoint(0, 120 * steps),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(widget, event)


def test_the_wheel_changes_only_what_has_the_focus(qtbot):
    field = NumberField("Rows", "x", value=10)
    slider = LogSlider("Rate", "x", value=0.01)
    other = QLineEdit()
    shown(qtbot, field, slider, other)
    other.setFocus()
    wheel(field)
    wheel(slider)
    assert (field.number(), slider.real()) == (10, 0.01)
    field.setFocus()
    wheel(field)
    assert field.number() == 11
    slider.setFocus()
    wheel(slider)
    assert slider.real() > 0.01


def test_a_labelled_field_says_what_is_wrong(qtbot):
    field = NumberField("Rows", "How many rows.", value=1)
    labelled = LabeledField("&Rows", field, hint="of the stream")
    shown(qtbot, labelled)
    assert labelled.label.buddy() is field
    labelled.set_error("There are only 500 rows.")
    assert field.property("wrong") is True
    assert labelled._hint.text() == "There are only 500 rows."
    labelled.set_error("")
    assert field.property("wrong") is False
    assert labelled._hint.text() == "of the stream"


# ---------------------------------------------------------------- progress


def test_progress_tells_how_far_and_how_long(qtbot, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(kit_fields, "monotonic", lambda: clock[0])
    cancelled = []
    line = ProgressLine()
    line.cancelled.connect(lambda: cancelled.append(1))
    shown(qtbot, line)
    line.start("Reading prices.csv")
    assert line.active()
    assert line._bar.maximum() == 0
    clock[0] = 110.0
    line.set_progress(0.25)
    assert line._rest.text() == "25 % · 30 s left"
    assert line._bar.value() == 250
    line.set_progress(None)
    assert line._bar.maximum() == 0
    line.cancel.click()
    assert cancelled == [1]
    assert not line.cancel.isEnabled()
    line.finish()
    assert not line.active()
    assert not line.isVisible()


# ---------------------------------------------------------------- log slider


def test_the_log_slider_keeps_the_exact_value(qtbot):
    slider = LogSlider("Learning rate", "x", value=0.05)
    shown(qtbot, slider)
    assert slider.real() == 0.05
    slider.set_real(0.0123456789)
    assert slider.real() == 0.0123456789
    assert "0.01235" in slider.accessibleDescription()


def test_the_log_slider_by_keyboard(qtbot):
    moved, let_go = [], []
    slider = LogSlider("Learning rate", "x", value=0.01, changed=moved.append)
    slider.value_committed.connect(let_go.append)
    shown(qtbot, slider)
    slider.setFocus()
    qtbot.keyClick(slider, Qt.Key.Key_Right)
    assert moved == let_go == [slider.real()]
    assert 0.01 < slider.real() < 0.012
    qtbot.keyClick(slider, Qt.Key.Key_PageUp)
    assert slider.real() == pytest.approx(0.0355, rel=0.01)
    qtbot.keyClick(slider, Qt.Key.Key_Home)
    assert slider.real() == 1e-4
    qtbot.keyClick(slider, Qt.Key.Key_End)
    assert slider.real() == 1.0


def test_dragging_tells_while_moving_and_once_at_the_end(qtbot):
    moved, let_go = [], []
    slider = LogSlider("Learning rate", "x", minimum=1e-4, maximum=1, value=1e-4)
    slider.value_changed.connect(moved.append)
    slider.value_committed.connect(let_go.append)
    shown(qtbot, slider)
    y = 16
    half = QPoint(round((slider._left() + slider._right()) / 2), y)
    qtbot.mousePress(slider, Qt.MouseButton.LeftButton, pos=half)
    assert slider.real() == pytest.approx(0.01, rel=0.03)
    qtbot.mouseMove(slider, QPoint(round(slider._right()), y))
    assert let_go == []
    qtbot.mouseRelease(slider, Qt.MouseButton.LeftButton, pos=QPoint(round(slider._right()), y))
    assert let_go == [slider.real()]
    assert moved[0] == pytest.approx(0.01, rel=0.03)
    assert slider.isSliderDown() is False


def test_a_value_off_the_scale_is_kept_and_shown_at_the_end(qtbot):
    slider = LogSlider("Learning rate", "x", minimum=1e-4, maximum=1, value=5.0)
    shown(qtbot, slider)
    assert slider.real() == 5.0
    assert slider.value() == slider.maximum()
    slider.set_real(0.0)
    assert slider.value() == slider.minimum()


def test_the_mark_is_painted_and_explained(qtbot):
    slider = LogSlider("Learning rate", "How far a row moves the model.", value=0.05)
    shown(qtbot, slider)
    without = slider.grab().toImage()
    slider.set_mark(0.5, "0.5 would have been best over the last 5,000 rows.")
    assert slider.grab().toImage() != without
    assert "would have been best" in slider.accessibleDescription()
    slider.set_mark(None)
    assert slider.grab().toImage() == without


def test_a_log_slider_needs_a_range_above_zero():
    with pytest.raises(ValueError, match="0 < minimum"):
        LogSlider("x", "y", minimum=0.0, maximum=1.0)


# ---------------------------------------------------------------- split bar


def split_bar(qtbot, rows=45312, train=13594, **more):
    bar = SplitBar("Training window", "Drag it.")
    bar.set_split(rows, train, **more)
    moved, done = [], []
    bar.moved.connect(moved.append)
    bar.committed.connect(done.append)
    shown(qtbot, bar)
    return bar, moved, done


def test_the_split_is_exact_to_the_row(qtbot):
    bar, moved, _ = split_bar(qtbot)
    assert bar.train_rows() == 13594
    assert "13,594 of 45,312 rows train, 30%" in bar.accessibleDescription()
    assert moved == []


def test_the_split_by_keyboard(qtbot):
    bar, moved, done = split_bar(qtbot)
    bar.setFocus()
    qtbot.keyClick(bar, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert bar.train_rows() == 13595
    qtbot.keyClick(bar, Qt.Key.Key_Left)
    assert bar.train_rows() == 13595 - 45
    qtbot.keyClick(bar, Qt.Key.Key_Home)
    assert bar.train_rows() == 0
    assert moved == done == [13595, 13550, 0]


def test_the_split_stays_within_its_limits(qtbot):
    bar, _, done = split_bar(qtbot, least=1000, most=40000)
    bar.setFocus()
    qtbot.keyClick(bar, Qt.Key.Key_Home)
    assert bar.train_rows() == 1000
    qtbot.keyClick(bar, Qt.Key.Key_End)
    assert bar.train_rows() == 40000
    assert done == [1000, 40000]


def test_dragging_the_split(qtbot):
    bar, moved, done = split_bar(qtbot)
    y = bar.height() // 2
    middle = QPoint(round((bar._left() + bar._right()) / 2), y)
    qtbot.mousePress(bar, Qt.MouseButton.LeftButton, pos=middle)
    qtbot.mouseRelease(bar, Qt.MouseButton.LeftButton, pos=middle)
    assert moved[-1] == pytest.approx(22656, abs=200)
    assert done == [bar.train_rows()]


def test_more_rows_than_a_slider_can_count(qtbot):
    rows = 3 * 2**33
    bar, _, done = split_bar(qtbot, rows=rows, train=rows // 3 + 1)
    assert bar.train_rows() == rows // 3 + 1
    bar.setFocus()
    qtbot.keyClick(bar, Qt.Key.Key_End)
    assert bar.train_rows() == pytest.approx(rows, rel=1e-6)
    assert done


def test_the_split_bar_draws_curve_and_test_part(qtbot):
    bar, _, _ = split_bar(qtbot)
    plain = bar.grab().toImage()
    bar.set_curve([math.sin(x / 5) for x in range(200)])
    with_curve = bar.grab().toImage()
    assert with_curve != plain
    bar.set_split(45312, 13594, test_rows=4000)
    assert bar.grab().toImage() != with_curve


def test_one_row_and_many_rows(qtbot: object) -> None:
    told: list[float] = []
    field = NumberField("Rows", "x", value=1, minimum=1, maximum=900, unit="rows",
                        committed=told.append)  # fmt: skip
    qtbot.addWidget(field)  # type: ignore[attr-defined]
    assert field.text() == "1 row"
    field.set_number(20)
    assert field.text() == "20 rows"
    for typed in ("3 rows", "1 rows", "7 row", "9"):
        state = field.validate(typed, len(typed))[0]
        assert state == QValidator.State.Acceptable, typed
        assert field.valueFromText(typed) == float(typed.split()[0])
    assert told == []
