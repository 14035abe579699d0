"""What is predicted: the target's task and classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TaskKind = Literal["classification", "regression"]


@dataclass(frozen=True)
class Task:
    """What is predicted.

    Attributes
    ----------
    kind
        ``"classification"`` or ``"regression"``.
    classes
        The labels in code order (code *k* means ``classes[k]``); empty for regression.
    target
        Name of the target column.
    """

    kind: TaskKind
    classes: tuple[str | bool | int | float, ...] = ()
    target: str = ""

    @property
    def n_classes(self) -> int:
        """Number of classes (0 for regression)."""
        return len(self.classes)
