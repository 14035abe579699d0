from __future__ import annotations

import contextlib
import zipfile
from pathlib import Path

import pytest

from modellab.errors import ExperimentError, LabError
from modellab.experiment import (
    DataSpec,
    Experiment,
    Intervention,
    LaneSpec,
    LearnerSpec,
    StaticPolicy,
)
from modellab.export.mlab import extract_results, open_mlab, read_mlab, write_mlab
from modellab.paths import cache_dir

LANES = [LaneSpec("Static", StaticPolicy(), LearnerSpec("linear", None, {"alpha": 0.1}))]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "project" / "data" / "f.csv"
    path.parent.mkdir(parents=True)
    path.write_text("a,b\n1,2\n")
    return path


@pytest.fixture
def experiment(data: Path) -> Experiment:
    return Experiment(
        data=DataSpec(path=str(data), target="b"),
        lane=LANES,
        intervention=[Intervention(7, "Static", {"alpha": 0.2})],
    )


def test_all_of_it_comes_back(tmp_path: Path, data: Path, experiment: Experiment) -> None:
    results = tmp_path / "results"
    results.mkdir()
    (results / "summary.json").write_text("{}")
    (results / "events.jsonl").write_bytes(b"x" * 100_000)
    path = tmp_path / "project" / "x.mlab"
    write_mlab(path, experiment, results=results, thumbnail=b"PNG", fingerprint="abc")
    found = open_mlab(path)
    assert found.experiment == experiment
    assert found.results == ["events.jsonl", "summary.json"]
    assert found.thumbnail == b"PNG"
    assert found.manifest.fingerprint == "abc"
    assert found.missing == []
    out = extract_results(path, tmp_path / "out")
    assert [p.read_bytes() for p in out] == [b"x" * 100_000, b"{}"]
    assert sorted(p.name for p in path.parent.iterdir()) == ["data", "x.mlab"]


def test_equal_content_gives_equal_bytes(tmp_path: Path, experiment: Experiment) -> None:
    one, other = tmp_path / "one.mlab", tmp_path / "other.mlab"
    write_mlab(one, experiment, embed=True)
    write_mlab(other, experiment, embed=True)
    assert one.read_bytes() == other.read_bytes()


def test_data_are_found_where_the_project_was_moved_to(
    tmp_path: Path, data: Path, experiment: Experiment
) -> None:
    write_mlab(tmp_path / "project" / "x.mlab", experiment)
    (tmp_path / "project").rename(tmp_path / "moved")
    found = open_mlab(tmp_path / "moved" / "x.mlab")
    assert found.experiment.data.path == (tmp_path / "moved" / "data" / "f.csv").as_posix()


def test_data_are_found_where_they_were_when_the_file_was_moved(
    tmp_path: Path, data: Path, experiment: Experiment
) -> None:
    write_mlab(tmp_path / "project" / "x.mlab", experiment)
    (tmp_path / "far" / "away").mkdir(parents=True)
    moved = (tmp_path / "project" / "x.mlab").rename(tmp_path / "far" / "away" / "x.mlab")
    assert read_mlab(moved).data.path == data.as_posix()


def test_missing_data_are_told_and_all_else_is_there(
    tmp_path: Path, data: Path, experiment: Experiment
) -> None:
    path = tmp_path / "project" / "x.mlab"
    write_mlab(path, experiment, fingerprint="abc")
    data.unlink()
    found = open_mlab(path)
    assert found.missing == [data]
    assert found.manifest.files[0].size == 8
    assert found.experiment.lane == LANES


def test_embedded_data_are_used_when_the_file_is_gone(
    tmp_path: Path, data: Path, experiment: Experiment
) -> None:
    path = tmp_path / "project" / "x.mlab"
    write_mlab(path, experiment, embed=True)
    data.unlink()
    found = open_mlab(path)
    assert found.missing == []
    copy = Path(found.experiment.data.paths[0])
    assert copy.read_text() == "a,b\n1,2\n"
    assert copy.is_relative_to(cache_dir())
    assert copy.name == "f.csv"
    assert open_mlab(path).experiment == found.experiment


