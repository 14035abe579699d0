"""The gallery: what is shipped opens as an experiment; what is fetched is checked to the byte."""

from __future__ import annotations

import gzip
import hashlib
import io
import socket
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from modellab.data import fetching, gallery
from modellab.data.dataset import Dataset
from modellab.data.fetching import SLACK, Remote, fetch, is_fetched, recorded
from modellab.data.gallery import GALLERY, prepare
from modellab.data.importer import import_dataset
from modellab.data.synthetic import StreamSpec, made_experiment
from modellab.errors import Cancelled, DataError

CONTENT = b"a,b\n" + b"".join(b"%d,%d\n" % (k, k % 2) for k in range(200))
SHIPPED = [found.id for found in GALLERY.values() if found.remote is None]


@pytest.mark.parametrize("name", SHIPPED)
def test_what_is_shipped_opens_as_it_says(name: str, tmp_path: Path) -> None:
    found = GALLERY[name]
    experiment = prepare(name, tmp_path / "gallery")
    spec = experiment.data
    with import_dataset(spec.paths, kinds=spec.kinds, cache=tmp_path / "c") as store:
        assert (store.n_rows, len(store.columns)) == (found.rows, found.columns)
        assert store.bad_row_count == 0
        dataset = Dataset.build(store, spec, experiment.split)
        assert dataset.task.kind == found.task


def test_what_is_shipped_is_copied_once(tmp_path: Path) -> None:
    path = Path(prepare("phishing", tmp_path).data.paths[0])
    first = path.stat().st_mtime_ns
    prepare("phishing", tmp_path)
    assert path.stat().st_mtime_ns == first
    assert sorted(p.name for p in tmp_path.iterdir()) == ["phishing.csv.gz"]
    with pytest.raises(DataError, match="Did you mean “phishing”"):
        prepare("fishing", tmp_path)


def test_every_remote_is_asked_for_safely() -> None:
    remotes = [found.remote for found in GALLERY.values() if found.remote is not None]
    assert len(remotes) >= 5
    for remote in remotes:
        fetching._check_url(remote.url)
        assert "/" not in remote.name
        assert remote.size > 0


@pytest.mark.parametrize("drift", ["abrupt", "gradual", "recurring", "none"])
def test_made_streams_carry_their_drifts(drift: str, tmp_path: Path) -> None:
    spec = StreamSpec("stagger", rows=400, drift=drift, width=50, seed=3)  # type: ignore[arg-type]
    experiment = made_experiment(spec, tmp_path)
    assert experiment.drift.known == list(spec.positions)
    train = experiment.split.train
    rows = train if isinstance(train, int) else int(float(train) * 400)
    assert all(rows < position for position in experiment.drift.known)
    path = Path(experiment.data.paths[0])
    made = path.stat().st_mtime_ns
    assert made_experiment(spec, tmp_path) == experiment
    assert path.stat().st_mtime_ns == made


# ---------------------------------------------------------------- fetched


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server: _Server = self.server  # type: ignore[assignment]
        server.asked.append(self.path)
        status, headers, body = server.answers.get(self.path, (404, {}, b""))
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.asked: list[str] = []

    def serve(self, path: str, body: bytes, status: int = 200, **headers: str) -> str:
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        self.answers[path] = (status, named, body)
        return f"http://127.0.0.1:{self.server_address[1]}{path}"


@pytest.fixture(scope="module")
def server() -> Iterator[_Server]:
    made = _Server()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "/"), data)
    return out.getvalue()


def refused(remote: Remote, folder: Path) -> str:
    with pytest.raises(DataError) as caught:
        fetch(remote, folder)
    assert caught.value.sentence.endswith(".")
    assert list(folder.iterdir() if folder.exists() else []) == []  # nothing is left behind
    return caught.value.sentence


