from __future__ import annotations

from typing import Any

import pytest
from page_contract import PageContract
from PySide6.QtCore import Qt

from modellab.experiment import LearnerSpec, SplitSpec, replace
from modellab.gui.kit import NumberField, ToggleSwitch
from modellab.gui.pages.choice import ChoiceField
from modellab.gui.pages.report_facts import headline, is_better, score_text, verdict
from modellab.gui.pages.train import TrainPage
from modellab.gui.pages.train_form import ParameterForm
from modellab.gui.pages.train_learners import BATCH, BOTH, KIND_ROLE, STREAM, items_for
from modellab.learners.base import Parameter
from modellab.learners.catalogue import CATALOGUE, entry, for_task
from modellab.replay import protocol as p


class TestContract(PageContract):
    def make(self, bench):
        return TrainPage(bench.session)

    def fill(self, bench, tmp_path):
        bench.open(tmp_path / "prices.csv")
        for learner in ("logistic_regression", "decision_tree"):
            bench.session.train(LearnerSpec(learner))
            bench.settle()


@pytest.fixture
def page(gui_bench, qtbot, looks, tmp_path):
    made = TrainPage(gui_bench.session)
    qtbot.addWidget(made)
    made.resize(1520, 930)
    made.show()
    made.shown()
    gui_bench.open(tmp_path / "prices.csv")
    yield made
    made.take_down()
    made.close()
    gui_bench.session.close(keep=False)


# ---------------------------------------------------------------- learners


def test_learners_of_the_task_are_listed_by_what_they_can(page):
    items = items_for(for_task("classification"), "classification", chunks=False)
    headings = [i.text for i in items if i.entry is None]
    assert headings == [BATCH, BOTH, STREAM]
    kinds = [i.entry.kind for i in items if i.entry is not None]
    assert "logistic_regression" in kinds
    assert "ridge" not in kinds
    assert "majority_class" not in kinds
    assert not any(i.why_not for i in items)


def test_what_cannot_be_trained_out_of_core_says_why_and_is_last_of_its_group():
    items = items_for(for_task("classification"), "classification", chunks=True)
    forest = next(i for i in items if i.entry is not None and i.entry.kind == "random_forest")
    assert forest.why_not.startswith("It needs all training rows in memory at once.")
    assert "sample" in forest.why_not
    assert next(i for i in items if i.entry is not None and i.entry.kind == "linear").why_not == ""


def test_the_usual_learner_is_chosen_for_the_task(page, gui_bench):
    assert page._kind == "logistic_regression"
    experiment = page.session.experiment
    data = replace(experiment.data, target="price")
    page.session.edit("Predict price", replace(experiment, data=data))
    gui_bench.settle()
    assert page._kind == "ridge"
    assert page.facts._values["target"].text() == "price (a number)"


def test_arrow_keys_step_over_headings(page, qtbot):
    page.learners.setFocus()
    seen = set()
    for _ in range(40):
        qtbot.keyClick(page.learners, Qt.Key.Key_Down)
        kind = page.learners.currentIndex().data(KIND_ROLE)
        assert kind
        seen.add(kind)
    assert {"random_forest", "mlp", "hoeffding_adaptive_tree"} <= seen


def test_out_of_core_the_reason_is_on_the_page(page, gui_bench):
    experiment = page.session.experiment
    chunks = replace(experiment.training, mode="chunks", chunk_rows=50)
    page.session.edit("Out of core", replace(experiment, training=chunks))
    page.learners.choose("random_forest")
    assert page.banner.isVisible()
    assert not page.train_button.isEnabled()
    assert page.reason.text() == page.banner.text()
    page.learners.choose("linear_sgd")
    assert not page.banner.isVisible()
    assert page.train_button.isEnabled()
    assert page.facts._values["mode"].text() == "in chunks of 50 rows, one pass"


# ---------------------------------------------------------------- the form


