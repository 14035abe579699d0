"""Bad input in the real window: one clear sentence each, what was open stays, nothing is run."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# Test folders are no packages: helpers that lie here are imported by their bare names.
_HERE = str(Path(__file__).parent)
if _HERE not in sys.path:
    sys.path.insert(0, _HERE)

from bad_files import (  # noqa: E402
    BAD,
    NAMES,
    TOML,
    archive,
    hostile_csv,
    hostile_parquet,
    read_as_markup,
    text,
)
from live_window import LiveWindow, live_window, prices  # noqa: E402

from modellab.experiment import (  # noqa: E402
    LaneSpec,
    LearnerSpec,
    OnlinePolicy,
    SplitSpec,
    StaticPolicy,
    replace,
)
from modellab.gui.stages import PAGES  # noqa: E402

pytestmark = pytest.mark.end_to_end

ROWS = 1200
ONLINE = LaneSpec("Online", OnlinePolicy(), LearnerSpec("linear"))
TREE = LaneSpec("Tree", StaticPolicy(), LearnerSpec("decision_tree"))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home for the module: its tests share a window, as one person's afternoon does."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def modellab_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand for the fixture of that name: the window's engine knows this home."""
    monkeypatch.setenv("MODELLAB_HOME", str(home))
    return home


@pytest.fixture(scope="module")
def shared(qapp: Any, home: Path) -> Iterator[LiveWindow]:
    """The window that all tests here share."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODELLAB_HOME", str(home))
        # A module that the engine could import, and that leaves a mark when it is.
        (home / "lib").mkdir()
        mark = f"import pathlib\npathlib.Path({str(home / 'ran')!r}).touch()\n"
        (home / "lib" / "evil_module.py").write_text(mark)
        patch.setenv("PYTHONPATH", str(home / "lib"), prepend=os.pathsep)
        with live_window() as made:
            # What Qt makes once and keeps must not look as if a test had left it behind.
            made.open(prices(home / "prices.csv", 300))
            made.rest()
            made.session.train(LearnerSpec("naive_bayes"))
            made.session.deploy()
            made.rest()
            made.session.step(100)
            replay = made.session.deployment
            made.until(lambda: replay.position > replay.train_rows)  # something to decide on
            assert [p.id for p in PAGES if not made.window.show_page(p.id)] == []
            made.rest()
            yield made


@pytest.fixture
def live(shared: LiveWindow) -> Iterator[LiveWindow]:
    """The window, without messages of the test before."""
    shared.clear()
    yield shared
    assert shared.session.engine_alive
    shared.clear()


@pytest.fixture
def good(live: LiveWindow, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prices are open and were worked on: the folder with their file."""
    data = live.session.data
    if data is not None and data.name == "prices.csv" and live.session.undo_text:
        return Path(data.paths[0]).parent
    folder = tmp_path_factory.mktemp("good")
    live.open(prices(folder / "prices.csv", ROWS))
    live.rest()
    session = live.session
    session.edit("Split", replace(session.experiment, split=SplitSpec(train=400)))
    live.rest()
    live.clear()
    return folder


def is_sentence(text: str) -> bool:
    """Whether a person can read it: short, whole, and nothing of the program's inside."""
    inside = ("Traceback", "Error", "Exception", "errno", "modellab.", ".py", "\n", "None")
    whole = text.endswith((".", "?")) and len(text) < 300
    return whole and not any(word in text for word in inside)


# ---------------------------------------------------------------- files that cannot be opened


@pytest.mark.parametrize(("make", "words"), [case[1:] for case in BAD], ids=[c[0] for c in BAD])
def test_a_bad_file_gives_one_sentence_and_what_is_open_stays(
    live: LiveWindow, good: Path, tmp_path: Path, make: Callable[..., list[Path]], words: str
) -> None:
    session, window = live.session, live.window
    before = (session.data, session.experiment, session.profile, live.engine_pid)
    undo = session.undo_text
    window.show_page("data")
    live.drop(*make(tmp_path))
    live.toast()
    live.rest()
    (told,) = live.said()
    assert words in told
    assert is_sentence(told), told
    assert live.shown() == [told]
    assert "Traceback" not in live.notices[0].detail
    # What was open is untouched, and still of use.
    assert (session.data, session.experiment, session.profile, live.engine_pid) == before
    assert (window.current_page, session.undo_text) == ("data", undo)
    pages: list[Any] = []
    session.read_rows(ROWS - 2, ROWS, pages.append)
    live.until(lambda: pages)
    assert len(pages[0].cells) == 2
    assert session.why_no_training is None
    assert not (tmp_path.parent / "out.csv").exists()


