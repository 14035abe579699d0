"""The peers that are not among the development dependencies: Vowpal Wabbit and MOA.

They are kept in a folder of their own (``artifacts/peers``, or what MODELLAB_PEERS says), because
they pin what Model Lab doesn't want: Vowpal Wabbit in an environment of its own, MOA as the jar out
of CapyMOA's wheel, whose other dependencies aren't fetched. Java comes from the system. ``python
packaging/dev.py bench --peers`` (or this file itself) fetches what is not there yet; without the
package index the benchmarks say that the peer is missing, and go on.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

WABBIT = "vowpalwabbit==9.11.9"
CAPYMOA = "capymoa==0.15.1"
ROOT = Path(__file__).resolve().parent.parent.parent
FETCH = "`python3 packaging/dev.py bench --peers` fetches it"


def folder() -> Path:
    """Where the peers are kept."""
    return Path(os.environ.get("MODELLAB_PEERS") or ROOT / "artifacts" / "peers").absolute()


def python() -> Path:
    """The interpreter of the peers' environment."""
    if sys.platform == "win32":
        return folder() / "venv" / "Scripts" / "python.exe"
    return folder() / "venv" / "bin" / "python"


@functools.cache
def versions() -> dict[str, str]:
    """Versions of what is there."""
    found = {}
    told = _answer([str(python()), "-c", _VERSION.format("vowpalwabbit")])
    if told:
        found["vowpalwabbit"] = told
    told = _answer(["java", "-version"])
    if told:
        found["Java"] = told.splitlines()[0].split('"')[1] if '"' in told else told
    if moa_jar() is not None:
        # The jar's own number is that of MOA's release; CapyMOA's says which build of it.
        found["MOA"] = f"of {CAPYMOA.replace('==', ' ')}"
    return found


_VERSION = "import importlib.metadata as m; print(m.version('{}'))"


def _answer(command: list[str]) -> str:
    """What a command says, or nothing when it can't be run."""
    try:
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (ended.stdout + ended.stderr).strip() if ended.returncode == 0 else ""


def moa_jar() -> Path | None:
    """MOA's jar: named by MODELLAB_MOA, or fetched before."""
    named = os.environ.get("MODELLAB_MOA")
    path = Path(named) if named else folder() / "moa.jar"
    return path if path.is_file() else None


def why_no_moa() -> str | None:
    """Why MOA can't be measured; None when it can."""
    if shutil.which("java") is None:
        return "there is no Java (Debian: apt-get install default-jre-headless)"
    if moa_jar() is None:
        return f"there is no moa.jar; {FETCH}"
    return None


def why_no_wabbit() -> str | None:
    """Why Vowpal Wabbit can't be measured; None when it can."""
    if "vowpalwabbit" not in versions():
        return f"Vowpal Wabbit is not installed; {FETCH}"
    return None


# ---------------------------------------------------------------- Vowpal Wabbit

# Runs in the peers' environment. Making the workspace drives the whole file through it.
_DRIVER = """
import json, sys, time
import vowpalwabbit
for line in sys.stdin:
    start, cpu = time.perf_counter(), time.process_time()
    made = vowpalwabbit.Workspace(line.strip())
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    made.finish()
    print(json.dumps([seconds, cpu]), flush=True)
"""


class Wabbit:
    """Vowpal Wabbit in a process of its own, driven over one cache file again and again.

    Parameters
    ----------
    x, y
        Rows (n, columns) and labels 0 or 1 (n,).
    rate
        The constant learning rate of plain logistic stochastic gradient descent.
    place
        A folder for its files.
    """

    def __init__(self, x: np.ndarray, y: np.ndarray, rate: float, place: Path) -> None:
        self.rows = place / "rows.vw"
        names = [f"x{j}:" for j in range(x.shape[1])]
        with self.rows.open("w") as file:
            for row, label in zip(x.tolist(), y.tolist(), strict=True):
                values = " ".join(
                    name + repr(value) for name, value in zip(names, row, strict=True)
                )
                file.write(f"{1 if label else -1} | {values}\n")
        plain = "--sgd --power_t 0 --loss_function logistic --link logistic --quiet --no_stdin"
        cache = place / "rows.cache"
        self.command = f"{plain} -l {rate} -d {self.rows} --cache_file {cache}"
        self.answers = place / "answers"
        self.child = subprocess.Popen(
            [str(python()), "-c", _DRIVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._drive("-k")  # parses the text and leaves the cache file

    def _drive(self, more: str = "") -> float:
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        self.child.stdin.write(f"{self.command} {more}\n")
        self.child.stdin.flush()
        told = self.child.stdout.readline()
        if not told:
            raise RuntimeError("Vowpal Wabbit ended early; it says why above.")
        return float(json.loads(told)[0])

    def seconds(self) -> float:
        """Seconds on the wall for one pass over the cache file."""
        return self._drive()

    def probabilities(self) -> np.ndarray:
        """Probability of class 1 for each row, before it was learned."""
        import numpy as np

        self._drive(f"-p {self.answers}")
        return np.loadtxt(self.answers)

    def close(self) -> None:
        """End the process."""
        self.child.communicate()


# ---------------------------------------------------------------- fetching


def fetch() -> None:
    """Fetch what is not there yet; says what cannot be had, and goes on."""
    folder().mkdir(parents=True, exist_ok=True)
    if why_no_wabbit() is not None:
        venv.create(folder() / "venv", with_pip=True)
        _pip(["install", "-q", WABBIT])
    if moa_jar() is None:
        _pip(["download", "-q", "--no-deps", "-d", str(folder()), CAPYMOA])
        for wheel in folder().glob("capymoa-*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                jar = next(name for name in archive.namelist() if name.endswith("moa.jar"))
                with archive.open(jar) as inside, (folder() / "moa.jar").open("wb") as out:
                    shutil.copyfileobj(inside, out)
            wheel.unlink()
    versions.cache_clear()
    for why in (why_no_wabbit(), why_no_moa()):
        if why is not None:
            print(f"Missing: {why}.", flush=True)


def _pip(arguments: list[str]) -> None:
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    python_here = python() if python().exists() else Path(sys.executable)
    subprocess.run([str(python_here), "-m", "pip", *arguments], env=environment, check=False)


if __name__ == "__main__":
    fetch()
    print(f"In {folder().name}: " + ", ".join(f"{k} {v}" for k, v in versions().items()))
