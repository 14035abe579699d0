"""The window's own actions; what belongs to one page comes from that page."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from modellab.gui.actions import Action
from modellab.gui.settings import settings
from modellab.gui.theme import theme_hub

if TYPE_CHECKING:
    from modellab.gui.theme import Mode
    from modellab.gui.window import MainWindow

_TEXT_STEPS = (0.9, 1.0, 1.1, 1.25, 1.4, 1.5)


def window_actions(window: MainWindow) -> list[Action]:
    """Return the actions that are there on every page."""
    return [
        *_file(window),
        *_edit(window),
        *_view(window),
        *_run(window),
        *_window(window),
        *_help(window),
    ]


def _no_experiment(window: MainWindow) -> str | None:
    return None if window.session.experiment is not None else "Open data first."


def _file(window: MainWindow) -> list[Action]:
    session = window.session

    def results() -> str | None:
        if session.deployment is None:
            return "There is no replay yet: deploy first."
        return "The replay has not begun." if not session.deployment.started else None

    return [
        Action(
            "file.open",
            "&Open…",
            "Open data files or a saved experiment.",
            window.ask_open,
            "Ctrl+O",
            "folder-open",
            "File",
        ),
        Action(
            "file.gallery",
            "&Gallery…",
            "Real data of the libraries, made streams with known drift, and sets to be fetched.",
            window.show_gallery,
            menu="File",
        ),
        Action(
            "file.save",
            "&Save",
            "Save the experiment with its journal, so that it can be replayed exactly.\n"
            ".mlab keeps trainings and results too, .toml the experiment only.",
            window.save,
            "Ctrl+S",
            "floppy-disk",
            "File",
            partial(_no_experiment, window),
            1,
        ),
        Action(
            "file.save_as",
            "Save &as…",
            "Save as another file: .mlab keeps trainings and results too, "
            ".toml the experiment only.",
            window.ask_save,
            "Ctrl+Shift+S",
            "",
            "File",
            partial(_no_experiment, window),
            1,
        ),
        Action(
            "file.results",
            "Write &results…",
            "Write the results of the replay so far into a folder: summary, curves, events.",
            window.ask_results,
            "",
            "export",
            "File",
            results,
            2,
        ),
        Action(
            "file.quit",
            "&Quit",
            "Close Model Lab; unsaved work is kept and offered at the next start.",
            window.close,
            "Ctrl+Q",
            "sign-out",
            "File",
            group=3,
        ),
    ]


def _edit(window: MainWindow) -> list[Action]:
    session = window.session
    return [
        Action(
            "edit.undo",
            "&Undo",
            "Take back the last change to the experiment.",
            window.undo,
            "Ctrl+Z",
            "arrow-u-up-left",
            "Edit",
            lambda: None if session.undo_text else "There is nothing to undo.",
        ),
        Action(
            "edit.redo",
            "&Redo",
            "Do again what was undone last.",
            window.redo,
            "Ctrl+Shift+Z",
            "arrow-u-up-right",
            "Edit",
            lambda: None if session.redo_text else "There is nothing to do again.",
            more_shortcuts=("Ctrl+Y",),
        ),
        Action(
            "edit.preferences",
            "&Preferences…",
            "Theme, text size, memory for training, processes, kept data.",
            window.show_preferences,
            "Ctrl+,",
            "gear-six",
            "Edit",
            group=1,
        ),
    ]


def _view(window: MainWindow) -> list[Action]:
    hub = theme_hub()
    actions = [
        Action(
            "view.welcome",
            "&Start page",
            "Recent files, samples, and where files are dropped.",
            partial(window.show_page, "welcome"),
            "Alt+0",
            "house",
            "View",
        )
    ]
    for number, spec in enumerate(window.stages(), 1):
        actions.append(
            Action(
                f"view.{spec.id}",
                f"&{spec.title} page",
                spec.tip,
                partial(window.show_page, spec.id),
                f"Alt+{number}",
                spec.icon,
                "View",
                partial(window.why_not, spec.id),
            )
        )
    themes: tuple[tuple[Mode, str, str], ...] = (
        ("system", "Follow the &system", "Light or dark, as the system is."),
        ("light", "&Light", "Dark writing on light ground."),
        ("dark", "&Dark", "Light writing on dark ground."),
    )
    for mode, title, tip in themes:
        actions.append(
            Action(
                f"view.theme.{mode}",
                title,
                tip,
                partial(window.set_theme, mode),
                "",
                {"system": "desktop", "light": "sun", "dark": "moon"}[mode],
                "View/Theme",
                group=1,
                checked=partial(lambda wanted: hub.mode == wanted, mode),
                exclusive="theme",
            )
        )
    actions += [
        Action(
            "view.theme.toggle",
            "&Turn the theme",
            "Turn between light and dark.",
            window.toggle_theme,
            "Ctrl+Shift+L",
            "circle-half",
            "View/Theme",
            group=1,
        ),
        Action(
            "view.larger",
            "&Larger text",
            "Make all text larger.",
            partial(_step_text, 1),
            "Ctrl++",
            "magnifying-glass-plus",
            "View",
            partial(_text_limit, 1),
            2,
            more_shortcuts=("Ctrl+=",),
        ),
        Action(
            "view.smaller",
            "S&maller text",
            "Make all text smaller.",
            partial(_step_text, -1),
            "Ctrl+-",
            "magnifying-glass-minus",
            "View",
            partial(_text_limit, -1),
            2,
        ),
        Action(
            "view.usual",
            "&Usual text size",
            "Give all text its usual size again.",
            partial(settings().change, text_scale=1.0),
            "Ctrl+0",
            "text-aa",
            "View",
            group=2,
        ),
        Action(
            "view.palette",
            "&Commands…",
            "Find any command by typing a few of its letters.",
            window.show_palette,
            "Ctrl+Shift+P",
            "command",
            "View",
            group=3,
            more_shortcuts=("Ctrl+K",),
        ),
    ]
    return actions


def _text_limit(step: int) -> str | None:
    scale = settings().preferences.text_scale
    end = _TEXT_STEPS[-1] if step > 0 else _TEXT_STEPS[0]
    return None if (scale < end if step > 0 else scale > end) else "This is the limit."


def _step_text(step: int) -> None:
    scale = settings().preferences.text_scale
    if step > 0:
        wanted = next((s for s in _TEXT_STEPS if s > scale + 1e-6), _TEXT_STEPS[-1])
    else:
        wanted = next((s for s in reversed(_TEXT_STEPS) if s < scale - 1e-6), _TEXT_STEPS[0])
    settings().change(text_scale=wanted)


def _run(window: MainWindow) -> list[Action]:
    session = window.session

    def cancel() -> None:
        session.cancel(session.running_jobs[-1])

    return [
        Action(
            "run.cancel",
            "&Cancel what is running",
            "Stop the work that the status bar shows; what was there before stays.",
            cancel,
            "Ctrl+.",
            "x-circle",
            "Run",
            lambda: None if session.running_jobs else "Nothing is running.",
            8,
        ),
        Action(
            "run.restart_engine",
            "Start the &engine again",
            "Start the process that does the work, after it stopped too often by itself.",
            session.restart_engine,
            "",
            "power",
            "Run",
            lambda: None if session.engine_state == "down" else "The engine has not stopped.",
            9,
        ),
    ]


def _window(window: MainWindow) -> list[Action]:
    return [
        Action(
            "window.full_screen",
            "&Full screen",
            "Use the whole screen, or go back.",
            window.toggle_full_screen,
            "F11",
            "corners-out",
            "Window",
            checked=window.isFullScreen,
        ),
        Action(
            "window.reset_layout",
            "&Usual layout",
            "Give the window and its panels their usual sizes again.",
            window.reset_layout,
            "",
            "arrow-counter-clockwise",
            "Window",
        ),
        Action(
            "window.dismiss",
            "&Dismiss messages",
            "Take away the messages in the lower right corner.",
            window.toasts.clear,
            "Ctrl+Shift+D",
            "x",
            "Window",
            lambda: None if window.toasts.toasts() else "There is no message.",
            1,
        ),
    ]


def _check_updates(window: MainWindow) -> None:
    from modellab.gui.updates import check_for

    check_for(window, settings().preferences.update_address)


def _help(window: MainWindow) -> list[Action]:
    return [
        Action(
            "help.shortcuts",
            "&Commands and shortcuts",
            "Every command with its shortcut.",
            window.show_help,
            "F1",
            "keyboard",
            "Help",
        ),
        Action(
            "help.words",
            "&Words",
            "What the words of Model Lab mean.",
            partial(window.show_help, words=True),
            "Shift+F1",
            "notebook",
            "Help",
        ),
        Action(
            "help.log",
            "Show the &log",
            "Open the folder of the log and of what was kept when something went wrong.",
            window.show_log,
            "",
            "file-text",
            "Help",
            group=1,
        ),
        Action(
            "help.updates",
            "Check for &updates",
            "Read whether there is a newer version, at the address set in the preferences.\n"
            "Nothing is sent or installed.",
            partial(_check_updates, window),
            "",
            "arrows-clockwise",
            "Help",
            lambda: (
                None
                if settings().preferences.update_address
                else "Off: no address for updates is set in the preferences."
            ),
            group=1,
        ),
        Action(
            "help.about",
            "&About Model Lab",
            "Version, licences, and on what it runs.",
            window.show_about,
            "",
            "info",
            "Help",
            group=1,
        ),
    ]
