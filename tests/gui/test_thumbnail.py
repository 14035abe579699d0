from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtWidgets import QWidget

from modellab.export.mlab import open_mlab
from modellab.gui.theme import theme
from modellab.gui.thumbnail import HEIGHT, WIDTH, thumbnail

RED, BLUE = QColor("#c02020"), QColor("#2020c0")


class Halves(QWidget):
    """Red at the left, blue at the right."""

    def paintEvent(self, event):
        painter = QPainter(self)
        middle = self.width() // 2
        painter.fillRect(0, 0, middle, self.height(), RED)
        painter.fillRect(middle, 0, self.width() - middle, self.height(), BLUE)


def image(content: bytes) -> QImage:
    return QImage.fromData(content, "PNG")


@pytest.mark.parametrize("size", [QSize(1280, 800), QSize(1600, 700), QSize(300, 900)])
def test_a_page_of_any_shape_is_shown_whole(qtbot, looks, size):
    page = Halves()
    qtbot.addWidget(page)
    page.resize(size)
    picture = image(thumbnail(page))
    assert picture.size() == QSize(640, 400)
    shown = size.scaled(WIDTH, HEIGHT, Qt.AspectRatioMode.KeepAspectRatio)
    left = (WIDTH - shown.width()) // 2
    top = (HEIGHT - shown.height()) // 2
    assert picture.pixelColor(left + 3, 200) == RED
    assert picture.pixelColor(WIDTH - left - 4, 200) == BLUE
    assert picture.pixelColor(left + 3, top + 3) == RED
    if top > 1:
        assert picture.pixelColor(320, top // 2) == QColor(theme().window)
    if left > 1:
        assert picture.pixelColor(left // 2, 200) == QColor(theme().window)


def test_a_page_that_was_never_shown_gets_the_room_it_would_have(qtbot, looks):
    page = Halves()
    qtbot.addWidget(page)
    picture = image(thumbnail(page, QSize(1280, 800)))
    assert page.size() == QSize(1280, 800)
    assert picture.pixelColor(3, 3) == RED
    assert picture.pixelColor(636, 396) == BLUE


def test_the_saved_file_holds_the_page_on_screen_then_the_replay(
    window, gui_bench, tmp_path: Path, monkeypatch
):
    made = []

    def noted(page, size):
        made.append((page, thumbnail(page, size)))
        return made[-1][1]

    monkeypatch.setattr("modellab.gui.window.thumbnail", noted)
    place = tmp_path / "mine.mlab"
    gui_bench.open(tmp_path / "prices.csv")
    window._save_as(place)
    assert open_mlab(place).thumbnail == made[0][1]
    gui_bench.session.deploy()
    gui_bench.settle()
    gui_bench.feed(300)
    assert window.current_page == "data"
    window._save_as(place)
    assert open_mlab(place).thumbnail == made[1][1]
    assert [page for page, _ in made] == [window.page("data"), window.page("deploy")]
    assert made[0][1] != made[1][1]
    gui_bench.settle()  # the results come later, and the picture stays
    found = open_mlab(place)
    assert found.results == ["summary.json"]
    assert found.thumbnail == made[1][1]


def test_a_toml_file_has_none_and_the_session_may_leave_it_out(
    window, gui_bench, tmp_path: Path, monkeypatch
):
    gui_bench.open(tmp_path / "prices.csv")
    monkeypatch.setattr("modellab.gui.window.thumbnail", lambda *_: pytest.fail("not wanted"))
    window._save_as(tmp_path / "mine.toml")
    assert (tmp_path / "mine.toml").exists()
    assert gui_bench.session.save(tmp_path / "other.mlab")
    with zipfile.ZipFile(tmp_path / "other.mlab") as archive:
        assert "thumbnail.png" not in archive.namelist()
