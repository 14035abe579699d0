"""What is shipped: the list of licences, and a software bill of materials (CycloneDX, JSON).

Read from the freezer's own list of collected files: a library is in it exactly if one of its files
is in the program.
"""

from __future__ import annotations

import ast
import json
import platform
import re
import subprocess
import sys
import sysconfig
from dataclasses import dataclass, field
from importlib.metadata import Distribution, PathDistribution
from pathlib import Path
from typing import Any, Iterator, Optional

from setup_env import SetupError

TEXTS = Path(__file__).resolve().parent / "licences"
# Used under one of the licences it offers, whose text its own package lacks; or lacking any text.
TEXTS_OF = {
    "pyside6-essentials": ("LGPL-3.0.txt", "GPL-3.0.txt"),
    "shiboken6": ("LGPL-3.0.txt", "GPL-3.0.txt"),
    "fontpkg": ("MIT.txt",),
}
NOT_TAKEN = re.compile(r"Commercial")
"""Texts of licences that are offered and that we do not use."""


@dataclass
class Part:
    """One thing that is shipped: a library of Python's, Python, or a library of the system."""

    name: str
    version: str
    licence: str
    kind: str  # "pypi", "python" or "deb"
    texts: dict[str, str] = field(default_factory=dict)

    @property
    def purl(self) -> str:
        """The part's package URL."""
        if self.kind == "pypi":
            return f"pkg:pypi/{normal(self.name)}@{self.version}"
        if self.kind == "deb":
            return f"pkg:deb/debian/{self.name}@{self.version}"
        return f"pkg:generic/{self.name}@{self.version}"


def shipped(freezing: Path) -> set[Path]:
    """Source files of what is in the folder and in its archive of modules."""
    found: set[Path] = set()
    for name in ("COLLECT-00.toc", "PYZ-00.toc"):
        content = ast.literal_eval((freezing / name).read_text(encoding="utf-8"))
        found |= {Path(source) for source in _sources(content)}
    return found


def _sources(value: Any) -> Iterator[str]:
    """The middle of every (name, source, kind) in nested lists."""
    if isinstance(value, tuple) and len(value) == 3 and all(isinstance(v, str) for v in value):
        yield value[1]
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _sources(item)


def libraries(site: Path, files: Optional[set[Path]]) -> list[Part]:
    """The distributions in `site` of which a file is among `files` (None: all), by name."""
    found = []
    shipped_files = files or set()
    known = {p.relative_to(site).as_posix() for p in shipped_files if p.is_relative_to(site)}
    for info in sorted(site.glob("*.dist-info")):
        if info.name.startswith("modellab-"):
            continue
        distribution = PathDistribution(info)
        # Its own record does not count: `modellab doctor` reads the versions of some.
        own = (path for path in distribution.files or () if path.parts[0] != info.name)
        if files is None or any(str(path) in known for path in own):
            found.append(_library(distribution, info))
    return sorted(found, key=lambda part: part.name.lower())


def _library(distribution: Distribution, info: Path) -> Part:
    about = distribution.metadata
    texts = {}
    for path in sorted(info.rglob("*")):
        if path.is_file() and re.match(r"(?i)(licen[cs]e|copying|notice|authors)", path.name):
            name = path.relative_to(info).as_posix().replace("/", "-")
            if not NOT_TAKEN.search(name):
                texts[name] = path.read_text(encoding="utf-8", errors="replace")
    for name in TEXTS_OF.get(normal(about["Name"]), ()):
        texts[name] = (TEXTS / name).read_text(encoding="utf-8")
    if not texts:
        raise SetupError(
            f"{about['Name']} {distribution.version} brings no text of its licence. Add it to "
            "packaging/licences and packaging/bill.py."
        )
    return Part(about["Name"], distribution.version, licence_of(distribution), "pypi", texts)


