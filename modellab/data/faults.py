"""What arrives instead of what is true: the faults of an experiment at work on a data set.

Faults act in the order in which they are listed, each on what the ones before it left. All is a
function of positions: random numbers are drawn for whole blocks of rows, keyed by the experiment's
seed, the fault and the block. Rows of the training window are never touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.data.arrivals import (
    Arrivals,
    LateArrivals,
    OutageArrivals,
    RowArrivals,
    TimeArrivals,
)
from modellab.data.faults_check import (
    NOISY_KINDS,
    check_faults,
    drift_positions,
    only_code,
    permuted,
)
from modellab.data.faults_draws import DRAW_BLOCK, Draws, TrainingFacts, fault_keys
from modellab.data.faults_table import (
    Concept,
    Duplicates,
    Missing,
    Moved,
    Noise,
    Sources,
    Stage,
    Unit,
)
from modellab.experiment_faults import (
    DriftFault,
    DuplicatedRows,
    FeatureNoise,
    LabelDelay,
    LabelNoise,
    MissingValues,
    Outage,
    SwappedColumns,
    UnitError,
)
from modellab.experiment_values import rows_or_span

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from modellab.data.dataset import Dataset
    from modellab.experiment import Fault

    Labels = NDArray[Any]
    ReadLabels = Callable[[int, int], Labels]

__all__ = ["Faults", "check_faults", "drift_positions"]


class Faults:
    """Faults at work.

    Parameters
    ----------
    faults
        In the order in which they act; already checked (`check_faults`).
    dataset
        The data set.
    seed
        Of the experiment.
    arrivals
        When labels arrive without faults.
    times
        ``times(start, stop)`` in int64 nanoseconds, for delays in event time.
    facts
        What is known of the training window, if it was asked before.

    Attributes
    ----------
    arrivals
        When labels arrive, faults included.
    outages
        Ranges of rows in which no label and no update reaches the model.
    features, answers, truths
        Whether any fault changes features, labels as they arrive, and what is true.
    """

    def __init__(
        self,
        faults: Sequence[Fault],
        dataset: Dataset,
        seed: int,
        arrivals: Arrivals,
        times: Callable[[int, int], NDArray[np.int64]],
        facts: TrainingFacts | None = None,
    ) -> None:
        self.facts = facts or TrainingFacts(dataset)
        self.arrivals = arrivals
        self.outages: list[tuple[int, int]] = []
        self._dataset = dataset
        self._tables: list[Stage] = []
        self._seen: list[_LabelStage] = []
        self._true: list[_LabelStage] = []
        self._lost: list[tuple[int, int]] = []
        for fault, key in zip(faults, fault_keys(faults), strict=True):
            start = max(fault.start, dataset.train_rows)
            stop = dataset.n_rows if fault.stop is None else min(fault.stop, dataset.n_rows)
            if start < stop:
                self._add(fault, start, stop, Draws(seed, key), times)
        self.features = bool(self._tables)
        self.answers = bool(self._seen or self._lost)
        self.truths = bool(self._true)

    def _add(
        self,
        fault: Fault,
        start: int,
        stop: int,
        draws: Draws,
        times: Callable[[int, int], NDArray[np.int64]],
    ) -> None:
        data = self._dataset
        if isinstance(fault, LabelDelay):
            rows, span = rows_or_span(fault.delay, "delay")
            shift: Arrivals = RowArrivals(data.n_rows, 0, rows)
            if span:
                shift = TimeArrivals(times, data.n_rows, 0, span)
            self.arrivals = LateArrivals(
                self.arrivals, start, stop, shift, data.train_rows, data.n_rows
            )
        elif isinstance(fault, Outage):
            held = OutageArrivals(self.arrivals, start, stop, data.train_rows, data.n_rows)
            self.arrivals = held
            self.outages.append((start, stop))
            if fault.backlog == "lost" and held.held[0] < held.held[1]:
                self._lost.append(held.held)
        elif isinstance(fault, LabelNoise):
            self._seen.append(_NoisyLabels(start, stop, fault, data, draws, self.facts))
        elif isinstance(fault, DuplicatedRows):
            sources = Sources(start, stop, fault.rate, draws, DRAW_BLOCK)
            self._tables.append(Duplicates(start, stop, sources))
            self._seen.append(_RepeatedLabels(start, stop, sources))
        elif isinstance(fault, DriftFault):
            concept = Concept(fault, draws)
            if fault.how == "permute":
                moves = permuted(fault, data)
                self._tables.append(Moved(start, stop, moves, concept.active))
            else:
                stage = _Relabelled(start, stop, concept, data, self.facts)
                self._seen.append(stage)
                self._true.append(stage)
        else:
            self._tables.append(_cells(fault, start, stop, data, draws, self.facts))

    def table(self, start: int, stop: int, columns: Sequence[str]) -> Any:
        """Rows [start, stop) as they arrive, features only, in the kinds of the data set."""
        return self._table(len(self._tables), start, stop, list(columns))

    def _table(self, level: int, start: int, stop: int, columns: list[str]) -> Any:
        while level and not self._tables[level - 1].touches(start, stop, columns):
            level -= 1
        if not level:
            kinds = {name: self._dataset.kinds[name] for name in columns}
            return self._dataset.store.read(start, stop, columns=columns, kinds=kinds)

        def read(low: int, high: int, names: list[str]) -> Any:
            return self._table(level - 1, low, high, names)

        return self._tables[level - 1].table(start, stop, columns, read)

    def seen(self, start: int, stop: int) -> Labels:
        """Labels of rows [start, stop) as they arrive: noise included, missing where lost."""
        labels = self._labels(self._seen, len(self._seen), start, stop)
        missing = -1 if labels.dtype.kind == "i" else np.nan
        for first, last in self._lost:
            if max(first, start) < min(last, stop):
                labels = labels.copy()
                labels[max(first, start) - start : min(last, stop) - start] = missing
        return labels

    def truth(self, start: int, stop: int) -> Labels:
        """Labels of rows [start, stop) as they are true: drifts included."""
        return self._labels(self._true, len(self._true), start, stop)

    def _labels(self, stages: list[_LabelStage], level: int, start: int, stop: int) -> Labels:
        while level and not stages[level - 1].touches(start, stop):
            level -= 1
        if not level:
            return np.asarray(self._dataset.labels(start, stop))

        def read(low: int, high: int) -> Labels:
            return self._labels(stages, level - 1, low, high)

        return stages[level - 1].labels(start, stop, read)

    def next_link(self, position: int) -> int:
        """Return the first row, from `position` on, at which updates can reach the model."""
        for start, stop in sorted(self.outages):
            if start <= position < stop:
                position = stop
        return position


def _cells(
    fault: Fault, start: int, stop: int, data: Dataset, draws: Draws, facts: TrainingFacts
) -> Stage:
    if isinstance(fault, UnitError):
        return Unit(start, stop, fault.column, fault.factor)
    if isinstance(fault, SwappedColumns):
        one, other = fault.columns
        moves = {one: other, other: one}
        return Moved(start, stop, moves, lambda a, b: np.ones(b - a, dtype=bool))
    if not isinstance(fault, FeatureNoise | MissingValues):
        raise TypeError(type(fault).__name__)
    chosen = tuple(n for n in data.features if not fault.columns or n in fault.columns)
    if isinstance(fault, MissingValues):
        return Missing(start, stop, chosen, fault.rate, draws)
    kinds = {name: data.kinds[name] for name in chosen if data.kinds[name] in NOISY_KINDS}
    return Noise(start, stop, kinds, fault.rate, fault.scale, draws, facts)


class _LabelStage:
    """One fault of the labels, over rows [start, stop)."""

    def __init__(self, start: int, stop: int) -> None:
        self.start, self.stop = start, stop

    def touches(self, start: int, stop: int) -> bool:
        """Whether any of these labels may change."""
        return max(start, self.start) < min(stop, self.stop)

    def labels(self, start: int, stop: int, read: ReadLabels) -> Labels:
        """Return the labels of rows [start, stop) with this fault."""
        labels = read(start, stop).copy()
        low, high = max(start, self.start), min(stop, self.stop)
        part = slice(low - start, high - start)
        labels[part] = self.changed(labels[part], low, high)
        return labels

    def changed(self, labels: Labels, start: int, stop: int) -> Labels:
        """Return labels of rows that all lie in the range."""
        raise NotImplementedError


class _NoisyLabels(_LabelStage):
    def __init__(
        self,
        start: int,
        stop: int,
        fault: LabelNoise,
        data: Dataset,
        draws: Draws,
        facts: TrainingFacts,
    ) -> None:
        super().__init__(start, stop)
        self._fault, self._draws, self._facts = fault, draws, facts
        self._classes = data.task.n_classes if data.task.kind == "classification" else 0
        self._only = only_code(fault, data)

    def changed(self, labels: Labels, start: int, stop: int) -> Labels:
        hit = self._draws.uniform("chance", start, stop) < self._fault.rate
        if not self._classes:
            noise = self._draws.normal("noise", start, stop)
            deviation = self._fault.scale * self._facts.target()[1]
            return np.asarray(np.where(hit, labels + noise * deviation, labels))
        hit &= labels >= 0
        if self._only is not None:
            hit &= labels == self._only
        others = self._classes - 1
        other = (self._draws.uniform("other", start, stop) * others).astype(np.int64)
        other = np.minimum(other, others - 1)
        return np.asarray(np.where(hit, other + (other >= labels), labels))


class _Relabelled(_LabelStage):
    def __init__(
        self, start: int, stop: int, concept: Concept, data: Dataset, facts: TrainingFacts
    ) -> None:
        super().__init__(start, stop)
        self._concept, self._facts = concept, facts
        self._classes = data.task.n_classes if data.task.kind == "classification" else 0

    def changed(self, labels: Labels, start: int, stop: int) -> Labels:
        new = self._concept.active(start, stop)
        if not self._classes:
            return np.asarray(np.where(new, 2.0 * self._facts.target()[0] - labels, labels))
        return np.asarray(np.where(new & (labels >= 0), (labels + 1) % self._classes, labels))


class _RepeatedLabels(_LabelStage):
    def __init__(self, start: int, stop: int, sources: Sources) -> None:
        super().__init__(start, stop)
        self._sources = sources

    def labels(self, start: int, stop: int, read: ReadLabels) -> Labels:
        """Return the labels of the rows that are delivered."""
        labels = read(start, stop)
        source = self._sources.of(start, stop)
        first = int(source[0])
        if first >= start:
            return np.asarray(labels[source - start])
        labels = np.concatenate([read(first, first + 1), labels])
        return np.asarray(labels[np.where(source < start, 0, source - start + 1)])
