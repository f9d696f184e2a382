# SPDX-License-Identifier: Apache-2.0
"""The C codec and JSON Schema judge the same documents, and agree.

The C side is tests/contract/judge.c: the newest build of it, or the one that WEIR_JUDGE names."""

import copy
import json
import os
import pathlib
import random
import subprocess
import uuid

import pytest
import weir_schema

EXAMPLES = pathlib.Path(__file__).parent / "examples"
MUTANTS = int(os.environ.get("WEIR_MUTANTS", "6000"))
LONGEST = 1024 * 1024  # twice what a record may have
SEED = int(os.environ.get("WEIR_SEED", "1"))


def judge_program():
    built = weir_schema.ROOT.glob("build/*/tests/contract/contract_judge")
    newest = max(built, key=lambda p: p.stat().st_mtime, default=None)
    program = os.environ.get("WEIR_JUDGE", newest)
    assert program, "contract_judge is not built: cmake --build --preset asan"
    return program


def c_verdicts(documents):
    """[(kind, bytes)] -> ["ok ...", "bad ..."]"""
    asked = b"".join(kind.encode() + b" %d\n" % len(d) + d for kind, d in documents)
    done = subprocess.run([judge_program()], input=asked, capture_output=True, check=True)
    answers = done.stdout.decode().splitlines()
    assert len(answers) == len(documents)
    return answers


def examples(verdict):
    return sorted(EXAMPLES.glob(f"*/{verdict}/*.json"))


def kind_of(path):
    folder = path.parts[-3]
    return "event" if folder == "envelope" else weir_schema.kind_of(folder)


def disagreements(documents):
    found = []
    for (kind, document), c_says in zip(documents, c_verdicts(documents)):
        python_says = weir_schema.judge(kind, document)
        if c_says.startswith("ok ") != (python_says is None):
            found.append(f"{document[:2000]!r}\n  C: {c_says[:300]}\n  schema: {python_says}")
    return found


def test_every_type_has_examples_of_both_verdicts():
    for name in weir_schema.names("event") + weir_schema.names("control") + ["envelope"]:
        assert list((EXAMPLES / name).glob("ok/*.json")), f"{name} lacks ok examples"
        assert list((EXAMPLES / name).glob("bad/*.json")), f"{name} lacks bad examples"
    known = set(weir_schema.names("event") + weir_schema.names("control") + ["envelope"])
    assert {p.name for p in EXAMPLES.iterdir()} == known


@pytest.mark.parametrize("verdict", ["ok", "bad"])
def test_both_judges_say_what_the_folder_says(verdict):
    paths = examples(verdict)
    documents = [(kind_of(p), p.read_bytes()) for p in paths]
    wrong = []
    for path, (kind, document), c_says in zip(paths, documents, c_verdicts(documents)):
        python_says = weir_schema.judge(kind, document)
        if not c_says.startswith(verdict + " "):
            wrong.append(f"{path}: C says {c_says[:300]}")
        if (python_says is None) != (verdict == "ok"):
            wrong.append(f"{path}: the schema says {python_says}")
    assert not wrong, "\n".join(wrong)


def test_a_refusal_names_the_field():
    paths = [p for p in examples("bad") if p.parts[-3] != "envelope"]
    answers = c_verdicts([(kind_of(p), p.read_bytes()) for p in paths])
    for path, answer in zip(paths, answers):
        assert path.stem.split("-")[0] in answer, f"{path}: {answer}"


@pytest.mark.parametrize("name", ["command.stop", "tap.drop"])
def test_a_document_of_the_greatest_length_is_read_and_none_longer(name):
    kind = weir_schema.kind_of(name)
    document = (EXAMPLES / name / "ok" / "smallest.json").read_bytes()
    longest = document.ljust(weir_schema.MAX_BYTES[kind])
    good, bad = c_verdicts([(kind, longest), (kind, longest + b" ")])
    assert good.startswith("ok ") and bad.startswith("bad limit_exceeded")
    assert weir_schema.judge(kind, longest) is None
    assert weir_schema.judge(kind, longest + b" ") == "too long"


def fullest(schema, common):
    """The longest value that a schema allows."""
    if "$ref" in schema:
        schema = common[schema["$ref"].rsplit("/", 1)[1]]
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return max(schema["enum"], key=len)
    if schema["type"] == "object":
        return {k: fullest(v, common) for k, v in schema["properties"].items()}
    if schema["type"] == "array":
        return [fullest(schema["items"], common)] * schema["maxItems"]
    if schema["type"] == "integer":
        return max(schema["minimum"], schema["maximum"], key=lambda n: len(str(n)))
    if schema["type"] == "boolean":
        return False
    if schema.get("format") == "uuid":
        return "0" * 36
    return "a" * schema["maxLength"]


