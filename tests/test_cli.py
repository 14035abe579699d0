"""The command line in processes of its own: what it prints, writes and returns."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from modellab import __version__
from modellab.experiment_file import load
from modellab.export.mlab import write_mlab
from modellab.paths import resources
from modellab.replay.process import worker_environment

COMMAND = [sys.executable, "-P", "-m", "modellab"]

EXPERIMENT = """\
modellab = 1
[data]
path = "flights.csv"
target = "late"
time = "time"
ignore = ["dep_delay", "arr_delay"]
[split]
train = 1000
[evaluation]
memory_set = { rows = 100, every = 1000 }
[[lane]]
name = "Static"
policy = "static"
learner = { kind = "logistic_regression", max_iter = 50 }
[[lane]]
name = "Online"
policy = "online"
learner = "linear"
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 3,000 flights and an experiment."""
    folder = tmp_path_factory.mktemp("project with a space")
    table = pq.read_table(resources() / "samples" / "flights.parquet").slice(0, 3000)
    pyarrow.csv.write_csv(table, folder / "flights.csv")
    (folder / "x.toml").write_text(EXPERIMENT)
    return folder


def run(*arguments: object, folder: Path, status: int = 0) -> subprocess.CompletedProcess[str]:
    ended = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**worker_environment(), "COLUMNS": "150"},
        check=False,
        timeout=120,
    )
    assert ended.returncode == status, (ended.stdout, ended.stderr)
    if status:
        assert "Traceback" not in ended.stderr
    else:
        assert not ended.stderr
    return ended


def sentence(ended: subprocess.CompletedProcess[str]) -> str:
    """The one sentence on standard error."""
    lines = ended.stderr.splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("modellab: ")
    return lines[0]


def test_help_and_version_load_nothing_heavy(tmp_path: Path) -> None:
    shown = run("--help", folder=tmp_path).stdout
    for word in ("open", "new", "run", "profile", "learners", "doctor", "FILE"):
        assert word in shown
    assert run("--version", folder=tmp_path).stdout == f"Model Lab {__version__}\n"
    code = (
        "import sys\nfrom modellab.cli import main\nmain(['--help'])\n"
        "heavy = {'numpy', 'pandas', 'sklearn', 'river', 'pyarrow', 'PySide6'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run(
        [sys.executable, "-c", code], check=True, env=worker_environment(), capture_output=True
    )


def test_run_prints_a_table_and_writes_the_results(project: Path) -> None:
    shown = run("run", "x.toml", "--out", "out 1", folder=project).stdout
    for word in ("Online", "Static", "Majority class", "2,000 rows replayed", "out 1"):
        assert word in shown
    summary = json.loads((project / "out 1" / "summary.json").read_text())
    assert [lane["name"] for lane in summary["lanes"]][:2] == ["Static", "Online"]
    assert summary["stream_rows"] == 2000
    assert not (project / "out 1" / "predictions.parquet").exists()


def test_run_tells_what_should_be_known_of_the_data(tmp_path: Path) -> None:
    rows = [f"2024-01-{1 + i % 28:02d},{i % 7},{'ab'[i % 2]}" for i in range(300)]
    (tmp_path / "x.csv").write_text("when,x,y\n" + "\n".join([*rows, "2024-02-01,1,a,2,3"]) + "\n")
    lines = [
        "[data]", 'path = "x.csv"', 'target = "y"', 'time = "when"', "[split]", "train = 0",
        "[[lane]]", 'name = "Static"', 'policy = "static"', 'learner = "naive_bayes"',
        "[[lane]]", 'name = "Weekly"', 'policy = { kind = "scheduled", every = 20 }',
        'learner = { kind = "logistic_regression", max_iter = 1 }',
        "[[intervention]]", "position = 999", 'lane = "Weekly"', "set = { every = 30 }",
    ]  # fmt: skip
    (tmp_path / "x.toml").write_text("\n".join(lines))
    shown = " ".join(run("run", "x.toml", folder=tmp_path).stdout.split())
    for words in (
        "Note: One row could not be read and was set aside.",
        "Note: Rows are not in order of time: row 28 is earlier than one before it, by “when”.",
        "Note: The intervention at row 999 was not made: the data have 300 rows.",
        "Lane “Static” at row 0: There is no training window, so this lane has no model",
        "Lane “Weekly” at row 20: Logistic regression",
    ):
        assert words in shown
    ordered = run("run", "x.toml", "--set", "data.sort=true", folder=tmp_path).stdout
    assert "not in order" not in ordered
    assert not run("run", "x.toml", "-q", folder=tmp_path).stdout


def test_json_is_all_that_is_printed(project: Path) -> None:
    printed = run(
        "run", "x.toml", "--json", "--set", "replay.limit=300",
        "--set", "lane.Online.learner.learning_rate=0.2", "--workers", 2, folder=project,
    ).stdout  # fmt: skip
    summary = json.loads(printed)
    assert summary["stream_rows"] == 300
    assert summary["lanes"][1]["learner"] == {"kind": "linear", "learning_rate": 0.2}


def test_quiet_says_nothing(project: Path) -> None:
    ended = run(
        "run", "x.toml", "-q", "--out", "quiet", "--predictions", "--set", "replay.limit=100",
        folder=project,
    )  # fmt: skip
    assert ended.stdout == ""
    assert pq.read_table(project / "quiet" / "predictions.parquet").num_rows == 400
    # A second run without them leaves none of the first one's behind.
    run("run", "x.toml", "-q", "--out", "quiet", "--set", "replay.limit=100", folder=project)
    assert not (project / "quiet" / "predictions.parquet").exists()


def test_default_lanes_can_be_set(project: Path) -> None:
    bare = project / "bare.toml"
    bare.write_text(EXPERIMENT.split("[[lane]]")[0])
    printed = run(
        "run", "bare.toml", "--json", "--set", "replay.limit=50",
        "--set", "lane.Online.learner.learning_rate=0.25", folder=project,
    ).stdout  # fmt: skip
    lanes = {lane["name"]: lane for lane in json.loads(printed)["lanes"]}
    assert lanes["Online"]["learner"]["learning_rate"] == 0.25
    assert len(lanes) == 7


def test_an_mlab_file_runs_too(project: Path) -> None:
    from modellab.experiment_paths import rebase

    path = project / "x.mlab"
    write_mlab(path, rebase(load(project / "x.toml"), project, None))
    printed = run("run", path, "--json", "--set", "replay.limit=20", folder=project).stdout
    assert json.loads(printed)["stream_rows"] == 20


WRONG = {
    "no command line": (["run"], 2, "EXPERIMENT"),
    "unknown option": (["run", "x.toml", "--outt", "y"], 2, "--outt"),
    "no file": (["run", "y.toml"], 2, "There is no file"),
    "unknown key": (["run", "x.toml", "--set", "replay.chunk_rowz=1"], 2, "replay.chunk_rows?"),
    "wrong value": (["run", "x.toml", "--set", "split.test=2.0"], 2, "split.test"),
    "no learner": (["run", "x.toml", "--set", "lane.Online.learner=linea"], 2, "linear"),
    "no data": (["run", "x.toml", "--set", "data.path=z.csv"], 1, "z.csv"),
    "no target": (["run", "x.toml", "--set", "data.target=lat"], 2, "late"),
    "no out": (["run", "x.toml", "--predictions"], 2, "--out"),
    "bad out": (["run", "x.toml", "--out", "x.toml"], 1, "x.toml"),
    "no column": (["new", "flights.csv", "--target", "lat"], 2, "late"),
    "no such command": (["rum", "x.toml"], 2, "Did you mean the command “run”?"),
    "no such file": (["flight.csv"], 2, "There is no file “flight.csv”."),
    "no such data": (["profile", "z.csv"], 1, "z.csv"),
    "no such sample": (["demo", "--out", "d", "--sample", "flight"], 1, "flights"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_told_in_one_sentence(project: Path, name: str) -> None:
    arguments, status, words = WRONG[name]
    ended = run(*arguments, folder=project, status=status)
    assert words in ended.stderr
    if "command line" not in name and "option" not in name:
        sentence(ended)


BAD_DATA = {
    "empty": b"",
    "header only": b"a,b,late\n",
    "binary": bytes(range(256)) * 64,
    "one class": b"a,late\n" + b"1,no\n" * 3000,
}


@pytest.mark.parametrize("name", BAD_DATA)
def test_bad_data_are_one_sentence(project: Path, name: str) -> None:
    (project / f"{name}.csv").write_bytes(BAD_DATA[name])
    data = f'data={{ path = "{name}.csv", target = "late" }}'
    ended = run("run", "x.toml", "--set", data, folder=project, status=1)
    assert "mistake" not in sentence(ended)


def test_debug_shows_the_place(project: Path) -> None:
    ended = subprocess.run(
        [*COMMAND, "run", "x.toml", "--set", "data.path=z.csv", "--debug"],
        capture_output=True,
        text=True,
        cwd=project,
        env=worker_environment(),
        check=False,
    )
    assert ended.returncode == 1
    assert "Traceback" in ended.stderr


def test_new_writes_an_experiment_that_runs(project: Path) -> None:
    shown = run(
        "new", "flights.csv", "--target", "late", "--time", "time", "--train", "0.5",
        "-o", "made.toml", folder=project,
    ).stdout  # fmt: skip
    assert "made.toml" in shown
    made = load(project / "made.toml")
    assert (made.data.path, made.data.target, made.data.time) == ("flights.csv", "late", "time")
    assert made.split.train == 0.5
    assert made.data.kinds["carrier"] == "category"
    assert [lane.name for lane in made.lane] == [
        "Static",
        "Retrained",
        "On alarm",
        "Online",
        "Online tree",
    ]
    again = run("new", "flights.csv", "--target", "late", "-o", "made.toml", folder=project,
                status=1)  # fmt: skip
    assert "--force" in sentence(again)
    run("run", "made.toml", "-q", "--set", "replay.limit=20", folder=project)
    printed = run("new", "flights.csv", "--target", "late", "-o", "-", folder=project).stdout
    assert printed.startswith("modellab = 1\n")


def test_new_leaves_numbered_classes_classes(tmp_path: Path) -> None:
    """0, 1, 2 as a target are classes until somebody writes that they are numbers."""
    rows = "".join(f"{i % 7},{i % 3},{i * 0.37:.2f}\n" for i in range(300))
    (tmp_path / "x.csv").write_text("a,digit,price\n" + rows)
    shown = run("new", "x.csv", "--target", "digit", "-o", "digit.toml", folder=tmp_path).stdout
    assert "classification of “digit”" in shown
    assert load(tmp_path / "digit.toml").data.kinds == {"a": "number", "price": "number"}
    shown = run("new", "x.csv", "--target", "price", "-o", "price.toml", folder=tmp_path).stdout
    assert "regression of “price”" in shown
    assert load(tmp_path / "price.toml").data.kinds["price"] == "number"


def test_profile(project: Path) -> None:
    shown = run("profile", "flights.csv", folder=project).stdout
    for word in ("3,000 rows", "carrier", "category", "wind_gust"):
        assert word in shown
    told = json.loads(run("profile", "flights.csv", "--json", folder=project).stdout)
    assert told["rows"] == 3000
    assert len(told["columns"]) == 20
    assert told["time"] == "time"


def test_a_name_with_markup_is_only_text(project: Path) -> None:
    path = project / "odd.csv"
    path.write_text("[red]x[/red],[link=file:///]y,\x1b[31mz\n" + "1,a,2\n3,b,4\n" * 50)
    shown = run("profile", "odd.csv", folder=project).stdout
    assert "[red]x[/red]" in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_pipe_gets_utf8_whatever_the_system_is_used_to(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "x.csv").write_text("größe,日本\n" + "1.5,ж\n2.5,я\n" * 30, encoding="utf-8")
    for arguments in (
        ["profile", "x.csv"],
        ["profile", "x.csv", "--json"],
        ["new", "x.csv", "--target", "日本", "-o", "-"],
    ):
        ended = subprocess.run(
            [*COMMAND, *arguments],
            capture_output=True,
            cwd=tmp_path,
            env={**worker_environment(), "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
            check=True,
            timeout=120,
        )
        assert "größe" in ended.stdout.decode("utf-8")


def test_learners(project: Path) -> None:
    shown = run("learners", folder=project).stdout
    for word in ("logistic_regression", "random_forest", "linear", "learning_rate"):
        assert word in shown
    told = json.loads(run("learners", "--json", folder=project).stdout)
    assert {"name", "tasks", "online", "parameters"} <= set(told[0])


def test_doctor(project: Path, modellab_home: Path) -> None:
    shown = subprocess.run(
        [*COMMAND, "doctor"],
        capture_output=True,
        text=True,
        cwd=project,
        env={**worker_environment(), "COLUMNS": "200"},
        check=False,
    )
    for word in (__version__, "numpy", "Cores", "Memory", "Compiled", str(modellab_home)):
        assert word in shown.stdout
    # 1 only where something is marked.
    assert shown.returncode == (1 if "!" in shown.stdout else 0)


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals there")
def test_ctrl_c_writes_what_was_done_so_far(project: Path) -> None:
    long = project / "long.toml"
    text = EXPERIMENT.replace('time = "time"\n', "")
    long.write_text(text.replace("flights.csv", _many(project)))
    process = subprocess.Popen(
        [*COMMAND, "run", "long.toml", "--out", "cut", "--predictions"],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=worker_environment(),
    )
    # The first predictions tell that the replay goes on.
    written = project / "cut" / "predictions.parquet"
    end = time.monotonic() + 60
    while not (written.exists() and written.stat().st_size > 1000):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Interrupted at row" in errors
    assert "Traceback" not in errors
    summary = json.loads((project / "cut" / "summary.json").read_text())
    assert summary["interrupted"] is True
    assert 0 < summary["stream_rows"] < 200_000
    assert (project / "cut" / "history.parquet").exists()


def _many(folder: Path) -> str:
    """A file of many rows: the same flights over and over, without their times."""
    path = folder / "many.csv"
    lines = (folder / "flights.csv").read_text().splitlines()
    path.write_text("\n".join([lines[0], *lines[1:] * 70]) + "\n")
    return path.name


def test_a_closed_pipe_is_no_failure(project: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "learners", "--json"],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=worker_environment(),
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        errors = process.stderr.read()
        assert process.wait(60) == 0
        assert errors == b""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere there is always one")
def test_without_a_display_there_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    from modellab.cli import main

    assert main([]) == 1
    assert "no display to open the window on" in capsys.readouterr().err


def test_main_takes_arguments(capsys: Any) -> None:
    from modellab.cli import main

    assert main(["--version"]) == 0
    assert __version__ in capsys.readouterr().out


def test_options_may_stand_between_files_and_names_begin_with_a_dash(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from modellab.cli import main, window

    asked: list[tuple[list[str], str | None]] = []

    def opened(files: list[Path], *, theme: str | None, **_rest: object) -> int:
        asked.append(([str(file) for file in files], theme))
        return 0

    monkeypatch.setattr(window, "open_in_window", opened)
    assert main(["a.csv", "--theme", "dark", "b.csv"]) == 0
    assert main(["open", "--theme", "light", "--", "-odd.csv"]) == 0
    assert main(["open", "--theme", "pink"]) == 2
    assert asked == [(["a.csv", "b.csv"], "dark"), (["-odd.csv"], "light")]


def test_a_number_out_of_its_range_is_refused(capsys: Any) -> None:
    from modellab.cli import main

    assert main(["run", "x.toml", "--workers", "0"]) == 2
    assert "0 is not from 1 to 256" in capsys.readouterr().err