def test_an_unknown_ending_may_be_chosen_and_is_read_for_what_it_is(
    live: LiveWindow, good: Path, tmp_path: Path
) -> None:
    live.open(*text("notes.docx", b"PK\x03\x04" + bytes(200))(tmp_path))
    assert "a damaged zip file" in live.toast().notice.text
    live.rest()
    assert live.session.data.name == "prices.csv"


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the administrator may read everything"
)
def test_a_file_that_may_not_be_read(live: LiveWindow, good: Path, tmp_path: Path) -> None:
    (path,) = text("a.csv", "a,y\n1,u\n")(tmp_path)
    path.chmod(0)
    live.drop(path)
    assert "permission denied" in live.toast().notice.text
    path.chmod(0o600)


def test_a_pickle_in_an_experiment_file_is_not_even_looked_at(
    live: LiveWindow, tmp_path: Path
) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "executed"),)

    prices(tmp_path / "prices.csv", 300)
    evil = pickle.dumps(Evil())
    members = {"experiment.toml": TOML.encode(), "model.pkl": evil, "results/model.joblib": evil}
    live.drop(*archive("a.mlab", **members)(tmp_path))
    live.until(lambda: live.session.path == tmp_path / "a.mlab")
    live.rest()
    assert live.session.n_rows == 300
    assert not (tmp_path / "executed").exists()
    # A data member that is a pickle is no data.
    manifest = b'{"files": [{"path": "x.csv", "absolute": "/x.csv", "embedded": "data/0-x.csv"}]}'
    members = {
        "experiment.toml": TOML.replace("prices", "x").encode(),
        "data.json": manifest,
        "data/0-x.csv": evil,
    }
    live.drop(*archive("b.mlab", **members)(tmp_path))
    assert is_sentence(live.toast("x.csv").notice.text)
    live.rest()
    assert live.session.path == tmp_path / "a.mlab"
    assert not (tmp_path / "executed").exists()


def test_moved_data_are_asked_for_and_found(live: LiveWindow, good: Path, tmp_path: Path) -> None:
    (saved,) = text("a.toml", TOML.replace("prices", "moved"))(tmp_path)
    there = prices(tmp_path / "elsewhere.csv", 300)
    asked: list[Path] = []

    def locate(experiment: Path) -> list[Path]:
        asked.append(experiment)
        return [there]

    live.session.locate, usual = locate, live.session.locate
    try:
        live.drop(saved)
        toast = live.toast("are not at")
        assert toast.notice.action == "Locate…"
        toast._act()
        live.until(lambda: live.session.path == saved)
    finally:
        live.session.locate = usual
    live.rest()
    assert asked == [saved]
    assert live.session.data.paths == [str(there)]
    assert live.session.experiment.data.path == str(there)
    # The file on disk does not know yet.
    assert live.session.dirty
    assert live.session.save(saved)
    live.rest()
    live.open(saved)
    live.rest()
    assert live.session.data.paths == [str(there)]
    assert not live.session.dirty


def test_data_of_unsaved_work_that_moved_are_asked_for_too(
    live: LiveWindow, tmp_path: Path
) -> None:
    session = live.session
    path = prices(tmp_path / "before.csv", 300)
    live.open(path)
    live.rest()
    session.edit("Split", replace(session.experiment, split=SplitSpec(train=100)))
    live.rest()
    work = session.experiment
    live.open(prices(tmp_path / "other.csv", 300))
    live.rest()
    moved = path.rename(tmp_path / "after.csv")
    session.locate, usual = lambda named: [moved], session.locate
    try:
        live.toast("before.csv")._act()
        live.toast("any more")._act()
        live.until(lambda: session.data.paths == [str(moved)])
    finally:
        session.locate = usual
    live.rest()
    assert session.experiment.split == work.split


# ---------------------------------------------------------------- files that vanish


def test_a_file_that_vanishes_while_it_is_read(
    live: LiveWindow, good: Path, tmp_path: Path
) -> None:
    path = tmp_path / "big.csv"
    path.write_text("a,b,y\n" + "1,2.5,up\n3,4.5,down\n" * 400_000)
    before = live.session.data
    live.open(path)
    live.until(lambda: any(job.done > 0 for job in live.session.running_jobs))
    path.unlink()
    live.toast("big.csv")
    live.rest()
    told = live.said()[-1]
    assert is_sentence(told)
    if live.session.data is before:
        assert "disappeared while it was being read" in told or "no longer there" in told
    else:  # it was open already, and was read to its end
        assert live.session.data.n_rows == 800_000
        assert "is no longer where it was. Model Lab goes on with what it has read" in told


