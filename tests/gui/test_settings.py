from __future__ import annotations

import json
import os
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modellab.gui.settings import MOST_RECENT, Preferences, Settings, settings, use_settings


@pytest.fixture
def path(tmp_path):
    return tmp_path / "config" / "settings.json"


def test_a_first_start_has_usual_values(path):
    made = Settings(path)
    assert made.preferences == Preferences()
    assert made.problem is None
    assert made.recent == []


def test_what_is_changed_is_there_again(path):
    made = Settings(path)
    told = []
    stop = made.listen(lambda: told.append(made.preferences.theme))
    made.change(theme="dark", memory_share=0.5)
    assert told == ["dark"]
    made.change(theme="dark")
    assert told == ["dark"], "nothing changed"
    stop()
    made.change(theme="light")
    assert told == ["dark"]
    again = Settings(path).preferences
    assert (again.theme, again.memory_share) == ("light", 0.5)
    assert [p.name for p in path.parent.iterdir()] == ["settings.json"]


def test_wrong_values_change_nothing(path):
    made = Settings(path)
    for wrong in ({"memory_share": 3.0}, {"theme": "pink"}, {"workers": 0}, {"text_scale": "big"}):
        with pytest.raises(msgspec.ValidationError):
            made.change(**wrong)
    with pytest.raises(KeyError, match="colour"):
        made.change(colour="red")
    assert made.preferences == Preferences()


def test_the_copy_handed_out_changes_nothing(path):
    made = Settings(path)
    made.preferences.theme = "dark"
    assert made.preferences.theme == "system"


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b'{"preferences": {"memory_share": 7}}', b"[]"]
)
def test_a_damaged_file_is_put_aside(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    made = Settings(path)
    assert made.preferences == Preferences()
    assert "damaged" in made.problem
    assert path.with_suffix(".broken.json").read_bytes() == content
    made.change(theme="dark")
    assert Settings(path).preferences.theme == "dark"


def test_values_of_a_newer_program_are_no_damage(path):
    path.parent.mkdir()
    path.write_text(json.dumps({"version": 1, "preferences": {"theme": "dark", "new": 1}, "x": 2}))
    made = Settings(path)
    assert made.problem is None
    assert made.preferences.theme == "dark"


@pytest.mark.skipif(os.name == "nt", reason="needs a folder in the file's place")
def test_a_file_that_cannot_be_read_or_written_does_not_disturb(path):
    path.mkdir(parents=True)
    made = Settings(path)
    assert "cannot be read" in made.problem
    made.change(theme="dark")
    assert made.preferences.theme == "dark"


@given(st.lists(st.sampled_from([f"/data/{i}.csv" for i in range(20)]), max_size=40))
def test_the_recent_list_is_newest_first_without_repeats(paths):
    use = Settings.__new__(Settings)
    from modellab.gui.settings import _File

    use._file, use._listeners = _File(), []
    use.save = lambda: None
    for path in paths:
        use.add_recent(path)
    shown = [item.path for item in use.recent]
    expected = list(dict.fromkeys(reversed(paths)))[:MOST_RECENT]
    assert shown == expected


def test_forgetting_clearing_and_undoing(path):
    made = Settings(path)
    noon = datetime(2024, 11, 12, 12, tzinfo=UTC)
    made.add_recent("/a.csv", "data", "9 rows", noon)
    made.add_recent("/b.mlab", "experiment")
    made.forget_recent("/b.mlab")
    (item,) = made.recent
    assert (item.path, item.detail, item.when) == ("/a.csv", "9 rows", "2024-11-12T12:00:00+00:00")
    before = made.clear_recent()
    assert made.recent == []
    made.restore_recent(before)
    assert Settings(path).recent == [item]


def test_layouts_are_remembered_and_forgotten(path):
    made = Settings(path)
    made.remember_layout("deploy", "272,336")
    assert Settings(path).layout("deploy") == "272,336"
    assert made.layout("other") == ""
    made.reset_layout()
    assert Settings(path).layout("deploy") == ""


def test_one_object_for_the_process(modellab_home):
    use_settings(None)
    assert settings() is settings()
    settings().change(theme="dark")
    assert (modellab_home / "config" / "settings.json").exists()
    use_settings(None)
    assert settings().preferences.theme == "dark"
