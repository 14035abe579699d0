"""What the engine is given by the rooms above this one, which it must not import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from modellab.evaluation.evidence import LaneEvidence
    from modellab.experiment import Experiment, PriceSpec
    from modellab.replay.context import Context
    from modellab.replay.replay import Replay


class Services(Protocol):
    """The functions (`modellab.verdict.services.Services` has them)."""

    @property
    def write_results(self) -> Callable[..., list[str]]:
        """``write_results(result, folder, hindsight=, sensitivity=)``: names of its files."""

    @property
    def judge(self) -> Callable[..., dict[str, Any]]:
        """``judge(replay or Moment, prices, hindsight, sensitivity)``: a verdict as builtins."""

    @property
    def hindsight(self) -> Callable[..., dict[str, Any]]:
        """``hindsight(experiment, store, learner, grid, keep, progress)``: what was found."""

    @property
    def sensitivity(self) -> Callable[..., dict[str, dict[str, float]]]:
        """``sensitivity(experiment, store, kinds, progress)``: rise of the loss, lane by fault."""


@dataclass(frozen=True)
class Moment:
    """What a verdict reads of a replay, taken between two slices: it plays on meanwhile."""

    experiment: Experiment
    context: Context
    train_rows: int
    position: int
    prices: PriceSpec
    lanes: list[LaneEvidence]

    @staticmethod
    def of(replay: Replay) -> Moment:
        """Take the present moment of a replay."""
        return Moment(
            replay.as_replayed(),
            replay.context,
            replay.train_rows,
            replay.position,
            replay.prices,
            replay.evidence(),
        )

    def evidence(self) -> list[LaneEvidence]:
        """What is known of the lanes."""
        return self.lanes