@pytest.mark.parametrize("kind", list(CATALOGUE))
def test_every_learner_has_a_form_that_gives_back_its_defaults(kind, qtbot, looks):
    form = ParameterForm()
    qtbot.addWidget(form)
    parameters = entry(kind).parameters
    form.set_parameters(parameters, {})
    assert form.values() == {}
    assert not form.modified()
    for parameter in parameters:
        row = form.row(parameter.name)
        assert row.value() == parameter.default
        assert row.field.accessibleName()
        assert row.field.toolTip()


def test_values_out_of_the_ordinary_are_given_and_reset(qtbot, looks):
    form = ParameterForm()
    qtbot.addWidget(form)
    changes: list[int] = []
    form.changed.connect(lambda: changes.append(1))
    parameters = (
        Parameter("rate", "Rate", "float", 0.1, low=1e-6, high=10.0, log=True),
        Parameter("depth", "Depth", "int", None, low=1, high=100, optional=True, unit="levels"),
        Parameter("mean", "Mean", "bool", False),
        Parameter("loss", "Loss", "choice", "log", choices=("log", "squared_hinge")),
    )
    form.set_parameters(parameters, {"rate": 0.001, "depth": 7})
    assert form.values() == {"rate": 0.001, "depth": 7}
    assert form.row("rate").reset.isVisibleTo(form)
    assert not form.row("mean").reset.isVisibleTo(form)
    rate, loss = form.row("rate").field, form.row("loss").field
    assert isinstance(rate, NumberField)
    assert isinstance(loss, ChoiceField)
    rate.setValue(2.5)
    loss.setCurrentIndex(1)
    loss.activated.emit(1)
    switch = form.row("mean").field
    assert isinstance(switch, ToggleSwitch)
    switch.setChecked(True)
    form.row("depth").switch.setChecked(True)
    assert len(changes) == 4
    assert form.values() == {"rate": 2.5, "mean": True, "loss": "squared_hinge"}
    form.row("rate").reset.click()
    assert form.values() == {"mean": True, "loss": "squared_hinge"}
    form.reset_all()
    assert form.values() == {}


def test_settings_are_kept_when_one_looks_at_another_learner(page):
    page.form.row("C").field.setValue(0.25)
    page.learners.choose("decision_tree")
    page.learners.choose("logistic_regression")
    assert page.form.values() == {"C": 0.25}
    page.reset.click()
    assert page.form.values() == {}


# ---------------------------------------------------------------- training


def test_training_sends_learner_and_settings(page, gui_bench, qtbot):
    page.form.row("C").field.setValue(0.25)
    qtbot.mouseClick(page.train_button, Qt.MouseButton.LeftButton)
    command = gui_bench.engine.last(p.TrainModel)
    assert command.learner == LearnerSpec("logistic_regression", params={"C": 0.25})
    assert command.experiment == page.session.experiment
    gui_bench.settle()
    assert page.list.isVisible()
    assert page.list.currentIndex().data() == "1 · Logistic regression"
    assert page.to_test.isEnabled()


def test_progress_is_shown_and_cancel_reaches_the_engine(page, gui_bench, qtbot):
    gui_bench.engine.held.add(p.TrainModel)
    page.train_button.click()
    job = page.session.job_of("train")
    gui_bench.engine.replies.append(p.JobProgress(id=job.id, done=3, total=4, text="Fitting"))
    gui_bench.settle()
    assert page.progress.isVisible()
    assert page.progress._label.text() == "Fitting"
    assert page.progress._rest.text().startswith("75 %")
    assert not page.train_button.isVisible()
    page.progress.cancel.click()
    gui_bench.settle()
    assert page.train_button.isVisible()
    assert not page.progress.isVisible()
    assert page.session.trainings == []


def test_a_class_by_name_must_be_named(page, gui_bench):
    page.learners.choose("sklearn")
    assert page.by_name.isVisible()
    assert not page.train_button.isEnabled()
    assert page.reason.text() == "Name the class to train."
    page.class_name.setText(" svm.SVC ")
    page.class_name.textEdited.emit(" svm.SVC ")
    assert page.train_button.isEnabled()
    page.train_button.click()
    assert gui_bench.engine.last(p.TrainModel).learner == LearnerSpec("sklearn", "svm.SVC")
    gui_bench.settle()


