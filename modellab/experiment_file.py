"""Experiment files: TOML in and out, and dotted changes.

Reading is strict: a key that is not known is an error that names the nearest known one, a wrong
value is an error that says what is allowed. Nothing in a file is executed or imported here.
"""

from __future__ import annotations

import os
import tomllib
from typing import TYPE_CHECKING, Any

import msgspec

from modellab.errors import ExperimentError, nearest, quote
from modellab.experiment import (
    Condition,
    Experiment,
    LearnerSpec,
    check,
    check_policy,
    fault_kind,
)
from modellab.experiment_reader import SECTIONS, Raw, Reader, plain

if TYPE_CHECKING:
    from pathlib import Path

    from modellab.experiment import Policy as AnyPolicy

MAX_FILE = 16 * 2**20
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
    return check(Reader(text).experiment(raw))


# ---------------------------------------------------------------- writing


def dump(experiment: Experiment) -> str:
    """Experiment as TOML text, every key written out, always in the same order.

    Defaults are written too: a default that changes in a later version then changes no saved work.
    """
    raw = _to_raw(experiment)
    parts = ["\n".join(_pair(key, raw[key]) for key in ("modellab", "baselines"))]
    parts += [_table(f"[{key}]", raw[key]) for key in SECTIONS]
    parts += [_table("[[lane]]", lane) for lane in raw["lane"]]
    parts += [_table("[[fault]]", fault) for fault in raw["fault"]]
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
        items = (_pair("v", item)[4:] for item in value)
        return f"{name} = [{', '.join(items)}]"
    return tomli_w.dumps({key: value}).rstrip("\n")


def _to_raw(experiment: Experiment) -> Raw:
    """Experiment as the plain values of a file, defaults included."""
    raw: Raw = {"modellab": experiment.modellab, "baselines": experiment.baselines}
    for key in SECTIONS:
        raw[key] = _struct_to_raw(getattr(experiment, key))
    raw["lane"] = [
        {
            "name": lane.name,
            "policy": policy_value(lane.policy),
            "learner": learner_value(lane.learner),
            **({} if lane.guard is None else {"guard": _struct_to_raw(lane.guard)}),
        }
        for lane in experiment.lane
    ]
    raw["fault"] = [
        {"kind": fault_kind(fault), **_struct_to_raw(fault)} for fault in experiment.fault
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
            raw[field] = _item_to_raw(item)
    return raw


def _item_to_raw(item: Any) -> Any:
    if isinstance(item, LearnerSpec):
        return learner_value(item)
    if isinstance(item, Condition):
        known = {key: value for key, value in _struct_to_raw(item).items() if key != "params"}
        return {**known, **item.params}
    if isinstance(item, msgspec.Struct):
        return _struct_to_raw(item)
    if isinstance(item, list):
        return [_item_to_raw(part) for part in item]
    return item


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
    changed: AnyPolicy = Reader().policy({**settings, name: value}, (), 0)
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
            raise Reader().unknown(tuple(path[: path.index(name)]), name, table, ("", 0))
        table = table[name]
    table[path[-1]] = value
    if path[-1] == "kind" and len(path) > 1:
        # Another kind has other settings: none of the old ones is kept.
        for name in [name for name in table if name != "kind"]:
            del table[name]
    return check(Reader().experiment(raw))


def _lane_table(raw: Raw, rest: str) -> tuple[Raw, list[str]]:
    lanes = sorted(raw["lane"], key=lambda lane: -len(lane["name"]))
    for lane in lanes:
        if rest.startswith(lane["name"] + "."):
            return lane, rest[len(lane["name"]) + 1 :].split(".")
    names = [lane["name"] for lane in raw["lane"]]
    if rest in names:
        raise ExperimentError(
            f"lane.{plain(rest)} is a whole lane: name one key of it, such as policy.every."
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
