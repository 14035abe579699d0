from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modellab.errors import ExperimentError
from modellab.experiment import (
    DataSpec,
    EvaluationSpec,
    Experiment,
    Intervention,
    LaneSpec,
    LearnerSpec,
    MemorySet,
    OnlinePolicy,
    ReplaySpec,
    ScheduledPolicy,
    SplitSpec,
    StaticPolicy,
)
from modellab.experiment_file import dump, load, loads, save, set_value
from modellab.experiment_paths import data_paths, rebase, with_data

TEXT = """\
modellab = 1
baselines = false

[data]
path = ["a.csv", "b.csv"]
target = "late"
time = "time_hour"
ignore = ["tailnum"]
kinds = { flight = "category" }

[split]
train = 2013-03-01T00:00:00Z

[evaluation]
window = 500
label_delay = "2h"
memory_set = { rows = 100, every = 50 }

[[lane]]
name = "Static"
policy = "static"
learner = "logistic_regression"

[[lane]]
name = "Weekly v1.5"
policy = { kind = "scheduled", every = "7d", keep = 2000 }
learner = { kind = "logistic_regression", C = 2.0 }

[[lane]]
name = "Tree"
learner = { kind = "river", class = "tree.HoeffdingTreeClassifier", grace_period = 50 }
[lane.policy]
kind = "online"
every = 3

[[intervention]]
position = 40
lane = "Tree"
set = { every = 1 }

[[intervention]]
position = 40
lane = "Tree"
fork = "Tree 2"
"""


def test_reads_every_form() -> None:
    experiment = loads(TEXT)
    assert experiment.data == DataSpec(
        path=["a.csv", "b.csv"],
        target="late",
        time="time_hour",
        ignore=["tailnum"],
        kinds={"flight": "category"},
    )
    assert experiment.baselines is False
    assert experiment.split.train == "2013-03-01T00:00:00+00:00"
    assert experiment.evaluation == EvaluationSpec(
        window=500, label_delay="2h", memory_set=MemorySet(100, 50)
    )
    assert experiment.lane == [
        LaneSpec("Static", StaticPolicy(), LearnerSpec("logistic_regression")),
        LaneSpec(
            "Weekly v1.5",
            ScheduledPolicy(every="7d", keep=2000),
            LearnerSpec("logistic_regression", None, {"C": 2.0}),
        ),
        LaneSpec(
            "Tree",
            OnlinePolicy(every=3),
            LearnerSpec("river", "tree.HoeffdingTreeClassifier", {"grace_period": 50}),
        ),
    ]
    assert experiment.intervention == [
        Intervention(40, "Tree", {"every": 1}),
        Intervention(40, "Tree", fork="Tree 2"),
    ]


def test_what_is_written_is_read_again_and_written_the_same() -> None:
    text = dump(loads(TEXT))
    assert dump(loads(text)) == text
    assert loads(text) == loads(TEXT)
    # The short and inline forms of the contract.
    assert 'policy = "static"' in text
    assert 'class = "tree.HoeffdingTreeClassifier"' in text
    assert "memory_set = { rows = 100, every = 50 }" in text


names = st.text(min_size=1, max_size=20).filter(str.strip)
scalars = st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | st.text(max_size=20)
keys = st.text(min_size=1, max_size=12).filter(lambda key: key not in ("kind", "class"))
learners = st.builds(
    LearnerSpec, kind=names, class_name=st.none() | names, params=st.dictionaries(keys, scalars)
)
policies = (
    st.builds(StaticPolicy)
    | st.builds(
        ScheduledPolicy,
        every=st.integers(1, 10**6) | st.just("1d 2h"),
        keep=st.just("all") | st.integers(1, 10**6),
    )
    | st.builds(OnlinePolicy, st.integers(1, 100), st.integers(1, 100), st.booleans())
)


