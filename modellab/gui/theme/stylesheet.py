"""The style sheet on top of Fusion: shapes and states that a palette cannot express.

It sets no font (see `modellab.gui.theme.fonts`). Widgets choose a variant through dynamic properties:
``tone`` on labels (second, third, link, ok, warning, alarm, on_ink), ``kind`` on buttons (primary,
plain, quiet, link, icon, tile) and frames (card, bar, band, sub).
"""

# ruff: noqa: E501 (a style sheet reads best one rule to a line)
from __future__ import annotations

from typing import TYPE_CHECKING

from modellab.gui.theme.tokens import Theme, mix
from modellab.paths import resources

if TYPE_CHECKING:
    from collections.abc import Callable


def stylesheet(theme: Theme, px: Callable[[float], int]) -> str:
    """Return the application's style sheet for `theme`, with lengths scaled by `px`."""
    t = theme
    pictures = (resources() / "style").as_posix()

    def picture(name: str) -> str:
        return f'url("{pictures}/{name}-{t.name}.svg")'

    hover = mix(t.surface, t.selected, 0.6)
    ink_hover = mix(t.ink, t.surface, 0.14)
    band = (t.on_ink, t.ink) if t.dark else (t.ink, t.on_ink)
    faint = mix(t.third, t.surface, 0.35)
    tones = "\n".join(
        f'QLabel[tone="{name}"] {{ color: {getattr(t, name)}; }}'
        for name in ("second", "third", "link", "ok", "warning", "alarm", "on_ink")
    )
    return f"""
{tones}
QLabel[tone="on_band"] {{ color: {t.text if t.dark else t.on_ink}; }}
QLabel:disabled {{ color: {faint}; }}
QToolTip {{ background: {t.surface}; color: {t.text}; border: 1px solid {t.border}; padding: 5px 7px; }}

QFrame[kind="card"] {{ background: {t.surface}; border: 1px solid {t.hairline}; border-radius: 8px; }}
QFrame[kind="toast"] {{ background: {t.surface if not t.dark else t.selected}; border: 1px solid {t.border}; border-radius: 8px; }}
QFrame[kind="sub"] {{ background: {t.sub}; border: none; border-radius: 6px; }}
QFrame[kind="band"] {{ background: {t.selected if t.dark else t.ink}; border: none; border-radius: 10px; }}
QFrame[kind="bar"] {{ background: {t.surface}; border: none; }}
QFrame[kind="header"] {{ background: {t.surface}; border: none; border-bottom: 1px solid {t.hairline}; }}
QFrame[kind="rail"] {{ background: {t.surface}; border: none; border-right: 1px solid {t.hairline}; }}
QFrame[kind="status"] {{ background: {t.surface}; border: none; border-top: 1px solid {t.hairline}; }}
QFrame[kind="rule"] {{ background: {t.hairline}; border: none; }}
QFrame[kind="card"][pressable="true"]:hover {{ border-color: {t.border}; background: {hover}; }}

QMenuBar {{ background: transparent; spacing: 0; padding: 0; }}
QMenuBar::item {{ background: transparent; color: {t.second}; padding: {px(6)}px {px(9)}px; border-radius: 6px; }}
QMenuBar::item:selected, QMenuBar::item:pressed {{ background: {t.selected}; color: {t.text}; }}
QMenu {{ background: {t.surface}; border: 1px solid {t.border}; padding: 5px; }}
QMenu::item {{ padding: {px(6)}px {px(26)}px {px(6)}px {px(10)}px; border-radius: 5px; color: {t.text}; }}
QMenu::item:selected {{ background: {t.selected}; }}
QMenu::item:disabled {{ color: {faint}; }}
QMenu::icon {{ padding-left: {px(8)}px; }}
QMenu::separator {{ height: 1px; background: {t.hairline}; margin: 5px 8px; }}
QMenu::indicator {{ width: {px(14)}px; height: {px(14)}px; left: {px(7)}px; }}
QMenu::indicator:checked {{ image: {picture("tick")}; }}

QPushButton, QToolButton {{
    color: {t.text}; background: {t.surface}; border: 1px solid {t.border}; border-radius: 6px;
    padding: 0 {px(12)}px; min-height: {px(30)}px;
}}
QPushButton:hover, QToolButton:hover {{ background: {hover}; }}
QPushButton:pressed, QToolButton:pressed, QPushButton:checked {{ background: {t.selected}; }}
QPushButton:focus, QToolButton:focus {{ border: 2px solid {t.link}; padding: 0 {px(12) - 1}px; min-height: {px(30) - 2}px; }}
QPushButton:disabled, QToolButton:disabled {{ color: {faint}; border-color: {t.hairline}; background: {t.surface}; }}
QPushButton::menu-indicator {{ image: {picture("caret-down")}; width: 10px; height: 10px; subcontrol-position: right center; right: {px(10)}px; }}

QPushButton[kind="primary"] {{ color: {t.on_ink}; background: {t.ink}; border: 1px solid {t.ink}; }}
QPushButton[kind="primary"]:hover, QPushButton[kind="primary"]:pressed {{ background: {ink_hover}; }}
QPushButton[kind="primary"]:focus {{ border: 2px solid {t.link}; }}
QPushButton[kind="primary"]:disabled {{ color: {t.third}; background: {t.selected}; border-color: {t.selected}; }}
QPushButton[kind="onband"] {{ color: {band[0]}; background: {band[1]}; border: 1px solid {band[1]}; }}
QPushButton[kind="onband"]:hover {{ background: {mix(band[1], band[0], 0.12)}; }}
QPushButton[kind="onband"]:focus {{ border: 2px solid {t.link}; }}

QPushButton[kind="quiet"], QToolButton[kind="icon"] {{ background: transparent; border: 1px solid transparent; color: {t.second}; }}
QPushButton[kind="quiet"]:hover, QToolButton[kind="icon"]:hover {{ background: {t.selected}; color: {t.text}; }}
QToolButton[kind="icon"]:checked {{ background: {t.selected}; }}
QPushButton[kind="quiet"]:focus, QToolButton[kind="icon"]:focus {{ border: 2px solid {t.link}; }}
QToolButton[kind="icon"], QToolButton[kind="outlined"] {{ padding: 0; min-height: 0; }}
QToolButton[kind="icon"]:focus, QToolButton[kind="outlined"]:focus {{ padding: 0; min-height: 0; }}
QPushButton[kind="link"] {{ background: transparent; border: 1px solid transparent; color: {t.link}; padding: 0; min-height: {px(20)}px; text-align: left; border-radius: 4px; }}
QPushButton[kind="link"]:hover {{ color: {mix(t.link, t.text, 0.35)}; text-decoration: underline; }}
QPushButton[kind="link"]:focus {{ border: 1px solid {t.link}; padding: 0; min-height: {px(20)}px; }}
QPushButton[kind="link"]:disabled {{ color: {faint}; background: transparent; border-color: transparent; }}
QPushButton[kind="card"] {{ background: {t.surface}; border: 1px solid {t.hairline}; border-radius: 10px; padding: 0; min-height: 0; }}
QPushButton[kind="card"]:hover {{ border-color: {t.third}; }}
QPushButton[kind="card"]:pressed {{ background: {hover}; }}
QPushButton[kind="card"]:focus {{ border: 2px solid {t.link}; padding: 0; min-height: 0; }}
QPushButton[kind="search"] {{ background: {t.sub}; border: 1px solid {t.hairline}; color: {t.second}; text-align: left; padding: 0 {px(10)}px; min-height: {px(26)}px; }}
QPushButton[kind="search"]:hover {{ border-color: {t.border}; }}
QPushButton[kind="search"]:focus {{ border: 2px solid {t.link}; }}

QFrame[kind="segments"] {{ background: {t.selected}; border: none; border-radius: 7px; }}
QPushButton[kind="segment"] {{ background: transparent; border: 1px solid transparent; color: {t.second}; border-radius: 5px; padding: 0; min-height: {px(24)}px; }}
QPushButton[kind="segment"]:hover {{ color: {t.text}; background: transparent; }}
QPushButton[kind="segment"]:checked {{ background: {t.surface if not t.dark else mix(t.selected, t.third, 0.35)}; border: 1px solid {t.border if not t.dark else mix(t.selected, t.third, 0.35)}; color: {t.text}; }}
QPushButton[kind="segment"]:focus {{ border: 2px solid {t.link}; padding: 0; min-height: {px(24) - 2}px; }}
QPushButton[kind="segment"]:disabled {{ color: {faint}; background: transparent; border-color: transparent; }}

QLineEdit, QAbstractSpinBox, QComboBox, QPlainTextEdit, QTextBrowser {{
    background: {t.surface}; color: {t.text}; border: 1px solid {t.border}; border-radius: 6px;
    selection-background-color: {t.link}; selection-color: {"#FFFFFF" if not t.dark else t.on_ink};
}}
QLineEdit, QAbstractSpinBox, QComboBox {{ padding: 0 {px(8)}px; min-height: {px(26)}px; }}
QAbstractSpinBox {{ padding-right: {px(20)}px; }}
QLineEdit:hover, QAbstractSpinBox:hover, QComboBox:hover {{ border-color: {t.third}; }}
QLineEdit:focus, QAbstractSpinBox:focus, QComboBox:focus, QPlainTextEdit:focus, QTextBrowser:focus {{ border: 1px solid {t.link}; outline: none; }}
QLineEdit:disabled, QAbstractSpinBox:disabled, QComboBox:disabled {{ background: {t.sub}; color: {faint}; border-color: {t.hairline}; }}
QLineEdit[wrong="true"], QAbstractSpinBox[wrong="true"], QComboBox[wrong="true"] {{ border-color: {t.alarm}; }}
QAbstractSpinBox QLineEdit, QComboBox QLineEdit {{ border: none; padding: 0 0 0 {px(6)}px; min-height: 0; background: transparent; }}
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button {{ background: transparent; border: none; width: {px(20)}px; subcontrol-origin: border; }}
QAbstractSpinBox::up-button {{ subcontrol-position: top right; margin-top: 3px; }}
QAbstractSpinBox::down-button {{ subcontrol-position: bottom right; margin-bottom: 3px; }}
QAbstractSpinBox::up-arrow {{ image: {picture("caret-up")}; width: 8px; height: 8px; }}
QAbstractSpinBox::down-arrow {{ image: {picture("caret-down")}; width: 8px; height: 8px; }}
QComboBox::drop-down {{ border: none; width: {px(22)}px; }}
QComboBox::down-arrow {{ image: {picture("caret-down")}; width: 10px; height: 10px; }}
QComboBox QAbstractItemView {{ background: {t.surface}; border: 1px solid {t.border}; padding: 4px; outline: none; selection-background-color: {t.selected}; selection-color: {t.text}; }}

QCheckBox, QRadioButton {{ spacing: {px(8)}px; }}
QCheckBox::indicator, QListView::indicator, QRadioButton::indicator {{ width: {px(15)}px; height: {px(15)}px; border: 1px solid {t.third}; background: {t.surface}; }}
QCheckBox::indicator, QListView::indicator {{ border-radius: 4px; }}
QRadioButton::indicator {{ border-radius: {px(8)}px; }}
QCheckBox::indicator:checked, QListView::indicator:checked {{ background: {t.ink}; border-color: {t.ink}; image: {picture("check")}; }}
QRadioButton::indicator:checked {{ background: {t.surface}; border: 1px solid {t.ink}; image: {picture("dot")}; }}
QCheckBox::indicator:focus, QRadioButton::indicator:focus {{ border: 2px solid {t.link}; }}
QCheckBox::indicator:disabled, QRadioButton::indicator:disabled {{ border-color: {t.hairline}; background: {t.sub}; }}

QScrollBar:vertical {{ background: transparent; width: 12px; margin: 0; }}
QScrollBar:horizontal {{ background: transparent; height: 12px; margin: 0; }}
QScrollBar::handle {{ background: {t.border}; border-radius: 4px; margin: 2px; }}
QScrollBar::handle:vertical {{ min-height: 32px; }}
QScrollBar::handle:horizontal {{ min-width: 32px; }}
QScrollBar::handle:hover {{ background: {t.third}; }}
QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
QAbstractScrollArea::corner {{ background: transparent; border: none; }}
QScrollArea {{ background: transparent; border: none; }}

QAbstractItemView {{ background: {t.surface}; border: none; outline: none; selection-background-color: {t.selected}; selection-color: {t.text}; }}
QTableView {{ gridline-color: {t.hairline}; alternate-background-color: {t.surface}; }}
QTableView::item {{ padding: 0 {px(8)}px; border: none; border-bottom: 1px solid {t.hairline}; }}
QTableView::item:selected {{ background: {t.selected}; color: {t.text}; }}
QTableView::item:focus {{ background: {t.selected}; border: 1px solid {t.link}; }}
QHeaderView {{ background: {t.surface}; border: none; }}
QHeaderView::section {{ background: {t.surface}; color: {t.second}; border: none; border-bottom: 1px solid {t.hairline}; padding: 0 {px(11)}px; }}
QTableCornerButton::section {{ background: {t.surface}; border: none; border-bottom: 1px solid {t.hairline}; }}

QProgressBar {{ background: {t.selected}; border: none; border-radius: 3px; max-height: 6px; min-height: 6px; }}
QProgressBar::chunk {{ background: {t.ink}; border-radius: 3px; }}
QSlider::groove:horizontal {{ background: {t.border}; height: 4px; border-radius: 2px; }}
QSlider::sub-page:horizontal {{ background: {t.second}; border-radius: 2px; }}
QSlider::handle:horizontal {{ background: {t.surface}; border: 2px solid {t.second}; width: 12px; height: 12px; margin: -6px 0; border-radius: 8px; }}
QSlider::handle:horizontal:focus {{ border-color: {t.link}; }}

QSplitter::handle {{ background: transparent; }}
QDockWidget {{ border: none; }}
QDockWidget::title {{ background: transparent; padding: 6px 8px; text-align: left; }}
QMainWindow::separator {{ background: transparent; width: 8px; height: 8px; }}
QTabWidget::pane {{ border: none; border-top: 1px solid {t.hairline}; }}
QTabBar::tab {{ background: transparent; color: {t.second}; border: none; border-bottom: 2px solid transparent; padding: {px(7)}px {px(12)}px; }}
QTabBar::tab:selected {{ color: {t.text}; border-bottom-color: {t.ink}; }}
QTabBar::tab:hover {{ color: {t.text}; }}
QTabBar::tab:focus {{ border-bottom-color: {t.link}; }}
"""
