# SPDX-License-Identifier: Apache-2.0
"""The schemas as a model, and the judge of the subset: whatever the C side cannot hold to is
refused here, with the file and the field named."""

import json
import pathlib
import re
from dataclasses import dataclass, field

SAFE_INT = 2**53 - 1
RECORD_BYTES = 640 * 1024  # of an event with its envelope
LINE_BYTES = 64 * 1024  # of a control line
ENVELOPE_BYTES = 160  # what surrounds the table's fields: constants, type, "data"

# The only patterns there are: each is a set of bytes in lib/domain/codec.h.
PATTERNS = {
    "^[!-~]*$": "TOKEN",
    "^/weir/[!-~]*$": "SOURCE",
    "^[^\u0000-\u001f\u007f]*$": "TEXT",
    "^[a-z][a-z0-9_]*$": "SNAKE",
    "^[0-9a-f]*$": "HEX",
}
UUID_PATTERN = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
TIME_PATTERN = (
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{3}Z$"
)

ALLOWED = {
    "object": {"type", "description", "required", "properties"},
    "array": {"type", "description", "maxItems", "items"},
    "integer": {"type", "description", "minimum", "maximum"},
    "boolean": {"type", "description"},
    "string": {
        "type", "description", "minLength", "maxLength", "maxBytes", "pattern", "format",
    },
}
TOP_LEVEL = {"$schema", "title", "x-weir"}
NAME = re.compile(r"^[a-z][a-z0-9_]*$")
TITLE = re.compile(r"^[a-z]+(\.[a-z_]+)?$")


class SchemaError(Exception):
    """A schema outside the subset; the text names file and field."""


@dataclass
class Enum:
    c_name: str
    values: list
    shared: bool
    doc: str


@dataclass
class Object:
    c_name: str
    fields: list
    shared: bool
    doc: str


@dataclass
class Field:
    name: str
    kind: str  # id time string integer boolean enum object array
    optional: bool
    doc: str
    low: int = 0  # integer: minimum; string: minLength; array: 0
    high: int = 0  # integer: maximum; string: maxLength; array: maxItems
    chars: str = ""
    enum: Enum = None
    sub: Object = None


@dataclass
class Message:
    title: str
    doc: str
    weir: dict
    body: Object
    control: bool


@dataclass
class Model:
    topics: list
    partitions: int
    envelope: Object
    enums: list = field(default_factory=list)
    objects: list = field(default_factory=list)
    messages: list = field(default_factory=list)

    def events(self):
        return [m for m in self.messages if not m.control]

    def controls(self):
        return [m for m in self.messages if m.control]


def _no_duplicates(pairs):
    keys = [k for k, _ in pairs]
    if len(set(keys)) != len(keys):
        raise SchemaError(f"a key is there twice among {keys}")
    return dict(pairs)


def read_json(path):
    try:
        return json.loads(path.read_text(), object_pairs_hook=_no_duplicates)
    except (ValueError, SchemaError) as e:
        raise SchemaError(f"{path.name}: {e}") from e


def longest(obj):
    """Bytes of the longest JSON that an object can be written as."""
    def value(f):
        if f.kind == "string":
            return 2 + f.high * (1 if f.chars in ("SNAKE", "HEX") else 2)  # \" and \\
        if f.kind == "integer":
            return max(len(str(f.low)), len(str(f.high)))
        if f.kind == "enum":
            return 2 + max(len(v) for v in f.enum.values)
        if f.kind == "array":
            return 2 + f.high * (longest(f.sub) + 1)
        if f.kind == "object":
            return longest(f.sub)
        return {"id": 38, "time": 26, "boolean": 5}[f.kind]
    return 2 + sum(len(f.name) + 4 + value(f) for f in obj.fields)


