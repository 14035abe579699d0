"""No text is cut on any page of the least window, with letters a quarter larger or wider."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fitting import cut_texts

from modellab.gui.stages import PAGES

SCALE = 1.25
PAGES_OF_DATA = {"data", "train", "test", "deploy", "decide"}


@pytest.fixture(params=["larger", "wider"])
def letters(
    request: pytest.FixtureRequest, looks: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Text at 125 %, or another typeface, as wide as what systems have, in the usual size."""
    from modellab.gui.theme import fonts, theme_hub

    hub = theme_hub()
    if request.param == "larger":
        monkeypatch.setattr(fonts, "system_text_scale", lambda: SCALE)
        hub.set_text_scale(1.0)
        yield
        monkeypatch.undo()
        hub.set_text_scale(1.0)
        return
    made = fonts.font

    def wide(*args: Any, **named: Any) -> Any:
        font = made(*args, **named)
        font.setLetterSpacing(font.SpacingType.PercentageSpacing, 110.0)
        return font

    from modellab.gui.theme import scaled

    monkeypatch.setattr(scaled, "font", wide)
    yield


def test_no_text_is_cut(
    letters: None, gui_bench: Any, qtbot: Any, tmp_path: Path, settle: Any, picture: Any
) -> None:
    from deploy_bench import DeployBench

    from modellab.gui.window import MainWindow

    window = MainWindow(gui_bench.session)
    window.resize(1280, 720)
    window.show()
    qtbot.waitUntil(lambda: len(window._pages) + len(window._failed) == len(PAGES) + 1)
    settle()
    found = [("welcome", line) for line in cut_texts(window)]
    bench = DeployBench(gui_bench, tmp_path)
    bench.retrained(400)
    bench.happened(500, "Online", "drift", "ADWIN: the error has grown")
    bench.play_to(700)
    seen = set()
    for spec in PAGES:
        if not window.show_page(spec.id):
            continue
        seen.add(spec.id)
        for folded in (False, True) if spec.id == "deploy" else (False,):
            if spec.id == "deploy":
                page: Any = window.page("deploy")
                page.show_all()
                for panel in page.plots.panels[1:]:
                    panel.set_folded(folded)
            settle()
            assert (window.width(), window.height()) == (1280, 720)
            found += [(spec.id, line) for line in cut_texts(window)]
            if spec.id == "deploy":
                picture(window, f"texts-{spec.id}-{folded}")
    gui_bench.session.close(keep=False)
    window.close()
    window.deleteLater()
    assert {"data", "train", "deploy", "decide"} <= seen
    assert not found


def test_a_cut_text_is_found(qtbot: Any, looks: None) -> None:
    """The test above can fail."""
    from PySide6.QtWidgets import QWidget

    from modellab.gui.kit import ElidedLabel, Label, NumberField, PlainButton

    around = QWidget()
    qtbot.addWidget(around)
    around.resize(300, 300)
    parts = [
        Label("Model parameters", parent=around),
        ElidedLabel("26,187", parent=around),
        PlainButton("Run to the end", "Run.", parent=around),
        NumberField("Rows", "Rows.", value=1_000_000, parent=around),
    ]
    for number, part in enumerate(parts):
        part.setGeometry(0, 40 * number, 40, 30)
    around.show()
    assert len(cut_texts(around)) == len(parts)
    for number, part in enumerate(parts):
        part.setGeometry(0, 40 * number, 200, 30)
    assert cut_texts(around) == []


def test_parts_are_left_out_whole(qtbot: Any, looks: None) -> None:
    from modellab.gui.kit import ElidedLabel

    label = ElidedLabel("16 alarms · 10,145 rows stale · 1.0 CPU s")
    qtbot.addWidget(label)
    wide = label.fontMetrics().horizontalAdvance("16 alarms · 10,145 rows stale · 1.0")
    label.resize(wide, 20)
    label.show()
    assert label.shown_text() == "16 alarms · 10,145 rows stale"
    assert "1.0 CPU s" in label.toolTip()
    label.resize(wide * 2, 20)
    assert label.shown_text() == label.text()
