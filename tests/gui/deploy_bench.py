"""A deployed session with telemetry as the real engine gives it, computed from a seed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import scripted_engine as scripted
from scripted_engine import HOUR_NS, N_ROWS

from modellab.replay.protocol import CurveDelta, EventRecord, ParameterNews, pack

TRAIN = 200
RATES = [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0]


def error_curve(name: str, position: int, width: int = 2) -> CurveDelta:
    """A windowed error that wanders, different for each lane, the same every time."""
    at = np.arange(TRAIN, position, width)
    rng = np.random.default_rng(sum(name.encode()))
    steps = rng.normal(0, 0.006, (N_ROWS - TRAIN) // width + 1).cumsum()
    mean = np.clip(0.25 + 0.02 * (len(name) % 4) + steps[: len(at)], 0.02, 0.9)
    return CurveDelta(
        width=width,
        from_index=0,
        start=pack(at),
        mean=pack(mean),
    )


class DeployBench:
    """Wraps the gui bench: deploys, and plays by feeding telemetry."""

    def __init__(self, bench: Any, tmp_path: Path) -> None:
        self.bench = bench
        self.session = bench.deployed(tmp_path / "prices.csv")
        self.events: list[EventRecord] = []
        self.settings: dict[str, dict[str, Any]] = {}
        # As an engine tells them before it knows which did best; None: none are carried along.
        self.rates: dict[str, Any] | None = {"rates": RATES, "errors": [], "rows": 0, "best": None}
        self.sequence = 0

    @property
    def engine(self) -> Any:
        return self.bench.engine

    @property
    def live(self) -> Any:
        return self.session.deployment

    def settings_of(self, lane: str) -> dict[str, Any]:
        """Settings as the engine tells them: what was changed by command included."""
        if lane not in self.settings:
            online = {
                "learning_rate": 0.05,
                "schedule": "constant",
                "penalty": "l2",
                "alpha": 0.0001,
                "track_rates": True,
                "every": 1,
                "batch": 1,
                "frozen": False,
            }
            scheduled = {"every": 50, "keep": "all", "test_rows": 20, "margin": 0.0, "delay": 0}
            kind = type(self.live.lanes[lane].spec.policy).__name__
            usual: dict[str, dict[str, Any]] = {
                "OnlinePolicy": online,
                "ScheduledPolicy": scheduled,
            }
            self.settings[lane] = dict(usual.get(kind, {}))
            if lane == "Online tree":
                self.settings[lane] = {"every": 1, "batch": 1, "frozen": False}
        return self.settings[lane]

    def apply_sent(self) -> None:
        """Do what `Intervene` commands asked for, as the engine would."""
        from modellab.replay.protocol import Intervene

        for command in self.engine.sent:
            if isinstance(command, Intervene):
                self.settings_of(command.lane).update(command.set)

    def play_to(self, position: int, *, state: str = "playing", **rest: Any) -> None:
        """Tell the window that the replay is at `position`."""
        self.sequence += 1
        done = position - TRAIN
        lanes = []
        for name, view in self.live.lanes.items():
            curve = error_curve(name, position)
            mean = np.frombuffer(curve.mean)
            lanes.append(
                scripted.lane_news(
                    name,
                    baseline=view.baseline,
                    error=float(mean[-1]) if len(mean) else None,
                    updates=done if "Online" in name else 0,
                    retrains=done // 100 if name == "Retrained" else 0,
                    redeploys=done // 100 if name == "Retrained" else 0,
                    cpu_learn=done * 1e-3,
                    cost=float(done) * 0.3,
                    settings={} if view.baseline else dict(self.settings_of(name)),
                    rates=self.rates if name == "Online" else None,
                    curves={"error": curve},
                )
            )
        parameters = None
        if self.live.selected is not None and done >= 0:
            at = np.arange(TRAIN, position + 1, 8)
            wave = np.sin(at[:, None] / (30 + 7 * np.arange(12)[None, :]))
            values = wave * np.linspace(2, 0.1, 12)[None, :]
            parameters = ParameterNews(
                lane=self.live.selected,
                names=[f"column {i}" for i in range(12)],
                from_index=0,
                positions=pack(at),
                values=pack(values),
            )
        self.engine.position = position
        told = {"reset": True, "parameters": parameters, "events": list(self.events), **rest}
        self.engine.telemetry = scripted.telemetry(position, lanes, state=state, **told)
        self.bench.settle()

    def happened(
        self, position: int, lane: str, kind: str, text: str = "", **values: Any
    ) -> EventRecord:
        """Add an event that the next telemetry tells."""
        made = EventRecord(position, lane, kind, text or f"{kind} at {position}", values)
        self.events.append(made)
        self.events.sort(key=lambda e: e.position)
        return made

    def retrained(self, position: int, number: int = 1, *, better: bool = True) -> EventRecord:
        """Add a retrain with its test scores."""
        return self.happened(
            position,
            "Retrained",
            "retrain" if better else "reject",
            f"Retrain {number}: test error 0.2 against 0.21",
            retrain=number,
            rows=150,
            first_row=0,
            last_row=position - 20,
            test_rows=20,
            new_error=0.2,
            old_error=0.21 if better else 0.19,
            deployed=better,
        )


__all__ = ["HOUR_NS", "N_ROWS", "RATES", "TRAIN", "DeployBench", "error_curve"]
