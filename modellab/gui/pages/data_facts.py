"""A column's profile as the Data page shows it: words, bars and a curve."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from modellab.gui.kit import count_text, one_line, short_number
from modellab.gui.pages.data_times import NS, date_text, month_text

if TYPE_CHECKING:
    from modellab.gui.session import Session


MONTHS_FROM = 120 * 86_400
"""Seconds from which a span of times is told in months."""


@dataclass(frozen=True)
class ColumnFacts:
    """One column.

    Attributes
    ----------
    missing, missing_share
        Cells without a value, and their share; None before the profile is there.
    distinct
        Different values, in words (``"> 10,000"`` where they were not all counted).
    range
        Least and greatest value, or the most frequent ones, in words.
    bars
        Counts of a histogram (numbers, times).
    top
        ``(value, share)`` of the most frequent values (categories), most frequent first.
    course
        How it runs over the file: one value per part; None where there is none.
    course_text
        What the curve shows.
    constant_in_training
        It never varies in the training window.
    unfit
        Values that did not fit the kind and count as missing.
    pairs
        Share of each value (or range) in the training window and after it, once compared.
    shift, shifted
        How far the two are apart (0 to 1), and whether that is more than chance.
    """

    name: str
    kind: str
    detected: str
    reason: str
    role: str
    missing: int | None = None
    missing_share: float | None = None
    distinct: str = ""
    distinct_count: float = -1.0
    range: str = ""
    bars: list[float] = field(default_factory=list)
    top: list[tuple[str, float]] = field(default_factory=list)
    course: list[float | None] = field(default_factory=list)
    course_text: str = ""
    constant_in_training: bool = False
    unfit: int = 0
    pairs: list[tuple[float, float]] = field(default_factory=list)
    shift: float | None = None
    shifted: bool = False

    @property
    def shift_text(self) -> str:
        """How the column differs after the training window, in words; empty if not compared."""
        if self.shift is None or self.kind == "time":
            return ""
        if not self.shifted:
            return "After the training window it is as before."
        return (
            f"After the training window it is another: {self.shift * 100:.0f} % of its rows would "
            "have to change to make it as before."
        )

    @property
    def profiled(self) -> bool:
        """Whether the profile is there."""
        return self.missing is not None

    @property
    def missing_text(self) -> str:
        """Share of missing cells in words."""
        share = self.missing_share
        if share is None:
            return ""
        if share == 0:
            return "0 %"
        if share < 0.0005:
            return "< 0.1 %"
        return f"{share * 100:.0f} %" if share >= 0.1 or share == 1 else f"{share * 100:.1f} %"


def column_facts(session: Session) -> list[ColumnFacts]:
    """Return the columns of the open data, profiled as far as is known."""
    data, experiment = session.data, session.experiment
    if data is None or experiment is None:
        return []
    profiles: dict[str, dict[str, Any]] = {}
    if session.profile is not None:
        profiles = {str(p["name"]): p for p in session.profile.columns}
    found = []
    compared = session.comparison
    for column in data.columns:
        facts: dict[str, Any] = {}
        if column.name in profiles:
            facts = from_profile(profiles[column.name], session.train_rows)
        if column.name in compared and compared[column.name].kind != "text":
            one = compared[column.name]
            facts["pairs"] = [(bar.train, bar.rest) for bar in one.bars if bar.label != "missing"]
            facts["shift"] = one.distance
            # Time goes on in every stream.
            facts["shifted"] = one.shifted and one.kind != "time"
        found.append(
            ColumnFacts(
                name=column.name,
                kind=str(session.kind_of(column.name)),
                detected=column.kind,
                reason=column.reason,
                role=session.role_of(column.name),
                **facts,
            )
        )
    return found


def from_profile(profile: dict[str, Any], train_rows: int) -> dict[str, Any]:
    """Return what `ColumnFacts` takes of a column's profile."""
    top = [(str(t["label"]), float(t["share"])) for t in profile["top"]]
    histogram = profile["histogram"]
    count = int(profile["distinct"])
    told = f"Each point: the {profile['course_what']} in one of {len(profile['course'])} parts."
    change = profile["first_change"]
    return {
        "missing": int(profile["missing"]),
        "missing_share": float(profile["missing_share"]),
        "distinct": _distinct_text(count, bool(profile["distinct_exact"])),
        "distinct_count": float(count),
        "range": _range_text(profile, top),
        "bars": [float(c) for c in histogram["counts"]] if histogram else [],
        "top": top,
        "course": list(profile["course"]),
        "course_text": told if profile["course_what"] else "",
        "constant_in_training": train_rows > 0 and (change is None or change >= train_rows),
        "unfit": int(profile["unfit"]),
    }


def _distinct_text(count: int, exact: bool) -> str:
    if exact:
        return count_text(count)
    if count >= 1_000_000:
        return f"≈ {count / 1e6:.1f} M"
    return f"≈ {count / 1000:.0f} k" if count >= 10_000 else f"≈ {count_text(count)}"


def _range_text(profile: dict[str, Any], top: list[tuple[str, float]]) -> str:
    low, high = profile["minimum"], profile["maximum"]
    if low is not None and high is not None:
        if profile["kind"] == "time":
            words = month_text if high - low > MONTHS_FROM else date_text
            first, last = words(round(low) * NS), words(round(high) * NS)
            return first if first == last else f"{first} – {last}"
        return f"{short_number(low)} – {short_number(high)}"
    if top:
        shown = ", ".join(one_line(value) for value, _ in top[:3])
        return shown if len(top) <= 3 and not profile["other"] else f"{shown}, …"
    if profile["first"]:
        return f"“{one_line(profile['first'], 40)}”, …"
    return ""


def roles_text(columns: list[ColumnFacts]) -> str:
    """How many columns have which role, in a line."""
    parts = []
    for role, one, many in (
        ("time", "time", "times"),
        ("feature", "feature", "features"),
        ("target", "target", "targets"),
        ("ignored", "ignored", "ignored"),
    ):
        count = sum(c.role == role for c in columns)
        if count:
            parts.append(f"{count_text(count)} {one if count == 1 else many}")
    return ", ".join(parts)