class Loader:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.defs = read_json(self.folder / "common.json")["$defs"]
        topics = read_json(self.folder / "topics.json")
        self.model = Model(topics["topics"], topics["partitions"], None)
        self.shared = {}

    def load(self):
        for name, node in self.defs.items():
            if "enum" in node or node.get("type") == "object":
                self.shared[name] = self._shared(name, node)
            else:
                self._field(f"common.json: {name}", "", name, node, False)
        envelope = read_json(self.folder / "envelope.json")
        plain = {k: v for k, v in envelope["properties"].items() if "const" not in v}
        for special in ("type", "data"):
            if plain.pop(special, None) is None:
                raise SchemaError(f"envelope.json: {special} is missing")
        self.model.envelope = Object(
            "weir_event", self._fields("envelope.json", "weir_event", plain,
                                       envelope["required"]), True, envelope["description"])
        order = {t["name"]: i for i, t in enumerate(self.model.topics)}
        for path in sorted(self.folder.glob("*.json")):
            if path.stem not in ("common", "envelope", "topics"):
                self.model.messages.append(self._message(path, order))
        for message in self.model.messages:
            self._fits(message)
        self.model.messages.sort(
            key=lambda m: (m.control, order.get(m.weir.get("topic"), 0)))
        return self.model

    def _fits(self, message):
        most = LINE_BYTES if message.control else RECORD_BYTES
        around = ENVELOPE_BYTES + (0 if message.control else longest(self.model.envelope))
        if around + longest(message.body) > most:
            raise SchemaError(f"{message.title}.json: its fullest is {around + longest(message.body)}"
                              f" bytes, the limit is {most}")

    def _shared(self, name, node):
        where = f"common.json: {name}"
        if "enum" in node:
            return self._enum(where, f"weir_{name}", node, True)
        return self._object(where, f"weir_{name}", node, True)

    def _message(self, path, order):
        where, doc = path.name, read_json(path)
        title = doc.get("title")
        if title != path.stem or not TITLE.match(title):
            raise SchemaError(f"{where}: title must be the file's name, a.b in lower case")
        weir = doc.get("x-weir", {})
        control = "topic" not in weir
        if control and not {"from", "to"} <= set(weir):
            raise SchemaError(f"{where}: x-weir needs a topic, or from and to")
        if not control and weir["topic"] not in order:
            raise SchemaError(f"{where}: topic {weir['topic']} is not in topics.json")
        node = {k: v for k, v in doc.items() if k not in TOP_LEVEL}
        if control:
            if node.get("properties", {}).get("type") != {"const": title}:
                raise SchemaError(f'{where}: properties.type must be {{"const": "{title}"}}')
            if "type" not in node.get("required", []):
                raise SchemaError(f"{where}: type must be required")
            node["properties"] = {k: v for k, v in node["properties"].items() if k != "type"}
            node["required"] = [k for k in node["required"] if k != "type"]
        prefix = "weir_ctl_" if control else "weir_ev_"
        body = self._object(where, prefix + title.replace(".", "_"), node, False)
        return Message(title, doc.get("description", ""), weir, body, control)

    def _enum(self, where, c_name, node, shared):
        values = node["enum"]
        extra = set(node) - {"enum", "description"}
        if extra:
            raise SchemaError(f"{where}: {sorted(extra)[0]} is outside the subset of an enum")
        if not values or len(set(values)) != len(values):
            raise SchemaError(f"{where}: an enum needs different values")
        if not all(isinstance(v, str) and re.match(r"^[a-z][A-Za-z0-9_]*$", v) for v in values):
            raise SchemaError(f"{where}: enum values are names")
        made = Enum(c_name, values, shared, node.get("description", ""))
        self.model.enums.append(made)
        return made

    def _object(self, where, c_name, node, shared):
        self._keys(where, "object", node)
        required = node.get("required", [])
        props = node.get("properties")
        if not props:
            raise SchemaError(f"{where}: an object needs properties")
        missing = set(required) - set(props)
        if missing:
            raise SchemaError(f"{where}: required names {sorted(missing)[0]}, which is no property")
        fields = self._fields(where, c_name, props, required)
        made = Object(c_name, fields, shared, node.get("description", ""))
        self.model.objects.append(made)
        return made

    def _fields(self, where, c_name, props, required):
        out = []
        for name, node in props.items():
            at = f"{where}: {name}"
            if not NAME.match(name):
                raise SchemaError(f"{at}: field names are snake_case")
            out.append(self._field(at, c_name, name, node, name not in required))
        return out

    def _field(self, where, owner, name, node, optional):
        doc = node.get("description", "")
        target = None
        if "$ref" in node:
            target, node = self._follow(where, node)
            doc = doc or node.get("description", "")
        f = Field(name, "", optional, doc)
        if "enum" in node:
            f.kind = "enum"
            f.enum = self.shared[target] if target else self._enum(
                where, f"{owner}_{name}", node, False)
            return f
        kind = node.get("type")
        if kind not in ALLOWED:
            raise SchemaError(f"{where}: type {kind!r} is outside the subset")
        self._keys(where, kind, node)
        judge = {"integer": self._integer, "boolean": self._boolean, "string": self._string,
                 "object": self._nested, "array": self._array}[kind]
        judge(where, owner, f, node, target)
        return f

    def _follow(self, where, node):
        extra = set(node) - {"$ref", "description"}
        prefix, _, target = node["$ref"].rpartition("/")
        if extra or prefix != "common.json#/$defs" or target not in self.defs:
            raise SchemaError(f"{where}: $ref goes to common.json#/$defs/<name> and stands alone")
        return target, self.defs[target]

    def _keys(self, where, kind, node):
        extra = set(node) - ALLOWED[kind]
        if extra:
            raise SchemaError(f"{where}: {sorted(extra)[0]} is outside the subset of {kind}")
        if not node.get("description"):
            raise SchemaError(f"{where}: description is missing")

    def _need(self, where, node, *keys):
        for key in keys:
            if not isinstance(node.get(key), int) or isinstance(node[key], bool):
                raise SchemaError(f"{where}: {key} is missing: everything is bounded")

    def _integer(self, where, _owner, f, node, _target):
        self._need(where, node, "minimum", "maximum")
        f.kind, f.low, f.high = "integer", node["minimum"], node["maximum"]
        if not -SAFE_INT <= f.low <= f.high <= SAFE_INT:
            raise SchemaError(f"{where}: the range must lie within +-(2^53 - 1) and not be empty")

    def _boolean(self, _where, _owner, f, _node, _target):
        f.kind = "boolean"

    def _string(self, where, _owner, f, node, _target):
        self._need(where, node, "minLength", "maxLength")
        f.low, f.high = node["minLength"], node["maxLength"]
        if not 0 <= f.low <= f.high <= 65536:
            raise SchemaError(f"{where}: minLength..maxLength is empty or too long")
        if "format" in node:
            known = {"uuid": ("id", 36, UUID_PATTERN), "date-time": ("time", 24, TIME_PATTERN)}
            kind, length, pattern = known.get(node["format"], (None, 0, None))
            if (f.low, f.high, node.get("pattern")) != (length, length, pattern):
                raise SchemaError(f"{where}: format {node['format']} with its one pattern only")
            f.kind = kind
            return
        f.kind, f.chars = "string", PATTERNS.get(node.get("pattern"))
        if not f.chars:
            raise SchemaError(f"{where}: pattern {node.get('pattern')!r} is none of the known ones")
        if (f.chars == "TEXT") != ("maxBytes" in node) or node.get("maxBytes", f.high) != f.high:
            raise SchemaError(f"{where}: text, and nothing else, has maxBytes equal to maxLength")

    def _nested(self, where, owner, f, node, target):
        f.kind = "object"
        f.sub = self.shared[target] if target else self._object(
            where, f"{owner}_{f.name}", node, False)

    def _array(self, where, owner, f, node, _target):
        self._need(where, node, "maxItems")
        f.kind, f.high = "array", node["maxItems"]
        if f.optional:
            raise SchemaError(f"{where}: an array is required; empty says there is none")
        items = node.get("items", {})
        if items.get("type") != "object":
            raise SchemaError(f"{where}: items are objects")
        f.sub = self._object(where, f"{owner}_{f.name}", items, False)


def load(folder):
    return Loader(folder).load()
