"""Colours, line styles and sizes of the two themes, as frozen values that know no Qt.

The tokens come from the project's mock screens: the interface is grey and ink, colour belongs to
data. The contrasts that the choice rests on are checked in ``tests/gui/test_theme.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

Dash = tuple[float, ...]
"""Dash pattern in pen widths, as ``QPen.setDashPattern`` takes it; empty is a solid line."""

LANE_DASHES: tuple[Dash, ...] = ((), (3.0, 2.0), (1.2, 2.0), (6.0, 2.0, 1.2, 2.0))
"""Dash of the 1st, 2nd, 3rd and 4th round through the lane hues (hues are reused, never added)."""

BASELINE_DASHES: tuple[Dash, ...] = ((4.0, 3.0), (1.2, 2.4), (7.0, 2.5, 1.2, 2.5))
"""Baselines share one grey, so that only the dash tells them apart."""


@dataclass(frozen=True, slots=True)
class Theme:
    """One theme. Every colour is ``#RRGGBB``; see the module for where they come from."""

    name: str
    dark: bool
    window: str
    """Behind everything."""
    surface: str
    """Cards, bars, menus, fields."""
    sub: str
    """Tracks and thumbnails inside a card."""
    selected: str
    """Selected rows, segments, pressed buttons."""
    hairline: str
    border: str
    """Outline of a control."""
    grid: str
    text: str
    second: str
    third: str
    """Only on `surface`; on `window` use `second` for small text."""
    ink: str
    """Primary button, playhead, current rail tile."""
    on_ink: str
    link: str
    """Links and the focus ring."""
    ok: str
    warning: str
    warning_surface: str
    alarm: str
    lanes: tuple[str, str, str, str]
    baseline: str
    parameters: tuple[str, ...]

    def lane_style(self, index: int) -> tuple[str, Dash]:
        """Return the colour and the dash of lane `index`, from 0 (baselines have their own)."""
        hue, again = index % len(self.lanes), index // len(self.lanes)
        return self.lanes[hue], LANE_DASHES[again % len(LANE_DASHES)]

    def baseline_style(self, index: int = 0) -> tuple[str, Dash]:
        """Return the colour and the dash of baseline `index` (from 0)."""
        return self.baseline, BASELINE_DASHES[index % len(BASELINE_DASHES)]

    def fork_style(self, parent: int) -> tuple[str, Dash]:
        """Return the style of a fork: its parent's colour, dashed."""
        return self.lane_style(parent)[0], LANE_DASHES[1]

    def parameter_colour(self, index: int) -> str:
        """Return the colour of parameter line `index` (eight, then again)."""
        return self.parameters[index % len(self.parameters)]

    def lane_text(self, colour: str) -> str:
        """Return `colour` mixed a quarter towards the text colour, for words in a lane's colour."""
        return mix(colour, self.text, 0.25)

    def tint(self, colour: str, amount: float = 0.06) -> str:
        """Return the surface with `amount` of `colour` in it, as an opaque colour."""
        return mix(self.surface, colour, amount)


LIGHT = Theme(
    name="light",
    dark=False,
    window="#F3F4F6",
    surface="#FFFFFF",
    sub="#F6F7F9",
    selected="#EDEFF3",
    hairline="#E3E6EB",
    border="#C9CFD8",
    grid="#ECEEF2",
    text="#18202C",
    second="#4D5867",
    third="#6A7585",
    ink="#1D2735",
    on_ink="#FFFFFF",
    link="#2563C9",
    ok="#1B7F4B",
    warning="#9A5B00",
    warning_surface="#FDF4E3",
    alarm="#C83E0A",
    lanes=("#008763", "#1668B3", "#C78200", "#CC6FA6"),
    baseline="#566070",
    parameters=(
        "#3A3A8C",
        "#B0486A",
        "#1F8A86",
        "#8C7A14",
        "#7A4AA0",
        "#4E8FC9",
        "#2F6B3A",
        "#A86A4A",
    ),
)

DARK = Theme(
    name="dark",
    dark=True,
    window="#10141A",
    surface="#181E26",
    sub="#1D242D",
    selected="#27303B",
    hairline="#2A323D",
    border="#414C5A",
    grid="#232B35",
    text="#E9EDF2",
    second="#ACB6C3",
    third="#8894A3",
    ink="#D3DBE5",
    on_ink="#10141A",
    link="#6EA8FF",
    ok="#4CC48A",
    warning="#F0B75A",
    warning_surface="#2E2616",
    alarm="#FF7A47",
    lanes=("#25BF94", "#4DA3F0", "#F0B234", "#E291C2"),
    baseline="#7C8898",
    parameters=(
        "#9A9AF0",
        "#F08FAE",
        "#5CC9C4",
        "#D6C25A",
        "#C39AE8",
        "#8CC4F5",
        "#86C78F",
        "#E0A284",
    ),
)


def rgb(colour: str) -> tuple[int, int, int]:
    """Return the three channels of ``#RRGGBB``, 0 to 255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


@lru_cache(maxsize=1024)
def mix(base: str, other: str, amount: float) -> str:
    """Return `base` with the share `amount` (0 to 1) of `other` mixed in, channel by channel."""
    channels = (round(a + (b - a) * amount) for a, b in zip(rgb(base), rgb(other), strict=True))
    return "#{:02X}{:02X}{:02X}".format(*channels)


def contrast(one: str, other: str) -> float:
    """Return the WCAG 2 contrast ratio of two colours, 1 to 21."""

    def luminance(colour: str) -> float:
        linear = (
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
            for c in (channel / 255 for channel in rgb(colour))
        )
        red, green, blue = linear
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