def test_what_is_trained_on_is_told(page, gui_bench):
    told = {key: label.text() for key, label in page.facts._values.items()}
    assert told["rows"] == "160 rows"
    assert told["test"] == "the next 40 rows, until 9 Jan 1970"
    assert told["columns"] == "3 columns"
    experiment = page.session.experiment
    sampled = replace(experiment.training, sample_rows=100)
    page.session.edit("Sample", replace(experiment, training=sampled))
    assert page.facts._values["rows"].text() == "160 rows (a sample of 100)"


def test_without_a_training_window_nothing_is_trained(page, gui_bench):
    page.session.edit("Cold", replace(page.session.experiment, split=SplitSpec(train=0)))
    gui_bench.settle()
    assert not page.train_button.isEnabled()
    assert "no training window" in page.reason.text()


# ---------------------------------------------------------------- trainings


def train(bench: Any, *specs: LearnerSpec) -> None:
    for spec in specs:
        bench.session.train(spec)
        bench.settle()


def test_trainings_are_chosen_removed_and_compared(page, gui_bench, qtbot):
    train(
        gui_bench,
        LearnerSpec("logistic_regression"),
        LearnerSpec("logistic_regression", params={"C": 0.1}),
        LearnerSpec("decision_tree"),
    )
    names = [page.list.model().index(i, 0).data() for i in range(3)]
    assert names == ["3 · Decision tree", "2 · Logistic regression", "1 · Logistic regression"]
    page.list.setFocus()
    qtbot.keyClick(page.list, Qt.Key.Key_Down)
    assert page.session.chosen.id == 2
    # Compared with the one before it, unless told otherwise.
    assert page.compare.other.id == 1
    shown = [
        tuple(page.compare._model.index(row, c).data() for c in range(3))
        for row in range(page.compare._model.rowCount())
    ]
    assert ("Error rate", "20.00 %", "20.00 %") in shown
    assert ("C", "0.1", "as usual") in shown
    qtbot.keyClick(page.list, Qt.Key.Key_Delete)
    assert [t.id for t in page.session.trainings] == [1, 3]
    page.session.undo()
    assert [t.id for t in page.session.trainings] == [1, 2, 3]


def test_a_stale_training_says_so(page, gui_bench):
    train(gui_bench, LearnerSpec("logistic_regression"))
    page.session.edit("Move", replace(page.session.experiment, split=SplitSpec(train=0.5)))
    index = page.list.model().index(0, 0)
    told = index.data(Qt.ItemDataRole.AccessibleDescriptionRole)
    assert "changed since" in told
    page.session.undo()
    told = page.list.model().index(0, 0).data(Qt.ItemDataRole.AccessibleDescriptionRole)
    assert "changed since" not in told


def test_on_to_the_test_page(page, gui_bench, qtbot):
    assert not page.to_test.isEnabled()
    train(gui_bench, LearnerSpec("ridge"))
    with qtbot.waitSignal(page.go_to) as told:
        page.to_test.click()
    assert told.args == ["test"]


# ---------------------------------------------------------------- words


def test_headline_and_verdict(page, gui_bench):
    train(gui_bench, LearnerSpec("logistic_regression"))
    report = page.session.chosen.report
    head = headline(report)
    assert head.value == "20.00 %"
    assert head.against == "−20.00 points vs majority class"
    assert head.better is True
    assert verdict(report)[0] == "ok"
    import msgspec

    worse = msgspec.structs.replace(report, value=0.6)
    assert verdict(worse)[0] == "warning"
    same = msgspec.structs.replace(report, value=0.39)
    assert verdict(same)[0] == "info"
    none = msgspec.structs.replace(report, scored=0, value=None)
    assert verdict(none) == ("warning", "No test row could be scored.")


def test_better_depends_on_the_score():
    assert is_better("error", 0.1, 0.2) is True
    assert is_better("accuracy", 0.1, 0.2) is False
    assert is_better("bias", -0.1, 0.2) is True
    assert is_better("error", 0.1, 0.1) is None
    assert is_better("error", None, 0.1) is None
    assert score_text("error", 0.12345) == "12.35 %"
    assert score_text("mae", 123456.0) == "123,456"
    assert score_text("r2", None) == "–"
