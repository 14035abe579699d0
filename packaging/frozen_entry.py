"""Where the frozen program begins: the same as ``python -m modellab``."""

from __future__ import annotations

import multiprocessing
import sys

if __name__ == "__main__":
    # Before anything else: a process that a library starts is told apart here.
    multiprocessing.freeze_support()
    from modellab.__main__ import main

    sys.exit(main())