def normal(name: str) -> str:
    """A distribution's name as package indexes write it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def licence_of(distribution: Distribution) -> str:
    """The licence as the library tells it: expression, classifiers, or the first line of its text.

    Raises
    ------
    SetupError
        If it tells none: that must be looked up by a person before anything is shipped.
    """
    about = distribution.metadata
    if "License-Expression" in about:
        return str(about["License-Expression"])
    told = [
        line.rpartition(" :: ")[2]
        for line in about.get_all("Classifier") or ()
        if line.startswith("License :: ") and not line.endswith("OSI Approved")
    ]
    text = str(about["License"]) if "License" in about else ""
    short = text.strip().splitlines()[:1]
    if short and len(short[0]) < 60 and not short[0].lower().startswith("copyright"):
        return short[0]
    if told:
        return " OR ".join(told)
    if short:
        return f"see its text ({short[0][:60]})"
    raise SetupError(
        f"{about['Name']} {distribution.version} tells no licence. Look it up, and add it to "
        "packaging/bill.py."
    )


def system_libraries(files: set[Path]) -> list[Part]:
    """Debian packages of the system's libraries that were taken along."""
    found: dict[str, Part] = {}
    for path in sorted(files):
        if not str(path).startswith(("/lib/", "/usr/lib/")) or ".so" not in path.name:
            continue
        package = _owner(path)
        if package is None or package in found:
            continue
        version = _output(["dpkg-query", "-W", "-f", "${Version}", package]) or "unknown"
        text = Path("/usr/share/doc") / package.partition(":")[0] / "copyright"
        texts = {"copyright": text.read_text(encoding="utf-8", errors="replace")}
        found[package] = Part(package.partition(":")[0], version, "see its text", "deb", texts)
    return list(found.values())


def _owner(path: Path) -> Optional[str]:
    for place in (path, path.resolve(), Path(str(path.resolve()).replace("/usr/lib", "/lib", 1))):
        told = _output(["dpkg", "-S", str(place)])
        if told:
            return told.rpartition(": ")[0].split(",")[0]
    return None


def _output(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def parts(freezing: Path, site: Path) -> list[Part]:
    """All that is shipped besides Model Lab itself."""
    files = shipped(freezing)
    text = Path(sysconfig.get_path("stdlib")) / "LICENSE.txt"
    if not text.is_file():
        text = Path(sys.base_prefix) / "LICENSE.txt"  # on Windows
    texts = {"LICENSE.txt": text.read_text(encoding="utf-8", errors="replace")}
    python = Part("cpython", platform.python_version(), "Python-2.0.1", "python", texts)
    return [python, *libraries(site, files), *system_libraries(files)]


def licence_list(found: list[Part], qt: str = "_internal/PySide6/Qt/lib") -> str:
    """The list for people, then every licence's whole text; `qt`: where Qt's libraries lie."""
    lines = [
        "Model Lab ships with these works of others. On Linux their symbols for debuggers are left",
        "out, and the data of ICU, which Qt brings along; else they are unchanged.",
        "",
    ]
    width = max(len(part.name) for part in found)
    lines += [f"  {p.name:<{width}}  {p.version:<18} {p.licence}" for p in found]
    lines += [
        "",
        "Qt and PySide6 are used as shared libraries under the LGPL version 3. They lie in the",
        f"folder {qt} of the program, and can be replaced by others of the same version. Their",
        "sources, and the notices of what Qt itself contains, are at download.qt.io and doc.qt.io.",
    ]
    for part in found:
        for name, text in part.texts.items():
            lines += ["", "=" * 78, f"{part.name} {part.version}: {name}", "=" * 78, "", text]
    return "\n".join(lines) + "\n"


def summary(licences: str) -> str:
    """The list without the texts, for a place that wants it short: with where the texts are."""
    short = licences.partition("=" * 78)[0].rstrip()
    return (
        f"{short}\n\nThe notices and whole texts of all of these are in the file LICENCES.txt of\n"
        "the program's folder (/usr/lib/modellab); on Debian the common ones are in\n"
        "/usr/share/common-licenses, too (GPL-3, LGPL-3, Apache-2.0).\n"
    )


def cyclonedx(version: str, found: list[Part]) -> str:
    """The bill of materials, CycloneDX 1.5; without dates or numbers drawn, so equal for equals."""
    about = {"type": "application", "name": "modellab", "version": version, "bom-ref": "modellab"}
    components = [
        {
            "type": "library",
            "bom-ref": part.purl,
            "name": part.name,
            "version": part.version,
            "purl": part.purl,
            "licenses": [{"license": {"name": part.licence}}],
        }
        for part in found
    ]
    bill = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": about},
        "components": components,
        "dependencies": [{"ref": "modellab", "dependsOn": [part.purl for part in found]}],
    }
    return json.dumps(bill, indent=1, ensure_ascii=False) + "\n"
