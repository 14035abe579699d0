"""The workflow that builds on three systems: its form, and that the build understands it."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

import dev
import windows_setup
from stamp import ROOT

WORKFLOW = ROOT / ".github" / "workflows" / "installers.yml"
SYSTEMS = {"linux": "ubuntu-22.04", "windows": "windows-2022", "macos": "macos-14"}

pytestmark = pytest.mark.skipif(not WORKFLOW.exists(), reason="not in an sdist")


def checked(path: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema"]
    return subprocess.run(
        [*command, "vendor.github-workflows", str(path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_it_has_the_form_of_a_workflow(tmp_path) -> None:
    done = checked(WORKFLOW)
    assert done.returncode == 0, done.stdout + done.stderr
    broken = tmp_path / "broken.yml"
    broken.write_text(WORKFLOW.read_text().replace("runs-on: macos-14", "runs-in: macos-14"))
    assert checked(broken).returncode != 0


def test_every_system_builds_on_its_own_machine() -> None:
    text = WORKFLOW.read_text()
    for job, machine in SYSTEMS.items():
        assert re.search(rf"^  {job}:\n(?:    .*\n)*?    runs-on: {machine}$", text, re.MULTILINE)


def test_its_commands_are_understood() -> None:
    lines = re.findall(r"python packaging/dev\.py (.+)$", WORKFLOW.read_text(), re.MULTILINE)
    assert len(lines) == len(SYSTEMS)
    for line in lines:
        dev.parser().parse_args(line.replace("$env:PYTHON_ZIP", "python.zip").split())


def test_the_shipped_windows_build_takes_pythons_own_archive() -> None:
    assert windows_setup.PYTHON_ZIP in WORKFLOW.read_text()
    assert re.fullmatch(r"[0-9a-f]{64}", windows_setup.PYTHON_SHA256)
