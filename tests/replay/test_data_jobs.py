"""Looks, samples, comparison and export asked of a real engine, through the protocol."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from modellab.data.compare import Comparison
from modellab.data.preview import Preview
from modellab.experiment import DataSpec, Experiment, ReadingSpec, SplitSpec
from modellab.replay import data_protocol as dp
from modellab.replay import protocol as p
from modellab.replay.client import EngineClient


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineClient]:
    patch = pytest.MonkeyPatch()
    patch.setenv("MODELLAB_HOME", str(tmp_path_factory.mktemp("home")))
    client = EngineClient()
    client.start()
    yield client
    client.stop()
    patch.undo()


def ended(engine: EngineClient, command: Any) -> Any:
    """What a job ended with."""
    import time

    number = engine.send(command)
    until = time.monotonic() + 120
    while time.monotonic() < until:
        for reply in engine.poll():
            if isinstance(reply, p.JobDone | p.JobFailed) and reply.id == number:
                return reply
        time.sleep(0.01)
    raise AssertionError("the job never ended")


def done(engine: EngineClient, command: Any, kind: Any) -> Any:
    reply = ended(engine, command)
    assert isinstance(reply, p.JobDone), reply
    return msgspec.convert(reply.result, kind)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "a.csv"
    rows = "".join(f"{k};{k % 7},5;{'yes' if k % 3 else 'no'}\n" for k in range(600))
    path.write_text("x;y;z\n" + rows + "bad\n")
    return path


def test_a_file_is_looked_at_and_read_as_told(engine: EngineClient, table: Path) -> None:
    seen = done(engine, dp.PreviewFile(path=str(table)), Preview)
    assert (seen.delimiter, seen.decimal, seen.seen, seen.bad_seen) == (";", ",", 600, 1)
    told = ReadingSpec(decimal=".", missing=["no"])
    opened = done(engine, p.OpenData(paths=[str(table)], reading=told), p.DataSummary)
    assert {c.name: c.kind for c in opened.columns}["y"] == "category"
    assert done(engine, dp.ListParts(path=str(table)), dp.PartsFound).parts is None
    head = done(engine, dp.PreviewPart(path=str(table), rows=1), dp.HeadPage)
    assert head.rows == [["0", "0,5", "no"]]
    failed = ended(engine, dp.PreviewPart(path=str(table.parent / "gone.csv")))
    assert failed.sentence.startswith("There is no file “gone.csv”")


def test_open_data_are_compared_and_exported(
    engine: EngineClient, table: Path, tmp_path: Path
) -> None:
    done(engine, p.OpenData(paths=[str(table)]), p.DataSummary)
    data = DataSpec(path=str(table), target="z")
    asked = dp.CompareColumns(experiment=Experiment(data=data, split=SplitSpec(train=200)))
    found = [msgspec.convert(c, Comparison) for c in done(engine, asked, dp.Compared).columns]
    assert {one.name: one.shifted for one in found} == {"x": True, "y": False, "z": False}
    out = tmp_path / "out.csv"
    export = dp.ExportData(path=str(out), bad_rows=True)
    assert done(engine, export, p.Written).files == ["out.csv", "out.bad_rows.csv"]
    assert out.read_text().splitlines()[:2] == ['"x","y","z"', "0,0.5,false"]
    refused = ended(engine, dp.ExportData(path=str(tmp_path / "out.doc")))
    assert "end its name in .parquet or .csv" in refused.sentence


def test_samples_come_as_experiments(engine: EngineClient) -> None:
    made = dp.MakeStream(kind="sea", rows=300, drift="abrupt", at=[150])
    experiment = done(engine, made, dp.SampleReady).experiment
    assert experiment.drift.known == [150]
    opened = done(engine, p.OpenData(paths=experiment.data.paths), p.DataSummary)
    assert opened.n_rows == 300
    experiment = done(engine, dp.FetchSample(sample="phishing"), dp.SampleReady).experiment
    assert experiment.data.target == "is_phishing"
    assert ended(engine, dp.FetchSample(sample="nothing")).sentence.startswith("There is no data")
