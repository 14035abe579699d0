"""Made streams whose drift is known: rows from a generator, with the positions of true change.

The generators are river's (references in its documentation): SEA (Street and Kim 2001), Agrawal
(1993), rotating hyperplane (Hulten et al. 2001), random radial basis functions, STAGGER (Schlimmer
and Granger 1986), sine (Gama et al. 2004), LED (Breiman et al. 1984) and Friedman (1991). Each has
several *concepts*: other rules from features to target. Drift goes from one concept to the next.

A stream is written to a Parquet file, whose metadata keep how it was made.
"""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import numpy as np

from modellab.data.arrow import arrow
from modellab.errors import DataError, nearest, quote
from modellab.experiment import DataSpec, DriftSpec, Experiment, SplitSpec, stream_rng

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    Told = Callable[[float, float, str], None]

Shape = Literal["none", "abrupt", "gradual", "incremental", "recurring"]
SHAPES: tuple[Shape, ...] = ("none", "abrupt", "gradual", "incremental", "recurring")
METADATA = b"modellab.stream"
TARGET = "target"
_WRITE_ROWS = 16_384


class StreamSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a stream is made.

    Attributes
    ----------
    kind
        A name of `KINDS`.
    rows
        How many.
    drift
        ``none``; ``abrupt``: at each position of `at` the next concept holds; ``gradual``: it comes
        more and more often over `width` rows (linearly); ``incremental``: the concept itself moves
        over `width` rows; ``recurring``: two concepts take turns at every position of `at`.
    at
        Positions of the changes, in order. Empty: one in the middle (recurring: at each eighth).
    width
        Rows that a change takes, for gradual and incremental drift.
    noise
        Share of rows whose class is another one than the concept says (kinds with classes).
    seed
        Of everything random.
    """

    kind: str
    rows: int = 20_000
    drift: Shape = "abrupt"
    at: tuple[int, ...] = ()
    width: int = 2000
    noise: float = 0.0
    seed: int = 1

    @property
    def positions(self) -> tuple[int, ...]:
        """Where the changes begin."""
        if self.drift == "none":
            return ()
        if self.at:
            return self.at
        if self.drift == "recurring":
            return tuple(self.rows * k // 8 for k in range(1, 8))
        return (self.rows // 2,)


@dataclass(frozen=True)
class StreamKind:
    """A generator as the gallery shows it; `concepts`: how many it has."""

    kind: str
    title: str
    story: str
    task: Literal["classification", "regression"]
    concepts: int
    make: Callable[[int, int], Any]
    classes: tuple[str, ...] = ("no", "yes")
    categories: tuple[str, ...] = ()
    incremental: bool = False


def _synth() -> Any:
    from river.datasets import synth

    return synth


def _friedman(concept: int, seed: int) -> Any:
    return _Shuffled(_synth().Friedman(seed=seed), concept)


class _Shuffled:
    """Friedman's function of the features in another order: another concept of the same rows."""

    def __init__(self, source: Any, concept: int) -> None:
        self._source, self._concept = source, concept

    def __iter__(self) -> Iterator[tuple[dict[Any, Any], Any]]:
        for x, y in self._source:
            values = list(x.values())
            turn = 2 * self._concept % len(values)
            yield dict(zip(x, values[-turn:] + values[:-turn] if turn else values, strict=True)), y


KINDS: dict[str, StreamKind] = {
    kind.kind: kind
    for kind in (
        StreamKind(
            "sea",
            "SEA",
            "Two of three numbers must exceed a threshold together; the threshold changes.",
            "classification",
            4,
            lambda concept, seed: _synth().SEA(variant=(2, 0, 3, 1)[concept], seed=seed),
        ),
        StreamKind(
            "hyperplane",
            "Hyperplane",
            "Which side of a plane in ten dimensions; the plane turns.",
            "classification",
            1_000,
            lambda concept, seed: _synth().Hyperplane(
                seed=seed + 7919 * concept, n_features=10, noise_percentage=0.0
            ),
            incremental=True,
        ),
        StreamKind(
            "agrawal",
            "Agrawal",
            "Shall a loan be granted? Ten rules of a bank, one after the other.",
            "classification",
            10,
            lambda concept, seed: _synth().Agrawal(
                classification_function=(0, 3, 6, 1, 4, 7, 2, 5, 8, 9)[concept], seed=seed
            ),
            categories=("elevel", "car", "zipcode"),
        ),
        StreamKind(
            "led",
            "LED",
            "Which digit do seven lamps show? Lamps change places.",
            "classification",
            4,
            lambda concept, seed: _synth().LEDDrift(
                seed=seed, irrelevant_features=True, n_drift_features=(0, 3, 5, 7)[concept]
            ),
            classes=tuple("0123456789"),
        ),
        StreamKind(
            "random_rbf",
            "Random RBF",
            "Clouds of points, each of one class; the clouds move.",
            "classification",
            1_000,
            lambda concept, seed: _synth().RandomRBF(
                seed_model=seed + 7919 * concept, seed_sample=seed, n_classes=3, n_features=8
            ),
            classes=("a", "b", "c"),
            incremental=True,
        ),
        StreamKind(
            "stagger",
            "STAGGER",
            "A simple rule on size, colour and shape; three rules take turns.",
            "classification",
            3,
            lambda concept, seed: _synth().STAGGER(classification_function=concept, seed=seed),
            categories=("size", "color", "shape"),
        ),
        StreamKind(
            "sine",
            "Sine",
            "Above or below a curve; the curve changes, and its sides.",
            "classification",
            4,
            lambda concept, seed: _synth().Sine(
                classification_function=(0, 2, 1, 3)[concept], seed=seed
            ),
        ),
        StreamKind(
            "friedman",
            "Friedman",
            "A number made of five of ten columns; other columns take over.",
            "regression",
            5,
            _friedman,
        ),
    )
}


