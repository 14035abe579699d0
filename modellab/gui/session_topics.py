"""Change notification without Qt: topics, and the messages a person reads."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TOPICS = (
    "data",
    "profile",
    "experiment",
    "trainings",
    "jobs",
    "deployment",
    "telemetry",
    "verdict",
    "engine",
    "message",
)


@dataclass(frozen=True)
class Message:
    """Something to tell the person: `text` is a whole sentence, `detail` is for a details button.

    `action` and `run` belong together: the words on a button, and what it does.
    """

    kind: Literal["info", "warning", "error"]
    text: str
    detail: str = ""
    action: str = ""
    run: Callable[[], object] | None = None


class Topics:
    """Callbacks by topic. Callbacks take no argument, except those of ``message``: one `Message`.

    Inside `batch`, a topic that is published several times is told once, at the end.
    """

    def __init__(self) -> None:
        self._callbacks: dict[str, list[Callable[..., object]]] = {name: [] for name in TOPICS}
        self._waiting: dict[str, None] | None = None

    def subscribe(self, topic: str, callback: Callable[..., object]) -> Callable[[], None]:
        """Call `callback` at every change of `topic`; returns what ends the subscription.

        Raises
        ------
        KeyError
            There is no such topic.
        """
        callbacks = self._callbacks[topic]
        callbacks.append(callback)

        def unsubscribe() -> None:
            if callback in callbacks:
                callbacks.remove(callback)

        return unsubscribe

    def publish(self, topic: str, *values: Any) -> None:
        """Tell everyone who listens to `topic`, in the order of subscription."""
        if self._waiting is not None and not values:
            self._waiting[topic] = None
            return
        for callback in list(self._callbacks[topic]):
            callback(*values)

    @contextlib.contextmanager
    def batch(self) -> Iterator[None]:
        """Hold back what is published inside, then tell each topic once."""
        if self._waiting is not None:
            yield
            return
        self._waiting = {}
        try:
            yield
        finally:
            waiting, self._waiting = self._waiting, None
            for topic in waiting:
                self.publish(topic)
