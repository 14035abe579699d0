"""The lock file: complete, pinned by hash, and without a single address."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "packaging" / "constraints.txt"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
TEXT = LOCK.read_text(encoding="utf-8")
# One requirement with its continuation lines.
ENTRIES = re.findall(r"^(?!#)\S(?:.*\\\n)*.*$", TEXT, re.MULTILINE)
PINS = [Requirement(entry.split("\\\n")[0].strip()) for entry in ENTRIES]
WANTED = [
    *PROJECT["build-system"]["requires"],
    *PROJECT["project"]["dependencies"],
    *(line for group in ("build", "test", "lint") for line in PROJECT["dependency-groups"][group]),
]
ENVIRONMENTS = [
    {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": system,
        "platform_system": {"linux": "Linux", "win32": "Windows", "darwin": "Darwin"}[system],
        "platform_python_implementation": "CPython",
    }
    for python in ("3.11", "3.12", "3.13")
    for system in ("linux", "win32", "darwin")
]


def applies(requirement: Requirement, environment: dict[str, str]) -> bool:
    return requirement.marker is None or requirement.marker.evaluate(environment)


def test_no_address_and_no_path() -> None:
    assert "://" not in TEXT
    assert not re.search(r"^\s*(-i|-f|-e|--(?!hash=))", TEXT, re.MULTILINE)
    assert not re.search(r"[@/]", re.sub(r"^#.*$", "", TEXT, flags=re.MULTILINE))


def test_every_entry_is_one_version_with_hashes() -> None:
    assert len(ENTRIES) > 40
    for entry, pin in zip(ENTRIES, PINS, strict=True):
        assert [one.operator for one in pin.specifier] == ["=="], entry
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry), entry


@pytest.mark.parametrize("wanted", WANTED)
def test_every_dependency_is_pinned_on_every_system(wanted: str) -> None:
    requirement = Requirement(wanted)
    name = canonicalize_name(requirement.name)
    for environment in ENVIRONMENTS:
        if not applies(requirement, environment):
            continue
        pins = [
            pin for pin in PINS if canonicalize_name(pin.name) == name and applies(pin, environment)
        ]
        assert len(pins) == 1, (wanted, environment)
        (version,) = pins[0].specifier
        assert requirement.specifier.contains(version.version), (wanted, str(pins[0]))


def test_python_311_keeps_the_qt_that_was_tested() -> None:
    environment = ENVIRONMENTS[0]
    (pin,) = [pin for pin in PINS if pin.name == "pyside6-essentials" and applies(pin, environment)]
    assert str(pin.specifier).startswith("==6.11.")
