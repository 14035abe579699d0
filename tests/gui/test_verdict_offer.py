"""From the end of a replay to its verdict, with one click."""

from __future__ import annotations

from typing import Any

import pytest
from verdict_bench import VerdictBench


@pytest.fixture
def bench(window: Any, gui_bench: Any, tmp_path: Any) -> Any:
    made = VerdictBench(gui_bench, tmp_path)
    window.show_page("deploy")
    return made


def test_it_is_offered_at_the_end_and_leads_to_the_verdict(bench: Any, window: Any) -> None:
    page = window.page("deploy")
    bench.play_to(600)
    assert not page.offer.isVisibleTo(page)
    bench.finish()
    assert page.offer.isVisibleTo(page)
    assert "800 rows" in page.offer.words.text()
    page.offer.button.click()
    assert window.current_page == "decide"
    bench.bench.settle()
    assert bench.state.verdict is not None


def test_dismissed_it_comes_again_only_after_going_back(bench: Any, window: Any) -> None:
    page = window.page("deploy")
    bench.finish()
    page.offer.dismiss.click()
    assert not page.offer.isVisibleTo(page)
    page._state()
    assert not page.offer.isVisibleTo(page)
    bench.play_to(400, state="paused")
    bench.finish()
    assert page.offer.isVisibleTo(page)
