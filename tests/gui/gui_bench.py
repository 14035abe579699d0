"""A session on scripted engines, for tests of window and pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import scripted_engine as scripted

from modellab.gui.session import Session


class GuiBench:
    """Makes the session and brings it into the states that pages show."""

    def __init__(self) -> None:
        self.engines: list[Any] = []
        self.session = Session(self._make)

    def _make(self) -> Any:
        engine = scripted.ScriptedEngine()
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
        self.open(path)
        self.session.deploy()
        self.settle()
        return self.session

    def feed(self, position: int, **rest: Any) -> None:
        live = self.session.deployment
        names = [n for n, v in live.lanes.items() if not v.baseline]
        lanes = [scripted.lane_news(n) for n in names]
        self.engine.position = position
        self.engine.telemetry = scripted.telemetry(position, lanes, **{"reset": True, **rest})
        self.settle()