@st.composite
def experiments(draw: st.DrawFn) -> Experiment:
    lanes = draw(
        st.lists(
            st.builds(LaneSpec, name=names, policy=policies, learner=learners),
            max_size=3,
            unique_by=lambda lane: lane.name,
        )
    )
    entries = []
    if lanes:
        lane = st.sampled_from([lane.name for lane in lanes])
        changes = st.dictionaries(keys, scalars, min_size=1)
        entries = draw(
            st.lists(st.builds(Intervention, st.integers(0, 99), lane, changes), max_size=3)
        )
    path, target = draw(names | st.lists(names, min_size=1, max_size=3)), draw(names)
    return Experiment(
        data=DataSpec(
            path=path, target=target, kinds=draw(st.dictionaries(names, st.just("text")))
        ),
        baselines=draw(st.booleans()),
        split=SplitSpec(train=draw(st.integers(0, 10**6) | st.floats(0.0, 0.99))),
        replay=ReplaySpec(chunk_rows=draw(st.integers(1, 10**6)), seed=draw(st.integers(0, 9))),
        lane=lanes,
        intervention=sorted(entries, key=lambda entry: entry.position),
    )


@given(experiments())
def test_any_experiment_survives_a_file(experiment: Experiment) -> None:
    assert loads(dump(experiment)) == experiment


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            "window = 500",
            "windw = 500",
            "evaluation.windw (line 15) is not known; did you mean evaluation.window?",
        ),
        (
            "window = 500",
            'window = "x"',
            "evaluation.window (line 15) is “x”, but must be a whole number.",
        ),
        (
            "window = 500",
            "chunk_rows = 5",
            "evaluation.chunk_rows (line 15) is not known; did you mean replay.chunk_rows?",
        ),
        (
            "rows = 100",
            "rowz = 100",
            "evaluation.memory_set.rowz (line 17) is not known; "
            "did you mean evaluation.memory_set.rows?",
        ),
        (
            "every = 3",
            "evry = 3",
            "lane.Tree.policy.evry (line 34) is not known; did you mean lane.Tree.policy.every?",
        ),
        (
            'policy = "static"',
            'policy = "statik"',
            "lane.Static.policy.kind (line 21) is “statik”, "
            "but must be one of static, scheduled, triggered, cost_aware, online, "
            "out_of_core, champion, hindsight.",
        ),
        (
            'flight = "category"',
            'flight = "colour"',
            "data.kinds.flight (line 9) is “colour”, but must be one of "
            "number, category, text, time, boolean.",
        ),
        ("[split]", "[splits]", "splits (line 11) is not known; did you mean split?"),
        (
            "modellab = 1",
            "modellab = 2",
            "modellab (line 1) is 2, and this Model Lab reads format 1: "
            "open the file with a newer Model Lab.",
        ),
        ('target = "late"', "", "data.target is missing."),
        ('name = "Tree"', 'name = "Static"', "Two lanes are called “Static”."),
        ("C = 2.0", "C = [1]", "lane.Weekly v1.5.learner.C (line 27) is a list, but must be a "
         "number, a text, true or false."),
        ('lane = "Tree"\nset', 'lane = "Bush"\nset', "An intervention at row 40 names lane “Bush”, "
         "which the experiment does not have."),
    ],
)  # fmt: skip
def test_wrong_files_give_one_sentence(old: str, new: str, sentence: str) -> None:
    assert old in TEXT
    with pytest.raises(ExperimentError) as caught:
        loads(TEXT.replace(old, new, 1))
    assert caught.value.sentence == sentence


