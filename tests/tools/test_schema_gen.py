# SPDX-License-Identifier: Apache-2.0
import subprocess

import pytest

# file, old text, new text, what the generator says
OUTSIDE = {
    "a string without a limit": (
        "common.json", '"minLength": 1, "maxLength": 64', '"minLength": 1', "maxLength is missing"),
    "an integer without a maximum": (
        "command.start.json", '"minimum": 0, "maximum": 60', '"minimum": 0', "maximum is missing"),
    "an integer beyond 2^53": (
        "command.start.json", '"maximum": 60', '"maximum": 9007199254740992', "within +-(2^53 - 1)"),
    "an empty range": (
        "command.start.json", '"minimum": 0, "maximum": 60', '"minimum": 61, "maximum": 60',
        "not be empty"),
    "an array without a limit": (
        "heartbeat.json", '"maxItems": 1024,', "", "maxItems is missing"),
    "a record that can grow too long": (
        "heartbeat.json", '"maxItems": 1024', '"maxItems": 4096', "its fullest is"),
    "a line that can grow too long": (
        "tap.stats.json", '"maxItems": 88', '"maxItems": 256', "the limit is 65536"),
    "an unknown keyword": (
        "command.start.json", '"maximum": 60', '"maximum": 60, "multipleOf": 5',
        "multipleOf is outside the subset"),
    "an unknown pattern": (
        "envelope.json", '"^/weir/[!-~]*$"', '"^a*$"', "is none of the known ones"),
    "text without bytes": (
        "command.start.json", '"maxBytes": 128, ', "", "text, and nothing else, has maxBytes"),
    "a number": (
        "command.start.json", '"type": "integer", "minimum": 0, "maximum": 60', '"type": "number"',
        "type 'number' is outside the subset"),
    "a reference elsewhere": (
        "command.start.json", "common.json#/$defs/quality", "heartbeat.json#/$defs/quality",
        "$ref goes to common.json"),
    "a reference to nothing": (
        "command.start.json", "#/$defs/quality", "#/$defs/qualities", "$ref goes to common.json"),
    "an enum value twice": (
        "common.json", '"low", "medium"', '"low", "low"', "an enum needs different values"),
    "a required field that is not there": (
        "tap.drop.json", '"type", "camera_id"', '"type", "camera"', "required names camera"),
    "a field without description": (
        "command.start.json", ', "description": "Frames per second; 0: as the camera sends."', "",
        "description is missing"),
    "a title that is not the file": (
        "command.start.json", '"title": "command.start"', '"title": "command.begin"',
        "title must be the file's name"),
    "a topic that is not listed": (
        "viewers.json", "weir.viewers.v1", "weir.viewers.v2", "is not in topics.json"),
    "a control line of another type": (
        "tap.drop.json", '{"const": "tap.drop"}', '{"const": "tap.leave"}', "properties.type must be"),
    "a key twice": (
        "tap.drop.json", '"title": "tap.drop",', '"title": "tap.drop", "title": "tap.drop",',
        "a key is there twice"),
    "no JSON": ("tap.drop.json", '"title"', "title", "tap.drop.json"),
    "a name that is no name": (
        "tap.drop.json", '"camera_id": {', '"camera-id": {', "tap.drop.json"),
}


def test_the_real_schemas_generate_and_are_fresh(schemas):
    schemas.assert_clean("schema-gen", "--check")


@pytest.mark.parametrize("what", OUTSIDE)
def test_a_schema_outside_the_subset_is_refused_by_name(schemas, what):
    name, old, new, said = OUTSIDE[what]
    schemas.edit(f"schemas/{name}", old, new)
    schemas.assert_found(said, "schema-gen")
    schemas.assert_found(name, "schema-gen")


@pytest.mark.parametrize("stale", ["lib/domain/events.h", "lib/domain/events.c", "docs/events.md"])
def test_a_stale_file_is_named(schemas, stale):
    schemas.write(stale, (schemas.root / stale).read_text() + "\n")
    schemas.assert_found(f"{stale} is stale", "schema-gen", "--check")
    schemas.assert_clean("schema-gen")
    schemas.assert_clean("schema-gen", "--check")


def test_a_changed_schema_makes_all_three_stale(schemas):
    schemas.edit("schemas/command.start.json", '"maximum": 60', '"maximum": 61')
    code, said = schemas.run("schema-gen", "--check")
    assert code == 1 and said.count("is stale") == 3


def test_a_new_optional_field_appears_everywhere(schemas):
    schemas.edit("schemas/tap.drop.json", '"type": {"const": "tap.drop"},',
                 '"type": {"const": "tap.drop"}, "why": {"type": "string", "minLength": 0, '
                 '"maxLength": 9, "pattern": "^[!-~]*$", "description": "Why."},')
    schemas.assert_clean("schema-gen")
    assert "char why[9 + 1];" in (schemas.root / "lib/domain/events.h").read_text()
    assert "STR(0, 9, TOKEN)" in (schemas.root / "lib/domain/events.c").read_text()
    assert "`why` ?" in (schemas.root / "docs/events.md").read_text()


def test_generating_twice_gives_the_same_bytes(schemas):
    before = (schemas.root / "lib/domain/events.c").read_bytes()
    (schemas.root / "lib/domain/events.c").unlink()
    schemas.assert_clean("schema-gen")
    assert (schemas.root / "lib/domain/events.c").read_bytes() == before


def test_the_generated_header_is_laid_out_as_the_house_wants(schemas):
    for name in ("lib/domain/events.h", "lib/domain/events.c"):
        subprocess.run(["clang-format-14", "--dry-run", "-Werror", name], cwd=schemas.root, check=True)
