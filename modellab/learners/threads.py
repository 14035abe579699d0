"""One thread for the numerical libraries, so that the same call gives the same bits everywhere."""

from __future__ import annotations

import os
import threading

_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
_local = threading.local()


def single_thread(*, again: bool = False) -> None:
    """Make BLAS and OpenMP use one thread from now on, in the calling thread and in later ones.

    Libraries that are not loaded yet read it from the environment; those that are loaded are told
    through threadpoolctl. OpenMP keeps the number per thread, so every thread that computes calls
    this once (later calls cost nothing).

    Parameters
    ----------
    again
        True after another library was loaded: tell that one too.
    """
    if getattr(_local, "done", False) and not again:
        return
    for name in _VARIABLES:
        os.environ[name] = "1"
    import threadpoolctl

    threadpoolctl.threadpool_limits(limits=1)
    _local.done = True
