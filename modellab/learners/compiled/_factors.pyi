from typing import Any

from modellab.learners.compiled._loop import RowLoop

class FactorsCore(RowLoop):
    def __init__(
        self,
        columns: int,
        user: int,
        item: int,
        users: int,
        items: int,
        settings: dict[str, Any],
    ) -> None: ...
    def tables(self) -> tuple[bytes, bytes]: ...
    def measure(self) -> tuple[float, int, int, int, int]: ...
