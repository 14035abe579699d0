"""Worth knowing: what in the data will matter, each with a remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec
import numpy as np

from modellab.data.dataset import Dataset
from modellab.data.duplicates import duplicate_rows
from modellab.data.giveaway import give_aways
from modellab.data.guess import guess_target
from modellab.data.store import BATCH_ROWS
from modellab.errors import LabError, quote
from modellab.experiment import SplitSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modellab.data.profile import ColumnProfile
    from modellab.data.store import Store
    from modellab.experiment import DataSpec

RemedyId = Literal["ignore", "move_split", "sort", "kind", "show_bad_rows", "save_bad_rows"]

_REPEATING = 0.7
_MOSTLY_MISSING = 0.5
_IDENTIFIER = 0.95
_A_YEAR_NS = 31_536_000 * 10**9
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip


class Remedy(msgspec.Struct, frozen=True):
    """Something a person can do about a note.

    Attributes
    ----------
    id
        What to do: ``ignore`` the columns ``payload["columns"]``; ``move_split`` so that the
        training window has ``payload["train"]`` rows; ``sort`` by the time column; use
        ``payload["column"]`` as the kind ``payload["kind"]``; show or save the rows set aside.
    title
        The words on the button.
    payload
        Plain values.
    """

    id: RemedyId
    title: str
    payload: dict[str, Any] = {}


class Note(msgspec.Struct, frozen=True):
    """One thing worth knowing.

    Attributes
    ----------
    id
        What it is about; the same id comes once.
    severity
        ``"warning"`` where numbers will mislead or fail, else ``"info"``.
    title, text
        A headline, and one or two sentences. Plain text.
    columns
        The columns concerned.
    remedies
        What can be done, the most useful first; may be empty.
    """

    id: str
    severity: Literal["info", "warning"]
    title: str
    text: str
    columns: list[str] = []
    remedies: list[Remedy] = []


def worth_knowing(
    store: Store,
    profiles: Sequence[ColumnProfile],
    data: DataSpec,
    train_rows: int,
    *,
    target_guessed: bool = False,
) -> list[Note]:
    """Return what matters in the data of an experiment, warnings first.

    Parameters
    ----------
    store, profiles
        The data and the profiles of its columns.
    data
        Roles and kinds. Where no data set can be made of them (no such target ...), only what does
        not need one is told.
    train_rows
        Length of the training window; 0 for a cold start.
    target_guessed
        Whether the target is still the program's guess.
    """
    try:
        dataset = Dataset.build(store, data, SplitSpec(train=0))
        dataset.train_rows = train_rows
    except LabError:
        dataset = None
    notes = [
        *_reading(store),
        *_twice(store),
        *_values(store, data),
        *_columns(store, profiles, data),
    ]
    if target_guessed:
        name, reason = guess_target(store)
        if name == data.target:
            why = reason.removeprefix("guessed").lstrip(": ")
            text = f"This is a guess: {why}. Choose another target if it is wrong."
            notes.append(Note("target", "info", f"{quote(name)} is to be predicted", text, [name]))
    if dataset is not None:
        notes += _window(dataset, profiles)
        notes += _order(dataset, data)
        notes += _labels(dataset)
        notes += _gives_away(dataset)
    return sorted(notes, key=lambda note: note.severity != "warning")


def _reading(store: Store) -> Iterator[Note]:
    if store.bad_row_count:
        count = store.bad_row_count
        first = store.bad_rows[:3]
        where = ", ".join(f"{row.line:,}" for row in first) + (" …" if count > len(first) else "")
        yield Note(
            "bad_rows",
            "warning",
            f"{_count(count, 'row')} could not be read",
            f"Line{'s' if count > 1 else ''} {where}: {first[0].reason}. "
            f"{'They are' if count > 1 else 'It is'} set aside; the rest of the file is used.",
            remedies=[
                Remedy("show_bad_rows", "Show rows"),
                Remedy("save_bad_rows", "Save as CSV"),
            ],
        )
    for number, sentence in enumerate(store.warnings):
        yield Note(f"reading_{number + 1}", "info", "How the file was read", sentence)


def _values(store: Store, data: DataSpec) -> Iterator[Note]:
    for column in store.columns:
        if column.name in data.ignore:
            continue
        name = quote(column.name)
        if column.unfit:
            what = {"number": "no numbers", "time": "no times"}.get(column.kind, "unreadable")
            remedy = Remedy(
                "kind", "Use it as a category", {"column": column.name, "kind": "category"}
            )
            yield Note(
                f"unfit:{column.name}",
                "warning",
                f"{_count(column.unfit, 'value')} of {name} could not be used",
                f"{'They are' if column.unfit > 1 else 'It is'} {what} and taken as missing; the "
                f"first, in line {column.unfit_line:,}, is {quote(column.unfit_text)}.",
                [column.name],
                [remedy],
            )
        if column.infinite:
            yield Note(
                f"infinite:{column.name}",
                "warning",
                f"{_count(column.infinite, 'value')} of {name} infinite",
                "Infinity is taken as missing.",
                [column.name],
            )
        if column.inexact:
            yield Note(
                f"inexact:{column.name}",
                "info",
                f"{name} holds very large whole numbers",
                "Beyond 9,007,199,254,740,992 they are rounded. If they are identifiers, use the "
                "column as a category.",
                [column.name],
                [Remedy("kind", "Use it as a category",
                        {"column": column.name, "kind": "category"})],
            )  # fmt: skip
        if column.missing_words and column.kind in ("category", "text"):
            yield Note(
                f"missing_words:{column.name}",
                "info",
                f"{_count(column.missing_words, 'value')} of {name} taken as missing",
                "Words such as NA, None, null or ? stand for a missing value.",
                [column.name],
            )


def _columns(store: Store, profiles: Sequence[ColumnProfile], data: DataSpec) -> Iterator[Note]:
    used = [p for p in profiles if p.name not in (*data.ignore, data.target, data.time)]
    empty = [p.name for p in used if p.missing == p.rows]
    if empty:
        yield Note(
            "empty",
            "warning",
            f"{_count(len(empty), 'column')} without any value",
            f"{_names(empty)} {'are' if len(empty) > 1 else 'is'} missing in every row.",
            empty,
            [_ignore(empty)],
        )
    sparse = [p for p in used if p.missing < p.rows and p.missing_share > _MOSTLY_MISSING]
    if sparse:
        shares = ", ".join(f"{quote(p.name)} in {100 * p.missing_share:.0f} %" for p in sparse[:5])
        names = [p.name for p in sparse]
        yield Note(
            "sparse",
            "info",
            f"{_count(len(sparse), 'column')} mostly missing",
            f"Without a value: {shares} of the rows{' …' if len(sparse) > 5 else ''}.",
            names,
            [_ignore(names)],
        )
    texts = [p for p in used if p.kind == "text"]
    if texts:
        names = [p.name for p in texts]
        few = [p for p in texts if p.distinct <= 1000]
        yield Note(
            "text",
            "info",
            f"{_count(len(texts), 'text column')}, read by words",
            f"{_names(names)}: linear learners and neighbours read the words, trees how long a "
            "text is and how much of it is digits, capitals and punctuation.",
            names,
            [
                *(Remedy("kind", f"Use {quote(p.name)} as a category",
                         {"column": p.name, "kind": "category"})
                  for p in few[:3]),
                _ignore(names),
            ],
        )  # fmt: skip
    names = [p.name for p in used if _is_identifier(store, p)]
    if names:
        yield Note(
            "identifier",
            "info",
            f"{_count(len(names), 'column')} may be an identifier"
            if len(names) == 1 else f"{len(names)} columns may be identifiers",
            f"{_names(names)}: almost every row has a value of its own, so nothing general can be "
            "learned from it.",
            names,
            [_ignore(names)],
        )  # fmt: skip


def _is_identifier(store: Store, p: ColumnProfile) -> bool:
    present = p.rows - p.missing
    if present < 100 or p.distinct < _IDENTIFIER * present or p.kind in ("text", "time"):
        return False
    if p.kind == "category":
        return True
    column = store.column(p.name)
    words = p.name.lower().replace("-", "_").split("_")
    named = any(word in ("id", "key", "index", "row", "nr", "no", "uuid") for word in words)
    steps = column.low is not None and column.high is not None and (
        column.high - column.low + 1 == present
    )  # fmt: skip
    return column.whole and (named or steps)


def _window(dataset: Dataset, profiles: Sequence[ColumnProfile]) -> Iterator[Note]:
    """Features that have no two values in the training window."""
    n, train = dataset.n_rows, dataset.train_rows
    used = [p for p in profiles if p.name in dataset.features and p.missing < p.rows]
    never = [p.name for p in used if p.first_change is None]
    if never:
        yield Note(
            "constant",
            "info",
            f"{_count(len(never), 'column')} with one value only",
            f"{_names(never)} never {'vary' if len(never) > 1 else 'varies'} in the whole file.",
            never,
            [_ignore(never)],
        )
    if not train:
        return
    starts: dict[int, list[str]] = {}
    for p in used:
        if p.first_change is not None and p.first_change >= train:
            starts.setdefault(p.first_change, []).append(p.name)
    for change, names in sorted(starts.items()):
        several = len(names) > 1
        absent = [p.name for p in used if p.name in names and (p.first_present or 0) >= train]
        what = "no value" if len(absent) == len(names) else "one value"
        yield Note(
            f"constant_in_training:{change}",
            "warning",
            f"{_count(len(names), 'column')} {'never vary' if several else 'never varies'} in "
            "training",
            f"{_names(names)} {'hold' if several else 'holds'} {what} until "
            f"{_place(dataset, change)}, so a model cannot learn what "
            f"{'they mean' if several else 'it means'}.",
            names,
            [*_later_split(change, n), _ignore(names)],
        )


def _later_split(change: int, n: int) -> list[Remedy]:
    """Move the split so far behind the change that a fifth of the window has seen it."""
    rows = round(change * 1.25)
    if rows >= 0.95 * n:
        return []
    return [Remedy("move_split", f"Move the split to row {rows:,}", {"train": rows})]


def _order(dataset: Dataset, data: DataSpec) -> Iterator[Note]:
    row = dataset.first_out_of_order
    if row is None or dataset.time is None:
        return
    yield Note(
        "unsorted",
        "warning",
        "Rows are not in order of time",
        f"Row {row:,} is earlier than one before it, by {quote(dataset.time)}. "
        "The replay takes the rows in the order they have.",
        [dataset.time],
        [] if data.sort else [Remedy("sort", "Sort by time")],
    )


def _twice(store: Store) -> Iterator[Note]:
    """Rows that are there more than once, unless that is a matter of course in such columns."""
    if all(column.kind in ("category", "boolean") for column in store.columns):
        return
    found = duplicate_rows(store)
    if not found.count or found.first is None or found.of is None:
        return
    # A single pair makes its own chance.
    if found.by_chance >= 1 and found.count <= 3 * found.by_chance:
        return
    whole = found.looked == store.n_rows
    where = "" if whole else f" of the {found.looked:,} that were looked at"
    one = found.count == 1
    yield Note(
        "duplicates",
        "info",
        f"{_count(found.count, 'row')} {'is' if one else 'are'} there more than once",
        f"{_count(found.count, 'row')}{where} {'equals' if one else 'equal'} an earlier one in "
        f"every column; the first is row {found.first:,}, which equals row {found.of:,}. They are "
        "replayed as they are.",
    )


def _labels(dataset: Dataset) -> Iterator[Note]:
    classify = dataset.task.kind == "classification"
    k = dataset.task.n_classes
    target = quote(dataset.target)
    counts = np.zeros(k, np.int64)
    first = np.full(k, -1, np.int64)
    in_training = np.zeros(k, np.int64)
    pairs = same = missing = training_labels = 0
    steps = spread = total = 0.0
    last: float | None = None
    mean = _mean(dataset) if not classify else 0.0
    for start in range(0, dataset.n_rows, BATCH_ROWS):
        y = dataset.labels(start, min(start + BATCH_ROWS, dataset.n_rows))
        at = np.flatnonzero(y >= 0 if classify else np.isfinite(y))
        missing += len(y) - len(at)
        training_labels += int(np.sum(at + start < dataset.train_rows))
        present = y[at]
        if not len(present):
            continue
        before = np.append(present[0] if last is None else last, present[:-1])
        skip = 1 if last is None else 0
        pairs += len(present) - skip
        same += int(np.sum(before[skip:] == present[skip:]))
        last = present[-1]
        if classify:
            counts += np.bincount(present, minlength=k)
            in_training += np.bincount(present[at + start < dataset.train_rows], minlength=k)
            for code in np.flatnonzero((first < 0) & (counts > 0)):
                first[code] = start + at[np.flatnonzero(present == code)[0]]
        else:
            total += len(present)
            steps += float(np.abs(present - before).sum())
            spread += float(np.abs(present - mean).sum())
    if missing:
        yield Note(
            "labels_missing", "info", f"{_count(missing, 'row')} without a label",
            f"{target} is missing there: such rows are predicted, but neither learned nor scored.",
            [dataset.target],
        )  # fmt: skip
    if dataset.train_rows and not training_labels:
        yield Note(
            "no_labels_in_training", "warning", "No labels in the training window",
            f"{target} is missing in all of its {dataset.train_rows:,} rows: nothing can be "
            "trained on. Move the split.",
            [dataset.target],
        )  # fmt: skip
    if not classify:
        if total and steps < 0.5 * spread:
            yield Note(
                "labels_repeat", "info", "Values stay close to the one before",
                f"Guessing that {target} stays as it was errs {100 * steps / spread:.0f} % as much "
                "as guessing its mean: the baseline “last value” will be hard to beat.",
                [dataset.target],
            )  # fmt: skip
        return
    # Where one class is nearly everything, labels repeat too, but that is the majority's doing.
    majority = float(counts.max() / max(counts.sum(), 1))
    share = same / pairs if pairs else 0.0
    if share >= _REPEATING and share > majority + 0.02:
        yield Note(
            "labels_repeat", "info", "Labels repeat",
            f"{_share(share)} of {target} equal the one before, so the baseline “no change” "
            "will be hard to beat.",
            [dataset.target],
        )  # fmt: skip
    if dataset.train_rows and training_labels:
        yield from _classes(dataset, counts, in_training, first)


def _classes(dataset: Dataset, counts: Any, in_training: Any, first: Any) -> Iterator[Note]:
    """Classes that the training window does not know."""
    names = [str(label) for label in dataset.task.classes]
    unseen = [code for code in range(len(names)) if counts[code] and not in_training[code]]
    if not unseen:
        return
    target = [dataset.target]
    if sum(in_training > 0) < 2:
        only = names[int(np.argmax(in_training))]
        yield Note(
            "one_class_in_training", "warning", "Only one class in the training window",
            f"All of its labels are {quote(only)}: nothing can be told apart. "
            f"Move the split behind {_place(dataset, int(first[unseen].min()))}.",
            target, _later_split(int(first[unseen].min()), dataset.n_rows),
        )  # fmt: skip
        return
    several = len(unseen) > 1
    yield Note(
        "unseen_classes", "warning",
        f"{_count(len(unseen), 'class', 'classes')} not in the training window",
        f"{_names([names[code] for code in unseen])} first "
        f"{'come' if several else 'comes'} at {_place(dataset, int(first[unseen].min()))}: the "
        "first model cannot predict what it has never seen.",
        target, _later_split(int(first[unseen].max()), dataset.n_rows),
    )  # fmt: skip


def _gives_away(dataset: Dataset) -> Iterator[Note]:
    found = give_aways(dataset)
    if not found:
        return
    names = [item.column for item in found]
    best = found[0]
    several = len(found) > 1
    how = (
        f"right in {_percent(best.score)} of the rows"
        if dataset.task.kind == "classification" else f"R² {best.score:.3f}"
    )  # fmt: skip
    yield Note(
        "gives_away",
        "warning",
        f"{_count(len(found), 'column')} may give the target away",
        f"{_names(names)} {'each predict' if several else 'predicts'} {quote(dataset.target)} "
        f"almost perfectly alone ({how}{' for the first' if several else ''}). "
        f"{'Are they' if several else 'Is it'} really known when the prediction is due?",
        names,
        [_ignore(names)],
    )


def _mean(dataset: Dataset) -> float:
    total, count = 0.0, 0
    for start in range(0, dataset.n_rows, BATCH_ROWS):
        y = dataset.labels(start, min(start + BATCH_ROWS, dataset.n_rows))
        y = y[np.isfinite(y)]
        total += float(y.sum())
        count += len(y)
    return total / max(count, 1)


def _ignore(names: list[str]) -> Remedy:
    title = f"Ignore {quote(names[0], 30)}" if len(names) == 1 else f"Ignore {len(names)} columns"
    return Remedy("ignore", title, {"columns": names})


def _count(n: int, one: str, many: str | None = None) -> str:
    return f"1 {one}" if n == 1 else f"{n:,} {many or one + 's'}"


def _percent(share: float) -> str:
    return "all" if share == 1 else f"{min(100 * share, 99.99):.4g} %"


def _share(share: float) -> str:
    return "over 99 %" if 0.995 <= share < 1 else f"{100 * share:.0f} %"


def _names(names: Sequence[str]) -> str:
    shown = [quote(name, 40) for name in names[:5]]
    if len(names) > 5:
        return ", ".join(shown) + f" and {len(names) - 5:,} more"
    return shown[0] if len(shown) == 1 else ", ".join(shown[:-1]) + " and " + shown[-1]


def _place(dataset: Dataset, row: int) -> str:
    """Row number, with the day where there is a time that is one (and no small number)."""
    time = dataset.time_at(row)
    if time is None or abs(time) < _A_YEAR_NS:
        return f"row {row:,}"
    day = np.datetime64(time, "ns").astype("datetime64[D]").item()
    return f"row {row:,} ({day.day} {_MONTHS[day.month - 1]} {day.year})"
