"""Checkpoints: few enough to keep, whole when read back, shared where nothing changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from modellab.replay import checkpoints
from modellab.replay.checkpoints import KEEP, SPACING, CheckpointStore


@pytest.fixture(params=["memory", "folder"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> CheckpointStore:
    return CheckpointStore(tmp_path if request.param == "folder" else None)


def test_gives_back_what_was_saved(store: CheckpointStore) -> None:
    store.save(0, {"a": {"learner": b"m0", "rest": b"r0"}})
    store.save(SPACING, {"a": {"learner": b"m0", "rest": b"r1"}})
    point = store.holding(SPACING + 5, ["a"])
    assert point is not None
    assert point.position == SPACING
    assert store.blobs(point, "a") == {"learner": b"m0", "rest": b"r1"}
    early = store.holding(SPACING - 1, ["a"])
    assert early is not None
    assert early.position == 0


def test_a_lane_that_is_missing_is_not_held(store: CheckpointStore) -> None:
    store.save(0, {"a": {"rest": b"1"}})
    assert store.holding(10, ["a", "b"]) is None
    store.add_lane(0, "b", {"rest": b"2"})
    point = store.holding(10, ["a", "b"])
    assert point is not None
    assert store.blobs(point, "b") == {"rest": b"2"}
    store.forget_lane("b")
    assert store.holding(10, ["b"]) is None


def test_thins_out_but_keeps_the_first_and_the_last(store: CheckpointStore) -> None:
    last = 0
    for number in range(3 * KEEP):
        position = 100 if number == 0 else number * SPACING
        if store.due(position, 100):
            store.save(position, {"a": {"rest": str(position).encode()}})
            last = position
    positions = [p.position for p in store.points]
    assert len(positions) <= KEEP
    assert positions[0] == 100
    assert positions[-1] == last
    assert store.spacing > SPACING


def test_changing_the_past_drops_the_future(store: CheckpointStore) -> None:
    for position in (0, SPACING, 2 * SPACING):
        store.save(position, {"a": {"rest": bytes([position % 251])}})
    store.forget_after(SPACING)
    assert [p.position for p in store.points] == [0, SPACING]


def test_blobs_are_stored_once_and_deleted_when_unused(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    store.save(0, {"a": {"learner": b"same", "rest": b"0"}})
    store.save(SPACING, {"a": {"learner": b"same", "rest": b"1"}})
    assert len(list((tmp_path / "blobs").iterdir())) == 3
    store.forget_after(0)
    assert len(list((tmp_path / "blobs").iterdir())) == 2


def test_a_new_process_finds_them(tmp_path: Path) -> None:
    CheckpointStore(tmp_path).save(7, {"a": {"rest": b"x"}})
    again = CheckpointStore(tmp_path)
    assert again.load_index()
    point = again.holding(7, ["a"])
    assert point is not None
    assert again.blobs(point, "a") == {"rest": b"x"}


def test_a_checkpoint_with_a_lost_blob_is_not_offered(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    store.save(0, {"a": {"rest": b"0"}})
    store.save(SPACING, {"a": {"rest": b"1"}})
    newest = store.points[-1].lanes["a"]["rest"]
    (tmp_path / "blobs" / newest).unlink()
    again = CheckpointStore(tmp_path)
    assert again.load_index()
    assert [p.position for p in again.points] == [0]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[1]",
        b'[{"position": 7, "lanes": {"a": {}}}]',  # as the first version wrote it
        b'{"format": 1, "points": [{"position": 7, "lanes": {"a": {}}}]}',
    ],
)
def test_a_broken_index_is_no_index(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "checkpoints.json").write_bytes(text)
    assert not CheckpointStore(tmp_path).load_index()


def test_those_that_fall_due_soon_after_another_are_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: now)
    store = CheckpointStore()
    store.pause = 4.0
    assert store.due(7, 7)
    store.save(7, {"a": {"rest": b"x"}})
    now += 3.9
    assert not store.due(SPACING, 7)
    assert store.due(7, 7)  # the deployment point is always kept
    now += 0.2
    assert store.due(SPACING, 7)
    assert not store.due(SPACING + 1, 7)
