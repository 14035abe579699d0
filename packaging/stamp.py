"""What an environment was made from, so that only what changed is done again.

Digests of the interpreter and folder, of the pinned dependencies, and of all that the package's
build depends on; kept as a small JSON file inside the environment.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "packaging" / "constraints.txt"
STAMP_NAME = "modellab-setup.json"


def venv_python(venv: Path) -> Path:
    """The environment's interpreter."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


@dataclass
class Stamp:
    """What an environment was made from; `missing` are packages of the system still to install."""

    interpreter: str = ""
    dependencies: str = ""
    package: str = ""
    missing: list[str] = field(default_factory=list)

    @staticmethod
    def read(venv: Path) -> Stamp:
        """Read the stamp of `venv`; an empty one when there is none, or it cannot be read."""
        try:
            values = json.loads((venv / STAMP_NAME).read_text(encoding="utf-8"))
            return Stamp(**values)
        except (OSError, ValueError, TypeError):
            return Stamp()

    def write(self, venv: Path) -> None:
        """Write it into `venv`, whole or not at all."""
        part = venv / (STAMP_NAME + ".part")
        part.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")
        part.replace(venv / STAMP_NAME)


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def interpreter_digest(venv: Path) -> str:
    """Identify the environment's interpreter and place; empty when there is no usable one."""
    config = venv / "pyvenv.cfg"
    if not (config.is_file() and venv_python(venv).exists()):
        return ""
    return _digest(config.read_bytes(), str(venv).encode())


def dependencies_digest(lock: Path = LOCK) -> str:
    """Identify the pinned dependencies, whatever the line ends."""
    return _digest(lock.read_bytes().replace(b"\r\n", b"\n"))


def build_sources(root: Path = ROOT) -> list[Path]:
    """All sources of the compiled modules, in order."""
    package = root / "modellab"
    return sorted(path for end in ("*.pyx", "*.pxd", "*.pxi", "*.h") for path in package.rglob(end))


def package_digest(root: Path = ROOT) -> str:
    """Identify what the package's build and metadata depend on."""
    import tomllib  # Python 3.11

    with (root / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)
    relevant = {"build-system": project["build-system"], "project": project["project"]}
    relevant["hatch"] = project.get("tool", {}).get("hatch", {})
    hook = root / "packaging" / "build_hook.py"
    files = [root / "modellab" / "__init__.py", *build_sources(root)]
    files += [hook] if hook.exists() else []
    contents: list[bytes] = [str(root).encode(), json.dumps(relevant, sort_keys=True).encode()]
    for path in files:
        contents += [str(path.relative_to(root)).encode(), path.read_bytes()]
    return _digest(*contents)


def unbuilt(tag: str, root: Path = ROOT) -> list[Path]:
    """Cython modules without a built module of `tag` (like ``cp311``) beside them."""
    number = tag[2:]
    ends = (f".cpython-{number}-", f".cpython-{number}.", f".cp{number}-", ".abi3.")
    return [
        source
        for source in build_sources(root)
        if source.suffix == ".pyx"
        and not any(
            built.suffix in (".so", ".pyd") and built.name.startswith(source.stem + end)
            for built in source.parent.glob(source.stem + ".*")
            for end in ends
        )
    ]


def python_tag(venv: Path) -> str:
    """Name the environment's Python as built modules do, like ``cp311``."""
    text = (venv / "pyvenv.cfg").read_text(encoding="utf-8")
    found = re.search(r"^version(?:_info)?\s*=\s*(\d+)\.(\d+)", text, re.MULTILINE)
    return "cp{}{}".format(*(found.groups() if found else sys.version_info[:2]))
