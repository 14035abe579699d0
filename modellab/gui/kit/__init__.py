"""The widgets that every page is made of.

Controls take their accessible name and their tooltip when they are made; all text is plain text.
"""

from __future__ import annotations

from modellab.gui.kit.buttons import (
    IconButton,
    LinkButton,
    PlainButton,
    PrimaryButton,
    QuietButton,
    SegmentedControl,
    ToggleSwitch,
)
from modellab.gui.kit.fields import LabeledField, NumberField, ProgressLine, parse_number
from modellab.gui.kit.frames import (
    Banner,
    Card,
    EmptyState,
    IconLabel,
    IconTile,
    LaneChip,
    PageHead,
    Pill,
    Rule,
)
from modellab.gui.kit.sliders import LogSlider, SplitBar
from modellab.gui.kit.small_plots import HistogramStrip, SparkLine, paint_histogram, paint_spark
from modellab.gui.kit.tables import DataTable, TableCard
from modellab.gui.kit.text import (
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
    short_number,
    size_text,
    tip_text,
)

__all__ = [
    "MINUS",
    "Banner",
    "Card",
    "DataTable",
    "ElidedLabel",
    "FigureLabel",
    "EmptyState",
    "HistogramStrip",
    "IconButton",
    "IconLabel",
    "IconTile",
    "Label",
    "LabeledField",
    "LaneChip",
    "LinkButton",
    "LogSlider",
    "NumberField",
    "PageHead",
    "Pill",
    "PlainButton",
    "PrimaryButton",
    "ProgressLine",
    "QuietButton",
    "Rule",
    "SegmentedControl",
    "SparkLine",
    "SplitBar",
    "StatFigure",
    "TableCard",
    "ToggleSwitch",
    "count_text",
    "describe",
    "duration_text",
    "number_text",
    "one_line",
    "paint_histogram",
    "paint_spark",
    "parse_number",
    "short_number",
    "size_text",
    "tip_text",
]
