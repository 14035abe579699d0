"""Pictures of the window: every page, light and dark, in three sizes; the Deploy page of a run.

``python -m modellab.gui.shots FOLDER`` opens the flights sample in the real window with the real
engine and takes a picture of every page on the way.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from PySide6.QtWidgets import QApplication

    from modellab.experiment import Experiment
    from modellab.gui.window import MainWindow

SIZES = ((1280, 720), (1600, 1000), (1920, 1080))
THEMES = ("light", "dark")
PLAY_SECONDS = 60.0
"""The replay that is pictured plays for at most so long."""
JUDGE_SECONDS = 240.0
"""So long may a verdict, or the hindsight optimum, take."""
ROWS = 40_000
"""Rows of stream that are replayed for the pictures of all pages."""


@contextmanager
def _home_of_its_own() -> Iterator[None]:
    """Leave the person's settings, recent files and caches alone."""
    before = os.environ.get("MODELLAB_HOME")
    with tempfile.TemporaryDirectory(prefix="modellab-shots-") as folder:
        os.environ["MODELLAB_HOME"] = folder
        try:
            yield
        finally:
            if before is None:
                os.environ.pop("MODELLAB_HOME", None)
            else:
                os.environ["MODELLAB_HOME"] = before


@contextmanager
def _application() -> Iterator[QApplication]:
    """Give the application, in the light theme; it draws into memory unless told otherwise."""
    from PySide6.QtWidgets import QApplication

    present = QApplication.instance()
    if isinstance(present, QApplication):
        yield present
        return
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from modellab.gui.app import make_application
    from modellab.gui.notify import notifications
    from modellab.gui.theme import theme_hub

    app = make_application()
    theme_hub().set_mode("light")
    try:
        yield app
    finally:
        # What goes wrong here is for the caller, not for a window's toasts.
        notifications().uninstall()


class Camera:
    """A window that is brought into a state and pictured.

    Parameters
    ----------
    window
        The window, shown.
    folder
        Where pictures go.
    """

    def __init__(self, app: QApplication, window: MainWindow, folder: Path) -> None:
        self.app, self.window, self.folder = app, window, folder
        self.made: list[Path] = []

    def until(self, ready: Callable[[], object], seconds: float) -> bool:
        """Let the window live until `ready`; returns whether it became so in time."""
        end = time.monotonic() + seconds
        while not ready():
            if time.monotonic() > end:
                return False
            self.app.processEvents()
            time.sleep(0.005)
        return True

    def rest(self) -> None:
        """Let what is queued happen, and everything be painted."""
        self.until(lambda: not self.window.session.jobs, 60.0)
        for _ in range(4):
            self.app.processEvents()
            time.sleep(0.03)

    def take(self, name: str, before: Callable[[], None] = lambda: None) -> None:
        """Picture the window in both themes and all sizes; `before` readies each of them."""
        from modellab.gui.theme import theme_hub

        for mode in THEMES:
            theme_hub().set_mode(mode)  # type: ignore[arg-type]
            for wide, high in SIZES:
                self.window.resize(wide, high)
                self.rest()
                before()
                self.save(self.folder / f"{name}-{mode}-{wide}x{high}.png")
        theme_hub().set_mode("light")

    def save(self, path: Path) -> None:
        """Picture the window as it is.

        Raises
        ------
        OSError
            The picture cannot be written.
        """
        from modellab.gui.pages.deploy import DeployPage

        self.rest()
        page = self.window._pages.get(self.window.current_page)
        if isinstance(page, DeployPage) and self.window.session.deployment is not None:
            page.show_all()
        # The first picture of a widget differs from all later ones.
        self.window.grab()
        self.app.processEvents()
        if not self.window.grab().save(str(path)):
            raise OSError(f"the picture {path} cannot be written")
        self.made.append(path)


