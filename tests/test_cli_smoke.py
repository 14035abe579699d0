"""``modellab --smoke-test`` says where it fails; that it does the main job shows with the wheel."""

from __future__ import annotations

from pathlib import Path

import pytest

from modellab.cli import smoke, smoke_formats
from modellab.data.endings import READABLE
from modellab.errors import LabError
from modellab.experiment import LearnerSpec
from modellab.replay.protocol import Step


def test_a_failing_step_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails() -> str:
        raise ValueError("no such thing")

    steps = [("First", lambda: "done"), ("Second", fails), ("Third", lambda: "never")]
    monkeypatch.setattr(smoke, "_steps", lambda folder: iter(steps))
    with pytest.raises(LabError, match=r"The smoke test failed at “Second”.*no such thing"):
        smoke.smoke_test()
    assert capsys.readouterr().out.startswith("First:            done (")


def test_a_learner_that_was_left_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(smoke.BY_NAME, "river", "rules.NotThere")
    with pytest.raises(LabError, match="NotThere"):
        smoke.learners()


def test_every_kind_of_file_is_read(tmp_path: Path) -> None:
    assert smoke_formats.formats(tmp_path / "files") == "17 kinds of files read"
    endings = {path.suffix for path in (tmp_path / "files").iterdir()}
    # The rest of what can be read are other names for the same.
    same = {".tsv", ".txt", ".tab", ".ndjson", ".svmlight", ".svm", ".pq", ".arrows", ".ipc"}
    same |= {".xlsm", ".ods", ".sqlite3", ".db"}
    assert set(READABLE) - same <= endings


def test_a_kind_of_file_that_cannot_be_read_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(
        smoke_formats.WRITERS, "arff", lambda path: path.write_bytes(b"@relation t\n@data\n1\n")
    )
    with pytest.raises(LabError, match=r"table\.arff"):
        smoke_formats.formats(tmp_path / "files")


def test_a_file_read_with_other_rows_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(
        smoke_formats.WRITERS, "jsonl", lambda path: path.write_text('{"amount": 1}\n')
    )
    with pytest.raises(LabError, match=r"table\.jsonl was read as 1 rows"):
        smoke_formats.formats(tmp_path / "files")


def test_what_the_engine_refuses_fails_the_step(tmp_path: Path) -> None:
    job = smoke.MainJob(tmp_path)
    try:
        with pytest.raises(LabError, match="deployed"):
            job.replay()
        job.open()
        # A dead engine is told at once, not waited for.
        job.kill()
        with pytest.raises(LabError, match="engine"):
            job._engine.do(Step(rows=1))
    finally:
        job.close()


def test_every_kind_found_by_name_has_an_example() -> None:
    from modellab.learners.catalogue import BY_NAME

    assert set(smoke.BY_NAME) == set(BY_NAME)
    assert smoke._view(LearnerSpec("river", smoke.BY_NAME["river"])) == "dict"
