"""What runs without the interpreter lock calls nothing of Python; the build says so if it does."""

from __future__ import annotations

from pathlib import Path

import pytest

import build_hook
from stamp import ROOT

SOURCE = """
cdef double plain(const double *x, Py_ssize_t n) noexcept nogil:
    cdef double total = 0.0
    cdef Py_ssize_t i
    for i in range(n):
        total += x[i]
    return total


cdef inline double divided(
    double a, double b
) except? -1 nogil:
    return a / b  # which Python checks


def total(const double[::1] x, bint loud):
    cdef double found
    with nogil:
        found = plain(&x[0], x.shape[0])
        if loud:
            with gil:
                print(found)
    return found + divided(found, 2.0)
"""


@pytest.fixture(scope="module")
def c_source(tmp_path_factory: pytest.TempPathFactory) -> str:
    pytest.importorskip("Cython")
    from Cython.Compiler.Main import compile_single
    from Cython.Compiler.Options import CompilationOptions

    path = tmp_path_factory.mktemp("loops") / "made.pyx"
    path.write_text(SOURCE, encoding="utf-8")
    options = CompilationOptions(compiler_directives={**build_hook.DIRECTIVES, "cdivision": False})
    assert compile_single(str(path), options, full_module_name="made").num_errors == 0
    return path.with_suffix(".c").read_text(encoding="utf-8")


def test_a_call_of_python_is_found(c_source: str) -> None:
    loops = build_hook.loops_of(SOURCE)
    assert loops == {"plain", "divided"}
    assert build_hook.python_calls(c_source, {"plain"}) != []  # the print in the block
    found = build_hook.python_calls(c_source, loops)
    assert {c.partition(": ")[0] for c in found} == {"with nogil", "__pyx_f_4made_divided"}


def test_the_package_names_its_loops() -> None:
    sources = [p for f in build_hook.SOURCES for p in Path(ROOT / f).glob("*.p[yx][xd]")]
    loops = {n for p in sources for n in build_hook.loops_of(p.read_text(encoding="utf-8"))}
    assert loops >= {"run_ahead", "slope", "tree_learns", "forest_learns", "learn_row", "arrive"}
