"""Experiment files: TOML in and out, and dotted changes.

Reading is strict: a key that is not known is an error that names the nearest known one, a wrong
value is an error that says what is allowed. Nothing in a file is executed or imported here.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import tomllib
import types
import typing
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from modellab.errors import ExperimentError, nearest, quote
from modellab.experiment import (
    FORMAT_VERSION,
    POLICY_KINDS,
    Experiment,
    Intervention,
    LaneSpec,
    LearnerSpec,
    MemorySet,
    OnlinePolicy,
    ScheduledPolicy,
    StaticPolicy,
    check,
    check_policy,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from modellab.experiment import Policy as AnyPolicy

MAX_FILE = 16 * 2**20
_POLICIES: dict[str, type[msgspec.Struct]] = {
    "static": StaticPolicy,
    "scheduled": ScheduledPolicy,
    "online": OnlinePolicy,
}
_SECTIONS = ("data", "split", "training", "evaluation", "replay", "prices")
_HEADER = re.compile(r"\s*\[{1,2}\s*([^\[\]]+?)\s*\]{1,2}\s*(?:#.*)?$")

Raw = dict[str, Any]


# ---------------------------------------------------------------- reading


def load(path: Path) -> Experiment:
    """Read an experiment file.

    Raises
    ------
    ExperimentError
        If it cannot be read, is no TOML, or holds unknown keys or wrong values.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE + 1)
    except FileNotFoundError as error:
        raise ExperimentError(f"There is no file {quote(path)}.") from error
    except OSError as error:
        raise ExperimentError(
            f"The experiment file {quote(path)} cannot be read: {error.strerror}."
        ) from error
    if len(content) > MAX_FILE:
        raise ExperimentError(f"{quote(path.name)} is too large to be an experiment file.")
    try:
        return loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ExperimentError(
            f"{quote(path.name)} is no experiment file: it is not text in UTF-8."
        ) from error
    except ExperimentError as error:
        raise ExperimentError(
            f"In the experiment file {quote(path.name)}: {error.sentence}", detail=error.detail
        ) from error


def loads(text: str) -> Experiment:
    """Read an experiment from TOML text; raises `ExperimentError` as `load` does."""
    try:
        raw = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ExperimentError(f"This is not valid TOML: {error}.") from error
    return check(_Reader(text).experiment(raw))


