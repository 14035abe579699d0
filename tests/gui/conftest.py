"""What every test of the window gets: the looks, settings of its own, a scripted session."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# Test folders are no packages: helpers that lie here are imported by their bare names.
_HERE = str(Path(__file__).parent)
if _HERE not in sys.path:
    sys.path.insert(0, _HERE)

from modellab.gui import notify  # noqa: E402
from modellab.gui.settings import use_settings  # noqa: E402


@pytest.fixture(autouse=True)
def _own_settings(modellab_home: Path) -> Iterator[None]:
    """Read settings from this test's own home, and take no other test's notices over."""
    use_settings(None)
    yield
    use_settings(None)
    if notify._manager is not None:
        notify._manager.uninstall()
        notify._manager = None


@pytest.fixture(scope="session")
def _style(qapp: Any) -> None:
    """Qt's style, set once: setting it polishes every widget there is."""
    from modellab.gui.theme import apply_theme

    apply_theme("light")


def _light() -> None:
    """The light theme in the usual size; costs nothing where that is so already."""
    from modellab.gui.theme import fonts, theme_hub

    fonts.set_text_scale(fonts.system_text_scale())
    theme_hub().set_mode("light")


@pytest.fixture
def looks(_style: None) -> Iterator[None]:
    """The light theme on the application; light again afterwards."""
    _light()
    yield
    _light()


@pytest.fixture
def gui_bench() -> Any:
    """A session on a scripted engine."""
    from gui_bench import GuiBench

    return GuiBench()


@pytest.fixture
def window(gui_bench: Any, qtbot: Any, looks: None) -> Iterator[Any]:
    """The main window on the scripted session, shown and painted; closed afterwards."""
    from modellab.gui.window import MainWindow

    made = MainWindow(gui_bench.session)
    made.resize(1280, 720)
    made.show()
    qtbot.waitUntil(lambda: made._painted)
    yield made
    made.close()
    made.deleteLater()


@pytest.fixture
def settle(qapp: Any) -> Callable[[], None]:
    """Let queued events happen."""

    def run() -> None:
        for _ in range(20):
            qapp.processEvents()

    return run


@pytest.fixture
def picture(artifacts: Path, qapp: Any) -> Callable[..., Any]:
    """Grab a widget (the first grab is thrown away) and keep the picture as an artefact."""

    def take(widget: Any, name: str) -> Any:
        qapp.processEvents()
        widget.grab()
        qapp.processEvents()
        grabbed = widget.grab()
        grabbed.save(str(artifacts / f"{name}.png"))
        return grabbed.toImage()

    return take
