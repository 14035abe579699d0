"""The body of a lane worker process (``--worker host``)."""

from __future__ import annotations


def main() -> int:
    """Serve lanes over standard input and output until the engine goes away."""
    from modellab.replay.process import frame_streams

    reader, writer = frame_streams()
    from modellab.data.store import Store
    from modellab.replay.hosts import serve

    serve(reader, writer, Store)
    return 0
