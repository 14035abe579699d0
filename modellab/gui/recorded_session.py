"""A session whose deployment is what a results folder tells: a replay that is over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from modellab.experiment import Experiment, LaneSpec, Scalar
    from modellab.export.recorded import Recorded
    from modellab.gui.session import Session
    from modellab.gui.session_deployment import Deployment
    from modellab.gui.window import MainWindow
    from modellab.replay.protocol import FeatureDriftNews, LaneNews, Telemetry


class _NoEngine:
    """Stands where an engine would be: what is pictured is over."""

    alive = True

    def start(self) -> None:
        """Nothing is started."""

    def send(self, command: object) -> int:
        """Take a command that nobody will carry out."""
        return 0

    def poll(self) -> list[Any]:
        """There is never an answer."""
        return []

    def next_telemetry(self) -> None:
        """There is never any news."""

    def stop(self) -> None:
        """Nothing is stopped."""


def recorded_session(experiment: Experiment, results: Path) -> Session:
    """Return a session whose deployment is what a results folder tells.

    Raises
    ------
    LabError
        The results cannot be read.
    """
    from modellab.export.recorded import read_recorded
    from modellab.gui.session import Session
    from modellab.gui.session_deployment import Deployment
    from modellab.replay.protocol import Deployed

    found = read_recorded(results)
    told = found.summary
    start = int(told["train_rows"])
    stop = start + int(told["stream_rows"])
    lanes = told["lanes"]
    session = Session(_NoEngine)
    done = Deployed(
        experiment=experiment,
        baselines=[lane["name"] for lane in lanes if lane["baseline"]],
        train_rows=start,
        stop=stop,
        n_rows=int(told["rows"]),
        position=stop,
        times_ns=_times(experiment),
        fit_seconds=0.0,
        encoded={},
        warnings=[],
    )
    live = Deployment(done, "")
    live.recorded = True
    session.experiment, session.deployment = experiment, live
    names = [name for name, lane in live.lanes.items() if not lane.baseline]
    live.selected = session._first_shown(names)
    live.apply(_telemetry(found, live, experiment))
    if found.verdict is not None:
        session.verdict_state.show(found.verdict)
    return session


def _telemetry(found: Recorded, live: Deployment, experiment: Experiment) -> Telemetry:
    """Return a recorded run's end as the engine would have told it."""
    from modellab.replay.protocol import EventRecord, ParameterNews, Telemetry, pack

    specs = {lane.name: lane for lane in experiment.lane}
    selected = live.selected
    taken = found.parameters.get(selected or "")
    parameters = None
    if selected is not None and taken is not None:
        parameters = ParameterNews(
            lane=selected,
            names=taken.names,
            from_index=0,
            positions=pack(taken.positions),
            values=pack(taken.values),
        )
    return Telemetry(
        sequence=1,
        state="finished",
        position=live.stop,
        train_rows=live.train_rows,
        stop=live.stop,
        time_ns=None,
        rows_per_second=0.0,
        memory_mb=0.0,
        busy="",
        lanes=[
            _news(lane, found.curves.get(lane["name"], {}), specs.get(lane["name"]))
            for lane in found.summary["lanes"]
        ],
        parameters=parameters,
        events=[EventRecord(**event) for event in found.events],
        feature_drift=_drift_news(found),
        events_from=0,
        curves_reset=True,
    )


def _drift_news(found: Recorded) -> FeatureDriftNews | None:
    """Return the checks of the columns as the engine would have told them."""
    from modellab.replay.protocol import FeatureDriftNews, pack

    drift = found.feature_drift
    if drift is None:
        return None
    return FeatureDriftNews(
        columns=drift.columns,
        tests=drift.tests,
        threshold=drift.thresholds,
        from_index=0,
        positions=pack(drift.positions),
        score=pack(drift.score),
        psi=pack(drift.psi),
    )


