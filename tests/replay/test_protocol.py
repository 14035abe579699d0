from __future__ import annotations

import io
import struct
import typing

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from modellab.errors import LabError
from modellab.experiment import DataSpec, Experiment, LaneSpec, LearnerSpec, OnlinePolicy
from modellab.replay import data_protocol, growing_protocol, protocol
from modellab.replay.protocol import (
    Ack,
    AnyCommand,
    CurveDelta,
    Deploy,
    Intervene,
    JobDone,
    JobFailed,
    LaneNews,
    Play,
    Telemetry,
    pack,
    read_command,
    read_reply,
    unpack,
    write_frame,
)

EXPERIMENT = Experiment(
    data=DataSpec(path="a.csv", target="y"),
    lane=[LaneSpec("Online", OnlinePolicy(every=2), LearnerSpec("linear", None, {"alpha": 0.5}))],
)
LANE = LaneNews(
    name="Online", baseline=False, status="", error=0.25, cumulative=None, updates=3, retrains=0,
    redeploys=0, cpu_predict=0.1, cpu_learn=0.2, cpu_fit=0.0, model_bytes=80, cost=0.0,
    settings={"learning_rate": 0.1, "frozen": False}, rates=None,
    curves={"error": CurveDelta(1, 0, pack(np.arange(2)), pack(np.zeros(2)))},
)  # fmt: skip
TELEMETRY = Telemetry(
    sequence=1, state="playing", position=7, train_rows=5, stop=9, time_ns=None,
    rows_per_second=1.0, memory_mb=2.0, busy="", lanes=[LANE], parameters=None, events=[],
    events_from=0,
)  # fmt: skip


@pytest.mark.parametrize(
    "command",
    [
        Deploy(id=3, experiment=EXPERIMENT, session_dir="s", resume=True, position=12),
        Intervene(id=4, lane="Online", set={"learning_rate": 1e-3, "frozen": True, "k": "é"}),
        Play(id=5, mode="max"),
    ],
)
def test_commands_come_through_a_pipe_as_they_are(command: AnyCommand) -> None:
    stream = io.BytesIO()
    write_frame(stream, command)
    write_frame(stream, Play())
    stream.seek(0)
    assert read_command(stream) == command
    assert read_command(stream) == Play()
    assert read_command(stream) is None


@pytest.mark.parametrize(
    "reply",
    [
        Ack(id=1, position=5, error="no"),
        JobDone(id=2, result={"a": [1, None], "b": b"\0"}),
        JobFailed(id=3, sentence="No.", cancelled=True),
        TELEMETRY,
    ],
)
def test_replies_come_through_a_pipe_as_they_are(reply: protocol.AnyReply) -> None:
    stream = io.BytesIO()
    write_frame(stream, reply)
    stream.seek(0)
    assert read_reply(stream) == reply


def test_every_command_is_known_to_the_decoder() -> None:
    kinds = {
        kind
        for module in (protocol, data_protocol, growing_protocol)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, protocol.Command)
    }
    assert kinds - {protocol.Command} == set(typing.get_args(AnyCommand))


def test_a_cut_frame_is_the_end_and_a_huge_one_an_error() -> None:
    whole = io.BytesIO()
    write_frame(whole, Play())
    for length in range(len(whole.getvalue())):
        assert read_command(io.BytesIO(whole.getvalue()[:length])) is None
    huge = struct.pack(">I", protocol.MAX_FRAME + 1) + b"x"
    with pytest.raises(LabError, match="too large"):
        read_command(io.BytesIO(huge))
    with pytest.raises(msgspec.DecodeError):
        read_command(io.BytesIO(struct.pack(">I", 3) + b"abc"))


floats = hnp.arrays(np.float64, st.integers(0, 20))
ints = hnp.arrays(np.int64, st.integers(0, 20))


@given(floats, ints)
def test_arrays_keep_every_bit(numbers: np.ndarray, counts: np.ndarray) -> None:
    assert unpack(pack(numbers)).tobytes() == numbers.tobytes()
    np.testing.assert_array_equal(unpack(pack(counts), "i"), counts)
