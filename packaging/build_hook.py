"""Build the compiled loops: a hook for hatchling, and a command of its own.

`python packaging/build_hook.py` compiles the Cython modules in place (for work on the sources);
`pip install` and `python -m build` call `CustomBuildHook`.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SOURCES = (
    "modellab/learners/compiled",
    "modellab/evaluation/compiled",
    "modellab/data/compiled",
    "modellab/policies/compiled",
)
"""Folders of Cython modules. Those of the second may include and cimport what the first has."""

# Exactly what the source says, in its order: results must not depend on compiler or processor.
# No contraction (a fused multiply-add rounds once, not twice); sqrt needs no errno, so that it
# vectorises; never -ffast-math.
FLAGS_UNIX = ["-O3", "-g0", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-w"]
FLAGS_MSVC = ["/O2", "/fp:precise"]

TWINS = tuple(f"{SOURCES[0]}/{name}" for name in ("_linear", "_neighbours", "_rate_map"))
"""Modules that are compiled a second time, for processors with AVX2 (`compiled/twins.py` chooses):
those that gain by it."""
TWIN_SUFFIX = "_avx2"
FLAGS_TWIN = ["-mavx2", "-mno-fma"]

WHOLE = (f"{SOURCES[0]}/_linear",)
"""Modules whose row is gone through a tenth faster when all that is called inline is put in its
place: gcc leaves some of it out, as too large. The order of the sums stays as it is written."""
FLAG_WHOLE = "-DCYTHON_INLINE=inline __attribute__((always_inline))"

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "cdivision": True,
    "initializedcheck": False,
    "embedsignature": True,
}

NO_COMPILER = (
    "The compiled loops need a C compiler and Python's header files. "
    "On Debian or Ubuntu: apt-get install gcc python3-dev. On macOS: xcode-select --install. "
    "On Windows: the Visual Studio build tools."
)


REUSE = "MODELLAB_REUSE_BUILT"
"""Set in the environment: modules that lie beside their sources, newer than all, are taken as built
(the tests of the wheel's contents do not compile everything again)."""


class BuildFailed(Exception):
    """The extension modules could not be compiled; the text says why."""


def module_names(root: Path = ROOT) -> list[str]:
    """Return the dotted names of all Cython modules of the package."""
    found = [path for folder in SOURCES for path in sorted((root / folder).glob("*.pyx"))]
    return [".".join(path.relative_to(root).with_suffix("").parts) for path in found]


def twin_names(root: Path = ROOT) -> list[str]:
    """Return the dotted names of the AVX2 twins that belong to this system.

    None where the processor is of another kind, and none on Windows: its calling convention aligns
    the stack to 16 bytes, which gcc does not make up for (its bug 54412).
    """
    if platform.machine().lower() not in ("x86_64", "amd64") or os.name == "nt":
        return []
    here = [path for path in TWINS if (root / f"{path}.pyx").is_file()]
    return [path.replace("/", ".") + TWIN_SUFFIX for path in here]


def _compiler_knows_avx2(compiler: Any, folder: Path) -> bool:
    # A compiler for two kinds of processor at once does not; nor need every other.
    source = folder / "avx2.c"
    source.write_text(
        "#include <immintrin.h>\n__m256d twice(__m256d a) { return _mm256_add_pd(a, a); }\n"
    )
    from setuptools.errors import CompileError

    try:
        compiler.compile([str(source)], output_dir=str(folder), extra_postargs=FLAGS_TWIN)
    except CompileError:
        return False
    return True


def without_rpath(command: list[str]) -> list[str]:
    """Return a link command that puts no folder of this machine's Python into the module."""
    return [part for part in command if not part.startswith(("-Wl,-rpath", "-Wl,-R"))]


def built_before(root: Path) -> dict[str, Path]:
    """Return the modules beside their sources, as `build` does; empty unless all are up to date."""
    folders = [root / folder for folder in SOURCES]
    sources = [p for f in folders for end in ("*.pyx", "*.pxd", "*.h") for p in f.glob(end)]
    newest = max((path.stat().st_mtime for path in sources), default=0.0)
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    names = [*module_names(root), *twin_names(root)]
    relative = [name.replace(".", "/") + suffix for name in names]
    found = {name: root / name for name in relative if (root / name).is_file()}
    if len(found) < len(relative) or any(p.stat().st_mtime < newest for p in found.values()):
        return {}
    return found


def build(root: Path, target: Path) -> dict[str, Path]:
    """Compile every Cython module of `root` and put the libraries below `target`.

    Parameters
    ----------
    root
        Folder that holds `modellab/`.
    target
        Where the built modules go, at the same relative paths (`root` itself: in place).

    Returns
    -------
    dict
        Path relative to `target`, with forward slashes, to the built file.

    Raises
    ------
    BuildFailed
        If Cython, the compiler or Python's headers are missing, the compiler fails, or a loop that
        is to run without the interpreter lock calls Python.
    """
    try:
        from Cython.Build import cythonize
        from setuptools import Distribution, Extension
        from setuptools.command.build_ext import build_ext
    except ImportError as error:
        raise BuildFailed(f"Compiling the loops needs Cython and setuptools: {error}.") from error

    # Absolute before the working folder changes; the compiler runs in the root so that no
    # path of this machine gets into the modules.
    root, target = root.resolve(), target.resolve()
    before = Path.cwd()
    work = Path(tempfile.mkdtemp(prefix="modellab-build-"))
    os.chdir(root)
    try:
        extensions = [
            Extension(name, [f"{name.replace('.', '/')}.pyx"], include_dirs=list(SOURCES))
            for name in module_names(root)
        ]
        modules = cythonize(
            extensions,
            build_dir=str(work / "c"),
            include_path=["."],
            compiler_directives=DIRECTIVES,
            quiet=True,
        )

        _check_loops(root, modules)
        twins = [_twin(e) for e in modules if e.name + TWIN_SUFFIX in twin_names(root)]

        class Command(build_ext):
            def build_extensions(self) -> None:
                flags = FLAGS_MSVC if self.compiler.compiler_type == "msvc" else FLAGS_UNIX
                for extension in self.extensions:
                    extension.extra_compile_args = list(flags)
                    if extension in twins:
                        extension.extra_compile_args += FLAGS_TWIN
                    plain = extension.name.removesuffix(TWIN_SUFFIX).replace(".", "/")
                    if plain in WHOLE and self.compiler.compiler_type != "msvc":
                        extension.extra_compile_args.append(FLAG_WHOLE)
                linker = getattr(self.compiler, "linker_so", None)
                if linker:
                    self.compiler.linker_so = without_rpath(linker)
                if not _compiler_knows_avx2(self.compiler, work):
                    self.extensions = [e for e in self.extensions if e not in twins]
                super().build_extensions()

        distribution = Distribution({"name": "modellab", "ext_modules": [*modules, *twins]})
        command = Command(distribution)
        command.build_lib = str(work / "lib")
        command.build_temp = str(work / "o")
        command.ensure_finalized()
        command.run()
        built: dict[str, Path] = {}
        for name in [extension.name for extension in command.extensions]:
            relative = command.get_ext_filename(name).replace(os.sep, "/")
            source = Path(command.get_ext_fullpath(name))
            place = target / relative
            place.parent.mkdir(parents=True, exist_ok=True)
            # A running program may have the old module mapped: put the new one in its place whole.
            fresh = place.with_name(place.name + ".new")
            shutil.copyfile(source, fresh)
            fresh.replace(place)
            built[relative] = place
        return built
    except BuildFailed:
        raise
    except Exception as error:
        raise BuildFailed(_why(error)) from error
    finally:
        os.chdir(before)
        shutil.rmtree(work, ignore_errors=True)


_WITHOUT_LOCK = re.compile(
    r"^[ \t]*cdef\s[^\n(=]*?(\w+)\((?:[^()]|\([^()]*\))*\)"
    r"\s*(?:noexcept\s+|except[^:\n]*?)?nogil\s*:",
    re.MULTILINE,
)
_IN_C = re.compile(
    r"^static [^;{}\n]*?\b(__pyx_f_\w+)\([^;{}]*?\) \{$(.*?)^\}$", re.MULTILINE | re.DOTALL
)
_BLOCK = re.compile(r"PyEval_SaveThread\(\);(.*?)/\*finally:\*/", re.DOTALL)
_PYTHON = re.compile(r"\b((?:Py[A-Z_]|__Pyx_)\w*|__pyx_memoryview\w*)\s*\(")
_HARMLESS = {"__Pyx_FastGIL_Remember"}


def loops_of(source: str) -> set[str]:
    """Return the functions of a Cython source that run without the interpreter lock."""
    return set(_WITHOUT_LOCK.findall(source))


def python_calls(c_source: str, loops: set[str]) -> list[str]:
    """Return what the hot loops of a generated C source call of Python; nothing, if all is well.

    Parameters
    ----------
    c_source
        What Cython made of one module.
    loops
        Functions that run without the interpreter lock, see `loops_of` and `loops_in_c`. What
        stands in a ``with nogil`` block is looked at in any case.
    """
    places = [("with nogil", body) for body in _BLOCK.findall(c_source)]
    ends = tuple(f"_{name}" for name in loops)
    places += [(name, body) for name, body in _IN_C.findall(c_source) if name.endswith(ends)]
    return [
        f"{place}: {call}"
        for place, body in places
        for call in dict.fromkeys(_PYTHON.findall(body))
        if call not in _HARMLESS
    ]


def _check_loops(root: Path, modules: list[Any]) -> None:
    loops = loops_in_c(root)
    for module in modules:
        calls = python_calls(Path(module.sources[0]).read_text(encoding="utf-8"), loops)
        if calls:
            raise BuildFailed(f"A hot loop of {module.name} calls Python: {'; '.join(calls)}.")


def loops_in_c(root: Path) -> set[str]:
    """Return the ends of the names in C of all loops that run without the interpreter lock.

    They name their module: another one may have a function of the same name that holds the lock.
    """
    sources = [p for f in SOURCES for end in ("*.pyx", "*.pxd") for p in (root / f).glob(end)]
    return {
        "_".join(f"{len(p)}{p}" for p in path.relative_to(root).with_suffix("").parts) + f"_{name}"
        for path in sources
        for name in loops_of(path.read_text(encoding="utf-8"))
    }


def _twin(extension: Any) -> Any:
    """The same C once more: another name of file, module and entry point, nothing else."""
    from setuptools import Extension

    source = Path(extension.sources[0])
    entry = f"PyInit_{source.stem}"
    text = source.read_text(encoding="utf-8")
    for name in (f'"{extension.name}"', f"{entry}("):
        text = text.replace(name, name[:-1] + TWIN_SUFFIX + name[-1])
    copy = source.with_name(source.stem + TWIN_SUFFIX + source.suffix)
    copy.write_text(text, encoding="utf-8")
    name = extension.name + TWIN_SUFFIX
    return Extension(name, [str(copy)], include_dirs=extension.include_dirs)


def _why(error: Exception) -> str:
    headers = Path(sysconfig.get_paths()["include"]) / "Python.h"
    text = f"{type(error).__name__}: {error}"
    if not headers.exists() or isinstance(error, (OSError, subprocess.CalledProcessError)):
        return f"{NO_COMPILER} ({text})"
    tools = ("CompileError", "LinkError", "DistutilsPlatformError", "PlatformError")
    # Cython has a CompileError too: that is a mistake in a source.
    if type(error).__name__ in tools and not type(error).__module__.startswith("Cython"):
        return f"The compiled loops could not be built. {NO_COMPILER} ({text})"
    return f"The compiled loops could not be built: {text}"


try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # run as a command, where hatchling is not needed
    BuildHookInterface = object  # type: ignore[assignment,misc]


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg,misc]
    """Put the compiled loops into the wheel; in an editable install, beside their sources."""

    def initialize(self, version: str, build_data: dict) -> None:
        """Compile before the wheel is packed.

        Parameters
        ----------
        version
            ``"editable"`` for an editable install, else ``"standard"``.
        build_data
            hatchling's; gets the tag of this platform and the built files.
        """
        if self.target_name != "wheel":
            return
        root = Path(self.root)
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        if version == "editable":
            build(root, root)
            return
        if os.environ.get(REUSE) and (known := built_before(root)):
            build_data["force_include"].update({str(path): name for name, path in known.items()})
            return
        self._folder = Path(tempfile.mkdtemp(prefix="modellab-wheel-"))
        for relative, path in build(root, self._folder).items():
            build_data["force_include"][str(path)] = relative

    def finalize(self, version: str, build_data: dict, artifact_path: str) -> None:
        """Remove what was built for the wheel."""
        folder = getattr(self, "_folder", None)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    """Compile in place and say what was built."""
    try:
        built = build(ROOT, ROOT)
    except BuildFailed as error:
        print(error, file=sys.stderr)
        return 1
    for relative in built:
        print(relative)
    return 0


if __name__ == "__main__":
    sys.exit(main())