def _news(lane: dict[str, Any], curves: dict[str, Any], spec: LaneSpec | None) -> LaneNews:
    from modellab.replay.protocol import CurveDelta, LaneNews, pack

    shown: dict[str, CurveDelta] = {}
    taken = curves.get("error") or curves.get("mae")
    if taken is not None:
        width = int(taken.start[2] - taken.start[1]) if len(taken.start) > 2 else 1
        shown["error"] = CurveDelta(width, 0, pack(taken.start), pack(taken.mean))
    metrics = lane["metrics"]
    name = "error" if metrics["window"].get("error") is not None else "mae"
    seconds = lane["cpu_seconds"]
    return LaneNews(
        name=lane["name"],
        baseline=lane["baseline"],
        status="",
        error=metrics["window"].get(name),
        cumulative=metrics["cumulative"].get(name),
        updates=lane["updates"],
        retrains=lane["retrains"],
        redeploys=lane["redeploys"],
        cpu_predict=seconds.get("predict", 0.0),
        cpu_learn=seconds.get("learn", 0.0),
        cpu_fit=seconds.get("fit", 0.0),
        model_bytes=lane["model_bytes"],
        cost=lane["cost"]["total"] or 0.0,
        settings={} if spec is None else _settings(spec, "rates" in lane),
        rates=lane.get("rates"),
        curves=shown,
        metrics=metrics,
    )


def _settings(spec: LaneSpec, rates: bool) -> dict[str, Scalar]:
    """Return the settings that a lane began with, as far as the inspector shows them.

    Without `rates` the results do not tell how other learning rates did: nothing is said of them.
    """
    import msgspec

    from modellab.learners.catalogue import CATALOGUE

    entry = CATALOGUE.get(spec.learner.kind)
    live = [p for p in entry.parameters if p.live] if entry is not None else []
    found = {p.name: spec.learner.params.get(p.name, p.default) for p in live}
    if not rates:
        found.pop("track_rates", None)
    policy = msgspec.structs.asdict(spec.policy)
    return {name: value for name, value in {**found, **policy}.items() if value is not None}


def _times(experiment: Experiment) -> list[int]:
    """Return event times of evenly spaced rows; none where the data cannot be read any more."""
    from modellab.data.dataset import Dataset
    from modellab.data.importer import import_dataset
    from modellab.errors import LabError
    from modellab.replay.telemetry import sampled_times

    data = experiment.data
    if data.time is None:
        return []
    try:
        store = import_dataset(
            data.paths,
            kinds=data.kinds,
            sort_by=data.time if data.sort else None,
            reading=data.reading,
        )
        dataset = Dataset.build(store, data, experiment.split)
        return sampled_times(store.n_rows, dataset.times)
    except (LabError, OSError):
        return []


def fill_costs(window: MainWindow) -> None:
    """Give the plots the costs along the stream, where the results tell them exactly."""
    from modellab.gui.deploy.lines import RECORDED
    from modellab.gui.pages.deploy import DeployPage
    from modellab.gui.plots.series import Recording

    page, live = window.page("deploy"), window.session.deployment
    if not isinstance(page, DeployPage) or live is None:
        return
    page.plots.recorder.take(live)
    prices = live.experiment.prices
    if prices.cpu_hour or prices.downtime_hour:
        return  # when CPU time was used is not in the results
    for name, lane in live.lanes.items():
        curve = lane.curves.get("cumulative")
        if curve is None or not len(curve) or lane.news is None:
            continue
        retrains = [
            e.position for e in live.events if e.lane == name and e.kind in ("retrain", "reject")
        ]
        made = Recording(RECORDED)
        for start, mean in zip(curve.start.tolist(), curve.mean.tolist(), strict=True):
            row = min(start + curve.width, live.stop)
            errors = mean * (row - live.train_rows)
            spent = errors * prices.error + sum(at < row for at in retrains) * prices.retrain
            made.add(row, spent, 0.0, 0.0)
        page.plots.recorder.lanes[name] = made
