"""The online policy: every row is first predicted, then, once its label has arrived, learned."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from modellab.data.stream import BLOCK
from modellab.learners.base import Learner, Prediction, join, looks_back, runs_rows
from modellab.policies.base import Policy, Surroundings, labelled, pick, put_back, take

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from modellab.experiment import OnlinePolicy
    from modellab.learners.base import Ints, Look, PrequentialLearner, Rows
    from modellab.policies.guard_judge import Judge

_LEAST_REACH = 16


class Stretch(NamedTuple):
    """Rows [start, stop), their labels, and how many of these are known after each row."""

    start: int
    stop: int
    rows: Rows
    labels: NDArray[Any]
    counts: Ints


class Online(Policy):
    """Learns after every `every` labelled rows, in mini-batches of `batch`.

    Labels are taken in order of arrival. `next_row` is the first row whose label has not been taken
    yet, `waiting` how many taken rows wait for the next update (they start at `first_waiting`).
    While frozen, labels that arrive are passed over for good. Rows that a `guard` leaves out are
    passed over, too.
    """

    live = frozenset({"every", "batch", "frozen"})

    def __init__(self, spec: OnlinePolicy, learner: Learner, around: Surroundings) -> None:
        super().__init__(spec, learner, around)
        self.next_row = around.train_rows
        self.first_waiting = around.train_rows
        self.waiting = 0
        self.guard: Judge | None = None
        self._reach = _LEAST_REACH  # rows run ahead with a guard; no result depends on it
        self._stretch: Stretch | None = None

    def expect(self, start: int, stop: int) -> None:
        """Look once at rows of which each is learned at once: more than a block of them are."""
        self._stretch = None
        if stop - start <= BLOCK:
            return
        rows = self._rows(start, stop)
        labels = self.around.labels(start, stop)
        counts = np.arange(1, stop - start + 1, dtype=np.int64)
        self._stretch = Stretch(start, stop, rows, labels, counts)

    def step_looked(
        self, start: int, stop: int, at: Ints
    ) -> tuple[Prediction, Sequence[Look]] | None:
        """Step without a stop at the looks, where rows are learned at once by such a learner."""
        stretch, learner = self._stretch, self.learner
        if stretch is None or not stretch.start <= start < stop <= stretch.stop:
            return None
        if not looks_back(learner):
            return None
        own = slice(start - stretch.start, stop - stretch.start)
        with self.counters.clock("learn"):
            prediction, updates, looks = learner.run_looked(
                stretch.rows[own], stretch.labels[own], at, self.spec.batch
            )
        self._note_stretch(stretch, stop, updates)
        return prediction, looks

    def step(self, start: int, stop: int) -> Prediction:
        """Test, then train, row by row."""
        stretch = self._stretch
        if stretch is not None:
            if stretch.start <= start < stop <= stretch.stop:
                return self._step_stretch(stretch, start, stop)
            self._stretch = None
        if runs_rows(self.learner):
            if self.guard is not None:
                return self._step_guarded(start, stop, self.guard)
            return self._step_compiled(start, stop)
        return self._step_plain(start, stop)

    def _arrivals(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray, int]:
        """Labels that arrive during [start, stop): mask over rows from `next_row`, counts, end."""
        upto = self.around.label_upto(start, stop)
        end = max(int(upto[-1]), self.next_row)
        mask = self._learnable(self.next_row, end)
        arrived = np.maximum(upto - self.next_row, 0)
        if mask.all():
            return mask, arrived, end
        counts = np.concatenate([[0], np.cumsum(mask)])
        return mask, counts[arrived], end

    def _learnable(self, start: int, stop: int) -> np.ndarray:
        """Rows of [start, stop) with a label that are not left out, as far as that is decided."""
        mask = labelled(self.around.task, self.around.labels(start, stop))
        if self.guard is not None:
            mask = mask & ~self.guard.mask(start, stop)
        return mask

    def _step_guarded(self, start: int, stop: int, guard: Judge) -> Prediction:
        """Run ahead as if no loss were too large; where one is, go back and run up to there.

        A loss is known once its row was predicted and its label has arrived. So a run is right up
        to the arrival of the first row that is to be left out. While only labels of rows before it
        arrive (they are late), all is known beforehand.
        """
        if not guard.by_loss or guard.blind or self.spec.frozen:
            prediction = self._step_compiled(start, stop)
            guard.record(start, prediction)
            guard.settle(self.next_row, learning=not self.spec.frozen)
            return prediction
        if self._prompt(start, stop, guard):
            return self._step_prompt(start, stop, guard)
        parts = []
        at = start
        while at < stop:
            upto = self.around.label_upto(at, stop)
            late = int(np.searchsorted(upto, at, side="right"))
            if late >= _LEAST_REACH:
                guard.settle(int(upto[late - 1]))
                prediction = self._step_compiled(at, at + late)
                guard.record(at, prediction)
                parts.append(prediction)
                at += late
                continue
            end = min(stop, at + self._reach)
            upto = upto[: end - at]
            known = max(int(upto[-1]), guard.judged)
            taken, own = take(self.learner), self._bookmark()
            prediction = self._step_compiled(at, end)
            guard.record(at, prediction)
            over = guard.refused(known) & ~guard.barred(guard.judged, known)
            over &= labelled(self.around.task, self.around.labels(guard.judged, known))
            if not over.any():
                guard.settle(known)
                self._reach = min(2 * self._reach, BLOCK)
            else:
                first = guard.judged + int(np.argmax(over))
                done = int(np.searchsorted(upto, first, side="right")) + 1
                end = at + done
                guard.settle(max(int(upto[done - 1]), guard.judged))
                put_back(self.learner, taken)
                self._go_back(own)
                prediction = self._step_compiled(at, end)
                self._reach = max(_LEAST_REACH, min(2 * done, BLOCK))
            parts.append(prediction)
            at = end
        return join(parts)

    def _prompt(self, start: int, stop: int, guard: Judge) -> bool:
        """Whether each row of [start, stop) has a label that is known at once, to be judged."""
        if self.spec.every != 1 or self.waiting or not self.next_row == guard.judged == start:
            return False
        if not guard.only_by_loss:
            return False
        upto = self.around.label_upto(start, stop)
        if int(upto[-1]) != stop or not (np.diff(upto, prepend=start) == 1).all():
            return False
        return bool(labelled(self.around.task, self.around.labels(start, stop)).all())

    def _step_prompt(self, start: int, stop: int, guard: Judge) -> Prediction:
        """As `_step_guarded` does, in the same pieces, with all that is known beforehand."""
        learner: Any = self.learner
        rows = self.around.rows(learner.view, start, stop)
        labels = self.around.labels(start, stop)
        counts = np.arange(1, stop - start + 1, dtype=np.int64)

        def run(begin: int, end: int, known: Ints) -> tuple[Prediction, int]:
            learned = slice(begin, begin + int(known[-1]))
            with self.counters.clock("learn"):
                found: tuple[Prediction, int] = learner.run(
                    rows[begin:end],
                    rows[learned],
                    labels[learned],
                    known,
                    1,
                    self.spec.batch,
                    False,
                )
            return found

        parts = []
        at, n = 0, stop - start
        while at < n and not guard.blind:
            end = min(n, at + self._reach)
            taken = take(learner)
            part, made = run(at, end, counts[: end - at])
            first = guard.judge_at_once(start + at, labels[at:end], part)
            if first < 0:
                self._reach = min(2 * self._reach, BLOCK)
                self.trained_to = start + end
            else:
                put_back(learner, taken)
                end = at + first + 1
                part, made = run(at, end, np.minimum(counts[: first + 1], first))
                self._reach = max(_LEAST_REACH, min(2 * (first + 1), BLOCK))
                if first:
                    self.trained_to = start + at + first
            self.counters.updates += made
            self.version += 1
            parts.append(part)
            at = end
        self.next_row = start + at
        if at < n:  # the loss turned out to tell nothing
            parts.append(self._step_guarded(start + at, stop, guard))
        return join(parts)

    def _bookmark(self) -> tuple[int, int, int, int]:
        return self.next_row, self.counters.updates, self.waiting, self.trained_to

    def _go_back(self, own: tuple[int, int, int, int]) -> None:
        self.next_row, self.counters.updates, self.waiting, self.trained_to = own

    def _rows(self, start: int, stop: int) -> Rows:
        """Encoded rows; nothing is encoded for a learner that looks at the labels alone."""
        if getattr(self.learner, "labels_only", False):
            return np.empty((stop - start, 0))
        return self.around.rows(self.learner.view, start, stop)

    def _step_compiled(self, start: int, stop: int) -> Prediction:
        learner: Any = self.learner
        rows = self._rows(start, stop)
        mask, counts, end = self._arrivals(start, stop)
        whole = bool(mask.all())
        if (self.next_row, end) == (start, stop) and whole:
            learn_rows = rows
        else:
            learn_rows = pick(self._rows(self.next_row, end), mask)
        learn_y = self.around.labels(self.next_row, end)
        learn_y = learn_y if whole else learn_y[mask]
        spec: OnlinePolicy = self.spec
        with self.counters.clock("learn"):
            prediction, updates = cast("PrequentialLearner", learner).run(
                rows,
                learn_rows,
                learn_y,
                counts.astype(np.int64, copy=False),
                spec.every,
                spec.batch,
                spec.frozen,
            )
        self._note_learned(mask)
        self.next_row = end
        self.counters.updates += updates
        self.version += 1
        return prediction

    def _step_stretch(self, stretch: Stretch, start: int, stop: int) -> Prediction:
        """As `_step_compiled` does, where every label is there and known at once."""
        own = slice(start - stretch.start, stop - stretch.start)
        rows = stretch.rows[own]
        learner: Any = self.learner
        with self.counters.clock("learn"):
            prediction, updates = cast("PrequentialLearner", learner).run(
                rows,
                rows,
                stretch.labels[own],
                stretch.counts[: stop - start],
                1,
                self.spec.batch,
                False,
            )
        self._note_stretch(stretch, stop, updates)
        return prediction

    def _note_stretch(self, stretch: Stretch, stop: int, updates: int) -> None:
        self.next_row = self.trained_to = stop
        self.counters.updates += updates
        self.version += 1
        if stop == stretch.stop:
            self._stretch = None  # its rows need not be kept any longer

    def _note_learned(self, mask: np.ndarray) -> None:
        """How many of the rows that arrived (from `next_row` on) still wait in the learner."""
        if self.spec.every == 1 and not self.waiting and not self.spec.frozen:
            if mask.any():
                self.trained_to = self.next_row + len(mask) - int(np.argmax(mask[::-1]))
            return
        at = np.flatnonzero(mask)
        if self.spec.frozen:
            self.waiting = 0 if len(at) else self.waiting
            return
        first = max(1, self.spec.every - self.waiting)  # so many arrive before the first update
        if len(at) < first:
            self.waiting += len(at)
            return
        self.waiting = (len(at) - first) % self.spec.every
        self.trained_to = self.next_row + int(at[len(at) - 1 - self.waiting]) + 1

    def _step_plain(self, start: int, stop: int) -> Prediction:
        if self._row_by_row(start, stop):
            return self._step_rows(start, stop)
        parts = []
        at = start
        while at < stop:
            update = self._next_update(at)
            piece_end = min(stop, update)
            if self.guard is not None and self.cache.start <= at < self.cache.stop:
                # Where the next update falls is known later than where a piece was begun: it ends
                # where it did then, wherever this step began.
                piece_end = min(piece_end, self.cache.stop)
            parts.append(self.predict_piece(at, piece_end, update))
            if self.guard is not None:
                self.guard.record(at, parts[-1])
            self._take_until(piece_end)
            at = piece_end
        return join(parts)

    def _row_by_row(self, start: int, stop: int) -> bool:
        """Each row's own label arrives at once and is learned at once: no look-ahead is needed."""
        if self.spec.every != 1 or self.spec.frozen or self.waiting or self.next_row != start:
            return False
        if self.guard is not None and self.guard.by_loss:
            return False
        if self.cache.get(start, stop) is not None:
            return False
        mask, counts, end = self._arrivals(start, stop)
        return end == stop and bool(mask.all()) and int(counts[0]) == 1

    def _step_rows(self, start: int, stop: int) -> Prediction:
        """The common case without bookkeeping: the same pieces, one row each."""
        rows = self.around.rows(self.learner.view, start, stop)
        labels = self.around.labels(start, stop)
        predict, learn, batch = self.learner.predict, self.learner.learn, self.spec.batch
        clock = time.thread_time
        parts = []
        for i in range(stop - start):
            row = rows[i : i + 1]
            begin = clock()
            parts.append(predict(row))
            between = clock()
            self.counters.updates += learn(row, labels[i : i + 1], batch)
            self.counters.cpu_predict += between - begin
            self.counters.cpu_learn += clock() - between
        self.next_row = self.first_waiting = self.trained_to = stop
        self.version += 1
        self.cache.forget()
        if self.guard is not None:
            self.guard.settle(stop)
        return join(parts)

    def _next_update(self, at: int) -> int:
        """First position after `at` before which an update falls due, or the block's end."""
        end = self.piece_end(at)
        if self.spec.frozen:
            return end
        _, counts, _ = self._arrivals(at, end)
        due = np.flatnonzero(self.waiting + counts >= self.spec.every)
        return at + int(due[0]) + 1 if len(due) else end

    def _take_until(self, position: int) -> None:
        """Take the labels known once row `position - 1` was predicted, and learn what is due."""
        end = max(int(self.around.label_upto(position - 1, position)[-1]), self.next_row)
        if self.guard is not None:
            self.guard.settle(end, learning=not self.spec.frozen)
        if end == self.next_row:
            return
        mask = self._learnable(self.next_row, end)
        if self.spec.frozen:
            self.next_row = self.first_waiting = end
            self.waiting = 0
            return
        self.waiting += int(mask.sum())
        self.next_row = end
        while self.waiting >= self.spec.every:
            self._learn(self.spec.every)

    def _learn(self, count: int) -> None:
        """Learn the first `count` waiting rows."""
        labels = self.around.labels(self.first_waiting, self.next_row)
        known = np.flatnonzero(self._learnable(self.first_waiting, self.next_row))[:count]
        stop = self.first_waiting + int(known[-1]) + 1
        rows = self.around.rows(self.learner.view, self.first_waiting, stop)
        mask = np.zeros(stop - self.first_waiting, dtype=bool)
        mask[known] = True
        with self.counters.clock("learn"):
            self.counters.updates += self.learner.learn(
                pick(rows, mask), labels[known], self.spec.batch
            )
        self.first_waiting = self.trained_to = stop
        self.waiting -= count
        self.version += 1
        self.cache.forget()

    def rows_changed(self, position: int) -> None:
        """Compute again what was computed ahead."""
        super().rows_changed(position)
        if self.guard is not None:
            self.guard.rows_changed()

    def rows_stored(self, position: int) -> int:
        """Rows that wait at `position`: for their labels, or for the next update."""
        return max(position - self.next_row, 0) + self.waiting

    def state(self) -> dict[str, Any]:
        """Everything but the learner."""
        own = {
            "guard": None if self.guard is None else self.guard.state(),
            "next_row": self.next_row,
            "first_waiting": self.first_waiting,
            "waiting": self.waiting,
        }
        return {**super().state(), **own}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over a state made by `state`."""
        super().load_state(state)
        self.next_row = state["next_row"]
        self.first_waiting = state["first_waiting"]
        self.waiting = state["waiting"]
        if self.guard is not None and state["guard"] is not None:
            self.guard.load_state(state["guard"])