def check_stream(spec: StreamSpec) -> StreamSpec:
    """Check that a stream can be made.

    Raises
    ------
    DataError
        With a sentence that says what is allowed.
    """
    kind = KINDS.get(spec.kind)
    if kind is None:
        near = nearest(spec.kind, KINDS)
        hint = f"did you mean {near}?" if near else f"there are {', '.join(KINDS)}."
        raise DataError(f"There is no made stream called {quote(spec.kind)}; {hint}")
    if not 100 <= spec.rows <= 10**9:
        raise DataError(f"A made stream has 100 to 1,000,000,000 rows, not {spec.rows:,}.")
    if spec.drift == "incremental" and not kind.incremental:
        able = ", ".join(k.title for k in KINDS.values() if k.incremental)
        raise DataError(f"{kind.title} cannot drift incrementally; these can: {able}.")
    if not 0.0 <= spec.noise <= 0.5:
        raise DataError(f"noise is a share from 0 to 0.5, not {spec.noise:g}.")
    if spec.noise and kind.task == "regression":
        raise DataError(f"{kind.title} has its own noise: leave noise out.")
    if spec.width < 1:
        raise DataError(f"A change takes at least 1 row, not {spec.width:,}.")
    inside = all(0 < position < spec.rows for position in spec.positions)
    if not inside or sorted(set(spec.positions)) != list(spec.positions):
        raise DataError("The positions of drift must lie inside the stream, in order.")
    if spec.drift not in ("none", "recurring") and len(spec.positions) >= kind.concepts:
        raise DataError(
            f"{kind.title} has {kind.concepts} concepts, so at most {kind.concepts - 1} changes."
        )
    return spec


def generate(spec: StreamSpec) -> Iterator[tuple[dict[str, Any], Any]]:
    """Rows of a stream, one after the other: features by column, and the target.

    The same spec gives the same rows. Classes are texts.

    Raises
    ------
    DataError
        If the stream cannot be made.
    """
    check_stream(spec)
    kind = KINDS[spec.kind]
    concepts = _moving(spec, kind) if spec.drift == "incremental" else _switching(spec, kind)
    for block in itertools.count():
        start = block * _WRITE_ROWS
        stop = min(start + _WRITE_ROWS, spec.rows)
        if start >= stop:
            return
        rng = stream_rng(spec.seed, "stream noise", block)
        wrong = rng.random(stop - start) < spec.noise
        shift = rng.integers(1, max(2, len(kind.classes)), stop - start)
        for offset, (x, y) in enumerate(itertools.islice(concepts, stop - start)):
            yield _row(kind, x, y, int(shift[offset]) if wrong[offset] else 0)


def _row(kind: StreamKind, x: dict[Any, Any], y: Any, shift: int) -> tuple[dict[str, Any], Any]:
    features: dict[str, Any] = {}
    for key, value in x.items():
        name = f"x{key}" if isinstance(key, int) else str(key)
        features[name] = f"{name} {value}" if name in kind.categories else float(value)
    if kind.task == "regression":
        return features, float(y)
    return features, kind.classes[(int(y) + shift) % len(kind.classes)]


def _switching(spec: StreamSpec, kind: StreamKind) -> Iterator[tuple[dict[Any, Any], Any]]:
    """Rows where one concept follows another; every concept has a stream of its own."""
    streams: dict[int, Iterator[Any]] = {}
    chances = _chances(spec)
    for block in itertools.count():
        start = block * _WRITE_ROWS
        draws = stream_rng(spec.seed, "stream concept", block).random(_WRITE_ROWS)
        for draw in draws.tolist():
            concept, chance = chances(start)
            start += 1
            chosen = concept + (draw < chance)
            if spec.drift == "recurring":
                chosen %= 2
            if chosen not in streams:
                streams[chosen] = iter(kind.make(chosen, spec.seed))
            yield next(streams[chosen])


