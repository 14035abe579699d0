from __future__ import annotations

import math
import re
from dataclasses import fields, replace

import numpy as np
import pytest
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QIcon, QImage, QPainter, QPalette
from PySide6.QtWidgets import QApplication, QLabel, QPushButton

from modellab.gui.theme import (
    DARK,
    LIGHT,
    apply_theme,
    contrast,
    font,
    icon,
    mix,
    paint_icon,
    set_font,
    set_height,
    theme,
    theme_hub,
)
from modellab.gui.theme import fonts as theme_fonts
from modellab.gui.theme.icons import icon_names, role_colour
from modellab.gui.theme.stylesheet import stylesheet
from modellab.gui.theme.tokens import rgb
from modellab.paths import resources

BOTH = pytest.mark.parametrize("tokens", [LIGHT, DARK], ids=["light", "dark"])


def lab(colour: str) -> np.ndarray:
    """CIE L*a*b* of a colour, D65."""
    channels = np.array([c / 255 for c in rgb(colour)])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return lab_of_linear(linear)


def lab_of_linear(linear: np.ndarray) -> np.ndarray:
    matrix = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    white = np.array([0.95047, 1.0, 1.08883])
    ratio = matrix @ linear / white
    root = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116)
    return np.array([116 * root[1] - 16, 500 * (root[0] - root[1]), 200 * (root[1] - root[2])])


# Machado, Oliveira and Fernandes (2009), severity 1.0.
MACHADO = {
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
}


def seen_by(colour: str, kind: str) -> np.ndarray:
    channels = np.array([c / 255 for c in rgb(colour)])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return lab_of_linear(np.clip(np.array(MACHADO[kind]) @ linear, 0, 1))


# ---------------------------------------------------------------- tokens


@BOTH
def test_every_colour_is_a_colour(tokens):
    for field in fields(tokens):
        value = getattr(tokens, field.name)
        values = value if isinstance(value, tuple) else (value,)
        for one in values:
            if field.name not in ("name", "dark"):
                assert re.fullmatch(r"#[0-9A-F]{6}", one), field.name


@BOTH
def test_text_can_be_read_on_every_ground(tokens):
    for ground in (tokens.window, tokens.surface, tokens.sub, tokens.selected):
        assert contrast(tokens.text, ground) >= 7
        assert contrast(tokens.second, ground) >= 4.5
    assert contrast(tokens.third, tokens.surface) >= 4.5
    assert contrast(tokens.on_ink, tokens.ink) >= 7
    for name in ("link", "ok", "warning", "alarm"):
        assert contrast(getattr(tokens, name), tokens.surface) >= 4.5, name


@BOTH
def test_lane_and_parameter_lines_stand_out(tokens):
    for colour in (*tokens.lanes, tokens.baseline, *tokens.parameters):
        assert contrast(colour, tokens.surface) >= 3


@BOTH
@pytest.mark.parametrize("kind", sorted(MACHADO))
def test_lanes_differ_for_the_colour_blind(tokens, kind):
    seen = [seen_by(colour, kind) for colour in tokens.lanes]
    distances = [
        float(np.linalg.norm(seen[i] - seen[j])) for i in range(4) for j in range(i + 1, 4)
    ]
    assert min(distances) >= (20 if tokens is LIGHT else 16)


@BOTH
def test_a_lane_keeps_its_style_and_no_two_share_one(tokens):
    styles = [tokens.lane_style(index) for index in range(12)]
    assert len(set(styles)) == 12
    assert styles[0] == (tokens.lanes[0], ())
    assert styles[4][0] == tokens.lanes[0]
    assert styles[4][1] != ()
    assert tokens.lane_style(3) == styles[3]
    assert tokens.fork_style(1) == (tokens.lanes[1], (3.0, 2.0))
    baselines = {tokens.baseline_style(index) for index in range(3)}
    assert len(baselines) == 3
    assert {colour for colour, _ in baselines} == {tokens.baseline}