def test_a_file_that_vanishes_during_the_replay(live: LiveWindow, tmp_path: Path) -> None:
    session = live.session
    path = prices(tmp_path / "prices.csv", ROWS)
    live.open(path)
    live.until(lambda: session.data is not None and session.data.paths == [str(path)])
    session.edit("Lanes", replace(session.experiment, lane=[ONLINE]))
    live.rest()
    session.deploy()
    live.rest()
    assert live.window.show_page("deploy")
    session.step(200)
    at = session.deployment.train_rows + 200
    live.until(lambda: session.deployment.position == at)
    live.clear()
    path.unlink()
    live.window._autosave.timeout.emit()
    told = live.toast("prices.csv").notice.text
    assert "no longer where it was" in told
    assert is_sentence(told.partition(". ")[0] + ".")
    # Told once; and the replay goes on to its end.
    live.window._autosave.timeout.emit()
    session.set_speed("max", 0)
    session.play()
    live.until(lambda: session.deployment.position == session.deployment.stop)
    live.rest()
    assert live.said() == [told]
    session.restart()
    live.rest()
    session.train(LearnerSpec("naive_bayes"))
    live.rest()
    assert len(session.trainings) == 1
    # What needs the file itself says so.
    live.open(path)
    live.toast("There is no file")
    live.rest()
    assert len(session.trainings) == 1


# ---------------------------------------------------------------- files that open, and have a flaw


def opened(live: LiveWindow, path: Path) -> LiveWindow:
    live.open(path)
    live.until(lambda: live.session.data is not None and live.session.data.paths == [str(path)])
    live.rest()
    assert live.window.show_page("data")
    return live


def rows(path: Path, header: str, row: Callable[[int], str], count: int = 300) -> Path:
    path.write_text("\n".join([header, *(row(i) for i in range(count))]) + "\n")
    return path


def test_a_target_of_one_class(live: LiveWindow, tmp_path: Path) -> None:
    opened(live, rows(tmp_path / "one.csv", "a,y", lambda i: f"{i % 17},up"))
    session, page = live.session, live.window.page("data")
    assert session.experiment.data.target == "a"  # not a column that never varies
    page._set_role("y", "target")
    live.rest()
    (told,) = live.banners()
    assert "only one value, “up”" in told
    assert is_sentence(told)
    assert session.why_no_training == told
    assert session.why_no_deploy == told
    assert live.window.why_not("train") is None or is_sentence(live.window.why_not("train"))
    session.train(LearnerSpec("decision_tree"))
    live.rest()
    assert session.trainings == []
    live.window.undo()
    live.rest()
    assert live.banners() == []
    assert session.experiment.data.target == "a"
    assert session.why_no_training is None


def test_one_class_in_the_training_window_only(live: LiveWindow, tmp_path: Path) -> None:
    path = rows(tmp_path / "late.csv", "a,y", lambda i: f"{i * 7 % 31},{'up' if i < 200 else 'dn'}")
    opened(live, path)
    session = live.session
    assert session.experiment.data.target == "y"
    session.edit("Lanes", replace(session.experiment, lane=[ONLINE, TREE]))
    session.train(LearnerSpec("logistic_regression"))
    session.deploy()
    live.rest()
    session.set_speed("max", 0)
    session.play()
    live.until(lambda: session.deployment and session.deployment.position == session.n_rows)
    live.rest()
    assert all(is_sentence(told) for told in live.said()), live.said()
    # The tree never saw the other class: it errs on each of its 100 rows, and on no other.
    assert session.deployment.lanes["Tree"].news.cumulative == pytest.approx(100 / 240)


def test_a_column_that_is_missing_everywhere(live: LiveWindow, tmp_path: Path) -> None:
    path = rows(tmp_path / "gaps.csv", "a,void,y", lambda i: f"{i % 31},,{'ud'[i % 31 > 9]}")
    opened(live, path)
    session = live.session
    noted = [n for n in session.profile.notes if n["id"] == "empty"]
    assert "“void” is missing in every row" in noted[0]["text"]
    session.train(LearnerSpec("decision_tree"))
    live.rest()
    assert session.chosen.report.value < 0.1
    page = live.window.page("data")
    page._set_role("void", "target")
    live.rest()
    (told,) = live.banners()
    assert "“void”" in told
    assert is_sentence(told)
    live.window.undo()
    live.rest()
    assert live.banners() == []


def test_columns_of_one_name(live: LiveWindow, tmp_path: Path) -> None:
    path = rows(tmp_path / "twice.csv", "a,a,,y", lambda i: f"{i % 5},{i * 7 % 31},1,{'ud'[i % 2]}")
    opened(live, path)
    session = live.session
    assert [c.name for c in session.data.columns] == ["a", "a_2", "column_3", "y"]
    told = [n["text"] for n in session.profile.notes if n["id"].startswith("reading")]
    assert "more than one column called “a”" in told[0]
    pages: list[Any] = []
    session.read_rows(3, 4, pages.append)
    live.until(lambda: pages)
    assert pages[0].cells == [["3", "21", "1", "d"]]