def all_pages(folder: Path, *, rows: int = ROWS, seconds: float = PLAY_SECONDS) -> list[Path]:
    """Take pictures of every page with the flights sample and return their paths.

    Parameters
    ----------
    folder
        Where they go; it is made.
    rows, seconds
        The replay is pictured after so many rows, or after so long, whichever comes first.

    Raises
    ------
    OSError
        The folder or a picture cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _application() as app, _home_of_its_own():
        from modellab.gui.session import Session
        from modellab.gui.settings import use_settings
        from modellab.gui.window import MainWindow

        use_settings(None)
        window = MainWindow(Session())
        camera = Camera(app, window, folder)
        try:
            window.resize(*SIZES[0])
            window.show()
            whole = len(window.stages()) + 1
            camera.until(lambda: len(window._pages) + len(window._failed) >= whole, 30)
            camera.take("welcome")
            _walk(camera, rows, seconds)
        finally:
            window.session.close(keep=False)
            window.close()
            window.deleteLater()
            app.processEvents()
            use_settings(None)
    return camera.made


def _walk(camera: Camera, rows: int, seconds: float) -> None:
    """Go through the stages as a person would, a picture at each."""
    window, session = camera.window, camera.window.session
    window.open_sample("flights")
    camera.until(lambda: session.data is not None and session.profile is not None, 120)
    camera.rest()
    _show(camera, "data")
    _show(camera, "train")
    if session.why_no_training is None:
        from modellab.lanes import default_learner

        session.train(default_learner(session.task_kind))
        camera.until(lambda: bool(session.trainings), 120)
        _show(camera, "train", "train-done")
        _show(camera, "test")
    _show(camera, "deploy", "deploy-before")
    session.deploy()
    camera.until(lambda: session.deployment is not None, 240)
    _show(camera, "deploy", "deploy-ready")
    _play(camera, rows, seconds)
    _show(camera, "deploy")
    _what_if(camera, rows // 8, seconds / 2)
    _judge(camera)


def _what_if(camera: Camera, rows: int, seconds: float) -> None:
    """Let labels arrive wrong for a while, and picture what comes of it."""
    from modellab.experiment_faults import LabelNoise

    session = camera.window.session
    live = session.deployment
    if live is None or live.position + rows > live.stop:
        return
    start = live.position
    session.inject(LabelNoise(start=start, stop=start + rows // 2, rate=0.3))
    session.step(rows)
    camera.until(lambda: live.position >= start + rows, seconds)
    session.pause()
    camera.until(lambda: not live.playing, 20)
    _show(camera, "deploy", "deploy-what-if")


def _judge(camera: Camera) -> None:
    """Picture the verdict, both of its halves where the window is low."""
    from modellab.gui.pages.decide import DecidePage

    window, session = camera.window, camera.window.session
    page = window.page("decide")
    if not isinstance(page, DecidePage) or not window.show_page("decide"):
        return
    state = session.verdict_state
    camera.until(lambda: state.verdict is not None and not state.asking, JUDGE_SECONDS)
    camera.until(lambda: session.job_of("hindsight") is None, JUDGE_SECONDS)
    _show(camera, "decide")
    bar = page.area.verticalScrollBar()
    camera.take("decide-below", lambda: bar.setValue(bar.maximum()))


def _show(camera: Camera, page: str, name: str = "") -> None:
    camera.window.show_page(page)
    camera.take(name or page)


def _play(camera: Camera, rows: int, seconds: float) -> None:
    """Replay for a while, and move the learning rate on the way."""
    session = camera.window.session
    live = session.deployment
    if live is None:
        return
    session.set_speed("max", 1.0)
    session.play()
    half, whole = live.train_rows + rows // 2, live.train_rows + rows
    camera.until(lambda: live.position >= half, seconds / 2)
    for name, lane in live.lanes.items():
        if lane.news is not None and "learning_rate" in lane.news.settings:
            session.intervene(name, learning_rate=0.05)
            break
    camera.until(lambda: live.position >= whole, seconds / 2)
    session.pause()
    camera.until(lambda: not live.playing, 20)


def deploy_picture(
    experiment: Experiment,
    results: Path | None,
    path: Path,
    *,
    size: tuple[int, int] = SIZES[1],
) -> None:
    """Save a picture of the Deploy page as it looks at the end of a run.

    Parameters
    ----------
    experiment
        The experiment as it was replayed; data paths absolute, or relative to here.
    results
        Its results folder; None replays it now, for a while.
    path
        The picture, a ``.png``.
    size
        Of the window, in pixels.

    Raises
    ------
    LabError
        The results cannot be read.
    OSError
        The picture cannot be written.
    """
    home = _home_of_its_own() if results is None else nullcontext()
    with _application() as app, home:
        from modellab.gui.recorded_session import fill_costs, recorded_session
        from modellab.gui.session import Session
        from modellab.gui.window import MainWindow

        session = Session() if results is None else recorded_session(experiment, results)
        window = MainWindow(session)
        camera = Camera(app, window, path.parent)
        try:
            window.resize(*size)
            window.show()
            if results is None:
                _replay(camera, experiment)
            else:
                fill_costs(window)
            window.show_page("deploy")
            camera.save(path)
        finally:
            session.close(keep=False)
            window.close()
            window.deleteLater()
            app.processEvents()


def _replay(camera: Camera, experiment: Experiment) -> None:
    from modellab.experiment_file import save

    session = camera.window.session
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "experiment.toml"
        save(experiment, place)
        session.open_experiment(place)
        camera.until(lambda: session.data is not None and session.why_no_deploy is None, 120)
        session.deploy()
        camera.until(lambda: session.deployment is not None, 240)
        _play(camera, ROWS, PLAY_SECONDS)


def main(arguments: Sequence[str]) -> int:
    """Take the pictures and say where they are; returns the exit status."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m modellab.gui.shots FOLDER\n")
        return 2
    made = all_pages(Path(arguments[0]).absolute())
    sys.stdout.write(f"{len(made)} pictures in {arguments[0]}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
