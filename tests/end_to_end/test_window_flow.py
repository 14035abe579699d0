"""The real program on a virtual screen: from a dropped file to a curve that the person changed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modellab.experiment import replace

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.end_to_end

ROWS, TURN = 5000, 3000


def written(path: Path) -> Path:
    """Write a data set whose rule turns round at row 3,000."""
    rng = np.random.default_rng(11)
    a, b, c = rng.normal(size=(3, ROWS))
    sign = np.where(np.arange(ROWS) < TURN, 1.0, -1.0)
    up = sign * (1.5 * a - b) + 0.4 * rng.normal(size=ROWS) > 0
    lines = ["when,demand,price,place,label"]
    for i in range(ROWS):
        day, minute = divmod(i, 1440)
        when = f"2024-01-{day + 1:02d} {minute // 60:02d}:{minute % 60:02d}:00"
        place = "north" if c[i] > 0 else "south"
        lines.append(f"{when},{a[i]:.4f},{b[i]:.4f},{place},{'up' if up[i] else 'down'}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def seen(
    driven: Callable[[str, Path], dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What the driver saw."""
    return driven("drive_window", written(tmp_path_factory.mktemp("way") / "stream.csv"))


def test_it_was_a_real_screen(seen: dict[str, Any]) -> None:
    assert seen["platform"] == "xcb"
    names = "1-dragged 2-data 3-test 4-before 5-ready 6-playing 7-changed 8-readout"
    assert seen["pictures"] == [f"{name}.png" for name in names.split()]
    assert seen["train_rows"] < seen["hover"] < seen["position"]
    for name in seen["pictures"]:
        assert (seen["folder"] / name).stat().st_size > 10_000, name


def test_the_learning_rate_is_in_the_journal(seen: dict[str, Any]) -> None:
    last = seen["journal"][-1]
    assert last["lane"] == "Online"
    assert last["set"]["learning_rate"] == pytest.approx(1.0)
    assert seen["rate_after"] == last["set"]["learning_rate"]
    assert seen["rate_before"] < 0.5
    assert seen["train_rows"] < last["position"] < seen["position"]
    # A drag of 25 moves is not 25 commands unless each had a row of its own.
    positions = [entry["position"] for entry in seen["journal"]]
    assert len(positions) == len(set(positions)) <= 25


def test_the_change_is_marked(seen: dict[str, Any]) -> None:
    marks = {m["position"] for m in seen["marks"] if (m["kind"], m["lane"]) == ("change", "Online")}
    assert {entry["position"] for entry in seen["journal"]} <= marks
    text = seen["marks"][-1]["text"] or next(m["text"] for m in seen["marks"] if m["text"])
    assert "learning rate" in text
    assert seen["event_list"] >= len(seen["journal"])
    assert "learning rate" in seen["undo"]


def test_the_curve_changed_from_there_on(seen: dict[str, Any], tmp_path: Path) -> None:
    """The window's curve is that of a headless run with the journal, and another without it."""
    from modellab.experiment_file import load
    from modellab.replay.run import run_experiment

    experiment = load(seen["folder"] / "experiment.toml")
    online = [lane for lane in experiment.lane if lane.name == "Online"]
    stream = seen["position"] - seen["train_rows"]
    same = replace(
        experiment, lane=online, replay=replace(experiment.replay, limit=stream), baselines=False
    )
    curves = {}
    for name, journal in (("with", experiment.intervention), ("without", [])):
        run = run_experiment(replace(same, intervention=journal), base=seen["folder"])
        curves[name] = next(lane for lane in run.lanes if lane.name == "Online").history["error"]
    shown = np.array(seen["curve"]["mean"])
    np.testing.assert_array_equal(seen["curve"]["start"], curves["with"].start)
    np.testing.assert_array_equal(shown, curves["with"].mean)
    first = seen["journal"][0]["position"]
    other = np.asarray(curves["without"].mean)
    early = np.asarray(curves["without"].start) + 1 < first
    np.testing.assert_array_equal(shown[early][:-1], other[early][:-1])
    late = np.asarray(curves["without"].start) > first + 300
    assert np.abs(shown[late] - other[late]).max() > 0.01
