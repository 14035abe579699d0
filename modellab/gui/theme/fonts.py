"""The Inter typeface, from the package ``fontpkg-inter``, by size and weight.

The package holds one variable font. Qt does not follow ``QFont.setWeight`` on a variable
application font (it paints Regular, or a smeared bold above 600: seen on 6.11.3), so that the
weight is set on the font's own axis and style sheets must never set a font weight.
"""

from __future__ import annotations

import sys
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path

from PySide6.QtGui import QFont, QFontDatabase, QGuiApplication

_FAMILY = "Inter"
_DISPLAY_FROM = 20
"""Pixel size from which the optical size axis turns to Inter Display."""
_SYSTEM_POINTS = {"win32": 9.0, "darwin": 13.0}
"""Default interface font size of a system that was not asked for larger text."""

_scale = 1.0


@cache
def load_fonts() -> str:
    """Register the Inter files with Qt and return the family's name.

    Where the package is missing, the system's own interface font is used instead.
    """
    spec = find_spec("fontpkg_inter")
    loaded = False
    if spec is not None and spec.submodule_search_locations:
        for folder in spec.submodule_search_locations:
            for file in sorted((Path(folder) / "files").glob("*.ttf")):
                loaded |= QFontDatabase.addApplicationFont(str(file)) >= 0
    return _FAMILY if loaded else QGuiApplication.font().family()


def system_text_scale() -> float:
    """Return how much larger than usual the system wants its text: 1.0 to 2.0, in steps of 0.05."""
    usual = _SYSTEM_POINTS.get(sys.platform, 10.0)
    points = QGuiApplication.font().pointSizeF()
    # Without any screen there is no primary one, whatever the annotation says.
    screens = QGuiApplication.screens()
    dots = screens[0].logicalDotsPerInch() / 96.0 if screens else 1.0
    if sys.platform == "darwin":
        dots = 1.0
    wanted = points * dots / usual if points > 0 else 1.0
    # Desktops differ by a point in their usual size; only a clear wish counts.
    return 1.0 if wanted < 1.15 else min(2.0, round(wanted * 20) / 20)


def set_text_scale(scale: float) -> None:
    """Set the factor on every size given to `font` and `px` (0.9 to 2.0)."""
    global _scale
    _scale = min(2.0, max(0.9, scale))


def text_scale() -> float:
    """Return the factor on every text size."""
    return _scale


def px(size: float) -> int:
    """Return a length given for 100 % text, at the current text scale, in whole pixels."""
    return round(size * _scale)


def font(size: int = 13, weight: int = 400, *, tabular: bool = True) -> QFont:
    """Return Inter at `size` pixels (of 100 % text) and `weight` (100 to 900).

    Figures are of one width unless `tabular` is False: for names, whose hyphens would be set wide.

    Sizes in use: 32 and 30 for big readouts and titles, 22 and 20 for screen titles and key
    numbers, 16, 14 for card titles, 13 for body and tables, 12 for secondary text, 11 for ticks.
    """
    # A copy: whoever asked may change it.
    return QFont(_font(load_fonts(), size, max(9, px(size)), weight, tabular))


@lru_cache(maxsize=256)
def _font(family: str, size: int, high: int, weight: int, tabular: bool) -> QFont:
    made = QFont(family)
    made.setPixelSize(high)
    made.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
    made.setVariableAxis(QFont.Tag("wght"), float(weight))
    made.setVariableAxis(QFont.Tag("opsz"), 28.0 if size >= _DISPLAY_FROM else 14.0)
    # Said either way: a font that is silent inherits the feature from the application's.
    made.setFeature(QFont.Tag("tnum"), int(tabular))
    if size >= _DISPLAY_FROM:
        made.setLetterSpacing(QFont.SpacingType.PercentageSpacing, 99.0)
    return made