@pytest.mark.parametrize("kind", ["event", "control"])
def test_the_fullest_message_of_each_type_fits(kind):
    common = weir_schema.schema("common")["$defs"]
    documents = []
    for name in weir_schema.names(kind):
        value = fullest(weir_schema.schema(name), common)
        text = json.dumps(value).replace('"' + "0" * 36 + '"', '"' + str(uuid.UUID(int=1)) + '"')
        if kind == "event":
            around = json.loads((EXAMPLES / "envelope/ok/leap-day.json").read_bytes())
            around.update(type=name, source="/weir/".ljust(128, "a"), subject="a" * 128,
                          partitionkey="a" * 128, traceparent="a" * 64, data=json.loads(text))
            text = json.dumps(around)
        documents.append((kind, json.dumps(json.loads(text), separators=(",", ":")).encode()))
    for (_, document), answer in zip(documents, c_verdicts(documents)):
        assert answer.startswith("ok "), f"{document[:300]!r}: {answer[:300]}"


def known_part(value, schema):
    """`value` without the fields that the schema does not know."""
    common = weir_schema.schema("common")["$defs"]
    if "$ref" in schema:
        schema = common[schema["$ref"].rsplit("/", 1)[1]]
    if schema.get("format") == "uuid":
        return value.lower()
    if "items" in schema:
        return [known_part(v, schema["items"]) for v in value]
    if "properties" in schema:
        return {k: known_part(v, schema["properties"][k]) for k, v in value.items()
                if k in schema["properties"]}
    return value


def test_what_is_read_comes_out_again_unchanged():
    paths = examples("ok")
    for path, answer in zip(paths, c_verdicts([(kind_of(p), p.read_bytes()) for p in paths])):
        value = json.loads(path.read_bytes())
        schema = weir_schema.schema(value["type"])
        if kind_of(path) == "event":
            body = schema
            schema = copy.deepcopy(weir_schema.schema("envelope"))
            schema["properties"]["data"] = body
        assert json.loads(answer[3:]) == known_part(value, schema), path


def spots(value, at=()):
    """Paths of all values below the top."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, below in pairs:
        yield at + (key,)
        if isinstance(below, (dict, list)):
            yield from spots(below, at + (key,))


def strange(rng, old):
    big = 2**53
    return rng.choice([
        None, True, False, 0, -1, 1, 60, 61, 64, 1024, 65535, 65536, 10**6, 10**6 + 1, big - 1, big,
        -big, 1.0, 1.5, -0.0, 1e15, 1e16, "", "a", " ", "\n", "\x7f", "\u00e9", "a\n", "-", "A",
        "x" * 16, "x" * 17, "x" * 64, "x" * 65, "\u00e9" * 32, "\u00e9" * 33, "\U0001f3a5" * 64,
        "x" * 128, "x" * 129, "x" * 256, "x" * 257, "running", "up", "0" * 16, "F" * 16, [], {},
        [{}], [old], {"a": old}, old])


def mutate(rng, value):
    value = copy.deepcopy(value)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        path = rng.choice(list(spots(value)) or [None])
        if path is None:
            return value
        *way, last = path
        holder = value
        for key in way:
            holder = holder[key]
        what = rng.randrange(6)
        if what == 0:
            del holder[last]
        elif what == 1 and isinstance(holder[last], list):
            holder[last] = holder[last] * rng.choice([2, 64, 65, 129, 600])
        elif what == 2 and isinstance(holder[last], str):
            text = holder[last]
            i = rng.randrange(len(text) + 1)
            holder[last] = text[:i] + rng.choice(["", "a", "\u00e9", "/", "\n"]) + text[i + 1:]
        elif what == 3 and isinstance(holder[last], int):
            holder[last] = holder[last] + rng.choice([-1, 1, 2**31, 2**53, 0.5, 0.0])
        else:
            holder[last] = strange(rng, holder[last])
    return value


def test_judges_agree_on_mutated_values():
    rng = random.Random(SEED)
    seeds = [(kind_of(p), json.loads(p.read_bytes())) for p in examples("ok")]
    documents = []
    for _ in range(MUTANTS):
        kind, value = rng.choice(seeds)
        text = json.dumps(mutate(rng, value), ensure_ascii=rng.random() < 0.5).encode()
        if len(text) <= LONGEST:
            documents.append((kind, text))
    good = sum(v.startswith("ok ") for v in c_verdicts(documents))
    assert MUTANTS // 20 < good < MUTANTS - MUTANTS // 20, "the mutations say little"
    found = disagreements(documents)
    assert not found, f"seed {SEED}, {len(found)} of {MUTANTS}:\n" + "\n".join(found[:5])


def test_judges_agree_on_mutated_bytes():
    rng = random.Random(SEED + 1)
    seeds = [(kind_of(p), p.read_bytes()) for p in examples("ok")]
    documents = []
    for _ in range(MUTANTS):
        kind, text = rng.choice(seeds)
        text = bytearray(text)
        for _ in range(rng.choice([1, 1, 2, 4])):
            i = rng.randrange(len(text))
            patch = rng.choice([b"", b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\", b"\\u0000",
                                b"\\ud83c", b"\x00", b"\x1f", b"\xc3", b"\xff", b"\xed\xa0\x80",
                                b"\xef\xbb\xbf", b" ", b"\n", b"0", b"e9", b"-", b".", b"null"])
            text[i:i + rng.choice([0, 1, 1, 2])] = patch
        documents.append((kind, bytes(text)))
    found = disagreements(documents)
    assert not found, f"seed {SEED}, {len(found)} of {MUTANTS}:\n" + "\n".join(found[:5])
