"""A session on scripted engines, with all that it told, for tests of the session alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import scripted_engine as scripted

from modellab.gui.session import Session
from modellab.gui.session_topics import Message


class Bench:
    """A session on scripted engines, with all that it told."""

    def __init__(self) -> None:
        self.engines: list[Any] = []
        self.prepare: list[Any] = []
        self.session = Session(self._make)
        self.told: list[str] = []
        self.messages: list[Message] = []
        for topic in ("data", "profile", "experiment", "trainings", "deployment", "telemetry"):
            self.session.subscribe(topic, lambda topic=topic: self.told.append(topic))
        self.session.subscribe("message", self.messages.append)

    def _make(self) -> Any:
        engine = self.prepare.pop(0) if self.prepare else scripted.ScriptedEngine()
        self.engines.append(engine)
        return engine

    @property
    def engine(self) -> Any:
        return self.engines[-1]

    def settle(self) -> None:
        for _ in range(50):
            if not self.session.pump():
                return
        raise AssertionError("the session never comes to rest")

    def open(self, path: Path) -> Session:
        path.write_text("a,b\n1,2\n")
        self.session.open_paths([path])
        self.settle()
        return self.session

    def deployed(self, path: Path) -> Session:
        session = self.open(path)
        session.deploy()
        self.settle()
        return session

    def feed(self, position: int, **rest: Any) -> None:
        names = [n for n, v in self.session.deployment.lanes.items() if not v.baseline]
        lanes = [scripted.lane_news(n) for n in names]
        self.engine.position = position
        self.engine.telemetry = scripted.telemetry(position, lanes, **{"reset": True, **rest})
        self.settle()