def test_kinds_and_roles_are_undone_in_the_window(live: LiveWindow, tmp_path: Path) -> None:
    opened(live, prices(tmp_path / "undo.csv", 400))
    session, page, window = live.session, live.window.page("data"), live.window
    before = session.experiment
    page._set_kind("a", "category")
    live.rest()
    page._set_role("city", "ignored")
    live.rest()
    assert (session.kind_of("a"), session.role_of("city")) == ("category", "ignored")
    shown = {c["name"]: c["kind"] for c in session.profile.columns}
    assert shown["a"] == "category"
    for _ in range(2):
        assert window.registry.get("edit.undo").enabled() is None
        window.registry.run("edit.undo")
        live.rest()
    assert session.experiment == before
    assert {c["name"]: c["kind"] for c in session.profile.columns}["a"] == "number"
    window.registry.run("edit.redo")
    live.rest()
    assert session.kind_of("a") == "category"
    # A kind that the values are not: told, counted, and taken back.
    page._set_kind("city", "number")
    live.rest()
    assert all(is_sentence(said) for said in live.said() + live.banners())
    window.registry.run("edit.undo")
    live.rest()
    assert session.kind_of("city") == "category"


# ---------------------------------------------------------------- hostile texts


@pytest.mark.parametrize("make", [hostile_csv, hostile_parquet])
def test_hostile_texts_stay_texts_from_file_to_replay(
    live: LiveWindow, tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    ending = "csv" if make is hostile_csv else "parquet"
    path = make(tmp_path / f"<b>bold & tall.{ending}")
    live.drop(path)
    live.until(lambda: live.session.data is not None and live.session.data.paths == [str(path)])
    live.rest()
    session, window = live.session, live.window
    assert [c.name for c in session.data.columns][:6] == NAMES[:6]
    assert session.experiment.data.target == "y"
    lanes = [
        replace(ONLINE, name="<b>bold lane</b>"),
        replace(TREE, name="=1+2 & <img src=x>"),
    ]
    session.edit("Lanes", replace(session.experiment, lane=lanes))
    session.train(LearnerSpec("decision_tree"))
    live.rest()
    session.choose(None)
    session.deploy()
    live.rest()
    session.choose(session.trainings[0].id)
    session.step(150)
    live.until(lambda: session.deployment.position == session.deployment.train_rows + 150)
    session.intervene("<b>bold lane</b>", learning_rate=0.2)
    session.fork("<b>bold lane</b>", "<b>bold fork</b>")
    live.rest()
    session.tell("warning", "“<b>bold</b>” is told.", detail="<b>bold</b>", action="<b>bold</b>")
    live.toast("is told")
    assert list(session.deployment.lanes)[:2] == ["<b>bold lane</b>", "=1+2 & <img src=x>"]
    size = window.size()
    for spec in PAGES:
        assert window.show_page(spec.id), spec.id
        live.rest()
        assert read_as_markup(window) == []
        # Neither a name of 10,000 letters nor one of two lines moves the window's edges.
        assert window.size() == size, spec.id
    live.clear()
    # As a file and back, with the same names.
    for saved in (tmp_path / "saved.toml", tmp_path / "saved.mlab"):
        assert session.save(saved)
        live.rest()
        kept = session.experiment
        live.open(saved)
        live.rest()
        assert session.path == saved
        assert session.experiment.lane == kept.lane
        assert session.experiment.intervention == kept.intervention
    assert live.said() == []


def test_a_hostile_experiment_file_is_told_in_plain_words(
    live: LiveWindow, good: Path, tmp_path: Path
) -> None:
    lane = '[[lane]]\nname = "<b>bold</b>\\u0000"\npolicy = "static"\nlearner = "<img src=x>"\n'
    (path,) = text("<b>bold.toml", TOML + lane)(tmp_path)
    live.drop(path)
    toast = live.toast()
    live.rest()
    assert is_sentence(toast.notice.text), toast.notice.text
    assert read_as_markup(live.window) == []
    assert live.session.path is None


def test_a_class_outside_the_libraries_is_never_imported(
    live: LiveWindow, home: Path, tmp_path: Path
) -> None:
    prices(tmp_path / "prices.csv", 300)
    for kind in ("river", "sklearn"):
        lane = '[[lane]]\nname = "L"\npolicy = "static"\nlearner = '
        for named in ("evil_module.Evil", "os.system"):
            learner = f'{{kind = "{kind}", class = "{named}"}}\n'
            (path,) = text("evil.toml", TOML + lane + learner)(tmp_path)
            live.clear()
            live.drop(path)
            live.until(lambda: live.shown() or live.session.path == path)  # noqa: B023
            live.rest()
            if live.session.path == path:
                live.session.deploy()
                live.toast()
                live.rest()
                assert live.session.deployment is None
            assert all(is_sentence(told) for told in live.said()), live.said()
            live.open(prices(tmp_path / "prices.csv", 300))
            live.rest()
    assert not (home / "ran").exists()
