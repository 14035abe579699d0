"""The `.dmg` for macOS. Not run by anybody yet: see packaging/macos/README.md.

Signed and notarised where the environment says with what; else signed for this machine only, which
is enough to try it.
"""

from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING

from freeze import do
from setup_env import SetupError, say
from stamp import ROOT

if TYPE_CHECKING:
    from pathlib import Path

HERE = ROOT / "packaging" / "macos"
DMGBUILD = "dmgbuild==1.6.7"
IDENTITY, PROFILE = "MODELLAB_SIGNING_IDENTITY", "MODELLAB_NOTARY_PROFILE"
"""Names of environment variables: an identity of the keychain, a profile stored by notarytool."""


def dmg(app: Path, version: str, out: Path, python: Path, work: Path) -> Path:
    """Sign an app, put it into a `.dmg`, have that notarised; return its path.

    Raises
    ------
    SetupError
        With the step that failed.
    """
    if not app.is_dir():
        raise SetupError(f"The freezer made no {app.name}.")
    identity = os.environ.get(IDENTITY, "-")
    sign(app, identity, work)
    do([str(python), "-m", "pip", "install", "-q", "--no-input", DMGBUILD], "get dmgbuild", work)
    made = out / f"modellab-{version}-macos-{platform.machine()}.dmg"
    command = [str(python), "-m", "dmgbuild", "-s", str(HERE / "dmg_settings.py")]
    do([*command, "-D", f"app={app}", "Model Lab", str(made)], "make the dmg", work)
    profile = os.environ.get(PROFILE)
    if identity == "-" or profile is None:
        say("  signed for this machine only, and not notarised")
        return made
    do(["codesign", "--sign", identity, "--timestamp", str(made)], "sign the dmg", work)
    submit = ["xcrun", "notarytool", "submit", str(made), "--keychain-profile", profile, "--wait"]
    do(submit, "have the dmg notarised", work)
    do(["xcrun", "stapler", "staple", str(made)], "attach the notary's ticket", work)
    return made


def sign(app: Path, identity: str, work: Path) -> None:
    """Sign every library in the app, then the app."""
    command = ["codesign", "--force", "--options", "runtime", "--sign", identity]
    command += ["--timestamp"] if identity != "-" else []
    # A name of this machine must not lead out of the app: links are signed where they lead.
    inside = [p for p in app.rglob("*") if p.suffix in (".so", ".dylib") and not p.is_symlink()]
    for first in range(0, len(inside), 200):
        do([*command, *map(str, inside[first : first + 200])], "sign the libraries", work)
    entitlements = ["--entitlements", str(HERE / "entitlements.plist")]
    do([*command, *entitlements, str(app)], "sign the app", work)
    do(["codesign", "--verify", "--deep", "--strict", str(app)], "verify the signature", work)
