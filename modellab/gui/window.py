"""The main window: rail, header, pages, status bar; it binds them to one session."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QByteArray, QEvent, Qt, QTimer, QUrl, Slot
from PySide6.QtGui import QCloseEvent, QDesktopServices, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QMainWindow, QMenu, QStackedWidget, QVBoxLayout, QWidget

from modellab import paths
from modellab.data.places import names_data
from modellab.gui.actions import ActionRegistry
from modellab.gui.commands import window_actions
from modellab.gui.dialogs import files
from modellab.gui.drop import DropOverlay
from modellab.gui.header import Header
from modellab.gui.kit.frames import EmptyState
from modellab.gui.making import Making
from modellab.gui.notify import Notice, notifications
from modellab.gui.pages.welcome import WelcomePage
from modellab.gui.palette import CommandPalette
from modellab.gui.rail import Rail, StageState
from modellab.gui.settings import settings
from modellab.gui.stages import PAGES, WELCOME, PageSpec, stage_done
from modellab.gui.status_bar import StatusBar
from modellab.gui.theme import Mode, theme_hub
from modellab.gui.thumbnail import thumbnail
from modellab.gui.toasts import ToastArea

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modellab.data.parts import Parts
    from modellab.experiment import ReadingSpec
    from modellab.gui.pages.base import Page
    from modellab.gui.session import Session
    from modellab.gui.session_topics import Message

FRAME_MS = 16
SLOW_FRAME_MS = 12.0
"""A frame that takes longer makes the timer slower."""
REST_MS = 100
HIDDEN_MS = 250
AUTOSAVE_MS = 20_000
LEAST_SIZE = (1024, 640)


class MainWindow(QMainWindow):
    """The window of one session.

    Parameters
    ----------
    session
        What the pages show. Its `pump` is called by the window's timer.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._closed = False
        self.session = session
        self.setWindowTitle("Model Lab")
        self.setObjectName("main")
        self.setAccessibleName("Model Lab")
        self._pages: dict[str, Page] = {}
        self._specs = {spec.id: spec for spec in (WELCOME, *PAGES)}
        self._failed: dict[str, QWidget] = {}
        self._current = ""
        self._painted = False
        self._wait_data: object = session.data
        self._ready_wanted = False
        self._heading_for = ""
        self._theme_preference = settings().preferences.theme
        self._palette: CommandPalette | None = None
        self.registry = ActionRegistry(self)
        """All actions of the window and of its pages."""
        body = QWidget()
        self.toasts = ToastArea(body)
        """Passing messages."""
        self._body = body
        self._build(body)
        for action in window_actions(self):
            self.registry.add(action)
        self.registry.fill_menu_bar(self.header.menu_bar)
        self._add_recent_menu()
        self._bind()
        self._watch()
        self.setMinimumSize(*LEAST_SIZE)
        self.resize(1280, 800)
        self._restore()
        self.header.show_theme()
        self.show_page("welcome")
        self._refresh()

    # ------------------------------------------------------------------ building

    def _build(self, body: QWidget) -> None:
        self.header = Header("Ctrl K")
        self.rail = Rail([(spec.id, spec.title, spec.icon) for spec in PAGES])
        self.stack = QStackedWidget()
        self._making = Making(self.session, self.stack)
        self.status = StatusBar(self.session)
        row = QHBoxLayout()
        row.setSpacing(0)
        row.addWidget(self.rail)
        row.addWidget(self.stack, 1)
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.header)
        column.addLayout(row, 1)
        column.addWidget(self.status)
        self.setCentralWidget(body)
        # No control has the focus at first, so that no focus ring is the first thing one sees.
        body.setFocus()
        self.overlay = DropOverlay(body)

    def _bind(self) -> None:
        self.rail.chosen.connect(self._stage_chosen)
        self.registry.bind(self.rail.preferences, "edit.preferences")
        self.registry.bind(self.rail.help, "help.shortcuts")
        self.header.search.clicked.connect(self.show_palette)
        self.header.theme_button.clicked.connect(self.toggle_theme)
        self.registry.refused.connect(self._refused)
        self.overlay.dropped.connect(self.open_files)
        self.overlay.refused.connect(lambda text: notifications().warning(text))
        theme_hub().theme_changed.connect(self._themed)
        notifications().listen(self.toasts.show_notice)
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        self._autosave = QTimer(self)
        self._autosave.setInterval(AUTOSAVE_MS)
        self._autosave.timeout.connect(self.session.autosave)
        self._autosave.timeout.connect(self.session.check_files)
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(0)
        self._later.timeout.connect(self._refresh)

    def _watch(self) -> None:
        session = self.session
        self._stop = [
            session.subscribe(topic, self._later.start)
            for topic in ("profile", "experiment", "trainings", "jobs", "deployment", "engine")
        ]
        self._stop += [
            session.subscribe("data", self._data_changed),
            session.subscribe("telemetry", self.status.refresh),
            session.subscribe("message", self._message),
            settings().listen(self._settings_changed),
        ]
        session.locate = lambda experiment: files.locate_data(self, experiment)
        session.ask_reading = self._ask_reading
        session.ask_part = self._ask_part
        session.workers = settings().preferences.workers

    def _add_recent_menu(self) -> None:
        file_menu = self.header.menu_bar.actions()[0].menu()
        recent = QMenu("Open &recent", cast("QMenu", file_menu))
        recent.aboutToShow.connect(lambda: self._fill_recent(recent))
        cast("QMenu", file_menu).insertMenu(self.registry.qaction("file.save"), recent)

    def _fill_recent(self, menu: QMenu) -> None:
        menu.clear()
        for item in settings().recent:
            name = Path(item.path).name.replace("&", "&&")
            entry = menu.addAction(name)
            entry.setEnabled(names_data(item.path))
            entry.triggered.connect(lambda _=False, path=item.path: self.open_files([Path(path)]))
        if menu.isEmpty():
            menu.addAction("Nothing was opened yet").setEnabled(False)

    # ------------------------------------------------------------------ pages

    def stages(self) -> Sequence[PageSpec]:
        """Return the stages of the rail, in order."""
        return PAGES

    def page(self, page_id: str) -> Page | None:
        """Return a page, made now if need be; None when it could not be made."""
        while page_id not in self._pages and page_id not in self._failed:
            self._make_part(self._specs[page_id])
        return self._pages.get(page_id)

    def _make_part(self, spec: PageSpec) -> None:
        """Begin a page, or make its next part; with the last one it is there."""
        try:
            page = self._making.part(spec)
        except Exception as error:  # noqa: BLE001 - one page must not take the window with it
            told = f"The {spec.title} page could not be opened"
            notifications().exception(error, f"{told}.")
            self._failed[spec.id] = EmptyState("warning", told, "The log says why.")
            self.stack.addWidget(self._failed[spec.id])
        else:
            if page is not None:
                self._take_in(spec, page)

    def _take_in(self, spec: PageSpec, page: Page) -> None:
        """Bring a page that is complete into the window."""
        self._pages[spec.id] = page
        self.stack.addWidget(page)
        page.go_to.connect(self.show_page)
        page.run_action.connect(self.registry.run)
        page.status_changed.connect(self._later.start)
        if isinstance(page, WelcomePage):
            page.open_files.connect(self.open_files)
            page.open_sample.connect(self.open_sample)
            page.open_ready.connect(self.open_ready)
        offered = page.actions_offered()
        for action in offered:
            self.registry.add(replace(action, page=spec.id))
        if offered:
            self.registry.fill_menu_bar(self.header.menu_bar)
            self._add_recent_menu()
        self.registry.refresh()

    @property
    def current_page(self) -> str:
        """Id of the page on screen."""
        return self._current

    def why_not(self, page_id: str) -> str | None:
        """Return why a page cannot be reached now, or None; nothing is made for that."""
        page = self._pages.get(page_id)
        if page is not None:
            return page.available()
        # Of one that is still being made only so much is known; whoever goes there makes it.
        return "Open data first." if self.session.experiment is None else None

    def show_page(self, page_id: str) -> bool:
        """Show a page, or say why it cannot be reached; returns whether it is shown."""
        page = self.page(page_id)
        if page is None:
            self._current = page_id
            self.rail.show()
            self.stack.setCurrentWidget(self._failed[page_id])
            self._refresh()
            return False
        why = page.available()
        if why is not None:
            self._refused(f"view.{page_id}", why)
            return False
        if page_id == self._current:
            return True
        before = self._pages.get(self._current)
        self._current = page_id
        self.registry.set_page(page_id)
        self.rail.setVisible(page_id != "welcome")
        self.stack.setCurrentWidget(page)
        # To the page itself: Tab goes on to its first control, and no field is entered by accident.
        page.setFocus(Qt.FocusReason.OtherFocusReason)
        if before is not None:
            before.hidden()
        page.shown()
        self._refresh()
        return True

    @Slot(str)
    def _stage_chosen(self, page_id: str) -> None:
        self.registry.run(f"view.{page_id}")

    @Slot(str, str)
    def _refused(self, action_id: str, why: str) -> None:
        self.status.remark(why)

    # ------------------------------------------------------------------ the session

    @Slot()
    def _tick(self) -> None:
        began = time.perf_counter()
        something = self.session.pump()
        took = (time.perf_counter() - began) * 1000
        live = self.session.deployment
        busy = something or bool(self.session.jobs) or (live is not None and live.playing)
        if not self.isVisible() or self.isMinimized():
            wanted = HIDDEN_MS
        elif not busy:
            wanted = REST_MS
        else:
            wanted = FRAME_MS if took < SLOW_FRAME_MS else round(min(100.0, 2 * took))
        # No change for a millisecond or two: restarting a timer shifts its beat.
        if abs(wanted - self._timer.interval()) > 3:
            self._timer.setInterval(wanted)

    def _message(self, message: Message) -> None:
        notifications().post(
            Notice(message.kind, message.text, message.detail, message.action, message.run)
        )

    def _data_changed(self) -> None:
        data = self.session.data
        if data is not None and data is not self._wait_data:
            self._wait_data = data
            self._remember_recent()
            if not self._ready_wanted:
                self.show_page("data")
        self._later.start()

    def _remember_recent(self) -> None:
        session = self.session
        data = session.data
        if data is None:
            return
        rows = f"{data.n_rows:,} rows · {len(data.columns)} columns"
        if session.path is not None:
            settings().add_recent(str(session.path), "experiment", rows)
        elif session.sample is None and session.experiment is not None:
            paths = session.experiment.data.paths
            if len(paths) == 1:
                settings().add_recent(paths[0], "data", rows)

    def _settings_changed(self) -> None:
        chosen = settings().preferences
        hub = theme_hub()
        # Only a new wish: a theme that was asked for this run alone is not the preference.
        if chosen.theme != self._theme_preference:
            self._theme_preference = chosen.theme
            hub.set_mode(chosen.theme)
        hub.set_text_scale(chosen.text_scale)
        self.session.workers = chosen.workers
        self._later.start()

    @Slot()
    def _themed(self) -> None:
        self.header.show_theme()
        self.registry.refresh()

    @Slot()
    def _refresh(self) -> None:
        """Bring rail, header, status bar and buttons up to date."""
        session = self.session
        if session.title:
            state = (
                "Not saved yet" if session.path is None else "Edited" if session.dirty else "Saved"
            )
            self.header.set_document(session.title, state, str(session.path or ""))
            self.setWindowTitle(f"{session.title} – Model Lab")
        else:
            self.header.set_document("", "")
            self.setWindowTitle("Model Lab")
        if self._ready_wanted and session.why_no_deploy is None:
            self._ready_wanted = False
            if session.deploy() is not None:
                self._heading_for = "deploy"
        if self._heading_for:
            self._head_on()
        if self._painted:
            for spec in PAGES:
                self._show_stage(spec)
        page = self._pages.get(self._current)
        self.status.set_texts(page.status() if page is not None else [])
        self.status.refresh()
        self.registry.refresh()

    def _show_stage(self, spec: PageSpec) -> None:
        why = self.why_not(spec.id)
        state: StageState = "open"
        if spec.id == self._current:
            state = "current"
        elif why is not None:
            state = "not reached"
        elif stage_done(self.session, spec.id):
            state = "done"
        keys = self.registry.get(f"view.{spec.id}").shortcut_text
        tip = f"{spec.tip}\n{keys}" if why is None else f"{spec.tip}\n{why}"
        self.rail.set_state(spec.id, state, tip)

    # ------------------------------------------------------------------ files

    def ask_open(self) -> None:
        """Ask which files to open."""
        files.ask_open(self, self.open_files, self._folder())

    def _folder(self) -> Path | None:
        recent = settings().recent
        return Path(recent[0].path).parent if recent else None

    def open_files(self, chosen: Sequence[Path]) -> None:
        """Open data files or an experiment; what is open is kept for later."""
        self._ready_wanted = False
        self.session.open_paths(list(chosen))

    def show_gallery(self) -> None:
        """Show the gallery of data sets."""
        from modellab.gui.data.gallery_dialog import GalleryDialog

        self._ready_wanted = False
        GalleryDialog(self.session, self).open()

    def _ask_reading(self, paths: list[str], reading: ReadingSpec) -> None:
        from modellab.gui.data.reading_dialog import ReadingDialog

        ReadingDialog(self.session, paths, reading, self).open()

    def _ask_part(self, parts: Parts, chosen: Callable[[str], None]) -> None:
        from modellab.gui.data.part_dialog import PartDialog

        PartDialog(self.session, parts, chosen, self).open()

    def open_sample(self, sample: str) -> None:
        """Open a bundled sample on the Data page."""
        self._ready_wanted = False
        self.session.open_sample(sample)

    def open_ready(self, sample: str) -> None:
        """Open a bundled sample and deploy its default lanes, ready to play."""
        self._ready_wanted = True
        # What is open now must not be taken for the sample.
        self._wait_data = self.session.data
        self.session.open_sample(sample)

    def _head_on(self) -> None:
        """Show the page that was asked for once it can be reached; the data if it never can."""
        wanted = self._heading_for
        if self.why_not(wanted) is None:
            self._heading_for = ""
            self.show_page(wanted)
        elif self.session.job_of("deploy") is None:
            self._heading_for = ""
            self.show_page("data")

    def save(self) -> None:
        """Save the experiment where it was saved before, else ask."""
        if self.session.path is None:
            self.ask_save()
        else:
            self._save_as(self.session.path)

    def ask_save(self) -> None:
        """Ask where to save the experiment."""
        known = self.session.path
        name = known.name if known is not None else Path(self.session.title).stem + ".mlab"
        files.ask_save(self, self._save_as, name, known.parent if known else self._folder())

    def _save_as(self, path: Path) -> None:
        if self.session.save(path, self._picture() if path.suffix != ".toml" else None):
            self._remember_recent()
            self.status.remark(f"Saved as {self.session.title}.")

    def _picture(self) -> bytes | None:
        """Return the picture for a file: the replay if there is one, else the page on screen."""
        shown = "deploy" if self.session.deployment is not None else self._current
        page = self.page(shown)
        return thumbnail(page, self.stack.size()) if page is not None else None

    def ask_results(self) -> None:
        """Ask for a folder and write the results into it."""
        files.ask_folder(self, "Write results into", lambda f: self.session.write_results(f))

    def undo(self) -> None:
        """Take back the last change and say which."""
        text = self.session.undo_text
        self.session.undo()
        self.status.remark(f"Undone: {text}.")

    def redo(self) -> None:
        """Do the last undone change again and say which."""
        text = self.session.redo_text
        self.session.redo()
        self.status.remark(f"Done again: {text}.")

    # ------------------------------------------------------------------ dialogs

    def show_palette(self) -> None:
        """Open the command palette."""
        if self._palette is None:
            self._palette = CommandPalette(self.registry, self)
        self._palette.show_over()

    def show_preferences(self) -> None:
        """Open the preferences."""
        from modellab.gui.dialogs.preferences import PreferencesDialog

        PreferencesDialog(settings(), self).open()

    def show_help(self, *, words: bool = False) -> None:
        """Open the help at the commands, or at the words."""
        from modellab.gui.dialogs.shortcuts import HelpDialog

        dialog = HelpDialog(self.registry, self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        if words:
            dialog.show_words()
        dialog.open()

    def show_about(self) -> None:
        """Say what this program is."""
        from modellab.gui.dialogs.shortcuts import AboutDialog

        dialog = AboutDialog(self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def show_log(self) -> None:
        """Open the folder of the log in the system's file manager."""
        folder = paths.state_dir()
        if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder))):
            notifications().info(f"The log is in {folder}.")

    def set_theme(self, mode: Mode) -> None:
        """Choose the theme and remember it."""
        theme_hub().set_mode(mode)
        settings().change(theme=mode)

    def toggle_theme(self) -> None:
        """Turn between light and dark, and remember it."""
        self.set_theme("light" if theme_hub().theme.dark else "dark")

    def toggle_full_screen(self) -> None:
        """Use the whole screen, or go back."""
        if self.isFullScreen():
            self.showNormal()
        else:
            self.showFullScreen()

    # ------------------------------------------------------------------ life

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._painted:
            self._painted = True
            QTimer.singleShot(0, self, self._after_first_paint)

    @Slot()
    def _after_first_paint(self) -> None:
        self.overlay.watch(self.windowHandle())
        self._timer.start(FRAME_MS)
        self._autosave.start()
        self.status.start()
        try:
            self.session.start_engine()
        except OSError as error:
            notifications().error("The engine cannot be started.", detail=str(error))
        if settings().problem:
            notifications().warning(str(settings().problem))
        self._make_next()

    @Slot()
    def _make_next(self) -> None:
        """Make the pages part by part, so that the window answers in between."""
        missing = [s for s in PAGES if s.id not in self._pages and s.id not in self._failed]
        if not missing or not self._timer.isActive():
            self._refresh()
            return
        try:
            fresh = missing[0].load()
        except Exception:  # noqa: BLE001 - making the page tells what is wrong
            fresh = False
        if not fresh:
            self._make_part(missing[0])
        QTimer.singleShot(1, self, self._make_next)

    def _restore(self) -> None:
        saved = settings().layout("window")
        if saved:
            self.restoreGeometry(QByteArray.fromBase64(saved.encode("ascii", "ignore")))

    def reset_layout(self) -> None:
        """Forget remembered sizes and take the usual ones."""
        settings().reset_layout()
        self.showNormal()
        self.resize(1280, 800)
        for page in self._pages.values():
            page.reset_layout()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.overlay.setGeometry(self._body.rect())

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.WindowStateChange and hasattr(self, "registry"):
            self.registry.refresh()

    def closeEvent(self, event: QCloseEvent) -> None:
        if self._closed:
            super().closeEvent(event)
            return
        self._closed = True
        geometry = bytes(self.saveGeometry().toBase64().data()).decode("ascii")
        settings().remember_layout("window", geometry)
        self._timer.stop()
        self._autosave.stop()
        self._later.stop()
        self.status.stop()
        for stop in self._stop:
            stop()
        self._stop.clear()
        self._making.drop_all()
        for page in self._pages.values():
            page.hidden()
            page.take_down()
        self.overlay.take_down()
        theme_hub().theme_changed.disconnect(self._themed)
        self.session.close()
        super().closeEvent(event)
