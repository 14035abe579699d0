"""The pages of the window before they are made: their words, their order, their classes."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from modellab.gui.pages.base import Page
    from modellab.gui.session import Session


@dataclass(frozen=True, slots=True)
class PageSpec:
    """A page before it is made: where its class is, and what the rail says of it.

    `before` names modules that it brings along and that take long to import: they come one by one.
    """

    id: str
    title: str
    icon: str
    tip: str
    module: str
    name: str
    before: tuple[str, ...] = ()

    def load(self) -> bool:
        """Import the next of the page's modules; returns whether one was yet to be imported."""
        for module in (*self.before, self.module):
            if module not in sys.modules:
                import_module(module)
                return True
        return False

    def make(self, session: Session, parent: QWidget | None = None, *, whole: bool = True) -> Page:
        """Import the page's module and make the page, or (`whole` is not set) begin to."""
        kind = getattr(import_module(self.module), self.name)
        return cast("Page", kind(session, parent, whole=whole))


_ROOM = "modellab.gui.pages"
WELCOME = PageSpec("welcome", "Start", "house", "", f"{_ROOM}.welcome", "WelcomePage")
PAGES = (
    PageSpec(
        "data",
        "Data",
        "table",
        "What is in the data, what is predicted, and where training ends.",
        f"{_ROOM}.data",
        "DataPage",
        ("modellab.replay.protocol", "modellab.gui.data.reading_dialog", "modellab.data.compare"),
    ),
    PageSpec(
        "train",
        "Train",
        "brain",
        "Choose a learner and train it on the training window.",
        f"{_ROOM}.train",
        "TrainPage",
        (
            "modellab.learners.linear",
            "modellab.learners.compiled_entries",
            "modellab.learners.river_entries",
            "modellab.learners.catalogue",
        ),
    ),
    PageSpec(
        "test",
        "Test",
        "flask",
        "How good the trained model is, and where it is wrong.",
        f"{_ROOM}.testing",
        "TestPage",
    ),
    PageSpec(
        "deploy",
        "Deploy",
        "rocket-launch",
        "Replay the stream through the lanes, live.",
        f"{_ROOM}.deploy",
        "DeployPage",
        (
            "modellab.gui.deploy.events",
            "modellab.gui.deploy.fault_dialog",
            "modellab.gui.deploy.lane_dialog",
            "modellab.gui.deploy.timeline",
            "modellab.gui.deploy.transport",
            "modellab.gui.deploy.plot_stack",
        ),
    ),
    PageSpec(
        "decide",
        "Decide",
        "scales",
        "Which way to keep the model alive, why, and how sure.",
        f"{_ROOM}.decide",
        "DecidePage",
        ("modellab.gui.decide.lanes_table", "modellab.gui.decide.verdict_card"),
    ),
)


def stage_done(session: Session, page_id: str) -> bool:
    """Return whether a stage of the way is behind the person."""
    live = session.deployment
    if page_id == "data":
        return bool(session.trainings) or live is not None
    if page_id == "train":
        return bool(session.trainings)
    if page_id == "test":
        return bool(session.trainings) and live is not None
    if page_id == "decide":
        state = session.verdict_state
        over = live is not None and live.position >= live.stop
        return over and state.verdict is not None and state.stale is None and not state.behind
    return live is not None and live.position >= live.stop
