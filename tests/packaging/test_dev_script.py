"""The development script: what each command starts, and what it says when it cannot."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import dev
import setup_env

SCRIPT = Path(dev.__file__)
CHECK = SCRIPT.parent.parent / ".ci" / "run"


def fail_with(code: int) -> list[str]:
    return [sys.executable, "-c", f"raise SystemExit({code})"]


@pytest.mark.parametrize(
    "command", ["setup", "run", "test", "lint", "bench", "shots", "installer", "frozen", "lock"]
)
def test_every_command_is_known(command: str) -> None:
    assert callable(dev.parser().parse_args([command]).do)


@pytest.mark.skipif(os.name == "nt" or not CHECK.exists(), reason="a shell script of ours")
@pytest.mark.parametrize(
    ("tests", "frozen", "status"), [(0, 0, 0), (1, 0, 1), (0, 1, 1), (1, 1, 1)]
)
def test_the_whole_check_tests_and_tries_the_frozen_program(
    tmp_path: Path, tests: int, frozen: int, status: int
) -> None:
    called = tmp_path / "called"
    python = tmp_path / "bin" / "python3"
    python.parent.mkdir()
    python.write_text(
        f'#!/bin/sh\necho "$@" >> "{called}"\n'
        f'case "$2" in test) exit {tests};; frozen) exit {frozen};; esac\nexit 9\n'
    )
    python.chmod(0o755)
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run([CHECK], env={**os.environ, "PATH": path}, check=False)
    assert done.returncode == status
    # The frozen program is tried whatever the tests said.
    assert called.read_text() == "packaging/dev.py test\npackaging/dev.py frozen\n"


def test_no_command_says_how(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        dev.main([])
    assert stopped.value.code == 2
    assert "COMMAND" in capsys.readouterr().err


def test_pytest_arguments_pass_through() -> None:
    parsed = dev.parser().parse_args(["test", "tests/data", "-k", "one or two", "-x"])
    assert parsed.pytest == ["tests/data", "-k", "one or two", "-x"]


def test_tests_use_every_core_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    spread = ["-n", "2", "--dist", "worksteal"]
    assert dev.side_by_side([]) == spread
    assert dev.side_by_side(["tests/data", "-x"]) == [*spread, "tests/data", "-x"]
    for alone in (["-n0"], ["-n", "1"], ["--pdb"], ["-k", "a", "-s"], ["-p", "no:xdist"]):
        assert dev.side_by_side(alone) == alone
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    assert dev.side_by_side([]) == []


def test_options_of_the_benchmarks_are_handed_on() -> None:
    def handed(*given: str) -> list[str]:
        return dev.bench_options(dev.parser().parse_args(["bench", *given]))

    assert handed() == handed("linear") == []
    assert handed("--rows", "5", "--only", "trees", "engine", "--quick") == [
        "--quick", "--rows", "5", "--only", "trees", "engine",
    ]  # fmt: skip
    assert handed("--resume", "--peers", "--out", "here") == [
        "--resume",
        "--peers",
        "--out",
        "here",
    ]


def test_run_opens_the_sample_or_the_files() -> None:
    start = ["py", "-m", "modellab"]
    sample = ["--sample", "flights", "--page", "deploy"]
    assert dev.run_command("py", True, []) == start + sample
    assert dev.run_command("py", True, ["a.csv"]) == [*start, "a.csv"]


def test_run_without_a_display_replays_or_profiles() -> None:
    demo = dev.run_command("py", False, [])
    assert demo[:5] == ["py", "-m", "modellab", "demo", "--out"]
    assert Path(demo[5]).is_absolute()
    assert dev.run_command("py", False, ["x.TOML"])[3:] == ["run", "x.TOML"]
    assert dev.run_command("py", False, ["x.csv"])[3:] == ["profile", "x.csv"]


linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux displays")


@pytest.fixture
def no_display(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@linux
def test_a_display_must_answer(no_display: pytest.MonkeyPatch) -> None:
    assert not dev.has_display()
    no_display.setenv("DISPLAY", ":64321")  # nobody listens there
    assert not dev.has_display()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind("\0/tmp/.X11-unix/X64321")
        server.listen()
        assert dev.has_display()
        no_display.setenv("DISPLAY", ":64321.0")
        assert dev.has_display()
        no_display.setenv("QT_QPA_PLATFORM", "offscreen")
        assert not dev.has_display()


@linux
def test_wayland_needs_its_socket(no_display: pytest.MonkeyPatch, tmp_path: Path) -> None:
    no_display.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    no_display.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert not dev.has_display()
    (tmp_path / "wayland-0").touch()
    assert dev.has_display()


def test_all_steps_run_and_any_failure_counts(capfd: pytest.CaptureFixture[str]) -> None:
    steps = [("first", fail_with(0)), ("second", fail_with(3)), ("third", fail_with(0))]
    assert dev.run_steps(steps) == 1
    summary = capfd.readouterr().out.split("== summary")[1]
    assert [line.split()[:2] for line in summary.strip().splitlines()] == [
        ["ok", "first"],
        ["FAILED", "second"],
        ["ok", "third"],
    ]
    assert dev.run_steps(steps[:1]) == 0


def test_a_sentence_and_status_1_when_set_up_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    monkeypatch.setenv("MODELLAB_VENV", str(tmp_path))
    monkeypatch.setattr(setup_env, "provide", lambda needs, required: [])
    assert dev.main(["setup"]) == 1
    error = capsys.readouterr().err
    assert "is not a virtual environment" in error
    assert "MODELLAB_VENV" in error
    assert (tmp_path / "thesis.txt").read_text() == "precious"


def test_an_old_python_is_told_in_one_sentence() -> None:
    code = (
        "import runpy, sys; sys.version_info = (3, 9, 18); "
        f"runpy.run_path({str(SCRIPT)!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("Model Lab needs Python 3.11 or later; this is 3.9.")
    assert "Traceback" not in done.stderr


def test_children_may_keep_compiled_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("PYTHONPATH", "somewhere")
    env = setup_env.child_environment(QT_QPA_PLATFORM="offscreen")
    assert not {"PYTHONDONTWRITEBYTECODE", "PYTHONPATH"} & set(env)
    assert env["QT_QPA_PLATFORM"] == "offscreen"
    assert env["PATH"] == os.environ["PATH"]


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (
            "  Downloading pyarrow-26.0.1-cp311-cp311-manylinux_2_28_x86_64.whl (55.0 MB)\n",
            "  pyarrow 26.0.1 (55.0 MB)",
        ),
        (
            "  Using cached numpy-2.4.6-cp311-cp311-win_amd64.whl (12.1 MB)\n",
            "  numpy 2.4.6 (12.1 MB)",
        ),
        ("  Downloading numpy-2.4.6-cp311-cp311-win_amd64.whl.metadata (6.6 kB)\n", None),
        ("  Downloading pluggy-1.7.0-py3-none-any.whl (20 kB)\n", None),
        ("Installing collected packages: a, b, c, d, e, f, g\n", "  unpacking ..."),
        ("Requirement already satisfied: pip\n", None),
    ],
)
def test_only_what_takes_time_is_shown(line: str, shown: str | None) -> None:
    assert setup_env.progress_line(line) == shown


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("THESE PACKAGES DO NOT MATCH THE HASHES FROM", "not the pinned one"),
        ("ConnectTimeoutError(...): Max retries exceeded", "could not be reached"),
        ("error: command '/usr/bin/gcc' failed with exit code 1", "C compiler failed"),
        ("ERROR: No matching distribution found for numpy==2.4.6", "no pinned build"),
    ],
)
def test_pip_is_put_into_words(text: str, words: str) -> None:
    assert words in setup_env.explain_pip(text)


def test_unknown_trouble_is_not_guessed() -> None:
    assert setup_env.explain_pip("something new") == ""
