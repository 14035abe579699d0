"""The body of a lane worker process (``--worker host``)."""

from __future__ import annotations

import os
import sys


def main() -> int:
    """Serve lanes over standard input and output until the engine goes away."""
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # prints can't corrupt the frames
    from modellab.data.store import Store
    from modellab.replay.hosts import serve

    serve(sys.stdin.buffer, out, Store)
    return 0
