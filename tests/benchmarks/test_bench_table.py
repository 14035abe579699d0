"""The table of figures: its parts are run apart, told whole, and kept when others fail."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import figures
import pytest
import table
from figures import Figure, Options, each, in_turn, missing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEAD = f"""
import sys
sys.path.insert(0, {str(table.FOLDER)!r})
import os, time, figures
from figures import Figure

def measure(options):
    yield Figure("rows", options.rows, "rows")
    {{}}

figures.main(measure)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Benchmarks of which only one is well, and something that is none."""
    for name, ends in {
        "well": "yield Figure('ratio', 3.0, 'x', 2.0, own=6.0, peer=2.0)",
        "raises": "raise ValueError('no such thing')",
        "dies": "os._exit(7)",
        "hangs": "time.sleep(600)",
    }.items():
        (tmp_path / f"bench_{name}.py").write_text(HEAD.format(ends))
    (tmp_path / "bench_apart.py").write_text("print('I have no figures.')\n")
    wanted = dict.fromkeys(("well", "dies"), (("ratio", "x", 2.0, False),))
    monkeypatch.setattr(table, "WANTED", wanted)
    monkeypatch.setattr(table, "FOLDER", tmp_path)
    return tmp_path


def test_parts_are_what_measures_in_the_order_of_the_table() -> None:
    found = list(table.parts(table.FOLDER))
    assert found[:2] == ["linear", "trees"]
    assert "annotated_series" not in found
    assert set(table.WANTED) <= set(found)


def test_a_part_that_fails_loses_nothing(folder: Path) -> None:
    known = table.parts(folder)
    assert sorted(known) == ["dies", "hangs", "raises", "well"]
    given = ["--rows", "5"]
    parts = {
        name: table.run_part(name, path, given, 60.0 if name != "hangs" else 2.0)
        for name, path in known.items()
    }
    told = {name: [f["name"] for f in part["figures"]] for name, part in parts.items()}
    assert told["well"] == told["dies"] == ["rows", "ratio"]
    assert told["raises"] == ["rows"]
    assert parts["dies"]["failed"] == "it ended with status 7"
    assert parts["raises"]["failed"] == "it ended with status 1"
    assert "given up after 2 seconds" in parts["hangs"]["failed"]
    assert parts["well"]["failed"] == ""
    about = {"processor": "p", "cores": 2, "memory_gib": 4.0, "system": "s", "python": "3"}
    text = table.as_markdown({"machine": about | {"versions": {"a": "1"}}, "parts": parts})
    assert "1 of 2 targets reached, 1 not measured." in text
    assert "| ratio | 3.00 x | ≥ 2.00 | yes | 6.00 / 2.00 rows/s |" in text
    assert "| ratio | not measured | ≥ 2.00 |  |  |  | it ended with status 7 |" in text
    assert "| hangs | --rows 5 |" in text


def test_what_was_measured_is_kept_and_the_rest_made_good(folder: Path) -> None:
    out = folder / "out"
    for name in ("hangs", "raises"):
        (folder / f"bench_{name}.py").unlink()
    given = ["--out", str(out), "--rows", "5"]
    assert table.main(given) == 1
    first = json.loads((out / "RESULTS.json").read_text("utf-8"))
    assert [part["failed"] for part in first["parts"].values()] == ["it ended with status 7", ""]
    # Mended, it is measured again, and the other is left alone.
    (folder / "bench_dies.py").write_text(HEAD.format("yield Figure('ratio', 1.0, 'x', 2.0)"))
    (folder / "bench_well.py").write_text(HEAD.format("os._exit(9)"))
    assert table.main([*given, "--resume"]) == 0
    then = json.loads((out / "RESULTS.json").read_text("utf-8"))
    assert then["parts"]["well"] == first["parts"]["well"]
    assert then["parts"]["dies"]["failed"] == ""
    assert "1 of 2 targets reached, 0 not measured." in (out / "RESULTS.md").read_text("utf-8")
    # With other sizes nothing can be kept.
    assert table.main(["--out", str(out), "--rows", "6", "--resume", "--only", "well"]) == 1
    assert table.main(["--only", "nothing"]) == 2


def test_the_quick_form_measures_the_real_thing(tmp_path: Path) -> None:
    assert table.main(["--quick", "--only", "linear", "--out", str(tmp_path)]) == 0
    results = json.loads((tmp_path / "RESULTS.json").read_text("utf-8"))
    found = {f["name"]: Figure(**f) for f in results["parts"]["linear"]["figures"]}
    assert {line for line, *_ in table.WANTED["linear"]} <= set(found)
    river = found["Linear, online scaling, 10 columns, against river"]
    assert river.value is not None
    assert river.value > 1.0
    assert river.own_right == river.peer_right
    assert results["machine"]["cores"]
    assert table.QUICK in (tmp_path / "RESULTS.md").read_text("utf-8")


def test_what_takes_long_is_smaller_unless_rows_are_given() -> None:
    read = table.parser().parse_args
    assert table.handed_on(read([]), "big") == ["--rows", str(table.ROWS["big"])]
    assert table.handed_on(read(["--rounds", "5"]), "engine") == ["--rounds", "5"]
    assert table.handed_on(read(["--rows", "7"]), "big") == ["--rows", "7"]
    assert table.handed_on(read(["--quick"]), "big") == ["--quick"]


def test_targets_are_least_or_greatest_values() -> None:
    assert Figure("a", 2.0, "x", 2.0).reached
    assert not Figure("a", 2.1, "ms", 2.0, at_most=True).reached
    assert Figure("a", 2.0, "x").reached is None
    assert missing("a", "no Java", target=3.0).reached is None
    assert figures.line(missing("a", "no Java")) == "a: not measured: no Java"


def test_ratios_are_those_of_turns() -> None:
    ones, others = iter([2.0, 30.0, 4.0]), iter([1.0, 10.0, 1.0])
    assert in_turn(lambda: next(ones), lambda: next(others), 3) == (4.0, 1.0, 3.0)


def test_a_replay_that_fails_loses_only_its_own_figures() -> None:
    import bench_engine

    run = dict.fromkeys(("rows", "rate", "start_up", "learning", "cpu", "peak_mb"), 2.0)
    one = list(bench_engine.told(1, True, [run, run | {"rate": 4.0}, run], None))
    assert [(f.name, f.value) for f in one] == [(bench_engine.name_of(1), 2.0)]
    eight = list(bench_engine.told(8, True, [run], "a replay ended with status 1"))
    assert [f.value for f in eight] == [None, None]
    assert eight[0].name == bench_engine.name_of(8) in {name for name, *_ in table.WANTED["engine"]}


def test_a_group_that_fails_is_told_and_the_next_goes_on() -> None:
    def breaks(options: Options) -> Iterator[Figure]:
        """What breaks."""
        yield Figure("before", 1.0, "x")
        raise ValueError("gone")

    def goes_on(options: Options) -> list[Figure]:
        return [Figure("after", 2.0, "x")]

    found = list(each(Options(), breaks, goes_on))
    assert [figure.name for figure in found] == ["before", "What breaks", "after"]
    assert found[1].note == "it failed: ValueError: gone"
