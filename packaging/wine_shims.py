"""Stand-ins for what every Windows has and Wine lacks. For tests under Wine only; never shipped.

`ucrtbase.dll`: Wine's own, forwarded to, with the functions of `complex.c` besides.
`icuuc.dll`: functions that do nothing, by the names that Qt imports and, drawing no text in foreign
encodings, does not need.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent / "wine"
PREFIX = "x86_64-w64-mingw32-"
RENAMED = "ucrtwine"
"""What Wine's own library is called beside ours."""


def told(path: Path) -> str:
    """What objdump tells of a library."""
    return subprocess.run(
        [f"{PREFIX}objdump", "-p", str(path)],
        capture_output=True, text=True, errors="replace", check=True,
    ).stdout  # fmt: skip


def exports(path: Path) -> list[str]:
    """Names that a library offers."""
    text = told(path)
    part = text[text.find("[Ordinal/Name Pointer] Table") :]
    # Older versions of objdump tell an address before the name.
    return re.findall(r"^\s+\[\s*\d+\](?:.*\s)?\s*([A-Za-z_?@$][\w?@$]*)$", part, re.MULTILINE)


def imports(path: Path, library: str) -> list[str]:
    """Names that a library takes from another."""
    for block in told(path).split("DLL Name: ")[1:]:
        lines = block.splitlines()
        if lines[0].strip().lower() == library.lower():
            return re.findall(r"^\s+[0-9a-f]+\s+\d+\s+([A-Za-z_]\w*)", block, re.MULTILINE)
    return []


def make(wines: Path, qt: Path, folder: Path) -> list[Path]:
    """Make the stand-ins in `folder`; return them.

    Parameters
    ----------
    wines
        Wine's own ``ucrtbase.dll``.
    qt
        ``Qt6Core.dll``.
    folder
        Beside ``python.exe``.
    """
    renamed = folder / f"{RENAMED}.dll"
    renamed.write_bytes(wines.read_bytes())
    known = exports(wines)
    if len(known) < 1000:
        raise ValueError(f"only {len(known)} names were found in {wines.name}")
    source = (HERE / "complex.c").read_text(encoding="utf-8")
    ours = re.findall(r"__declspec\(dllexport\) \w+ (\w+)\(", source.partition("#define TWO")[2])
    ours += [
        n + end for n in re.findall(r"^(?:REAL|TWO)\((\w+),", source, re.M) for end in ("", "f")
    ]
    definition = folder / "ucrtbase.def"
    lines = [f"  {name} = {RENAMED}.{name}" for name in known if name not in ours]
    lines += [f"  {name}" for name in ours if name != "name"]
    definition.write_text("LIBRARY ucrtbase.dll\nEXPORTS\n" + "\n".join(lines) + "\n")
    library = folder / "ucrtbase.dll"
    command = [f"{PREFIX}gcc", "-shared", "-O1", "-fno-builtin", "-w", "-nostartfiles"]
    command += ["-Wl,-e,0", str(HERE / "complex.c"), str(definition), "-o", str(library)]
    subprocess.run(command, check=True)
    definition.unlink()
    stub = folder / "icuuc.dll"
    names = imports(qt, "icuuc.dll")
    text = "".join(f"__declspec(dllexport) int {name}(void) {{ return 0; }}\n" for name in names)
    code = folder / "icuuc.c"
    code.write_text(text)
    command = [f"{PREFIX}gcc", "-shared", "-nostdlib", "-Wl,-e,0", str(code), "-o", str(stub)]
    subprocess.run(command, check=True)
    code.unlink()
    return [renamed, library, stub]
