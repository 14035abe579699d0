"""The gallery: real data that the libraries ship, and sets that are fetched when asked for.

What the libraries ship is copied (or written as Parquet) into a folder of the person's cache, so
that an experiment on it names a file like any other. Nothing is fetched unless it is asked for.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from modellab.data.fetching import Remote, fetch, is_fetched
from modellab.data.source import ReadProgress, no_progress
from modellab.errors import DataError, nearest, quote
from modellab.experiment import DataSpec, Experiment, Kind, ReadingSpec, SplitSpec
from modellab.paths import cache_dir

Origin = Literal["river", "scikit-learn", "download"]
Task = Literal["classification", "regression"]
_HOST = "https://maxhalford.github.io/files/datasets/"


@dataclass(frozen=True)
class Item:
    """A data set of the gallery.

    Attributes
    ----------
    id, title, story
        Its name, a heading, and one sentence.
    origin
        Who ships it, or ``download``.
    rows, columns
        Its size, target included.
    task
        What is predicted.
    target, time, ignore, kinds, reading
        As the experiment has them.
    file
        Name of the file in the library, or that it has here.
    remote
        Where it is fetched from.
    """

    id: str
    title: str
    story: str
    origin: Origin
    rows: int
    columns: int
    task: Task
    target: str
    file: str
    time: str | None = None
    ignore: tuple[str, ...] = ()
    kinds: tuple[tuple[str, Kind], ...] = ()
    reading: ReadingSpec = ReadingSpec()  # noqa: RUF009 - a frozen value
    remote: Remote | None = None


def _task(number: bool) -> Task:
    return "regression" if number else "classification"


def _river(
    id_: str,
    title: str,
    story: str,
    rows: int,
    columns: int,
    target: str,
    file: str,
    *,
    number: bool = False,
    **more: Any,
) -> Item:
    task = _task(number)
    return Item(id_, title, story, "river", rows, columns, task, target, file, **more)


def _toy(id_: str, title: str, story: str, rows: int, columns: int, number: bool = False) -> Item:
    file = f"{id_}.parquet"
    shipped: Origin = "scikit-learn"
    return Item(id_, title, story, shipped, rows, columns, _task(number), "target", file)


def _remote(
    id_: str,
    title: str,
    story: str,
    rows: int,
    columns: int,
    target: str,
    archive: str,
    file: str,
    size: int,
    *,
    number: bool = False,
    **more: Any,
) -> Item:
    url = archive if archive.startswith("https:") else _HOST + archive
    remote = Remote(url, file, size)
    task = _task(number)
    return Item(
        id_, title, story, "download", rows, columns, task, target, file, remote=remote, **more
    )


_ITEMS = (
    _river("sp500", "Stock prices", "Daily returns of ten large companies, 2013 to 2018: what "
           "comes the next day?", 1257, 12, "next_day_return", "sp500.csv.gz", number=True,
           time="date"),
    _river("phishing", "Phishing", "Is it a page that steals passwords? Nine signs of web pages.",
           1250, 10, "is_phishing", "phishing.csv.gz", kinds=(("is_phishing", "category"),)),
    _river("shuttle", "Shuttle", "Sensors of a space shuttle: a few rows in a hundred are "
           "anomalies.", 49_097, 10, "anomaly", "shuttle.csv.gz",
           kinds=(("anomaly", "category"),)),
    _river("segments", "Image segments", "Seven kinds of surface, from the colours of small "
           "patches of outdoor pictures.", 2310, 19, "category", "segment.csv.zip"),
    _river("water", "Water flow", "Water through a pipe of a city, hour by hour, 2022.", 1268, 2,
           "Water flow [l/s]", "water-flow.csv", number=True, time="Time"),
    _river("trump", "Approval of a president", "What five pollsters found each day, and the "
           "average that was published.", 1001, 7, "five_thirty_eight", "trump_approval.csv.gz",
           number=True),
    _river("chicks", "Weights of chicks", "Fifty chicks on four diets, weighed as they grow.", 578,
           4, "weight", "chick-weights.csv", number=True),
    _river("bananas", "Bananas", "Two classes, each of the shape of a banana in the plane.", 5300,
           3, "label", "banana.zip", kinds=(("label", "category"),)),
    _toy("diabetes", "Diabetes", "How far the disease went within a year, from ten measurements.",
         442, 11, number=True),
    _toy("breast_cancer", "Breast cancer", "Is a tumour malignant? Thirty measurements of cells.",
         569, 31),
    _toy("digits", "Digits", "Which digit is it? 64 pixels of handwriting.", 1797, 65),
    _toy("wine", "Wine", "Which of three growers? Thirteen chemical measurements.", 178, 14),
    _remote("elec2", "Electricity (Elec2)", "Does the price in New South Wales go up or down? The "
            "classic of drift, 1996 to 1998.", 45_312, 9, "class", "electricity.zip",
            "electricity.csv", 3_091_689),
    _remote("sms_spam", "SMS spam", "Text messages: is it spam?", 5574, 2, "column_1",
            "https://archive.ics.uci.edu/ml/machine-learning-databases/00228/"
            "smsspamcollection.zip", "SMSSpamCollection", 477_907,
            reading=ReadingSpec(delimiter="tab", quote="none", header=False),
            kinds=(("column_2", "text"),)),
    _remote("movielens", "MovieLens 100K", "Which rating, one to five, does a person give a film?",
            100_000, 11, "rating", "ml_100k.zip", "ml_100k.csv", 11_057_876, number=True,
            reading=ReadingSpec(delimiter="tab"), kinds=(("rating", "number"),)),
    _remote("bikes", "Bikes", "How many bikes stand at five stations in Toulouse?", 182_470, 9,
            "bikes", "toulouse_bikes.zip", "toulouse_bikes.csv", 13_125_015, number=True,
            time="moment"),
    _remote("taxis", "Taxis", "How long does a taxi ride in New York take?", 1_458_644, 11,
            "trip_duration", "nyc_taxis.zip", "train.csv", 195_271_696, number=True,
            time="pickup_datetime", ignore=("id", "dropoff_datetime")),
    _remote("restaurants", "Restaurants", "How many guests come to each of 829 restaurants in "
            "Japan?", 252_108, 8, "visitors", "kaggle_recruit_restaurants.zip",
            "kaggle_recruit_restaurants.csv", 28_881_242, number=True, time="date"),
    _remote("credit_card", "Card fraud", "Is a payment by card a fraud? Two in a thousand are.",
            284_807, 31, "Class", "creditcardfraud.zip", "creditcard.csv", 150_828_752,
            kinds=(("Class", "category"),)),
    _remote("kdd_http", "Attacks on web servers", "Connections to web servers: a few are attacks.",
            567_498, 4, "service", "kdd99_http.zip", "kdd99_http.csv", 32_400_738,
            kinds=(("service", "category"),)),
    _remote("kdd_smtp", "Attacks on mail servers", "Connections to mail servers: very few are "
            "attacks.", 95_156, 4, "service", "smtp.zip", "smtp.csv", 5_484_982,
            kinds=(("service", "category"),)),
    _remote("trec07", "Mail spam (TREC 2007)", "Mails of three months, with sender and subject: is "
            "it spam?", 75_419, 6, "y", "trec07p.zip", "trec07p.csv", 144_504_829,
            kinds=(("y", "category"),)),
    *(
        _remote(f"insects_{id_}", f"Insects, {what}", "Which insect flies by? Wing beats seen by "
                f"a laser, as the temperature changes: drift that is {what}.", rows, 34,
                "column_34", f"https://drive.google.com/uc?export=download&id={place}&confirm=t",
                f"{file}.csv", size, reading=ReadingSpec(header=False))
        for id_, what, rows, size, file, place in (
            ("abrupt", "abrupt", 52_848, 14_151_769, "abrupt_balanced",
             "1WQoIuuVgiuXfzv4kvao6XuLQG37V923O"),
            ("gradual", "gradual", 24_150, 6_474_831, "gradual_balanced",
             "1fepYkDxwMbuoRUaG_fsymSzkuapS4vJp"),
            ("incremental", "incremental", 57_018, 15_258_997, "incremental_balanced",
             "1tKQ2KL4m-ACHCVKUDLFPrM4cyhioiOpu"),
            ("recurring", "recurring", 79_986, 21_433_047, "incremental_reoccurring_balanced",
             "1mSKTSsxzYMjdV005AJqrcMGajuu7dUfW"),
        )
    ),
    _remote("keystroke", "Keystrokes", "Who types the password? The rhythm of 51 people.", 20_400,
            34, "subject", "https://www.cs.cmu.edu/~keystroke/DSL-StrongPasswordData.csv",
            "DSL-StrongPasswordData.csv", 4_669_935, ignore=("sessionIndex", "rep")),
    _remote("web_traffic", "Web traffic", "How many sessions does a web shop have in a quarter of "
            "an hour, region by region?", 44_160, 5, "sessionsA", "web-traffic.csv.zip",
            "web-traffic.csv", 2_769_905, number=True, time="dateTime", ignore=("sessionsB",),
            reading=ReadingSpec(delimiter="bar")),
    _remote("criteo", "Clicks on advertisements", "Is an advertisement clicked? Numbers and "
            "categories of very many values.", 100_000, 40, "click", "criteo_sample.csv.gz",
            "criteo_sample.csv.gz", 8_749_440, kinds=(("click", "category"),)),
    _remote("higgs", "Higgs", "Eleven million collisions of particles: signal or background? "
            "Larger than most memories.", 11_000_000, 29, "column_1",
            "https://archive.ics.uci.edu/ml/machine-learning-databases/00280/HIGGS.csv.gz",
            "HIGGS.csv.gz", 2_816_407_858, reading=ReadingSpec(header=False),
            kinds=(("column_1", "category"),)),
)  # fmt: skip

GALLERY: dict[str, Item] = {item.id: item for item in _ITEMS}
"""All items by id, in order; what is shipped comes first."""


def gallery_folder() -> Path:
    """Where the gallery's files are kept."""
    return cache_dir() / "gallery"


