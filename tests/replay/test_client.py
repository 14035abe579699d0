"""The window's end of the engine process."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import msgspec
import pytest

from modellab.errors import LabError
from modellab.replay.client import EngineClient, EngineDied
from modellab.replay.process import worker_command, worker_environment
from modellab.replay.protocol import Ack, Pause, Telemetry


def test_a_killed_engine_is_told_once(engine: Any) -> None:
    client = engine.client
    assert client.alive
    assert engine.do(Pause()).error
    subprocess.run([sys.executable, "-c", f"import os; os.kill({client.pid}, 9)"], check=True)
    died = engine.wait(lambda: [a for a in engine.answers if isinstance(a, EngineDied)])
    assert len(died) == 1
    if sys.platform != "win32":
        assert died[0].exit_code == -9
        assert "SIGKILL" in died[0].sentence
    assert not client.alive
    assert client.exit_reason == died[0].sentence
    assert died[0].reason.startswith(died[0].sentence)
    # To send is no error; nothing more comes.
    assert client.send(Pause()) > 0
    client.stop()
    assert client.poll() == []


def test_an_asked_for_end_is_no_death() -> None:
    client = EngineClient()
    client.start()
    client.stop()
    client.stop()
    assert not client.alive
    assert client.exit_reason is None
    assert not any(isinstance(a, EngineDied) for a in client.poll())
    other = EngineClient()
    other.start()
    other.kill()
    other.kill()
    assert not other.alive
    assert other.poll() == []


def test_a_client_is_for_one_engine(engine: Any) -> None:
    with pytest.raises(LabError, match="make a new client"):
        engine.client.start()


def test_stopping_what_was_never_started_is_nothing() -> None:
    client = EngineClient()
    assert not client.alive
    assert client.pid is None
    assert client.poll() == []
    assert client.next_telemetry() is None
    client.stop()


def test_news_that_were_not_taken_yet_are_not_replaced_by_newer_ones() -> None:
    # The first tells all curves anew, the second only what changed since: both are needed.
    client = EngineClient()
    whole = Telemetry(
        sequence=1,
        state="playing",
        position=5,
        train_rows=5,
        stop=9,
        time_ns=None,
        rows_per_second=0.0,
        memory_mb=0.0,
        busy="",
        lanes=[],
        parameters=None,
        events=[],
        events_from=0,
        curves_reset=True,
    )
    change = msgspec.structs.replace(whole, sequence=2, position=7, curves_reset=False)
    client._take(whole)
    client._take(change)
    assert [client.next_telemetry() for _ in range(3)] == [whole, change, None]


def test_it_wakes_from_its_own_thread(engine: Any) -> None:
    threads = []
    client = EngineClient(lambda: threads.append(threading.current_thread()))
    client.start()
    try:
        number = client.send(Pause())
        client.send(Pause())
        found: list[Any] = []
        done = threading.Event()
        client._on_wake = done.set
        while not any(isinstance(a, Ack) and a.id == number for a in found):
            done.wait(20)
            done.clear()
            found += client.poll()
    finally:
        client.stop()
    assert threading.main_thread() not in threads


def test_the_client_is_cheap_to_import() -> None:
    code = (
        "import sys, modellab.replay.client\n"
        "heavy = {'pandas', 'sklearn', 'river', 'scipy', 'pyarrow', 'PySide6', 'rich', 'typer'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    ended = subprocess.run(
        [sys.executable, "-P", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=worker_environment(),
    )
    assert ended.stdout.strip() == "[]"


def test_what_libraries_print_cannot_get_between_the_frames() -> None:
    code = (
        "import os, ctypes\n"
        "from modellab.replay.process import frame_streams\n"
        "reader, writer = frame_streams()\n"
        "print('from Python'); os.write(1, b'from C')\n"
        "writer.write(reader.read(4) * 100_000)\n"
        "print('input:', repr(os.read(0, 5)))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-P", "-c", code],
        input=b"\x00\n\r\xff",
        capture_output=True,
        check=True,
        env=worker_environment(),
    )
    assert ended.stdout == b"\x00\n\r\xff" * 100_000
    assert b"from Python" in ended.stderr
    assert b"from C" in ended.stderr
    assert b"input: b''" in ended.stderr


def test_a_data_folder_cannot_shadow_a_module(tmp_path: Any) -> None:
    (tmp_path / "queue.py").write_text("raise SystemExit('shadowed')")
    (tmp_path / "msgspec.py").write_text("raise SystemExit('shadowed')")
    ended = subprocess.run(
        worker_command("engine"),
        input=b"",
        capture_output=True,
        cwd=tmp_path,
        env=worker_environment(),
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_only_known_workers_are_started(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="no worker"):
        worker_command("shell")
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert worker_command("engine") == [sys.executable, "--worker", "engine"]


def test_an_unknown_worker_ends_with_a_sentence() -> None:
    command = [*worker_command("engine")[:-1], "nobody"]
    ended = subprocess.run(
        command, capture_output=True, text=True, check=False, env=worker_environment()
    )
    assert ended.returncode == 2
    assert "no worker 'nobody'" in ended.stderr


def test_an_engine_that_talks_nonsense_is_ended_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """msgspec's errors are ValueErrors: they must not pass for a pipe that was closed."""
    from modellab.replay import client as module

    told = threading.Event()

    def nonsense(_stream: Any) -> Any:
        raise msgspec.ValidationError("Expected `float`, got `None`")

    monkeypatch.setattr(module, "read_reply", nonsense)
    client = EngineClient(told.set)
    client.start()
    try:
        assert told.wait(30)
        died = client.poll()[-1]
        assert isinstance(died, EngineDied)
        assert "cannot be understood" in died.sentence
    finally:
        client.stop()
