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
    loops = build_hook.loops_in_c(ROOT)
    room = "8modellab_8learners_8compiled_"
    for name in ("7_linear_run_ahead", "6_model_slope", "7_counts_learn_row"):
        assert f"{room}{name}" in loops
    names = {name.rpartition("compiled_")[2].lstrip("0123456789") for name in loops}
    assert {"_tree_learn_tree_learns", "_forests_forest_learns"} <= names


def test_a_function_of_the_same_name_in_another_module_is_no_loop(tmp_path: Path) -> None:
    folder = tmp_path / build_hook.SOURCES[0]
    folder.mkdir(parents=True)
    (folder / "_one.pyx").write_text("cdef void fill() noexcept nogil:\n    pass\n", "utf-8")
    (folder / "_two.pyx").write_text("cdef void fill():\n    pass\n", "utf-8")
    (loop,) = build_hook.loops_in_c(tmp_path)
    assert loop.endswith("_4_one_fill")
    body = "static void __pyx_f_{}(void) {{\n  PyErr_SetString(a, b);\n}}\n"
    assert build_hook.python_calls(body.format(loop), {loop})
    assert not build_hook.python_calls(body.format(loop.replace("_one", "_two")), {loop})
