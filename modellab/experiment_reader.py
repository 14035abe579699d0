"""From the plain values of an experiment file to an `Experiment`, strictly.

A key that is not known is an error that names the nearest known one, a wrong value is an error
that says what is allowed, both with the line where they stand.
"""

from __future__ import annotations

import datetime as dt
import re
import types
import typing
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from modellab.errors import ExperimentError, nearest, quote
from modellab.experiment import (
    FAULTS,
    FORMAT_VERSION,
    POLICIES,
    Condition,
    EncodingSpec,
    Experiment,
    GuardSpec,
    Intervention,
    LaneSpec,
    LearnerSpec,
    MemorySet,
    ReadingSpec,
    TextSpec,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SECTIONS = ("data", "split", "training", "evaluation", "replay", "drift", "prices")
NESTED = (EncodingSpec, MemorySet, ReadingSpec, TextSpec)
"""Tables inside a section."""
_HEADER = re.compile(r"\s*\[{1,2}\s*([^\[\]]+?)\s*\]{1,2}\s*(?:#.*)?$")

Raw = dict[str, Any]
At = tuple[str, int]
"""Which table of a file: its header and which of that name."""


class Reader:
    """Turns the plain values of a file into an `Experiment`, telling where something is wrong."""

    def __init__(self, text: str = "") -> None:
        self.text = text

    def experiment(self, raw: Raw) -> Experiment:
        """Read the whole file."""
        version = raw.get("modellab", FORMAT_VERSION)
        if isinstance(version, int) and not isinstance(version, bool) and version > FORMAT_VERSION:
            raise ExperimentError(
                f"modellab{self.line('', 0, 'modellab')} is {version}, and this Model Lab reads "
                f"format {FORMAT_VERSION}: open the file with a newer Model Lab."
            )
        known = _fields(Experiment)
        values: Raw = {}
        for key, value in raw.items():
            if key not in known:
                raise self.unknown((), key, known, ("", 0))
            if key in SECTIONS:
                values[key] = self.section(value, known[key], (key,), (key, 0))
            elif key == "lane":
                values[key] = [
                    self.lane(lane, n) for n, lane in enumerate(self.tables(value, "lane"))
                ]
            elif key == "intervention":
                values[key] = [
                    self.section(entry, Intervention, (f"intervention[{n}]",), (key, n))
                    for n, entry in enumerate(self.tables(value, key))
                ]
            elif key == "fault":
                values[key] = [
                    self.one_of(FAULTS, entry, (f"fault[{n}]",), (key, n))
                    for n, entry in enumerate(self.tables(value, key))
                ]
            else:
                values[key] = self.value(value, known[key], (key,), ("", 0))
        if "data" not in values:
            raise ExperimentError("The section [data] with path and target is missing.")
        return Experiment(**values)

    def tables(self, value: Any, key: str) -> list[Any]:
        """Return the tables of a list such as ``[[lane]]``."""
        if not isinstance(value, list):
            raise ExperimentError(
                f"{key}{self.line('', 0, key)} must be written as [[{key}]], once for each."
            )
        return value

    def section(self, raw: Any, cls: type[msgspec.Struct], where: tuple[str, ...], at: At) -> Any:
        """Read a table into the struct `cls`."""
        known = _fields(cls)
        if not isinstance(raw, dict):
            raise self.wrong(where, raw, f"a table with the keys {', '.join(known)}", at)
        values: Raw = {}
        for key, value in raw.items():
            if key not in known:
                raise self.unknown(where, key, known, at)
            if known[key] in NESTED:
                inner = (f"{at[0]}.{key}", at[1])
                values[key] = self.section(value, known[key], (*where, key), inner)
            elif known[key] == list[Condition]:
                values[key] = self.conditions(value, (*where, key), at)
            elif known[key] in (LearnerSpec, LearnerSpec | None):
                values[key] = self.learner(value, (*where, key), at)
            elif typing.get_origin(known[key]) is dict and isinstance(value, dict):
                hint, inner = typing.get_args(known[key])[1], (f"{at[0]}.{key}", at[1])
                values[key] = {
                    name: self.value(item, hint, (*where, key, name), inner)
                    for name, item in value.items()
                }
            else:
                values[key] = self.value(value, known[key], (*where, key), at)
        missing = [
            f.name for f in msgspec.structs.fields(cls) if f.required and f.name not in values
        ]
        if missing:
            raise ExperimentError(f"{'.'.join((*where, missing[0]))} is missing.")
        return cls(**values)

    def lane(self, raw: Any, n: int) -> LaneSpec:
        """Read the `n`-th lane."""
        where: tuple[str, ...] = (f"lane[{n}]",)
        if not isinstance(raw, dict):
            raise self.wrong(where, raw, "a table with name, policy and learner", ("lane", n))
        if isinstance(raw.get("name"), str) and raw["name"]:
            where = ("lane", raw["name"])
        known = _fields(LaneSpec)
        values: Raw = {}
        for key, value in raw.items():
            if key not in known:
                raise self.unknown(where, key, known, ("lane", n))
            if key == "policy":
                values[key] = self.policy(value, (*where, key), n)
            elif key == "learner":
                values[key] = self.learner(value, (*where, key), ("lane", n))
            elif key == "guard":
                values[key] = self.section(value, GuardSpec, (*where, key), ("lane.guard", n))
            else:
                values[key] = self.value(value, known[key], (*where, key), ("lane", n))
        for key in ("name", "policy", "learner"):
            if key not in values:
                raise ExperimentError(f"{'.'.join((*where, key))} is missing.")
        return LaneSpec(**values)

    def policy(self, raw: Any, where: tuple[str, ...], n: int) -> Any:
        """Read a policy: a table, or its kind alone."""
        table = {"kind": raw} if isinstance(raw, str) else raw
        return self.one_of(POLICIES, table, where, ("lane.policy", n))

    def one_of(
        self, kinds: Mapping[str, type[msgspec.Struct]], table: Any, where: tuple[str, ...], at: At
    ) -> Any:
        """Read a table whose `kind` says which struct it is."""
        allowed = "one of " + ", ".join(kinds)
        if not isinstance(table, dict):
            raise self.wrong(where, table, allowed, (at[0].partition(".")[0], at[1]))
        kind = table.get("kind")
        if kind is None:
            raise ExperimentError(f"{'.'.join(where)}.kind is missing: name {allowed}.")
        if not isinstance(kind, str) or kind not in kinds:
            raise self.wrong((*where, "kind"), kind, allowed, at)
        rest = {key: value for key, value in table.items() if key != "kind"}
        return self.section(rest, kinds[kind], where, at)

    def learner(self, raw: Any, where: tuple[str, ...], at: At) -> LearnerSpec:
        """Read a learner: a table, or its kind alone."""
        table = {"kind": raw} if isinstance(raw, str) else raw
        if not isinstance(table, dict):
            allowed = "the name of a learner, or a table with its kind"
            raise self.wrong(where, raw, allowed, at)
        if "kind" not in table:
            raise ExperimentError(f"{'.'.join(where)}.kind is missing: name a learner.")
        at = (f"{at[0]}.{where[-1]}", at[1])
        kind = self.value(table["kind"], str, (*where, "kind"), at)
        name = table.get("class")
        if name is not None:
            name = self.value(name, str, (*where, "class"), at)
        params: dict[str, Any] = {}
        for key, value in table.items():
            if key in ("kind", "class"):
                continue
            if not isinstance(value, bool | int | float | str):
                raise self.wrong((*where, key), value, "a number, a text, true or false", at)
            params[key] = value
        return LearnerSpec(kind=kind, class_name=name, params=params)

    def conditions(self, raw: Any, where: tuple[str, ...], at: At) -> list[Condition]:
        """Read conditions: settings of a detector stand beside its name."""
        if not isinstance(raw, list):
            raise self.wrong(where, raw, "a list of tables, each with one condition", at)
        known = {name: hint for name, hint in _fields(Condition).items() if name != "params"}
        found = []
        for number, table in enumerate(raw):
            inner = (*where[:-1], f"{where[-1]}[{number}]")
            if not isinstance(table, dict):
                raise self.wrong(inner, table, f"a table with one of {', '.join(known)}", at)
            params = {}
            if "drift" in table:
                params = {key: value for key, value in table.items() if key not in known}
            for key, value in params.items():
                if not isinstance(value, bool | int | float | str):
                    raise self.wrong((*inner, key), value, "a number", at)
            rest = {key: value for key, value in table.items() if key not in params}
            read = self.section(rest, Condition, inner, at)
            found.append(msgspec.structs.replace(read, params=params))
        return found

    def value(self, raw: Any, hint: Any, where: tuple[str, ...], at: At) -> Any:
        """Check one plain value against its type."""
        if isinstance(raw, dt.datetime | dt.date):
            raw = raw.isoformat()
        try:
            return msgspec.convert(raw, hint)
        except msgspec.ValidationError as error:
            raise self.wrong(where, raw, _allowed(hint), at) from error

    def unknown(
        self, where: tuple[str, ...], key: str, known: Mapping[str, Any], at: At
    ) -> ExperimentError:
        """Error for a key that is not known, with the nearest known one."""
        full = ".".join((*where, key))
        best = nearest(key, known)
        if best is not None:
            hint = f"did you mean {'.'.join((*where, best))}?"
        else:
            elsewhere = {name.rsplit(".", 1)[-1]: name for name in _all_keys()}
            other = elsewhere.get(key) or elsewhere.get(nearest(key, elsewhere) or "")
            allowed = f"known here: {', '.join(known)}" if known else "it takes no settings"
            hint = f"did you mean {other}?" if other else f"{allowed}."
        return ExperimentError(f"{plain(full)}{self.line(*at, key)} is not known; {hint}")

    def wrong(self, where: tuple[str, ...], value: Any, allowed: str, at: At) -> ExperimentError:
        """Error for a value that is not allowed, saying what is."""
        full = ".".join(where)
        shown = quote(value) if isinstance(value, str) else _shown(value)
        return ExperimentError(
            f"{plain(full)}{self.line(*at, where[-1])} is {shown}, but must be {allowed}."
        )

    def line(self, header: str, n: int, key: str) -> str:
        """Say ``" (line 12)"`` for `key` in the `n`-th table `header`; empty when not found."""
        found = _line_of(self.text, header, n, key)
        return f" (line {found})" if found else ""


def _line_of(text: str, header: str, n: int, key: str) -> int:
    """Line number of a key, also where its table is written inline; 0 when it is not found."""
    parents = header.split(".")
    root = parents[0]
    current, count, inline = "", -1 if root else 0, 0
    for number, line in enumerate(text.splitlines(), 1):
        found = _HEADER.match(line)
        if found:
            current = re.sub(r"[\s\"']", "", found[1])
            count += current == root
            if not root and current == key:
                return number
            continue
        if count != n and root:
            continue
        name = re.match(r"\s*[\"']?([^=\"'#]*?)[\"']?\s*=", line)
        if name is None:
            continue
        if current == header and name[1] == key:
            return number
        if len(parents) > 1 and current == root and name[1] == parents[-1]:
            inline = number
    return inline


def _fields(cls: type[msgspec.Struct]) -> dict[str, Any]:
    """Names of a struct's fields with their resolved types."""
    hints = typing.get_type_hints(cls)
    return {f.name: hints[f.name] for f in msgspec.structs.fields(cls)}


def _all_keys() -> Iterator[str]:
    known = _fields(Experiment)
    for section in SECTIONS:
        for key, hint in _fields(known[section]).items():
            yield f"{section}.{key}"
            if hint in NESTED:
                yield from (f"{section}.{key}.{name}" for name in _fields(hint))


_WORDS = {
    int: "a whole number",
    float: "a number",
    str: "a text",
    bool: "true or false",
    type(None): "left out",
}


def _allowed(hint: Any) -> str:
    """What a type allows, in words."""
    if hint in _WORDS:
        return _WORDS[hint]
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return "one of " + ", ".join(str(a) for a in args)
    if origin in (typing.Union, types.UnionType):
        told = [a for a in args if a is not type(None) and not (a is int and float in args)]
        return " or ".join(_allowed(a) for a in told)
    if origin is list:
        return "a list, each of it " + _allowed(args[0])
    if origin is dict:
        return "a table, each value of it " + _allowed(args[1])
    return "something else"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    return str(value)


def plain(path: str) -> str:
    """Write a dotted key so that it can stand in a sentence."""
    return path if path.isprintable() and len(path) <= 120 else quote(path, 120)
