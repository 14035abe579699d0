"""“Check for updates”, against a server on this computer."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from modellab.errors import LabError
from modellab.gui.notify import NotificationManager
from modellab.gui.updates import (
    MOST_BYTES,
    UpdateCheck,
    is_newer,
    may_open,
    read_release,
    why_not_address,
)

pytestmark = pytest.mark.usefixtures("looks")


class Server(ThreadingHTTPServer):
    """Answers with what it is given, and remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.body = b"{}"
        self.status = 200
        self.headers: dict[str, str] = {}
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/modellab.json"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((self.command, self.path, dict(self.headers), sent))
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.server.body)

    do_POST = do_PUT = do_HEAD = do_GET

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def server():
    made = Server()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def test_nothing_is_sent_but_the_question(server):
    server.body = json.dumps({"version": "9.1", "page": "https://example.org/new"}).encode()
    release = read_release(server.address)
    assert (release.version, release.page, release.notes) == ("9.1", "https://example.org/new", "")
    ((method, path, headers, sent),) = server.asked
    assert (method, path, sent) == ("GET", "/modellab.json", b"")
    assert set(headers) == {"Host", "Connection", "Accept-Encoding"}


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"<html>", 200, "no note of a release"),
        (b'{"page": "x"}', 200, "no note of a release"),
        (b'{"version": "latest"}', 200, "no version"),
        (b'{"version": "1.0"}' + b" " * MOST_BYTES, 200, "too large"),
        (b"\xff\xfe", 200, "no note of a release"),
        (b"", 503, "status 503"),
    ],
)
def test_what_is_no_note_of_a_release_is_told(server, body, status, words):
    server.body, server.status = body, status
    with pytest.raises(LabError, match=words):
        read_release(server.address)


def test_it_is_not_led_to_an_open_way(server):
    server.status, server.headers = 302, {"Location": "http://example.org/other.json"}
    with pytest.raises(LabError, match="https only"):
        read_release(server.address)
    assert len(server.asked) == 1


def test_an_address_nobody_answers_at_is_told(server):
    address = server.address.replace("127.0.0.1", "localhost")
    server.shutdown()
    server.server_close()
    with pytest.raises(LabError, match="could not be read"):
        read_release(address)


@pytest.mark.parametrize(
    ("address", "fits"),
    [
        ("", True),
        ("https://example.org/a.json", True),
        ("http://127.0.0.1:8080/a.json", True),
        ("http://example.org/a.json", False),
        ("file:///etc/passwd", False),
        ("ftp://example.org/a", False),
        ("example.org/a.json", False),
        ("https://", False),
        ("https://a:b:c/", False),
    ],
)
def test_addresses(address, fits):
    assert (why_not_address(address) is None) is fits


def test_off_means_that_nothing_is_asked():
    with pytest.raises(LabError, match="No address"):
        read_release("  ")


@pytest.mark.parametrize(
    ("offered", "present", "newer"),
    [
        ("0.2.0", "0.1.9", True),
        ("0.10", "0.9.9", True),
        ("1.0.0", "1.0", False),
        ("0.1.0", "0.1.0", False),
        ("0.0.9", "0.1.0", False),
        ("1.0.1rc1", "1.0.0", True),
    ],
)
def test_which_is_newer(offered, present, newer):
    assert is_newer(offered, present) is newer


def test_only_safe_pages_are_opened():
    assert may_open("https://example.org/new")
    assert not may_open("file:///bin/sh")
    assert not may_open("javascript:alert(1)")
    assert not may_open("")


@pytest.mark.parametrize(
    ("body", "words", "action"),
    [
        (
            {"version": "9.0", "page": "https://example.org/n", "notes": "New."},
            "9.0 is there",
            True,
        ),
        ({"version": "9.0", "page": "file:///bin/sh"}, "9.0 is there", False),
        ({"version": "0.1.0"}, "is the newest", False),
        ({"other": 1}, "no note of a release", False),
    ],
)
def test_the_answer_is_told(server, qtbot, body, words, action):
    told = []
    notices = NotificationManager()
    notices.listen(told.append)
    server.body = json.dumps(body).encode()
    check = UpdateCheck(notices, "0.1.0")
    with qtbot.waitSignals([check.done, notices.noticed]):
        check.start(server.address)
        check.start(server.address)
    assert not check.running
    assert len(server.asked) == 1
    assert words in told[0].text
    assert (told[0].run is not None) is action


def test_the_address_is_a_preference_and_off_at_first(qtbot, tmp_path):
    from PySide6.QtWidgets import QWidget

    from modellab.gui.dialogs.preferences import PreferencesDialog
    from modellab.gui.settings import Settings

    host = QWidget()
    qtbot.addWidget(host)
    store = Settings(tmp_path / "settings.json")
    assert store.preferences.update_address == ""
    dialog = PreferencesDialog(store, host)
    for typed, kept in (
        ("http://example.org/a.json", ""),
        (" https://example.org/a.json ", "https://example.org/a.json"),
        ("", ""),
    ):
        dialog.updates.setText(typed)
        dialog.updates.editingFinished.emit()
        assert store.preferences.update_address == kept
        assert ("Only https" in dialog._updates_field._hint.text()) is typed.startswith("http:")
    dialog.close()
