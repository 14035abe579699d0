"""What cannot be done on the Deploy page now, and why: for buttons, menus and the palette."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modellab.gui.deploy.rollback_dialog import why_no_rollback

if TYPE_CHECKING:
    from modellab.gui.session import Session


class DeployReasons:
    """Mixed into the Deploy page: each method returns a sentence, or None where it can be done."""

    session: Session

    def selected_lane(self) -> str:
        """Name of the selected lane, or nothing."""
        live = self.session.deployment
        return (live.selected or "") if live is not None else ""

    def why_no_replay(self) -> str | None:
        """Why the replay cannot be steered now, or None."""
        live = self.session.deployment
        if live is None:
            return "Switch to deployment first."
        if live.lost:
            return "The engine that ran this replay is gone: continue it first."
        return None

    def why_no_play(self) -> str | None:
        """Why nothing can be played now, or None."""
        live = self.session.deployment
        if live is not None and live.position >= live.stop:
            return "The stream is at its end: stop to go back to the deployment point."
        return self.why_no_replay()

    def why_no_restart(self) -> str | None:
        """Why one cannot go back now, or None."""
        live = self.session.deployment
        if live is not None and not live.started:
            return "This is the deployment point."
        return self.why_no_replay()

    def why_no_lane(self) -> str | None:
        """Why no lane can be added now, or None."""
        if self.session.job_of("lane") is not None:
            return "A lane is being replayed."
        return self.why_no_replay()

    def why_no_selected(self) -> str | None:
        """Why nothing can be done with the selected lane, or None."""
        return self.why_no_lane() or (None if self.selected_lane() else "Select a lane first.")

    def why_no_edit(self) -> str | None:
        """Why the selected lane cannot be edited, or None."""
        live, name = self.session.deployment, self.selected_lane()
        if live is not None and name and live.lanes[name].fork_of is not None:
            return "A fork goes on from its parent: edit that one."
        return self.why_no_selected()

    def why_no_rollback(self) -> str | None:
        """Why the selected lane cannot be rolled back, or None."""
        name = self.selected_lane()
        return why_no_rollback(self.session, name) if name else self.why_no_selected()

    def why_no_settings(self) -> str | None:
        """Why the settings of the replay cannot be changed, or None."""
        return None if self.session.experiment is not None else "Open data first."

    def why_no_continue(self) -> str | None:
        """Why there is nothing to continue, or None."""
        return None if self.session.interrupted is not None else "No replay was interrupted."
