"""Which build of a compiled loop is used here: the plain one, or its twin for AVX2.

Both come from one source and give the same bits (no contraction, every sum's order written out);
the twin takes four numbers at a time. The environment variable `MODELLAB_CPU` set to ``base`` keeps
to the plain build, as every processor of another kind does.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

VARIABLE = "MODELLAB_CPU"
SUFFIX = "_avx2"


def loops(name: str) -> ModuleType:
    """Import the compiled loop `name` (like ``_linear``), the fastest build that runs here.

    Raises
    ------
    ImportError
        If it has not been built.
    """
    from modellab.learners.compiled import _math

    if os.environ.get(VARIABLE) != "base" and _math.has_avx2():
        try:
            return importlib.import_module(f"{__package__}.{name}{SUFFIX}")
        except ImportError:
            pass  # built by a compiler that knows no AVX2
    return importlib.import_module(f"{__package__}.{name}")
