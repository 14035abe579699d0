"""What the Deploy page offers in menus, palette and shortcuts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modellab.gui.actions import Action
from modellab.gui.deploy.start import TIP as DEPLOY_TIP

if TYPE_CHECKING:
    from modellab.gui.pages.deploy import DeployPage


def offered(page: DeployPage) -> list[Action]:
    """Return the actions of the page, each with why it can't be done now."""
    run, lanes = "Run", "Lanes"
    session, plots = page.session, page.plots
    on_page = page.why_no_replay

    def act(
        id_: str,
        title: str,
        tip: str,
        callback: object,
        shortcut: str = "",
        icon: str = "",
        menu: str = run,
        enabled: object = on_page,
        group: int = 0,
    ) -> Action:
        return Action(id_, title, tip, callback, shortcut, icon, menu, enabled, group)  # type: ignore[arg-type]

    def hide() -> None:
        live, name = session.deployment, page.selected_lane()
        if live is not None and name:
            session.hide_lane(name, not live.lanes[name].hidden)

    return [
        act(
            "run.deploy",
            "Switch to &deployment",
            DEPLOY_TIP.splitlines()[0],
            session.deploy,
            "Ctrl+Return",
            "rocket-launch",
            run,
            lambda: session.why_no_deploy,
        ),
        act(
            "run.play",
            "&Play or pause",
            "Replay the stream, or stop at the next row (on this page also Space).",
            page.toggle_play,
            "F5",
            "play",
            run,
            page.why_no_play,
            1,
        ),
        act(
            "run.step",
            "&Step one row",
            "Replay one row, then pause.",
            page.step_row,
            "F8",
            "skip-forward",
            run,
            page.why_no_play,
            1,
        ),
        act(
            "run.chunk",
            "Step one &chunk",
            "Replay one chunk of rows, then pause.",
            page.step_chunk,
            "Shift+F8",
            "fast-forward",
            run,
            page.why_no_play,
            1,
        ),
        act(
            "run.restart",
            "Stop, and &back to the start",
            "Go back to the deployment point; "
            "what you changed stays in the journal and happens again at its rows.",
            page.restart,
            "Ctrl+Shift+Backspace",
            "stop",
            run,
            page.why_no_restart,
            1,
        ),
        act(
            "run.restart_clean",
            "Back to the start, without my changes",
            "Go back to the deployment point and empty the journal.",
            lambda: session.restart(clear_journal=True),
            "",
            "arrow-counter-clockwise",
            run,
            page.why_no_replay,
            1,
        ),
        act(
            "run.continue",
            "C&ontinue an interrupted replay",
            "Go on from the last checkpoint after the engine stopped.",
            session.continue_replay,
            "",
            "arrow-clockwise",
            run,
            page.why_no_continue,
            1,
        ),
        act(
            "run.follow",
            "&Follow the newest row",
            "Keep the newest row in sight in the plots.",
            plots.toggle_follow,
            "Ctrl+E",
            "push-pin",
            run,
            on_page,
            2,
        ),
        act(
            "run.view_all",
            "Show &all rows so far",
            "Show all rows that were replayed so far.",
            lambda: plots.set_span("all"),
            "Ctrl+Shift+1",
            "",
            run,
            on_page,
            2,
        ),
        act(
            "run.view_10k",
            "Show the last &10,000 rows",
            "Show the last 10,000 rows.",
            lambda: plots.set_span("10k"),
            "Ctrl+Shift+2",
            "",
            run,
            on_page,
            2,
        ),
        act(
            "run.view_2k",
            "Show the last &2,000 rows",
            "Show the last 2,000 rows.",
            lambda: plots.set_span("2k"),
            "Ctrl+Shift+3",
            "",
            run,
            on_page,
            2,
        ),
        act(
            "lanes.add",
            "&Add lane…",
            "Run another learner or policy on the same rows.",
            page.add_lane,
            "Ctrl+L",
            "plus",
            lanes,
            page.why_no_lane,
        ),
        act(
            "lanes.edit",
            "&Edit lane…",
            "Change learner, policy or name of the selected lane.",
            lambda: page.edit_lane(page.selected_lane()),
            "F2",
            "pencil-simple",
            lanes,
            page.why_no_edit,
        ),
        act(
            "lanes.duplicate",
            "&Duplicate lane",
            "Add a copy of the selected lane.",
            lambda: session.duplicate_lane(page.selected_lane()),
            "Ctrl+D",
            "copy",
            lanes,
            page.why_no_selected,
        ),
        act(
            "lanes.fork",
            "&Fork lane here…",
            "Begin a second lane here with the model of the selected one.",
            lambda: page.fork_lane(page.selected_lane()),
            "Ctrl+F",
            "git-branch",
            lanes,
            page.why_no_selected,
        ),
        act(
            "lanes.hide",
            "&Hide or show lane",
            "Leave the selected lane out of the plots, or draw it again.",
            hide,
            "Ctrl+H",
            "eye",
            lanes,
            page.why_no_selected,
            1,
        ),
        act(
            "lanes.remove",
            "&Remove lane",
            "Take the selected lane out; undo brings it back.",
            lambda: session.remove_lane(page.selected_lane()),
            "",
            "trash",
            lanes,
            page.why_no_selected,
            1,
        ),
        act(
            "view.deploy.left",
            "Fold the &lanes",
            "Fold the lanes to a strip, or unfold them.",
            page.toggle_left,
            "Ctrl+B",
            "",
            "View",
            lambda: None,
            4,
        ),
        act(
            "view.deploy.right",
            "Fold settings and &events",
            "Fold lane settings and events to a strip, or unfold them.",
            page.toggle_right,
            "Ctrl+Alt+B",
            "",
            "View",
            lambda: None,
            4,
        ),
    ]
