"""“Check for updates”: read one small file at an address that the person has set, and compare.

Off unless an address is set. Nothing is sent: a plain GET without cookies, without the name or
version of this program, without any identification. Nothing is downloaded or installed either:
the person is told of a newer version and where to get it.

The file is JSON: ``{"version": "0.2.0", "page": "https://...", "notes": "What is new."}``; `page`
and `notes` may be left out.
"""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import msgspec
from PySide6.QtCore import QObject, Qt, QUrl, Signal, Slot
from PySide6.QtGui import QDesktopServices

from modellab.errors import LabError, quote

if TYPE_CHECKING:
    from collections.abc import Callable
    from http.client import HTTPMessage, HTTPResponse
    from typing import IO
    from urllib.request import Request

    from modellab.gui.notify import NotificationManager

MOST_BYTES = 65_536
SECONDS = 10.0
"""How long the address may take to answer."""
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_NUMBERS = re.compile(r"(\d{1,6})(?:\.(\d{1,6}))?(?:\.(\d{1,6}))?")


class Release(msgspec.Struct, frozen=True):
    """What the file at the address says."""

    version: Annotated[str, msgspec.Meta(max_length=40)]
    page: Annotated[str, msgspec.Meta(max_length=2000)] = ""
    notes: Annotated[str, msgspec.Meta(max_length=20_000)] = ""


def why_not_address(address: str) -> str | None:
    """Why `address` cannot be read, as a sentence; None if it can (or is empty: off)."""
    address = address.strip()
    if not address:
        return None
    try:
        parts = urlsplit(address)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        return "This is not an address: it should look like https://…/modellab.json."
    if parts.scheme == "https" and host:
        return None
    if parts.scheme == "http" and host in _LOOPBACK:
        return None
    if parts.scheme == "http":
        return "Only https:// addresses are read: on the way of an http:// one it can be changed."
    return "This is not an address: it should look like https://…/modellab.json."


def read_release(address: str) -> Release:
    """Read what is offered at `address`.

    Raises
    ------
    LabError
        If the address cannot be read, does not answer, or holds something else.
    """
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError
    from urllib.request import HTTPRedirectHandler, ProxyHandler, build_opener

    wrong = why_not_address(address)
    if wrong or not address.strip():
        raise LabError(wrong or "No address for updates is set.")

    class SameRules(HTTPRedirectHandler):
        """Follow only where the address itself could have led."""

        def redirect_request(
            self,
            req: Request,
            fp: IO[bytes],
            code: int,
            msg: str,
            headers: HTTPMessage,
            newurl: str,
        ) -> Request | None:
            if why_not_address(newurl):
                raise LabError(
                    "The address for updates leads to one that is not read (https only)."
                )
            return super().redirect_request(req, fp, code, msg, headers, newurl)

    # Asking this computer itself never takes the way through a proxy.
    local = urlsplit(address.strip()).hostname in _LOOPBACK
    opener = build_opener(SameRules, *([ProxyHandler({})] if local else []))
    opener.addheaders = []  # else it would say which Python this is
    try:
        answer: HTTPResponse
        with opener.open(address.strip(), timeout=SECONDS) as answer:
            content = answer.read(MOST_BYTES + 1)
    except HTTPError as error:
        raise LabError(f"The address for updates answered with the status {error.code}.") from error
    except URLError as error:
        raise LabError(
            f"The address for updates could not be read: {quote(str(error.reason), 200)}."
        ) from error
    except (OSError, ValueError, HTTPException) as error:
        raise LabError(
            f"The address for updates could not be read: {quote(str(error), 200)}."
        ) from error
    if len(content) > MOST_BYTES:
        raise LabError("What the address for updates holds is too large to be a note of a release.")
    try:
        release = msgspec.json.decode(content, type=Release)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise LabError(
            "The address for updates holds no note of a release (JSON with a version)."
        ) from error
    if _NUMBERS.match(release.version) is None:
        raise LabError(f"The address for updates names no version: {quote(release.version)}.")
    return release


def is_newer(offered: str, present: str) -> bool:
    """Whether the numbers of `offered` are above those of `present`; both as ``1.2.3``."""
    return _numbers(offered) > _numbers(present)


def _numbers(version: str) -> tuple[int, ...]:
    found = _NUMBERS.match(version)
    return tuple(int(part or 0) for part in found.groups()) if found else (0, 0, 0)


def may_open(page: str) -> bool:
    """Whether a page of a release can be handed to the browser."""
    return page.startswith("https://") and why_not_address(page) is None


class UpdateCheck(QObject):
    """Reads the address on a thread, and tells through the notifications what came of it.

    Parameters
    ----------
    notices
        Where the answer is told.
    version
        Of this program.
    parent
        The window.
    """

    done = Signal()
    """After the answer was told."""
    _answered = Signal(object)

    def __init__(
        self, notices: NotificationManager, version: str, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._notices = notices
        self._version = version
        self.running = False
        """Whether an answer is waited for."""
        self._answered.connect(self._tell, Qt.ConnectionType.QueuedConnection)

    def start(self, address: str) -> None:
        """Ask; a second question while one is open is left out."""
        if self.running:
            return
        self.running = True
        threading.Thread(target=self._ask, args=(address,), name="updates", daemon=True).start()

    def _ask(self, address: str) -> None:
        answer: Release | LabError
        try:
            answer = read_release(address)
        except LabError as error:
            answer = error
        try:
            self._answered.emit(answer)
        except RuntimeError:
            return  # the window is gone

    @Slot(object)
    def _tell(self, answer: Release | LabError) -> None:
        self.running = False
        if isinstance(answer, LabError):
            self._notices.warning(answer.sentence, detail=answer.detail)
        elif is_newer(answer.version, self._version):
            self._tell_newer(answer)
        else:
            self._notices.info(f"Model Lab {self._version} is the newest version.")
        self.done.emit()

    def _tell_newer(self, release: Release) -> None:
        from modellab.gui.notify import Notice

        sentence = f"Model Lab {release.version:.40} is there; this is {self._version}."
        run: Callable[[], object] | None = None
        if may_open(release.page):
            page = QUrl(release.page)

            def run() -> object:
                return QDesktopServices.openUrl(page)

        self._notices.post(
            Notice("info", sentence, release.notes, "Open its page" if run else "", run)
        )


def check_for(parent: QObject, address: str) -> UpdateCheck:
    """Ask at `address` on behalf of the window `parent`; return what will tell."""
    from modellab import __version__
    from modellab.gui.notify import notifications

    asked = parent.findChild(UpdateCheck)
    check = (
        asked
        if isinstance(asked, UpdateCheck)
        else UpdateCheck(notifications(), __version__, parent)
    )
    check.start(address)
    return check