def test_broken_toml_names_the_place(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text('modellab = 1\n[data]\npath "a"\n')
    with pytest.raises(ExperimentError, match=r"“x.toml”: This is not valid TOML: .*line 3"):
        load(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff\xfe\x00", "not text in UTF-8"),
        (b"x = " + b"[" * 5000, "not valid TOML"),
        (b"", "data"),
    ],
)
def test_files_that_are_no_experiments(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(content)
    with pytest.raises(ExperimentError, match=words):
        load(path)
    with pytest.raises(ExperimentError, match="There is no file"):
        load(tmp_path / "y.toml")


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(b"\xef\xbb\xbf" + TEXT.encode())
    assert load(path) == loads(TEXT)


def test_saving_replaces_the_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text("old")
    save(loads(TEXT), path)
    assert load(path) == loads(TEXT)
    assert [p.name for p in tmp_path.iterdir()] == ["x.toml"]
    with pytest.raises(ExperimentError, match="cannot be written"):
        save(loads(TEXT), tmp_path / "no folder" / "x.toml")


def test_set_value_reaches_every_place() -> None:
    experiment = loads(TEXT)
    for text in (
        "replay.chunk_rows=100",
        "evaluation.memory_set.rows = 7",
        "lane.Tree.policy.every=9",
        "lane.Weekly v1.5.learner.C=0.5",
        "lane.Static.learner.max_iter=50",
        "data.kinds.dest=text",
        "split.train=2013-04-01",
        'lane.Static.policy={ kind = "online", batch = 4 }',
    ):
        experiment = set_value(experiment, text)
    assert experiment.replay.chunk_rows == 100
    assert experiment.evaluation.memory_set == MemorySet(7, 50)
    assert experiment.lane_named("Tree").policy == OnlinePolicy(every=9)
    assert experiment.lane_named("Weekly v1.5").learner.params == {"C": 0.5}
    assert experiment.lane_named("Static") == LaneSpec(
        "Static",
        OnlinePolicy(batch=4),
        LearnerSpec("logistic_regression", None, {"max_iter": 50}),
    )
    assert experiment.data.kinds == {"flight": "category", "dest": "text"}
    assert experiment.split.train == "2013-04-01"
    # Another kind takes none of the old kind's settings along.
    changed = set_value(experiment, "lane.Tree.learner.kind=linear")
    assert changed.lane_named("Tree").learner == LearnerSpec("linear")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("replay.chunk_rowz=1", "did you mean replay.chunk_rows"),
        ("replay.chunk_rows=many", "replay.chunk_rows is “many”, but must be a whole number"),
        ("replay.chunk_rows=0", "replay.chunk_rows is 0, but must be at least 1"),
        ("replay.chunk_rows", "write KEY=VALUE"),
        ("=3", "write KEY=VALUE"),
        ("lane.Trea.policy.every=1", "did you mean “Tree”"),
        ("lane.Tree=1", "name one key of it"),
        ("lane.Tree.polici.every=1", r"did you mean .*policy"),
        ("nothing.here=1", "nothing is not known"),
        ("data.target=a\nb = 1", None),
    ],
)
def test_set_value_refuses_in_words(text: str, words: str | None) -> None:
    if words is None:  # a line end cannot smuggle in another key: it is part of the text
        assert set_value(loads(TEXT), text).data.target == "a\nb = 1"
        return
    with pytest.raises(ExperimentError, match=words):
        set_value(loads(TEXT), text)


def test_data_paths_follow_the_experiment_file(tmp_path: Path) -> None:
    def named(path: str | list[str]) -> list[Path]:
        return data_paths(Experiment(data=DataSpec(path=path, target="x")), tmp_path / "in")

    assert named("a.csv") == [tmp_path / "in" / "a.csv"]
    assert named(["../b.csv", str(tmp_path)]) == [tmp_path / "b.csv", tmp_path]
    assert named("*.csv") == [tmp_path / "in" / "*.csv"]
    assert named("~/x.csv") == [Path.home() / "x.csv"]


def test_data_are_named_so_that_a_folder_can_move(tmp_path: Path) -> None:
    experiment = Experiment(data=DataSpec(path="x", target="y"))
    project = tmp_path / "a" / "b" / "c"
    inside = with_data(experiment, [project / "data" / "f.csv"], project)
    assert inside.data.path == "data/f.csv"
    beside = with_data(experiment, [tmp_path / "a" / "b" / "f.csv"], project)
    assert beside.data.path == "../f.csv"
    far = with_data(experiment, [tmp_path / "f.csv"], project)
    assert far.data.path == (tmp_path / "f.csv").as_posix()
    assert rebase(inside, project, tmp_path / "a" / "b").data.path == "c/data/f.csv"
    assert rebase(inside, project, None).data.path == (project / "data" / "f.csv").as_posix()