@pytest.mark.parametrize("how", ["plain", "gzip", "zip", "zip with folders and others"])
def test_a_file_comes_whole_and_is_fetched_once(how: str, server: _Server, tmp_path: Path) -> None:
    body = {
        "plain": CONTENT,
        "gzip": gzip.compress(CONTENT),
        "zip": zipped(**{"x.csv": CONTENT}),
        "zip with folders and others": zipped(**{"a__b__x.csv": CONTENT, "readme.txt": b"hello"}),
    }[how]
    url = server.serve(f"/{len(how)}", body)
    remote = Remote(url, "x.csv", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    told: list[tuple[float, float, str]] = []
    assert not is_fetched(remote, tmp_path)
    path = fetch(remote, tmp_path, lambda *how: told.append(how))  # type: ignore[misc]
    assert path == tmp_path / "x.csv"
    assert path.read_bytes() == CONTENT
    assert is_fetched(remote, tmp_path)
    assert any("Fetching" in text for _, _, text in told)
    asked = len(server.asked)
    fetch(remote, tmp_path)
    assert len(server.asked) == asked
    # What was changed since is fetched again.
    path.write_bytes(CONTENT[:-2] + b"9\n")
    assert fetch(remote, tmp_path).read_bytes() == CONTENT
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.csv", "x.csv.sha256"]


def test_without_a_known_checksum_the_first_one_is_recorded(
    server: _Server, tmp_path: Path
) -> None:
    remote = Remote(server.serve("/first", CONTENT), "x.csv", len(CONTENT))
    assert recorded(remote, tmp_path) is None
    path = fetch(remote, tmp_path)
    assert recorded(remote, tmp_path) == hashlib.sha256(CONTENT).hexdigest()
    # Damaged here, it is fetched again; what comes then must be the same.
    path.write_bytes(b"damaged")
    server.serve("/first", CONTENT[:-2] + b"9\n")
    with pytest.raises(DataError) as caught:
        fetch(remote, tmp_path)
    assert caught.value.sentence == (
        "“x.csv” is not the file that was expected (its checksum is another than when it was "
        f"fetched first; delete “x.csv.sha256” in “{tmp_path}” to take it all the same): nothing "
        "was kept."
    )
    assert path.read_bytes() == b"damaged"
    (tmp_path / "x.csv.sha256").unlink()
    assert fetch(remote, tmp_path).read_bytes() == CONTENT[:-2] + b"9\n"


def test_no_archive_writes_outside_its_place(server: _Server, tmp_path: Path) -> None:
    evil = zipped(**{"..__..__escaped.csv": b"x", "x.csv": CONTENT})
    folder = tmp_path / "in" / "here"
    fetch(Remote(server.serve("/evil", evil), "x.csv", len(CONTENT)), folder)
    assert sorted(p.name for p in tmp_path.rglob("*.csv")) == ["x.csv"]
    twice = zipped(**{"a__x.csv": CONTENT, "b__x.csv": CONTENT})
    url = server.serve("/twice", twice)
    assert "holds 2 files of that name" in refused(
        Remote(url, "x.csv", len(CONTENT)), tmp_path / "t"
    )
    url = server.serve("/none", zipped(**{"y.csv": CONTENT}))
    assert "holds 0 files of that name" in refused(
        Remote(url, "x.csv", len(CONTENT)), tmp_path / "t"
    )


def test_bombs_stop_at_a_limit(server: _Server, tmp_path: Path) -> None:
    zeros = bytes(50 * 2**20)
    for path, body in (("/z", zipped(**{"x.csv": zeros})), ("/g", gzip.compress(zeros))):
        url = server.serve(path, body)
        assert "unpacks to" in refused(Remote(url, "x.csv", 1000), tmp_path / "f")
    url = server.serve("/long", bytes(SLACK + 2000))
    assert "wants to send" in refused(Remote(url, "x.csv", 1000), tmp_path / "f")
    # A header may lie: what an archive says of its size is not believed either.
    lying = bytearray(zipped(**{"x.csv": zeros}))
    at = lying.find(b"PK\x01\x02") + 24
    lying[at : at + 4] = (1000).to_bytes(4, "little")
    refused(Remote(server.serve("/lie", bytes(lying)), "x.csv", 1000), tmp_path / "f")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/gone", "answers 404"),
        ("/short", "broke off after"),
        ("/changed", "its checksum is another"),
        ("/other", "instead of"),
        ("/damaged", "is damaged: try again"),
        ("/away", "there is no connection to"),
    ],
)
def test_what_goes_wrong_is_one_sentence(
    path: str, words: str, server: _Server, tmp_path: Path
) -> None:
    good = hashlib.sha256(CONTENT).hexdigest()
    server.serve("/short", CONTENT, Content_Length=str(len(CONTENT) + 500))
    server.serve("/changed", CONTENT[:-2] + b"9\n")
    server.serve("/other", b"<html>not here</html>")
    server.serve("/damaged", zipped(**{"x.csv": CONTENT})[:-60])
    server.serve("/away", b"", 302, Location="ftp://example.org/x.csv")
    remote = Remote(
        f"http://127.0.0.1:{server.server_address[1]}{path}", "x.csv", len(CONTENT), good
    )
    if path == "/other":
        remote = Remote(remote.url, "x.csv", 10 * SLACK)
    assert words in refused(remote, tmp_path / "f")


def test_offline_is_told(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        # Bound, but nobody listens: no connection.
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/x.csv"
        sentence = refused(Remote(url, "x.csv", 100), tmp_path / "f")
    assert sentence == (
        "“x.csv” could not be fetched: there is no connection to 127.0.0.1. Everything else works "
        "without one; try again when you are online."
    )
    # Only this computer itself may be asked without encryption.
    assert "no connection" in refused(Remote("http://example.org/x", "x.csv", 9), tmp_path / "f")
    assert "no connection" in refused(Remote("file:///etc/passwd", "x.csv", 9), tmp_path / "f")


def test_cancelling_leaves_nothing_behind(server: _Server, tmp_path: Path) -> None:
    url = server.serve("/slow", zipped(**{"x.csv": CONTENT}))

    for moment in ("Connecting", "Fetching", "Unpacking"):

        def stop(done: float, total: float, text: str = "", moment: str = moment) -> None:
            if text.startswith(moment):
                raise Cancelled

        with pytest.raises(Cancelled):
            fetch(Remote(url, "x.csv", len(CONTENT)), tmp_path, stop)
        assert list(tmp_path.iterdir()) == []


def test_an_item_that_is_fetched_opens_as_told(
    server: _Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dataclasses

    text = b"".join(b'%s\tit is "%d\n' % ((b"ham", b"spam")[k % 2], k) for k in range(60))
    found = GALLERY["sms_spam"]
    assert found.remote is not None
    remote = Remote(server.serve("/sms", zipped(**{found.file: text})), found.file, len(text))
    local = dataclasses.replace(found, remote=remote)
    monkeypatch.setitem(gallery.GALLERY, "sms_spam", local)
    assert not gallery.is_here(local, tmp_path)
    spec = prepare("sms_spam", tmp_path).data
    assert gallery.is_here(local, tmp_path)
    store = import_dataset(spec.paths, kinds=spec.kinds, reading=spec.reading, cache=tmp_path / "c")
    with store:
        assert (store.n_rows, store.bad_row_count) == (60, 0)
        assert store.read(0, 1).to_pylist() == [{"column_1": "ham", "column_2": 'it is "0'}]