class _Reader:
    """Turns the plain values of a file into an `Experiment`, telling where something is wrong."""

    def __init__(self, text: str = "") -> None:
        self.text = text

    def experiment(self, raw: Raw) -> Experiment:
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
            if key in _SECTIONS:
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
            else:
                values[key] = self.value(value, known[key], (key,), ("", 0))
        if "data" not in values:
            raise ExperimentError("The section [data] with path and target is missing.")
        return Experiment(**values)

    def tables(self, value: Any, key: str) -> list[Any]:
        if not isinstance(value, list):
            raise ExperimentError(
                f"{key}{self.line('', 0, key)} must be written as [[{key}]], once for each."
            )
        return value

    def section(
        self, raw: Any, cls: type[msgspec.Struct], where: tuple[str, ...], at: tuple[str, int]
    ) -> Any:
        """Read a table into the struct `cls`."""
        known = _fields(cls)
        if not isinstance(raw, dict):
            raise self.wrong(where, raw, f"a table with the keys {', '.join(known)}", at)
        values: Raw = {}
        for key, value in raw.items():
            if key not in known:
                raise self.unknown(where, key, known, at)
            if known[key] is MemorySet:
                inner = (f"{at[0]}.{key}", at[1])
                values[key] = self.section(value, MemorySet, (*where, key), inner)
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
                values[key] = self.learner(value, (*where, key), n)
            else:
                values[key] = self.value(value, known[key], (*where, key), ("lane", n))
        for key in known:
            if key not in values:
                raise ExperimentError(f"{'.'.join((*where, key))} is missing.")
        return LaneSpec(**values)

    def policy(self, raw: Any, where: tuple[str, ...], n: int) -> Any:
        table = {"kind": raw} if isinstance(raw, str) else raw
        allowed = "one of " + ", ".join(POLICY_KINDS)
        if not isinstance(table, dict):
            raise self.wrong(where, raw, allowed, ("lane", n))
        kind = table.get("kind")
        if kind is None:
            raise ExperimentError(f"{'.'.join(where)}.kind is missing: name {allowed}.")
        if not isinstance(kind, str) or kind not in _POLICIES:
            raise self.wrong((*where, "kind"), kind, allowed, ("lane.policy", n))
        rest = {key: value for key, value in table.items() if key != "kind"}
        return self.section(rest, _POLICIES[kind], where, ("lane.policy", n))

    def learner(self, raw: Any, where: tuple[str, ...], n: int) -> LearnerSpec:
        table = {"kind": raw} if isinstance(raw, str) else raw
        if not isinstance(table, dict):
            allowed = "the name of a learner, or a table with its kind"
            raise self.wrong(where, raw, allowed, ("lane", n))
        if "kind" not in table:
            raise ExperimentError(f"{'.'.join(where)}.kind is missing: name a learner.")
        at = ("lane.learner", n)
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

    def value(self, raw: Any, hint: Any, where: tuple[str, ...], at: tuple[str, int]) -> Any:
        """Check one plain value against its type."""
        if isinstance(raw, dt.datetime | dt.date):
            raw = raw.isoformat()
        try:
            return msgspec.convert(raw, hint)
        except msgspec.ValidationError as error:
            raise self.wrong(where, raw, _allowed(hint), at) from error

    def unknown(
        self, where: tuple[str, ...], key: str, known: Mapping[str, Any], at: tuple[str, int]
    ) -> ExperimentError:
        full = ".".join((*where, key))
        best = nearest(key, known)
        if best is not None:
            hint = f"did you mean {'.'.join((*where, best))}?"
        else:
            elsewhere = {name.rsplit(".", 1)[-1]: name for name in _all_keys()}
            other = elsewhere.get(key) or elsewhere.get(nearest(key, elsewhere) or "")
            allowed = f"known here: {', '.join(known)}" if known else "it takes no settings"
            hint = f"did you mean {other}?" if other else f"{allowed}."
        return ExperimentError(f"{_plain(full)}{self.line(*at, key)} is not known; {hint}")

    def wrong(
        self, where: tuple[str, ...], value: Any, allowed: str, at: tuple[str, int]
    ) -> ExperimentError:
        full = ".".join(where)
        shown = quote(value) if isinstance(value, str) else _shown(value)
        return ExperimentError(
            f"{_plain(full)}{self.line(*at, where[-1])} is {shown}, but must be {allowed}."
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
    for section in _SECTIONS:
        for key, hint in _fields(known[section]).items():
            yield f"{section}.{key}"
            if hint is MemorySet:
                yield from (f"{section}.{key}.{name}" for name in _fields(MemorySet))


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


def _plain(path: str) -> str:
    return path if path.isprintable() and len(path) <= 120 else quote(path, 120)


# ---------------------------------------------------------------- writing


def dump(experiment: Experiment) -> str:
    """Experiment as TOML text, every key written out, always in the same order.

    Defaults are written too: a default that changes in a later version then changes no saved work.
    """
    raw = _to_raw(experiment)
    parts = ["\n".join(_pair(key, raw[key]) for key in ("modellab", "baselines"))]
    parts += [_table(f"[{key}]", raw[key]) for key in _SECTIONS]
    parts += [_table("[[lane]]", lane) for lane in raw["lane"]]
    parts += [_table("[[intervention]]", entry) for entry in raw["intervention"]]
    return "\n\n".join(parts) + "\n"


def save(experiment: Experiment, path: Path) -> None:
    """Write an experiment file: all of it, or nothing.

    Raises
    ------
    ExperimentError
        If the file cannot be written.
    """
    write_whole(path, dump(experiment).encode())


def write_whole(path: Path, content: bytes) -> None:
    """Write a file by way of a temporary neighbour: a crash leaves the old or the new one."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise ExperimentError(f"{quote(path)} cannot be written: {error.strerror}.") from error


def _table(header: str, raw: Raw) -> str:
    return "\n".join([header, *(_pair(key, value) for key, value in raw.items())])


def _pair(key: str, value: Any) -> str:
    import tomli_w

    if isinstance(value, dict):
        inner = ", ".join(_pair(k, v) for k, v in value.items())
        name = tomli_w.dumps({key: 0}).split(" = ")[0]
        return f"{name} = {{ {inner} }}" if inner else f"{name} = {{}}"
    if isinstance(value, list):
        name = tomli_w.dumps({key: 0}).split(" = ")[0]
        items = (tomli_w.dumps({"v": item}).strip()[4:] for item in value)
        return f"{name} = [{', '.join(items)}]"
    return tomli_w.dumps({key: value}).rstrip("\n")


def _to_raw(experiment: Experiment) -> Raw:
    """Experiment as the plain values of a file, defaults included."""
    raw: Raw = {"modellab": experiment.modellab, "baselines": experiment.baselines}
    for key in _SECTIONS:
        raw[key] = _struct_to_raw(getattr(experiment, key))
    raw["lane"] = [
        {
            "name": lane.name,
            "policy": policy_value(lane.policy),
            "learner": learner_value(lane.learner),
        }
        for lane in experiment.lane
    ]
    raw["intervention"] = [
        {key: value for key, value in _struct_to_raw(entry).items() if value != {}}
        for entry in experiment.intervention
    ]
    return raw


def _struct_to_raw(value: msgspec.Struct) -> Raw:
    raw: Raw = {}
    for field in value.__struct_fields__:
        item = getattr(value, field)
        if item is not None:
            raw[field] = _struct_to_raw(item) if isinstance(item, msgspec.Struct) else item
    return raw


def policy_value(policy: Any) -> str | Raw:
    """Policy as it stands in a file: its kind alone where it has no settings, else a table."""
    kind: str = type(policy).__struct_config__.tag
    raw = _struct_to_raw(policy)
    return {"kind": kind, **raw} if raw else kind


def learner_value(learner: LearnerSpec) -> str | Raw:
    """Learner as it stands in a file: its kind alone where it has no settings, else a table."""
    raw: Raw = {"kind": learner.kind}
    if learner.class_name is not None:
        raw["class"] = learner.class_name
    raw.update(learner.params)
    return raw if len(raw) > 1 else learner.kind


# ---------------------------------------------------------------- changes


def change_policy(policy: AnyPolicy, name: str, value: Any) -> AnyPolicy:
    """Return a policy with one setting changed, as strictly checked as in a file.

    Raises
    ------
    ExperimentError
        If there is no such setting or the value is not allowed.
    """
    kind = policy_value(policy)
    settings = {"kind": kind} if isinstance(kind, str) else dict(kind)
    changed: AnyPolicy = _Reader().policy({**settings, name: value}, (), 0)
    check_policy(changed)
    return changed


def set_value(experiment: Experiment, assignment: str) -> Experiment:
    """Change one value by its dotted key, such as ``lane.Online.policy.every=5``.

    The value is read as TOML, and as a text where it is no TOML value. A lane is named by its name.

    Raises
    ------
    ExperimentError
        If the key is not known or the value is not allowed.
    """
    key, equals, text = assignment.partition("=")
    key = key.strip()
    if not equals or not key:
        raise ExperimentError(
            f"{quote(assignment)} is not understood: "
            "write KEY=VALUE, such as replay.chunk_rows=100."
        )
    value = _toml_value(text.strip())
    raw = _to_raw(experiment)
    if key.startswith("lane."):
        table, path = _lane_table(raw, key[len("lane.") :])
    else:
        table, path = raw, key.split(".")
    for name in path[:-1]:
        if isinstance(table.get(name), str) and name in ("policy", "learner"):
            table[name] = {"kind": table[name]}
        if not isinstance(table.get(name), dict):
            raise _Reader().unknown(tuple(path[: path.index(name)]), name, table, ("", 0))
        table = table[name]
    table[path[-1]] = value
    if path[-1] == "kind" and len(path) > 1:
        # Another kind has other settings: none of the old ones is kept.
        for name in [name for name in table if name != "kind"]:
            del table[name]
    return check(_Reader().experiment(raw))


def _lane_table(raw: Raw, rest: str) -> tuple[Raw, list[str]]:
    lanes = sorted(raw["lane"], key=lambda lane: -len(lane["name"]))
    for lane in lanes:
        if rest.startswith(lane["name"] + "."):
            return lane, rest[len(lane["name"]) + 1 :].split(".")
    names = [lane["name"] for lane in raw["lane"]]
    if rest in names:
        raise ExperimentError(
            f"lane.{_plain(rest)} is a whole lane: name one key of it, such as policy.every."
        )
    best = nearest(rest.split(".")[0], names)
    hint = f"; did you mean {quote(best)}?" if best else f". Lanes: {', '.join(names) or 'none'}."
    raise ExperimentError(f"There is no lane called {quote(rest.split('.')[0])}{hint}")


def _toml_value(text: str) -> Any:
    if "\n" not in text:
        try:
            return tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            pass
    return text