def test_parameter_colours_go_round():
    assert LIGHT.parameter_colour(8) == LIGHT.parameter_colour(0)
    assert len({LIGHT.parameter_colour(i) for i in range(8)}) == 8


def test_mixing_and_contrast():
    assert mix("#000000", "#FFFFFF", 0.5) == "#808080"
    assert mix("#123456", "#FFFFFF", 0.0) == "#123456"
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#777777", "#777777") == 1
    assert LIGHT.tint("#000000", 0.06) == mix(LIGHT.surface, "#000000", 0.06)
    assert contrast(LIGHT.lane_text(LIGHT.lanes[2]), LIGHT.surface) > contrast(
        LIGHT.lanes[2], LIGHT.surface
    )


def test_themes_are_frozen():
    with pytest.raises(AttributeError):
        LIGHT.text = "#000000"
    assert replace(LIGHT, text="#000000").text == "#000000"


# ---------------------------------------------------------------- palette and style sheet


@BOTH
def test_the_palette_follows_the_theme(tokens, looks):
    apply_theme(tokens.name)
    palette = QApplication.palette()
    assert palette.color(QPalette.ColorRole.Window) == QColor(tokens.window)
    assert palette.color(QPalette.ColorRole.Base) == QColor(tokens.surface)
    assert palette.color(QPalette.ColorRole.WindowText) == QColor(tokens.text)
    assert theme() is tokens


@BOTH
def test_the_style_sheet_sets_no_font_and_its_pictures_exist(tokens, looks):
    sheet = stylesheet(tokens, round)
    assert "font" not in sheet.replace("font-awesome", "")
    pictures = re.findall(r'url\("([^"]+)"\)', sheet)
    assert pictures
    for name in pictures:
        assert (resources() / "style" / name.rsplit("/", 1)[1]).is_file()


@BOTH
def test_the_pictures_have_the_theme_s_colours(tokens):
    for name, colour in (("caret-down", tokens.second), ("check", tokens.on_ink)):
        text = (resources() / "style" / f"{name}-{tokens.name}.svg").read_text()
        assert colour in text


def test_qt_understands_the_whole_style_sheet(looks, qtbot, qtlog):
    # Qt warns "Could not parse application stylesheet" and goes on without it.
    button = QPushButton("x")
    qtbot.addWidget(button)
    button.setProperty("kind", "primary")
    button.ensurePolished()
    button.resize(80, 32)
    image = button.grab().toImage()
    assert image.pixelColor(5, 16) == QColor(LIGHT.ink)
    assert [r for r in qtlog.records if "parse" in r.message] == []


# ---------------------------------------------------------------- hub


def test_changing_the_theme_is_told_once_and_after_it_happened(looks, qtbot):
    hub = theme_hub()
    seen = []

    def note():
        seen.append((theme().name, QApplication.palette().color(QPalette.ColorRole.Window).name()))

    hub.theme_changed.connect(note)
    try:
        hub.set_mode("dark")
        assert seen == [("dark", DARK.window.lower())]
        hub.toggle()
        assert (hub.mode, theme().name) == ("light", "light")
    finally:
        hub.theme_changed.disconnect(note)


def test_the_system_is_followed_only_when_asked(looks, monkeypatch):
    hub = theme_hub()
    hub.set_mode("system")
    monkeypatch.setattr("modellab.gui.theme.hub.system_is_dark", lambda: True)
    hub._system_changed()
    assert theme() is DARK
    hub.set_mode("light")
    hub._system_changed()
    assert theme() is LIGHT


# ---------------------------------------------------------------- fonts


def test_inter_is_there_with_figures_of_one_width(looks):
    assert theme_fonts.load_fonts() == "Inter"
    metrics = QFontMetricsF(font(13))
    assert metrics.horizontalAdvance("1111") == pytest.approx(metrics.horizontalAdvance("8888"))
    loose = QFontMetricsF(font(13, tabular=False))
    assert loose.horizontalAdvance("1111") < metrics.horizontalAdvance("1111")


