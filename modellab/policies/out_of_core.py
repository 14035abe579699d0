"""First training in chunks, in a seeded order; then online, or left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from modellab.experiment import stream_rng
from modellab.learners.base import Prediction, Progress, no_progress
from modellab.policies.base import NEVER, PolicyEvent
from modellab.policies.online import Online

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modellab.experiment import OutOfCorePolicy
    from modellab.policies.base import ChunkOrder


def chunk_order(seed: int, which: int) -> ChunkOrder:
    """Return a seeded order of chunks, another one in every pass; `which`: 0 is the lane's own."""

    def order(passing: int, n_chunks: int) -> Sequence[int]:
        rng = stream_rng(seed, f"chunk order {which}", passing)
        chosen: list[int] = rng.permutation(n_chunks).tolist()
        return chosen

    return order


class OutOfCore(Online):
    """Trained in chunks of `chunk_rows` rows, `passes` times over; then as `then` says.

    With `shuffle` each pass takes the chunks in a seeded order of its own, else in that of the
    file. With `orders`, how much that matters is measured before the replay: the learner is fitted
    on the training window less its test part, in the lane's order and in so many other seeded
    ones, and the test errors are told as an event.
    """

    @property
    def has_model(self) -> bool:
        """Whether it was trained, or learns from nothing."""
        spec: OutOfCorePolicy = self.spec
        return spec.then == "online" or self.around.train_rows > 0

    def prepare(self, progress: Progress = no_progress) -> None:
        """Train the first model, and try other orders."""
        spec: OutOfCorePolicy = self.spec
        if self.around.fit_rows == 0:
            return
        if spec.orders:
            self._try_orders(progress)
        progress(0, 0, "Training in chunks")
        order = chunk_order(self.around.seed, 0) if spec.shuffle else None
        self.around.fit_chunks(
            self.learner, 0, self.around.fit_rows, spec.chunk_rows, spec.passes, order
        )

    def _try_orders(self, progress: Progress) -> None:
        spec: OutOfCorePolicy = self.spec
        around = self.around
        stop = around.train_rows - around.test_rows
        if around.test_rows == 0 or stop <= 0:
            text = "The order of chunks was not tried: the training window has no test part."
            self.events.append(PolicyEvent(around.train_rows, "warning", text))
            return
        errors = []
        for which in range(spec.orders + 1):
            progress(which, spec.orders + 1, "Trying other orders of chunks")
            learner = around.build()
            own = which > 0 or spec.shuffle
            order = chunk_order(around.seed, which) if own else None
            around.fit_chunks(learner, 0, stop, spec.chunk_rows, spec.passes, order)
            errors.append(around.loss(learner, stop, around.train_rows))
        low, high = float(np.min(errors)), float(np.max(errors))
        many = f"{spec.orders} other order{'s' if spec.orders > 1 else ''}"
        self.events.append(
            PolicyEvent(
                around.train_rows,
                "warning",
                f"Chunk order: test error {errors[0]:.4g} in the order used, {low:.4g} to "
                f"{high:.4g} with {many} of the chunks",
                {"test_errors": errors, "spread": high - low, "orders": spec.orders},
            )
        )

    def rows_stored(self, position: int) -> int:
        """Rows that wait to be learned."""
        return super().rows_stored(position) if self.spec.then == "online" else 0

    def step(self, start: int, stop: int) -> Prediction:
        """Go on online; or only predict."""
        spec: OutOfCorePolicy = self.spec
        if spec.then == "static":
            return self.predict_piece(start, stop, NEVER)
        return super().step(start, stop)
