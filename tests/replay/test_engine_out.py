"""Answers and jobs: one whole frame after another, each job answered once."""

from __future__ import annotations

import io
import threading
from typing import Any

import msgspec
import numpy as np
import pytest

from modellab.errors import Cancelled, DataError
from modellab.replay.engine_out import Job, Outbox
from modellab.replay.protocol import JobDone, JobFailed, JobProgress, read_reply


class Result(msgspec.Struct):
    number: Any
    rows: Any
    raw: bytes = b"\0"


class Case:
    """A job and what it sent."""

    def __init__(self) -> None:
        self.stream = io.BytesIO()
        self.ended: list[int] = []
        self.job = Job(7, Outbox(self.stream), self.ended.append)

    def sent(self) -> list[Any]:
        self.stream.seek(0)
        found = []
        while (reply := read_reply(self.stream)) is not None:
            found.append(reply)
        return found


@pytest.fixture
def case() -> Case:
    return Case()


def test_a_result_goes_out_as_plain_values(case: Case) -> None:
    case.job.run(lambda _: Result(np.float64(0.5), np.arange(3)))
    assert case.sent() == [JobDone(id=7, result={"number": 0.5, "rows": [0, 1, 2], "raw": b"\0"})]
    assert case.ended == [7]


def test_no_result_is_an_empty_one(case: Case) -> None:
    case.job.run(lambda _: None)
    assert case.sent() == [JobDone(id=7, result={})]


def test_what_went_wrong_is_one_sentence(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    def work(_: Job) -> None:
        raise DataError("The file is empty.", detail="byte 0")

    case.job.run(work)
    assert case.sent() == [JobFailed(id=7, sentence="The file is empty.", detail="byte 0")]
    assert "byte 0" in capsys.readouterr().err


def test_a_sentence_that_says_it_all_comes_without_a_trace(
    case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    def work(_: Job) -> None:
        raise DataError("The file is empty.")

    case.job.run(work)
    assert case.sent() == [JobFailed(id=7, sentence="The file is empty.", detail="")]
    assert "Traceback" in capsys.readouterr().err


def test_a_mistake_of_ours_is_told_as_such(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    case.job.run(lambda _: 1 // 0)  # type: ignore[func-returns-value,arg-type,return-value]
    (failed,) = case.sent()
    assert "ZeroDivisionError" in failed.sentence
    assert "Traceback" in failed.detail
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "not enough memory"),
        (PermissionError(13, "Permission denied", "a.csv"), "Permission denied (“a.csv”)"),
    ],
)
def test_the_systems_errors_are_sentences(
    case: Case, capsys: pytest.CaptureFixture[str], error: Exception, words: str
) -> None:
    def work(_: Job) -> None:
        raise error

    case.job.run(work)
    assert words in case.sent()[0].sentence
    capsys.readouterr()


def test_given_up_it_is_answered_at_once_and_only_once(case: Case) -> None:
    acted: list[bool] = []
    case.job.on_cancel = lambda: acted.append(True)

    def work(job: Job) -> None:
        job.progress(1, 10, "Reading")
        job.cancel()
        assert len(case.sent()) == 2
        case.stream.seek(0, io.SEEK_END)
        job.progress(2, 10)

    case.job.run(work)
    progress, failed = case.sent()
    assert progress == JobProgress(id=7, done=1, total=10, text="Reading")
    assert failed == JobFailed(id=7, sentence="Cancelled.", cancelled=True)
    assert acted == [True]
    assert case.ended == [7]


def test_what_must_be_taken_back_is_answered_after_that(case: Case) -> None:
    case.job.at_once = False

    def work(job: Job) -> None:
        job.cancel()
        assert case.sent() == []
        with pytest.raises(Cancelled):
            job.progress(1, 2)
        raise Cancelled

    case.job.run(work)
    assert [type(reply) for reply in case.sent()] == [JobFailed]


def test_given_up_before_it_began_nothing_is_done(case: Case) -> None:
    case.job.cancel()
    case.job.run(lambda _: pytest.fail("the work was begun"))
    assert len(case.sent()) == 1


def test_progress_comes_at_a_screens_rate(case: Case) -> None:
    def work(job: Job) -> None:
        for done in range(100_000):
            job.progress(done, 100_000, "Counting")

    case.job.run(work)
    sent = case.sent()
    assert isinstance(sent[-1], JobDone)
    # 30 a second, over the second or so that it takes.
    assert 1 <= len(sent) - 1 < 300


def test_frames_of_many_threads_stay_whole() -> None:
    stream = io.BytesIO()
    outbox = Outbox(stream)

    def talk(number: int) -> None:
        for _ in range(200):
            outbox.ack(number, error="x" * number)

    threads = [threading.Thread(target=talk, args=(n,)) for n in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stream.seek(0)
    count = 0
    while (reply := read_reply(stream)) is not None:
        assert reply.error == "x" * reply.id  # type: ignore[union-attr]
        count += 1
    assert count == 1600
