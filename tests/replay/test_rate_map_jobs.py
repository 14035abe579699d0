"""The map of learning rates asked of a real engine: what lanes with those rates would have done."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from modellab.errors import Cancelled
from modellab.experiment import DataSpec, Experiment, LearnerSpec, SplitSpec
from modellab.replay import data_protocol as dp
from modellab.replay import protocol as p
from modellab.replay.client import EngineClient
from modellab.replay.rate_map_jobs import map_rates

ROWS, TRAIN = 900, 600
LINEAR = LearnerSpec("linear", None, {"scale": "online"})


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rates") / "a.csv"
    rng = np.random.default_rng(3)
    x = rng.normal(size=(ROWS, 3))
    truth = x @ [1.0, -2.0, 0.5]
    lines = ["a,b,c,y,z"]
    for i in range(ROWS):
        label = "" if i % 50 == 7 else ("yes" if truth[i] > 0 else "no")
        lines.append(",".join(f"{v:.5f}" for v in x[i]) + f",{label},{100 + 30 * truth[i]:.4f}")
    path.write_text("\n".join(lines) + "\n")
    return path


def experiment(table: Path, target: str) -> Experiment:
    other = "z" if target == "y" else "y"
    data = DataSpec(path=str(table), target=target, ignore=[other])
    return Experiment(data=data, split=SplitSpec(train=TRAIN))


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
    number = engine.send(command)
    until = time.monotonic() + 120
    while time.monotonic() < until:
        for reply in engine.poll():
            if isinstance(reply, p.JobDone | p.JobFailed) and reply.id == number:
                return reply
        time.sleep(0.01)
    raise AssertionError("the job never ended")


def test_64_rates_over_the_training_window(engine: EngineClient, table: Path) -> None:
    reply = ended(engine, dp.MapRates(experiment=experiment(table, "y"), learner=LINEAR))
    assert isinstance(reply, p.JobDone), reply
    found = msgspec.convert(reply.result, dp.RatesMapped)
    assert len(found.rates) == len(found.errors) == 64
    assert found.rates == sorted(found.rates)
    # Rows without a label teach nothing and are not scored.
    assert found.rows == TRAIN - sum(i % 50 == 7 for i in range(TRAIN))
    assert found.best is not None
    assert found.errors[found.rates.index(found.best)] == min(found.errors) < 0.2
    assert max(found.errors) > min(found.errors)


def test_what_cannot_be_mapped_is_a_sentence(engine: EngineClient, table: Path) -> None:
    own = replace(LINEAR, params={"schedule": "optimal"})
    asked = experiment(table, "y")
    told = {
        "takes no learning rate": dp.MapRates(experiment=asked, learner=own),
        "Only the compiled linear": dp.MapRates(
            experiment=asked, learner=LearnerSpec("hoeffding_tree")
        ),
        "training window is empty": dp.MapRates(
            experiment=replace(asked, split=SplitSpec(train=0)), learner=LINEAR
        ),
    }
    for words, command in told.items():
        reply = ended(engine, command)
        assert isinstance(reply, p.JobFailed), words
        assert words in reply.sentence


@pytest.fixture(scope="module")
def store(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from modellab.data.importer import import_dataset

    patch = pytest.MonkeyPatch()
    patch.setenv("MODELLAB_HOME", str(tmp_path_factory.mktemp("store")))
    yield import_dataset([str(table)])
    patch.undo()


def nothing(*_told: object) -> None:
    """Progress that nobody sees."""


def test_each_rate_is_what_a_lane_with_it_would_be(store: Any, table: Path) -> None:
    from modellab.data.dataset import Dataset
    from modellab.data.encoder import Encoder
    from modellab.data.stream import EncodedStream
    from modellab.replay.context import Context

    asked = experiment(table, "y")
    found = map_rates(dp.MapRates(experiment=asked, learner=LINEAR), store, nothing)
    dataset = Dataset.build(store, asked.data, asked.split)
    encoder = Encoder.fit(dataset, 0, TRAIN, asked.replay.seed)
    stream = EncodedStream(dataset, encoder)
    context = Context(asked, dataset, encoder, stream, TRAIN, dataset.n_rows)
    at = found.rates.index(found.best)
    params = {**LINEAR.params, "learning_rate": found.rates[at]}
    learner: Any = context.build(replace(LINEAR, params=params))
    rows, y = stream.matrix(learner.view, 0, TRAIN)
    wrong = 0
    for i in range(len(y)):
        one: Any = rows[i : i + 1]
        wrong += int(learner.predict(one).value[0] != y[i])
        learner.learn(one, y[i : i + 1])
    assert found.errors[at] == wrong / len(y)


def test_numbers_are_mapped_in_their_own_unit(store: Any, table: Path) -> None:
    found = map_rates(
        dp.MapRates(experiment=experiment(table, "z"), learner=LINEAR), store, nothing
    )
    assert found.best is not None
    least = min(e for e in found.errors if np.isfinite(e))
    # The target deviates by about 69 from 100: the best rate knows more than its mean.
    assert 0.5 < least < 40


def test_it_can_be_cancelled_on_the_way(store: Any, table: Path) -> None:
    seen: list[float] = []

    def progress(done: float, total: float, _text: str = "") -> None:
        seen.append(done)
        if total:
            raise Cancelled

    with pytest.raises(Cancelled):
        map_rates(dp.MapRates(experiment=experiment(table, "y"), learner=LINEAR), store, progress)
    assert seen