def _chances(spec: StreamSpec) -> Callable[[int], tuple[int, float]]:
    """Return a function from a position to the old concept and the chance of the next one."""
    at = np.array(spec.positions, dtype=np.int64)
    width = spec.width if spec.drift == "gradual" else 0

    def look_up(position: int) -> tuple[int, float]:
        begun = int(np.searchsorted(at, position, side="right"))
        if not begun or not width:
            return begun, 0.0
        return begun - 1, min(1.0, (position - int(at[begun - 1])) / width)

    return look_up


def _moving(spec: StreamSpec, kind: StreamKind) -> Iterator[tuple[dict[Any, Any], Any]]:
    """Rows of one concept that moves for `width` rows from each position on."""
    synth = _synth()
    source: Any
    if kind.kind == "hyperplane":
        source = synth.Hyperplane(
            seed=spec.seed,
            n_features=10,
            n_drift_features=10,
            mag_change=min(1.0, 20.0 / spec.width),
            noise_percentage=0.0,
            sigma=0.0,
        )
    else:
        source = synth.RandomRBFDrift(
            seed_model=spec.seed,
            seed_sample=spec.seed,
            n_classes=3,
            n_features=8,
            change_speed=min(1.0, 4.0 / spec.width),
            n_drift_centroids=50,
        )
    name = "mag_change" if kind.kind == "hyperplane" else "change_speed"
    speed = getattr(source, name)
    at = np.array(spec.positions, dtype=np.int64)
    setattr(source, name, 0.0)
    for position, row in enumerate(source):
        yield row
        begun = int(np.searchsorted(at, position + 1, side="right"))
        moves = begun > 0 and position + 1 < int(at[begun - 1]) + spec.width
        setattr(source, name, speed if moves else 0.0)


def write_stream(spec: StreamSpec, path: Path, progress: Told | None = None) -> None:
    """Write a stream to a Parquet file, a bounded piece at a time; all of it, or nothing.

    Raises
    ------
    DataError
        If the stream cannot be made or the file cannot be written.
    """
    import os

    check_stream(spec)
    pa, _ = arrow()
    import pyarrow.parquet as pq

    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    rows = generate(spec)
    writer: Any = None
    done = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        while piece := list(itertools.islice(rows, _WRITE_ROWS)):
            table = _table(pa, piece)
            if writer is None:
                schema = table.schema.with_metadata({METADATA: msgspec.json.encode(spec)})
                writer = pq.ParquetWriter(beside, schema)
            writer.write_table(table.cast(writer.schema))
            done += len(piece)
            if progress is not None:
                progress(done, spec.rows, f"{done:,} rows made")
        writer.close()
        beside.replace(path)
    except OSError as error:
        raise DataError(f"{quote(path)} cannot be written: {error.strerror}.") from error
    finally:
        if writer is not None and writer.is_open:
            writer.close()
        beside.unlink(missing_ok=True)


def _table(pa: Any, rows: Sequence[tuple[dict[str, Any], Any]]) -> Any:
    names = list(rows[0][0])
    columns = {name: pa.array([x[name] for x, _ in rows]) for name in names}
    columns[TARGET] = pa.array([y for _, y in rows])
    return pa.table(columns)


def stream_of(path: Path) -> StreamSpec | None:
    """Tell how the stream in a file was made; None if it is no made stream."""
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_schema(path).metadata or {}
        return msgspec.json.decode(metadata[METADATA], type=StreamSpec)
    except (OSError, KeyError, ValueError, msgspec.MsgspecError):
        return None


def made_experiment(spec: StreamSpec, folder: Path, progress: Told | None = None) -> Experiment:
    """Make a stream in `folder`, unless it is there, and the experiment that knows its drifts.

    The training window is the first fifth, or ends before the first change where that is earlier.

    Raises
    ------
    DataError
        If the stream cannot be made or the file cannot be written.
    """
    check_stream(spec)
    key = hashlib.sha256(msgspec.json.encode(spec)).hexdigest()[:8]
    path = folder / f"{spec.kind}-{spec.drift}-{spec.rows}-{key}.parquet"
    if stream_of(path) != spec:
        write_stream(spec, path, progress)
    first = min(spec.positions, default=spec.rows)
    train = SplitSpec() if first >= 0.2 * spec.rows else SplitSpec(train=max(1, first * 4 // 5))
    return Experiment(
        data=DataSpec(path=str(path), target=TARGET),
        split=train,
        drift=DriftSpec(known=list(spec.positions)),
    )
