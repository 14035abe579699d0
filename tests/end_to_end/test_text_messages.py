"""Spam among text messages: a static and an online lane in one experiment, sparse all the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modellab.data.sparse import SparseRows
from modellab.experiment_file import loads
from modellab.replay.run import run_experiment

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.end_to_end

COLUMNS = 65_536
TEXT = """
modellab = 1
[data]
path = "{path}"
target = "Label"
kinds = {{ SMS = "text" }}
reading = {{ delimiter = "tab", quote = "none" }}
[split]
train = 1000
[[lane]]
name = "Static"
policy = "static"
learner = {{ kind = "logistic_regression", C = 100.0 }}
[[lane]]
name = "Online"
policy = "online"
learner = {{ kind = "linear", loss = "log", learning_rate = 1.0, schedule = "adagrad" }}
"""


def test_spam_is_told_apart_and_no_matrix_is_made_dense(
    shared_data: Path, modellab_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = shared_data / "sms_spam.tsv"
    if not file.is_file():
        pytest.skip("sms_spam.tsv is not in the shared data folder")
    import scipy.sparse

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a sparse matrix was made dense")

    for name in ("toarray", "todense"):
        for kind in (scipy.sparse.csr_matrix, scipy.sparse.csr_array, scipy.sparse.csc_matrix):
            monkeypatch.setattr(kind, name, refuse)
    widest = [0]
    made = np.zeros

    def watched(shape: Any, *more: Any, **named: Any) -> Any:
        size = int(np.prod(shape))
        widest[0] = max(widest[0], size)
        return made(shape, *more, **named)

    monkeypatch.setattr(np, "zeros", watched)
    seen: list[tuple[int, ...]] = []
    sparse = SparseRows.__init__

    def noted(self: SparseRows, *given: Any, **named: Any) -> None:
        sparse(self, *given, **named)
        seen.append(self.shape)

    monkeypatch.setattr(SparseRows, "__init__", noted)
    experiment = loads(TEXT.format(path=file.as_posix()))
    result = run_experiment(experiment, base=shared_data)
    lanes = {lane.name: lane for lane in result.lanes}
    assert lanes["Online"].rows == lanes["Static"].rows == 5574 - 1000
    # Prequentially: every message is predicted before it is learned from.
    assert lanes["Online"].metrics["cumulative"]["accuracy"] > 0.985
    assert lanes["Static"].metrics["cumulative"]["accuracy"] > 0.97
    assert lanes["Majority class"].metrics["cumulative"]["accuracy"] < 0.88
    assert max(width for _, width in seen) > COLUMNS
    assert sum(rows for rows, _ in seen) >= 5574
    # A hundred rows of that width would already be more.
    assert widest[0] < 100 * COLUMNS
