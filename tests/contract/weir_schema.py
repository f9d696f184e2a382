# SPDX-License-Identifier: Apache-2.0
"""The other judge of documents: schemas/*.json through python3-jsonschema.

What JSON Schema does not say, but the wire's rules do, is in `load`: size, depth, a key once, no
NUL, whole Unicode, integers of 64 bits. `maxBytes` is the one keyword of our own."""

import datetime
import functools
import json
import pathlib
import re

import jsonschema

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCHEMAS = ROOT / "schemas"
MAX_BYTES = {"event": 640 * 1024, "control": 64 * 1024}
MAX_DEPTH = 16


class Refused(Exception):
    pass


def _pairs(pairs):
    keys = [k for k, _ in pairs]
    if len(keys) != len(set(keys)):
        raise Refused("a key twice")
    return dict(pairs)


def _int(text):
    value = int(text)
    if not -(2**63) <= value < 2**63:
        raise Refused("an integer beyond 64 bits")
    return value


def _float(text):
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise Refused("a number beyond double")
    return value


def _constant(text):
    raise Refused(f"{text} is no JSON")


def _walk(value, depth=0):
    if isinstance(value, str):
        if "\0" in value:
            raise Refused("a NUL")
        value.encode()  # lone surrogates
        return
    if isinstance(value, (dict, list)):
        if depth == MAX_DEPTH:
            raise Refused("too deep")
        for item in value.items() if isinstance(value, dict) else enumerate(value):
            _walk(item[0], depth + 1) if isinstance(item[0], str) else None
            _walk(item[1], depth + 1)


def load(kind, document):
    if len(document) > MAX_BYTES[kind]:
        raise Refused("too long")
    try:
        value = json.loads(document.decode(), object_pairs_hook=_pairs, parse_int=_int,
                           parse_float=_float, parse_constant=_constant)
        _walk(value)
    except (ValueError, RecursionError) as e:
        raise Refused(f"no JSON: {e}") from e
    if not isinstance(value, dict):
        raise Refused("no object")
    return value


def _pattern(_validator, pattern, instance, _schema):
    # ECMA's $ matches at the end only; Python's also before a newline at the end.
    if isinstance(instance, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), instance):
        yield jsonschema.ValidationError(f"{instance!r} does not match {pattern!r}")


def _max_bytes(_validator, limit, instance, _schema):
    if isinstance(instance, str) and len(instance.encode()) > limit:
        yield jsonschema.ValidationError(f"more than {limit} bytes")


def _formats():
    checker = jsonschema.FormatChecker(formats=())

    @checker.checks("date-time", raises=ValueError)
    def _is_time(value):
        if not isinstance(value, str):
            return True  # formats are about text only
        datetime.datetime.strptime(value, "%Y-%m-%dT%H:%M:%S.%fZ")
        if value[17:19] > "59":
            raise ValueError("leap second")
        return True

    return checker


FORMATS = _formats()
VALIDATOR = jsonschema.validators.extend(
    jsonschema.Draft202012Validator, {"pattern": _pattern, "maxBytes": _max_bytes})


@functools.cache
def schema(name):
    return json.loads((SCHEMAS / f"{name}.json").read_text())


@functools.cache
def names(kind):
    """The types of a kind: "event" or "control"."""
    found = [p.stem for p in sorted(SCHEMAS.glob("*.json"))
             if p.stem not in ("common", "envelope", "topics")]
    return [n for n in found if ("topic" in schema(n)["x-weir"]) == (kind == "event")]


def kind_of(name):
    return "event" if name in names("event") else "control"


@functools.cache
def _validator(kind, name):
    whole = {"$ref": f"{name}.json"}
    if kind == "event":
        whole = {"$ref": "envelope.json", "properties": {"data": {"$ref": f"{name}.json"}}}
    store = {}
    for path in SCHEMAS.glob("*.json"):
        document = json.loads(path.read_text())
        document.pop("$schema", None)  # it would bring back the validator without maxBytes
        store[f"file:///{path.name}"] = document
    resolver = jsonschema.RefResolver("file:///", whole, store=store)
    return VALIDATOR(whole, resolver=resolver, format_checker=FORMATS)


def judge(kind, document):
    """None when the document is good, else why not."""
    try:
        value = load(kind, document)
    except Refused as e:
        return str(e)
    if value.get("type") not in names(kind):
        return "unknown type"
    error = next(_validator(kind, value["type"]).iter_errors(value), None)
    return error and error.message
