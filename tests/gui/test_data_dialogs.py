"""How a file is read, which part of it, and export: dialogs on a scripted session that looks."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import pytest
from page_contract import controls
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QLabel

from modellab.data.unseen import Unseen
from modellab.errors import DataError
from modellab.experiment import DataSpec, DriftSpec, Experiment, ReadingSpec
from modellab.gui.data.column_dialog import ColumnDialog, _unseen
from modellab.gui.data.export_dialog import ExportDialog
from modellab.gui.data.gallery_dialog import GalleryDialog
from modellab.gui.data.part_dialog import PartDialog, as_part
from modellab.gui.data.reading_dialog import ReadingDialog
from modellab.replay import data_protocol as dp
from modellab.replay import protocol as p
from modellab.replay.data_jobs import DataJobs


class _Job:
    """What a job of the engine is asked for here."""

    def progress(self, done: float, total: float, text: str = "") -> None:
        """Take note of nothing."""


def looks_really(bench: Any) -> Any:
    """Let the scripted engine do the looks of the real one, at once."""
    nothing: Any = pytest.fail
    work = DataJobs(nothing, nothing)

    def answer(command: Any, number: int) -> list[Any]:
        try:
            result = msgspec.to_builtins(work._do(command, _Job()))  # type: ignore[arg-type]
        except DataError as error:
            return [p.Ack(id=number), p.JobFailed(id=number, sentence=error.sentence)]
        return [p.Ack(id=number), p.JobDone(id=number, result=result)]

    engine = bench.engine
    for kind in (dp.PreviewFile, dp.PreviewPart, dp.ListParts):
        engine.answers[kind] = answer
    return engine


@pytest.fixture
def bench(gui_bench: Any, looks: None, tmp_path: Path) -> Any:
    """A session with data open, whose engine looks at real files."""
    gui_bench.open(tmp_path / "opened.csv")
    looks_really(gui_bench)
    yield gui_bench
    gui_bench.session.close(keep=False)


@pytest.fixture
def messy(tmp_path: Path) -> Path:
    path = tmp_path / "messy <b>.csv"
    lines = [f"{k};{k},5;{('NA', 'x', '-999', '?')[k % 4]}" for k in range(60)]
    path.write_text("a;<i>b</i>;c\n" + "\n".join(lines) + "\n1;2\n")
    return path


def held(qtbot: Any, dialog: QDialog) -> None:
    """Show a dialog that the test outlives, not the other way round."""
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
    qtbot.addWidget(dialog)
    dialog.show()


def reading(bench: Any, qtbot: Any, path: Path, spec: ReadingSpec | None = None) -> ReadingDialog:
    dialog = ReadingDialog(bench.session, [str(path)], spec or ReadingSpec())
    held(qtbot, dialog)
    bench.settle()
    return dialog


def shown(dialog: Any) -> list[list[str]]:
    model = dialog.model
    return [
        [str(model.index(row, column).data()) for column in range(model.columnCount())]
        for row in range(model.rowCount())
    ]


def choose(dialog: ReadingDialog, field: Any, key: str) -> None:
    field = getattr(field, "choice", field)
    field.set_current(key)
    field.chosen.emit(key)
    dialog.look()


def test_what_was_found_out_is_shown(bench: Any, qtbot: Any, messy: Path) -> None:
    dialog = reading(bench, qtbot, messy)
    form = dialog.form
    assert form.delimiter.choice.currentText() == "found out: semicolon  ;"
    assert form.decimal.currentText() == "found out: comma"
    assert form.header.currentText() == "found out: holds the names"
    assert form.encoding.choice.currentText() == "found out: utf-8"
    assert form.comment.choice.currentText() == "found out: none are"
    assert dialog.story.text() == (
        "All of its 61 rows were looked at: 3 columns; 1 cannot be read."
    )
    assert shown(dialog)[:2] == [["2", "0", "0,5", "missing"], ["3", "1", "1,5", "x"]]
    model = dialog.model
    heads = [model.headerData(k, Qt.Orientation.Horizontal) for k in range(4)]
    assert heads == ["line", "a", "<i>b</i>", "c"]
    assert dialog.bad_title.text() == "Cannot be read: 1"
    words = [form._words.item(k).text() for k in range(3)]
    assert words == ["?   ·   15 cells", "NA   ·   15 cells", "-999   ·   15 cells"]
    assert form.reading() == ReadingSpec()
    for label in dialog.findChildren(QLabel):
        assert label.textFormat() == Qt.TextFormat.PlainText
    for control in controls(dialog):
        assert control.accessibleName(), control


def test_every_change_is_read_at_once(bench: Any, qtbot: Any, messy: Path) -> None:
    dialog = reading(bench, qtbot, messy)
    form = dialog.form
    choose(dialog, form.delimiter, ",")
    bench.settle()
    assert shown(dialog)[0] == ["2", "0;0", "5;NA"]
    choose(dialog, form.delimiter, "auto")
    choose(dialog, form.header, "no")
    bench.settle()
    assert shown(dialog)[0] == ["1", "a", "<i>b</i>", "c"]
    assert form.reading() == ReadingSpec(header=False)
    # A word ticked is missing from then on, and the usual ones stay.
    item = next(
        form._words.item(k)
        for k in range(form._words.rowCount())
        if form._words.item(k).data() == "-999"
    )
    item.setCheckState(Qt.CheckState.Checked)
    dialog.look()
    bench.settle()
    assert shown(dialog)[3][3] == "missing"
    assert {"NA", "-999"} <= set(form.reading().missing or [])
    form.usual.click()
    assert form.reading().missing is None
    form.word.setText("x")
    form.add.click()
    dialog.look()
    bench.settle()
    assert shown(dialog)[2][3] == "missing"
    dialog.reset.click()
    bench.settle()
    assert form.reading() == ReadingSpec()
    assert shown(dialog)[0] == ["2", "0", "0,5", "missing"]


def test_another_sign_is_typed_and_wrong_ones_are_told(
    bench: Any, qtbot: Any, tmp_path: Path
) -> None:
    path = tmp_path / "odd.txt"
    path.write_text("a||b\n1||2\n3||4\n")
    dialog = reading(bench, qtbot, path)
    form = dialog.form
    form.delimiter.set_value("||")
    assert form.delimiter.text.isVisible()
    dialog.look()
    bench.settle()
    assert shown(dialog) == [["2", "1", "2"], ["3", "3", "4"]]
    form.delimiter.set_value("x")
    dialog.look()
    assert "must not hold letters or digits" in dialog.doubts.text()
    assert not dialog.ok.isEnabled()
    form.delimiter.set_value(None)
    form.encoding.set_value("utf-99")
    dialog.look()
    assert "no character encoding" in dialog.doubts.text()


def test_reading_otherwise_is_one_edit_and_undone(bench: Any, qtbot: Any, tmp_path: Path) -> None:
    session, engine = bench.session, bench.engine
    path = Path(session.data.paths[0])
    dialog = reading(bench, qtbot, path)
    choose(dialog, dialog.form.decimal, ",")
    opened = engine.count(p.OpenData)
    dialog.accept()
    bench.settle()
    assert session.experiment.data.reading == ReadingSpec(decimal=",")
    assert engine.count(p.OpenData) == opened + 1
    assert engine.last(p.OpenData).reading == ReadingSpec(decimal=",")
    assert session.undo_text == "Change how the file is read"
    session.undo()
    bench.settle()
    assert session.experiment.data.reading == ReadingSpec()
    assert engine.last(p.OpenData).reading == ReadingSpec()


def test_a_file_that_is_not_open_is_opened_so(bench: Any, qtbot: Any, messy: Path) -> None:
    dialog = reading(bench, qtbot, messy, ReadingSpec(delimiter=";"))
    dialog.accept()
    bench.settle()
    last = bench.engine.last(p.OpenData)
    assert (last.paths, last.reading) == ([str(messy)], ReadingSpec(delimiter=";"))
    assert bench.session.experiment.data.reading == ReadingSpec(delimiter=";")


def test_a_doubtful_file_offers_to_say_how(bench: Any, messy: Path) -> None:
    import scripted_engine as scripted

    session, asked = bench.session, []
    session.ask_reading = lambda paths, spec: asked.append((paths, spec))
    told = scripted.summary([str(messy)])
    bench.engine.results[p.OpenData] = msgspec.structs.replace(told, bad_rows=100)
    session.open_paths([messy])
    bench.settle()
    assert "9% of its rows cannot be read" in session.last_message.text
    session.last_message.run()
    assert asked == [([str(messy)], ReadingSpec())]
    # So does one of which nothing can be read.
    failed = [p.Ack(id=99)]
    bench.engine.answers[p.OpenData] = lambda c, n: [
        *failed[:0], p.Ack(id=n), p.JobFailed(id=n, sentence="No row of it can be read."),
    ]  # fmt: skip
    session.open_paths([messy])
    bench.settle()
    assert session.last_message.action == "Say how to read it…"


# ---------------------------------------------------------------- parts


@pytest.fixture
def base(tmp_path: Path) -> Path:
    path = tmp_path / "shop.sqlite"
    with sqlite3.connect(path) as made:
        made.execute("CREATE TABLE customers (name TEXT)")
        made.execute('CREATE TABLE "odd ""orders" (id INTEGER, total REAL)')
        rows = [(k, k / 3) for k in range(50)]
        made.executemany('INSERT INTO "odd ""orders" VALUES (?, ?)', rows)
        made.execute("INSERT INTO customers VALUES ('<b>Ann</b>')")
    made.close()
    return path


@pytest.fixture
def parts(bench: Any, qtbot: Any, base: Path) -> Any:
    """The dialog as the session asks for it, and what was chosen."""
    made: list[PartDialog] = []

    def ask(found: Any, chosen: Any) -> None:
        made.append(PartDialog(bench.session, found, chosen))
        held(qtbot, made[0])

    bench.session.ask_part = ask
    bench.session.open_paths([base])
    bench.settle()
    return made[0]


def test_a_file_of_several_tables_is_asked_about(bench: Any, parts: PartDialog, base: Path) -> None:
    listed = [[parts._list.index(r, c).data() for c in range(3)] for r in range(2)]
    assert listed == [["customers", "1", "1"], ['odd "orders', "50", "2"]]
    # The one with the most rows is chosen; its first rows are there.
    assert parts.part() == 'odd "orders'
    assert shown(parts)[1] == ["1", "0.3333333333333333"]
    parts.select(0)
    parts.look()
    bench.settle()
    assert shown(parts) == [["<b>Ann</b>"]]
    for control in controls(parts):
        assert control.accessibleName(), control
    opened = bench.engine.count(p.OpenData)
    parts.accept()
    bench.settle()
    assert bench.engine.count(p.OpenData) == opened + 1
    assert bench.engine.last(p.OpenData).paths == [f"{base}::customers"]


def test_a_query_is_asked_read_only(bench: Any, parts: PartDialog, base: Path) -> None:
    parts.way.button("query").click()
    bench.settle()
    assert parts.query.toPlainText() == 'SELECT * FROM "odd ""orders"'
    parts.query.setPlainText("DELETE FROM customers")
    parts.look()
    bench.settle()
    assert parts.problem.isVisible()
    assert not parts.ok.isEnabled()
    parts.query.setPlainText('SELECT id, \'a//b\' AS t\nFROM "odd ""orders" WHERE id > 47')
    assert parts.ok.isEnabled()
    parts.look()
    bench.settle()
    assert shown(parts) == [["48", "a//b"], ["49", "a//b"]]
    parts.accept()
    bench.settle()
    (path,) = bench.engine.last(p.OpenData).paths
    assert Path(path) == Path(str(Path(path)))
    from modellab.data.preview import head_of

    assert head_of(Path(path), 1)[1] == [["48", "a//b"]]


def test_slashes_of_a_query_are_not_tidied_up() -> None:
    for text in ("x = 'http://a/../b/./c'", "1/.5", "a / b", "'it''s //'"):
        done = as_part(f"SELECT {text}")
        assert str(Path(f"/x.db::{done}")) == f"/x.db::{done}"
        assert "//" not in done


def test_a_file_of_one_table_opens_at_once(bench: Any, base: Path) -> None:
    with sqlite3.connect(base) as made:
        made.execute("DROP TABLE customers")
    made.close()
    asked: list[Any] = []
    bench.session.ask_part = lambda *told: asked.append(told)
    bench.session.open_paths([base])
    bench.settle()
    assert asked == []
    assert bench.engine.last(p.OpenData).paths == [str(base)]


def test_a_folder_stays_a_folder(bench: Any, tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    bench.session.open_paths([folder])
    bench.settle()
    assert bench.session.experiment.data.paths == [str(folder)]


# ---------------------------------------------------------------- export


def test_export_is_asked_as_it_was_chosen(bench: Any, qtbot: Any, tmp_path: Path) -> None:
    dialog = ExportDialog(bench.session)
    held(qtbot, dialog)
    assert not dialog.safe.isVisible()
    dialog.format.button("csv").click()
    assert dialog.safe.isVisible()
    dialog.neutralise.setChecked(True)
    dialog.bad_rows.setChecked(True)
    bench.engine.results[dp.ExportData] = p.Written(folder=str(tmp_path), files=["x.csv"])
    dialog.write(tmp_path / "x.csv")
    bench.settle()
    asked = bench.engine.last(dp.ExportData)
    assert (asked.path, asked.neutralise, asked.bad_rows) == (str(tmp_path / "x.csv"), True, True)
    assert bench.session.last_message.text == "Written: “x.csv”."


# ---------------------------------------------------------------- gallery


@pytest.fixture
def gallery(bench: Any, qtbot: Any) -> GalleryDialog:
    dialog = GalleryDialog(bench.session)
    held(qtbot, dialog)
    return dialog


def ready(bench: Any, path: Path, known: list[int]) -> None:
    experiment = Experiment(
        data=DataSpec(path=str(path), target="class"), drift=DriftSpec(known=known)
    )
    result = dp.SampleReady(experiment)
    bench.engine.results[dp.MakeStream] = bench.engine.results[dp.FetchSample] = result


def test_what_is_here_opens_with_its_experiment(
    bench: Any, gallery: GalleryDialog, tmp_path: Path
) -> None:
    ready(bench, tmp_path / "digits.parquet", [])
    titles = [gallery._list.index(k, 0).data() for k in range(gallery._list.rowCount())]
    gallery.select(titles.index("Digits"))
    assert gallery.title.text() == "Digits"
    assert gallery.facts.text().startswith("1,797 rows, 65 columns; predicts a class.")
    assert gallery.ok.text() == "Open"
    gallery.ok.click()
    bench.settle()
    assert bench.engine.last(dp.FetchSample).sample == "digits"
    assert bench.engine.last(p.OpenData).paths == [str(tmp_path / "digits.parquet")]
    assert bench.session.experiment.data.target == "class"
    assert not gallery.isVisible()


def test_a_made_stream_brings_its_drifts_along(
    bench: Any, gallery: GalleryDialog, tmp_path: Path
) -> None:
    gallery.way.button("made").click()
    form = gallery.form
    assert form.told.text() == (
        "At each change the next rule holds. Changes begin at row 10,000; plots mark them."
    )
    assert "incremental" not in [form.drift.itemData(k) for k in range(form.drift.count())]
    gallery.select(1)  # a plane that can turn
    assert "incremental" in [form.drift.itemData(k) for k in range(form.drift.count())]
    form.at.setText("300, 20")
    form.at.editingFinished.emit()
    assert "in order" in form.told.text()
    assert not gallery.ok.isEnabled()
    form.at.setText("5000, 12000")
    form.at.editingFinished.emit()
    assert form.told.text().endswith("Changes begin at rows 5,000, 12,000; plots mark them.")
    ready(bench, tmp_path / "plane.parquet", [5000, 12000])
    gallery.ok.click()
    bench.settle()
    asked = bench.engine.last(dp.MakeStream)
    assert (asked.kind, asked.rows, asked.at, asked.seed) == (
        "hyperplane",
        20_000,
        [5000, 12000],
        1,
    )
    assert bench.session.experiment.drift.known == [5000, 12000]


def test_fetching_shows_progress_can_be_cancelled_and_fails_in_a_sentence(
    bench: Any, gallery: GalleryDialog, modellab_home: Path
) -> None:
    gallery.way.button("fetched").click()
    assert gallery.ok.text() == "Fetch and open"
    assert "3.1 MB unpacked, from maxhalford.github.io" in gallery.facts.text()
    bench.engine.held.add(dp.FetchSample)
    gallery.ok.click()
    bench.settle()
    assert gallery.progress.isVisible()
    assert not gallery.ok.isEnabled()
    number = next(iter(bench.engine.waiting))
    bench.engine.replies.append(p.JobProgress(id=number, done=1, total=4, text="Fetching x"))
    bench.settle()
    assert gallery.progress._label.text() == "Fetching x"
    gallery.progress.cancel.click()
    bench.settle()
    assert not gallery.progress.isVisible()
    assert gallery.ok.isEnabled()
    assert gallery.isVisible()
    bench.engine.held.clear()
    offline = "“electricity.csv” could not be fetched: there is no connection."
    bench.engine.answers[dp.FetchSample] = lambda _command, number: [
        p.Ack(id=number), p.JobFailed(id=number, sentence=offline),
    ]  # fmt: skip
    gallery.ok.click()
    bench.settle()
    assert gallery.problem.text() == offline
    assert gallery.isVisible()
    for control in controls(gallery):
        assert control.accessibleName(), control


def test_the_data_page_leads_to_them(bench: Any, qtbot: Any) -> None:
    from modellab.gui.pages.data import DataPage

    page = DataPage(bench.session)
    qtbot.addWidget(page)
    page.resize(1200, 652)
    page.show()
    page.shown()
    assert page.how_read.isVisible()
    assert not page.other_part.isVisible()
    page.how_read.click()
    bench.settle()
    (dialog,) = page.findChildren(ReadingDialog)
    assert dialog.isVisible()
    dialog.reject()
    page.export()
    (asked,) = page.findChildren(ExportDialog)
    asked.reject()
    page.take_down()


# ---------------------------------------------------------------- a column


def compared(bench: Any) -> None:
    """Let the columns be compared: "day" is another after the training window."""
    from modellab.data.compare import Bar, Comparison

    bars = [Bar("<b>1</b>", 0.9, 0.2, [0.25, 0.75]), Bar("2", 0.1, 0.8, [0.5, 0.5])]
    alike = [Bar("below 3", 0.5, 0.5, [0.4, 0.6]), Bar("missing", 0.5, 0.5, [])]
    columns = [
        Comparison("day", "category", bars, 0.7, True, 200, 800, ["down", "up"]),
        Comparison("price", "number", alike, 0.0, False, 200, 800, ["down", "up"]),
        Comparison("when", "time", alike, 1.0, True, 200, 800, ["down", "up"]),
    ]
    told = dp.Compared([msgspec.to_builtins(one) for one in columns])
    bench.engine.results[dp.CompareColumns] = told
    bench.session.ask_comparison()
    bench.settle()


def test_drift_is_seen_at_a_glance(bench: Any) -> None:
    from modellab.gui.pages.data_facts import column_facts

    assert bench.session.comparison == {}
    compared(bench)
    facts = {found.name: found for found in column_facts(bench.session)}
    assert {name for name, found in facts.items() if found.shifted} == {"day"}
    assert "another: 70 % of its rows" in facts["day"].shift_text
    assert facts["price"].shift_text == "After the training window it is as before."
    assert facts["when"].shift_text == ""  # time goes on in every stream
    assert facts["price"].pairs == [(0.5, 0.5)]
    asked = bench.engine.count(dp.CompareColumns)
    bench.session.ask_comparison()
    assert bench.engine.count(dp.CompareColumns) == asked


def test_another_split_is_compared_anew(bench: Any) -> None:
    from modellab.experiment import replace

    compared(bench)
    session = bench.session
    split = replace(session.experiment.split, train=500)
    session.edit("Move the split", replace(session.experiment, split=split))
    assert session.comparison == {}
    bench.settle()
    asked = bench.engine.count(dp.CompareColumns)
    session.ask_comparison()
    bench.settle()
    assert bench.engine.count(dp.CompareColumns) == asked + 1
    assert bench.engine.last(dp.CompareColumns).experiment.split.train == 500
    assert session.comparison


def test_all_about_a_column(bench: Any, qtbot: Any) -> None:
    compared(bench)
    chosen: list[tuple[str, str]] = []
    dialog = ColumnDialog(bench.session, "day", lambda *told: chosen.append(told))
    held(qtbot, dialog)
    assert dialog.why.text() == "Detected: category. Said by the script."
    assert dialog.facts.text().startswith("7 different values · 0 % missing")
    assert dialog.shift.text().endswith("200 and 800 rows compared.")
    heads = [dialog._model.headerData(k, Qt.Orientation.Horizontal) for k in range(4)]
    assert heads == ["Value", "Training", "After it", "class = up"]
    assert list(dialog._model.row(0)) == ["<b>1</b>", "90.0 %", "20.0 %", "75.0 %"]
    dialog.kind.set_current("number")
    dialog.kind.chosen.emit("number")
    assert chosen == [("day", "number")]
    for control in controls(dialog):
        assert control.accessibleName(), control
    dialog.bars.grab()
    dialog.accept()
    assert dialog._stop == []


def test_what_is_new_after_the_training_window_is_told() -> None:
    told = _unseen(Unseen(3, 1000, 7, ["<b>new</b>", "newer"], 900), "category")
    assert told == (
        "New values: 3 of 1,000 cells (0.3 %) in the 900 rows looked at after the training window "
        "do not occur in it, 7 different: “<b>new</b>”, “newer”, …."
    )
    assert _unseen(Unseen(0, 50, 0, [], 9), "text").startswith("Nothing new: all words of the 9")


def test_signs_between_thousands_can_be_chosen(bench: Any, qtbot: Any, tmp_path: Path) -> None:
    path = tmp_path / "grouped.csv"
    path.write_text("a;b\n" + "1.234.567,5;1\n2,5;2\n" * 30)
    dialog = reading(bench, qtbot, path)
    form = dialog.form
    assert form.thousands.currentText() == "found out: point"
    assert dialog.model.headerData(1, Qt.Orientation.Horizontal) == "a"
    choose(dialog, form.thousands, "none")
    bench.settle()
    assert form.reading() == ReadingSpec(thousands="none")
    other = reading(bench, qtbot, path, ReadingSpec(thousands=","))
    assert other.form.thousands.current() == "comma"
