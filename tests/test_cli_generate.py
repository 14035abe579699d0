"""``modellab generate``: a made stream that is played and scored from its own files."""

from __future__ import annotations

from pathlib import Path

import pytest

from modellab.cli import main as command_line
from modellab.cli.generate import generate
from modellab.data.synthetic import StreamSpec, stream_of
from modellab.errors import LabError
from modellab.experiment_file import load
from modellab.replay.run import run_experiment


def make(folder: Path, **changes: object) -> Path:
    given = {
        "rows": 3000, "drift": "abrupt", "at": "1500", "width": None, "noise": 0.05, "seed": 3,
        "output": folder / "a.parquet", "force": False,
    }  # fmt: skip
    generate("sea", **{**given, **changes})  # type: ignore[arg-type]
    return folder / "a.parquet"


def test_it_is_played_and_its_drift_is_known(tmp_path: Path) -> None:
    path = make(tmp_path)
    assert stream_of(path) == StreamSpec("sea", 3000, "abrupt", (1500,), 300, 0.05, 3)
    experiment = load(tmp_path / "a.toml")
    assert experiment.drift.known == [1500]
    assert experiment.data.path == "a.parquet"
    result = run_experiment(experiment, base=tmp_path)
    assert (result.rows, result.train_rows) == (3000, 600)


def test_what_is_there_is_not_replaced_unasked(tmp_path: Path) -> None:
    path = make(tmp_path)
    before = path.read_bytes()
    with pytest.raises(LabError, match="is there already"):
        make(tmp_path, seed=4)
    assert path.read_bytes() == before
    make(tmp_path, seed=4, force=True)
    assert path.read_bytes() != before


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"drift": "sudden"}, "one of none, abrupt"),
        ({"at": "a,b"}, "separated by commas"),
        ({"at": "9000"}, "inside the stream"),
        ({"output": Path("a.csv")}, "must end in .parquet"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, changes: dict[str, object], told: str) -> None:
    with pytest.raises(LabError, match=told):
        make(tmp_path, **changes)


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command_line(["generate", "stagger", "--rows", "500", "--drift", "recurring"]) == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "stagger-recurring.parquet",
        "stagger-recurring.toml",
    ]
    assert "500 rows of STAGGER" in capsys.readouterr().out


def test_every_command_is_known_as_one(tmp_path: Path) -> None:
    from modellab.cli import COMMANDS, main

    expected = {"open", "new", "run", "generate", "export", "verdict", "profile", "learners"}
    assert expected <= set(COMMANDS)
    place = tmp_path / "s.parquet"
    assert main(["generate", "sea", "--rows", "200", "-o", str(place)]) == 0
    assert place.is_file()
