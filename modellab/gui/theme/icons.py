"""Phosphor icons out of the package ``qtawesome``, re-coloured by themselves when the theme turns.

QtAwesome ships the Phosphor font and its table of names. They are read straight from the package's
folder, because importing it imports every Qt module through qtpy: 0.25 s of the start (measured).
Names are Phosphor's own: ``table`` is the regular drawing, ``table-fill`` the filled one.
"""

from __future__ import annotations

import json
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path

from PySide6.QtCore import QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontDatabase, QIcon, QIconEngine, QPainter, QPixmap

from modellab.gui.theme import hub
from modellab.gui.theme.tokens import mix

_CENTRE = Qt.AlignmentFlag.AlignCenter


@cache
def _phosphor() -> tuple[str, dict[str, str]]:
    """Return the icon font's family and the character of every icon name."""
    spec = find_spec("qtawesome")
    for place in (spec.submodule_search_locations or []) if spec is not None else []:
        folder = Path(place) / "fonts"
        fonts = sorted(folder.glob("phosphor-[0-9]*.ttf"))
        names = sorted(folder.glob("phosphor-charmap-*.json"))
        if not fonts or not names:
            continue
        number = QFontDatabase.addApplicationFont(str(fonts[-1]))
        families = QFontDatabase.applicationFontFamilies(number)
        if families:
            table = json.loads(names[-1].read_text(encoding="utf-8"))
            return families[0], {name: chr(int(code, 16)) for name, code in table.items()}
    raise RuntimeError("The icon font is missing: is the package qtawesome installed?")


def icon_names() -> frozenset[str]:
    """Return every icon name that can be used."""
    return frozenset(_phosphor()[1])


def paint_icon(painter: QPainter, name: str, rect: QRectF, colour: str | QColor) -> None:
    """Paint icon `name` centred in `rect` in one colour.

    Raises
    ------
    KeyError
        There is no icon of that name.
    """
    family, table = _phosphor()
    side = min(rect.width(), rect.height())
    painter.save()
    painter.setFont(_drawn(family, max(1, round(side))))
    painter.setPen(QColor(colour))
    painter.drawText(rect, _CENTRE, table[name])
    painter.restore()


@lru_cache(maxsize=64)
def _drawn(family: str, side: int) -> QFont:
    """Return the typeface of icons at `side` pixels."""
    made = QFont(family)
    made.setPixelSize(side)
    made.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
    return made


def role_colour(role: str) -> str:
    """Return the present colour of a role: a colour token's name, or ``#RRGGBB`` itself."""
    return role if role.startswith("#") else str(getattr(hub.theme(), role))


def _paint(painter: QPainter, rect: QRect, name: str, colour: str) -> None:
    painter.setRenderHint(QPainter.RenderHint.TextAntialiasing)
    side = min(rect.width(), rect.height())
    # A wider rectangle is an icon with its gap to the text after it.
    paint_icon(painter, name, QRectF(rect.x(), rect.y(), side, rect.height()), colour)


@lru_cache(maxsize=512)
def _picture(name: str, colour: str, wide: int, high: int) -> QPixmap:
    """Paint an icon once: buttons ask for its picture whenever they are painted."""
    made = QPixmap(wide, high)
    made.fill(Qt.GlobalColor.transparent)
    painter = QPainter(made)
    try:
        _paint(painter, QRect(0, 0, wide, high), name, colour)
    finally:
        painter.end()
    return made


class _Engine(QIconEngine):
    """Paints one icon with the colours of the moment, so that nothing has to be replaced."""

    def __init__(self, name: str, role: str, on_name: str | None) -> None:
        super().__init__()
        self._name, self._role, self._on_name = name, role, on_name

    def _look(self, mode: QIcon.Mode, state: QIcon.State) -> tuple[str, str]:
        """Return the name of the drawing and its colour."""
        colour = role_colour(self._role)
        if mode == QIcon.Mode.Disabled:
            # On a button of ink, which is pale when it is off, a paler icon would not be seen.
            tokens = hub.theme()
            off = self._role == "on_ink"
            colour = tokens.third if off else mix(colour, tokens.surface, 0.55)
        on = state == QIcon.State.On and self._on_name
        return self._on_name if on and self._on_name else self._name, colour

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, state: QIcon.State) -> None:
        _paint(painter, rect, *self._look(mode, state))

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        return _picture(*self._look(mode, state), size.width(), size.height())

    def clone(self) -> QIconEngine:
        return _Engine(self._name, self._role, self._on_name)


def icon(name: str, role: str = "text", *, on: str | None = None) -> QIcon:
    """Return a vector icon.

    Parameters
    ----------
    name
        Phosphor's name, such as ``folder-open`` or ``rocket-fill``.
    role
        The colour: the name of a colour token of `Theme`, or a fixed ``#RRGGBB``.
    on
        Another drawing for the checked state.

    Raises
    ------
    KeyError
        There is no icon of that name.
    """
    for wanted in (name, on):
        if wanted is not None and wanted not in _phosphor()[1]:
            raise KeyError(f"no icon is called {wanted!r}")
    return QIcon(_Engine(name, role, on))


def icon_pixmap(name: str, role: str, size: int, ratio: float = 1.0) -> QPixmap:
    """Return icon `name` as a picture of `size` pixels, for a screen of `ratio` dots per pixel."""
    side = round(size * ratio)
    pixmap = QPixmap(side, side)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.TextAntialiasing)
    paint_icon(painter, name, QRectF(0, 0, side, side), role_colour(role))
    painter.end()
    pixmap.setDevicePixelRatio(ratio)
    return pixmap