def item(item_id: str) -> Item:
    """Return an item by its id; raises `DataError` if there is none."""
    try:
        return GALLERY[item_id]
    except KeyError:
        like = nearest(item_id, GALLERY) or next(iter(GALLERY))
        raise DataError(
            f"There is no data set {quote(item_id)} in the gallery. Did you mean {quote(like)}?"
        ) from None


def is_here(found: Item, folder: Path | None = None) -> bool:
    """Whether an item opens without being fetched."""
    return found.remote is None or is_fetched(found.remote, folder or gallery_folder())


def prepare(
    item_id: str, folder: Path | None = None, progress: ReadProgress = no_progress
) -> Experiment:
    """Have an item's file ready, and return the experiment that it opens with.

    Parameters
    ----------
    item_id
        Which.
    folder
        Where files are kept instead of the cache.
    progress
        Told bytes of a download; may raise `Cancelled`.

    Raises
    ------
    DataError
        If there is no such item, or it cannot be fetched or written.
    """
    chosen = item(item_id)
    place = folder or gallery_folder()
    if chosen.remote is not None:
        path = fetch(chosen.remote, place, progress)
    else:
        path = place / chosen.file
        try:
            place.mkdir(parents=True, exist_ok=True)
            if not path.is_file():
                _take(chosen, path)
        except OSError as error:
            raise DataError(
                f"{quote(path, 200)} cannot be written: {error.strerror or error}.",
                detail=str(error),
            ) from error
    return Experiment(
        data=DataSpec(
            path=str(path),
            target=chosen.target,
            time=chosen.time,
            ignore=list(chosen.ignore),
            kinds=dict(chosen.kinds),
            reading=chosen.reading,
        ),
        split=SplitSpec(),
    )


def _take(chosen: Item, path: Path) -> None:
    """Copy or write what a library ships; all of it, or nothing."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if chosen.origin == "river":
            shutil.copyfile(_river_folder() / chosen.file, part)
        else:
            _write_toy(chosen.id, part)
        part.replace(path)
    except (ImportError, FileNotFoundError) as error:
        raise DataError(
            f"{chosen.title} is not among the files of {chosen.origin} here: install the program "
            "again.",
            detail=str(error),
        ) from error
    finally:
        part.unlink(missing_ok=True)


def _river_folder() -> Path:
    import river

    return Path(river.__file__).parent / "datasets"


def _write_toy(name: str, path: Path) -> None:
    """Write a set that scikit-learn ships as Parquet, classes by their names."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from sklearn import datasets

    loaded = getattr(datasets, f"load_{name}")()
    columns = {
        str(label).replace(" (cm)", ""): loaded.data[:, k]
        for k, label in enumerate(loaded.feature_names)
    }
    target = loaded.target
    if "target_names" in loaded:
        target = [str(loaded.target_names[code]) for code in loaded.target]
    pq.write_table(pa.table({**columns, "target": pa.array(target)}), path)