def test_two_files_of_one_name_are_embedded_apart(tmp_path: Path, data: Path) -> None:
    other = tmp_path / "other" / "f.csv"
    other.parent.mkdir()
    other.write_text("a,b\n3,4\n")
    experiment = Experiment(data=DataSpec(path=[str(data), str(other)], target="b"))
    write_mlab(tmp_path / "x.mlab", experiment, embed=True)
    data.unlink()
    other.unlink()
    texts = [Path(p).read_text() for p in read_mlab(tmp_path / "x.mlab").data.paths]
    assert texts == ["a,b\n1,2\n", "a,b\n3,4\n"]


def _zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


TOML = b'modellab = 1\n[data]\npath = "f.csv"\ntarget = "b"\n'


@pytest.mark.parametrize(
    "name", ["../evil", "results/../../evil", "/evil", "C:\\evil", "results\\evil"]
)
def test_a_path_outside_is_refused(tmp_path: Path, name: str) -> None:
    path = _zip(tmp_path / "x.mlab", {"experiment.toml": TOML, name: b"x"})
    with pytest.raises(ExperimentError, match="names a path outside itself"):
        open_mlab(path)


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({}, "holds no experiment"),
        ({"experiment.toml": b"\xff"}, "is damaged"),
        ({"experiment.toml": TOML.replace(b"target", b"targe")}, "did you mean data.target"),
        ({"experiment.toml": TOML, "data.json": b"{"}, "data.json cannot be read"),
        ({"experiment.toml": b"#" * (17 * 2**20)}, "is too large"),
        ({"experiment.toml": TOML, "thumbnail.png": bytes(17 * 2**20)}, "is too large"),
    ],
)
def test_what_is_wrong_inside_is_told(
    tmp_path: Path, members: dict[str, bytes], words: str
) -> None:
    with pytest.raises(ExperimentError, match=words):
        open_mlab(_zip(tmp_path / "x.mlab", members))


def test_files_that_are_no_archives(tmp_path: Path, experiment: Experiment) -> None:
    path = tmp_path / "x.mlab"
    with pytest.raises(ExperimentError, match="There is no file"):
        open_mlab(path)
    path.write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(ExperimentError, match="no Model Lab file"):
        open_mlab(path)
    with pytest.raises(LabError, match="cannot be written"):
        write_mlab(tmp_path / "no" / "x.mlab", experiment)


def test_every_flipped_byte_is_an_error_or_does_no_harm(
    tmp_path: Path, experiment: Experiment
) -> None:
    path = tmp_path / "x.mlab"
    write_mlab(path, experiment, embed=True)
    whole = path.read_bytes()
    for at in range(0, len(whole), 7):
        broken = bytearray(whole)
        broken[at] ^= 0x55
        path.write_bytes(bytes(broken))
        # Any other error fails the test.
        with contextlib.suppress(ExperimentError):
            open_mlab(path)


def test_a_part_of_a_file_is_found_and_embedded(tmp_path: Path) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.writestr("one.csv", "a,b\n1,2\n")
        archive.writestr("two.csv", "a,b\n3,4\n")
    place = folder / "a.zip::two.csv"
    experiment = Experiment(data=DataSpec(path=str(place), target="b"), lane=LANES)
    for name, embed in (("plain.mlab", False), ("whole.mlab", True)):
        write_mlab(folder / name, experiment, embed=embed)
        assert open_mlab(folder / name).missing == []
        assert read_mlab(folder / name).data.path == place.as_posix()
    (folder / "a.zip").unlink()
    assert open_mlab(folder / "plain.mlab").missing == [place]
    found = open_mlab(folder / "whole.mlab")
    assert found.missing == []
    assert found.experiment.data.path.endswith("a.zip::two.csv")  # type: ignore[union-attr]
    from modellab.data.opening import open_source

    assert [c.name for c in open_source(found.experiment.data.paths).columns] == ["a", "b"]


def test_patterns_and_folders_are_data_that_are_there(tmp_path: Path) -> None:
    from modellab.data.opening import names_data

    (tmp_path / "d").mkdir()
    assert names_data(tmp_path / "d")
    assert names_data(f"{tmp_path}/*/x.csv")
    assert not names_data(tmp_path / "gone.zip::x.csv")
    assert not names_data("x" * 5000)
    assert not names_data("a\0b")
