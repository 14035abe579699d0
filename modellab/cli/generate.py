"""``modellab generate``: a made stream with known drift, and the experiment that goes with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modellab.errors import DataError, LabError, quote

if TYPE_CHECKING:
    from pathlib import Path

TRAIN_SHARE = 0.2


def generate(
    kind: str,
    *,
    rows: int,
    drift: str,
    at: str | None,
    width: int | None,
    noise: float,
    seed: int,
    output: Path | None,
    force: bool,
) -> None:
    """Write a made stream (Parquet) and beside it an experiment file that knows its drifts.

    `at`: positions, separated by commas.

    Raises
    ------
    LabError
        If the stream cannot be made, or a file is there already.
    """
    from modellab.cli import show
    from modellab.data.synthetic import KINDS, SHAPES, TARGET, StreamSpec, check_stream
    from modellab.data.synthetic import write_stream as write
    from modellab.experiment import DataSpec, DriftSpec, Experiment, SplitSpec, check
    from modellab.experiment_file import save

    if drift not in SHAPES:
        raise DataError(f"The drift is one of {', '.join(SHAPES)}, not {quote(drift)}.")
    spec = check_stream(
        StreamSpec(
            kind,
            rows=rows,
            drift=drift,
            at=_positions(at),
            width=width or max(1, rows // 10),
            noise=noise,
            seed=seed,
        )
    )
    place = (output or _usual(kind, drift)).absolute()
    if place.suffix != ".parquet":
        raise LabError(
            f"A made stream is a Parquet file: {quote(place.name)} must end in .parquet."
        )
    beside = place.with_suffix(".toml")
    for path in (place, beside):
        if path.exists() and not force:
            raise LabError(f"{quote(path, 200)} is there already: add --force to replace it.")
    write(spec, place)
    experiment = Experiment(
        data=DataSpec(path=place.name, target=TARGET),
        split=SplitSpec(train=TRAIN_SHARE),
        drift=DriftSpec(known=list(spec.positions)),
    )
    save(check(experiment), beside)
    told = ", ".join(f"{position:,}" for position in spec.positions)
    told = f"drift ({spec.drift}) at row {told}" if told else "no drift"
    line = (
        f"{place.name}: {spec.rows:,} rows of {KINDS[kind].title}, {told}; {beside.name} plays it."
    )
    show.out().print(show.plain(line))


def _positions(text: str | None) -> tuple[int, ...]:
    if not text:
        return ()
    try:
        return tuple(int(part.replace("_", "")) for part in text.split(","))
    except ValueError as error:
        raise DataError(
            f"{quote(text)} is not understood: write positions separated by commas, such as "
            "10000,20000."
        ) from error


def _usual(kind: str, drift: str) -> Path:
    from pathlib import Path

    return Path(f"{kind}-{drift}.parquet")