def test_weight_changes_what_is_painted(looks):
    def ink(weight: int) -> int:
        image = QImage(200, 40, QImage.Format.Format_Grayscale8)
        image.fill(255)
        painter = QPainter(image)
        painter.setFont(font(20, weight))
        painter.drawText(5, 28, "Retrained")
        painter.end()
        return sum(255 - image.pixelColor(x, y).red() for x in range(200) for y in range(40))

    assert ink(400) < 0.93 * ink(600)


def test_text_size_reaches_widgets_that_are_there(looks, qtbot):
    label, button = QLabel("x"), QPushButton("y")
    for widget in (label, button):
        qtbot.addWidget(widget)
    set_font(label, 20, 600)
    set_height(button, 40)
    try:
        theme_hub().set_text_scale(1.5)
        assert label.font().pixelSize() == 30
        assert button.height() == 60
        assert font(13).pixelSize() == round(13 * 1.5)
    finally:
        theme_hub().set_text_scale(1.0)
    assert label.font().pixelSize() == 20


def test_text_scale_has_limits(looks):
    try:
        theme_fonts.set_text_scale(9)
        assert theme_fonts.text_scale() == 2.0
        theme_fonts.set_text_scale(0.1)
        assert theme_fonts.text_scale() == 0.9
        assert font(5).pixelSize() == 9
    finally:
        theme_fonts.set_text_scale(1.0)


# ---------------------------------------------------------------- icons


def test_icons_take_the_theme_s_colours_by_themselves(looks):
    made = icon("table-fill", "text")

    def darkest() -> int:
        image = made.pixmap(32, 32).toImage()
        shades = [
            image.pixelColor(x, y)
            for x in range(32)
            for y in range(32)
            if image.pixelColor(x, y).alpha() == 255
        ]
        assert shades
        return min(shade.lightness() for shade in shades)

    light = darkest()
    theme_hub().set_mode("dark")
    assert light < 60 < 180 < darkest()


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_an_icon_can_be_seen_on_a_button_of_ink_that_is_off(looks, mode):
    theme_hub().set_mode(mode)
    drawn = icon("table-fill", "on_ink").pixmap(QSize(32, 32), QIcon.Mode.Disabled).toImage()
    colours = {drawn.pixelColor(x, y).name() for x in range(32) for y in range(32)
               if drawn.pixelColor(x, y).alpha() == 255}  # fmt: skip
    assert colours == {QColor(theme().third).name()}


def test_an_unknown_icon_is_named(looks):
    with pytest.raises(KeyError, match="no-such-icon"):
        icon("no-such-icon")
    with pytest.raises(KeyError, match="no-such-on"):
        icon("table", on="no-such-on")


def test_rail_icons_have_filled_twins(looks):
    from modellab.gui.window import PAGES

    for spec in PAGES:
        assert {spec.icon, f"{spec.icon}-fill"} <= icon_names()


def test_roles_are_tokens_or_colours(looks):
    assert role_colour("alarm") == LIGHT.alarm
    assert role_colour("#ABCDEF") == "#ABCDEF"
    with pytest.raises(AttributeError):
        role_colour("no such token")


def test_an_icon_is_painted_in_its_rectangle(looks):
    image = QImage(40, 40, QImage.Format.Format_ARGB32)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    paint_icon(painter, "square-fill", QRectF(10, 10, 20, 20), "#FF0000")
    painter.end()
    inked = [(x, y) for x in range(40) for y in range(40) if image.pixelColor(x, y).alpha() > 40]
    assert inked
    xs, ys = [x for x, _ in inked], [y for _, y in inked]
    assert 9 <= min(xs) <= max(xs) <= 30
    assert 9 <= min(ys) <= max(ys) <= 30
    assert math.isclose(sum(xs) / len(xs), 19.5, abs_tol=1)
