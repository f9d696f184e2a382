# SPDX-License-Identifier: Apache-2.0
"""lib/domain/events.c: the tables that lib/domain/codec.c interprets."""

from .emit_h import BANNER, owned, topic_macro

HEAD = """#include "lib/domain/events.h"

#include "lib/domain/codec.h"

/* clang-format off */

/* One line a field: its struct, its member, whether it may be absent, its bounds. */
#define AT(T, m)   .name = #m, .offset = offsetof(struct T, m)
#define REQ(T, m)  AT(T, m), .has = CODEC_REQUIRED
#define OPT(T, m)  AT(T, m), .has = offsetof(struct T, has_##m)
#define ID         .kind = CODEC_ID
#define BOOL       .kind = CODEC_BOOL
#define INT(a, b)  .kind = CODEC_INT, .low = (a), .high = (b)
#define STR(a, b, set) .kind = CODEC_STR, .low = (a), .high = (b), .chars = CODEC_##set
#define TIME       .kind = CODEC_TIME
#define ENUM(e)    .kind = CODEC_ENUM, .names = e##_names, .high = sizeof(e##_names) / sizeof(e##_names[0])
#define OBJ(o)     .kind = CODEC_OBJ, .sub = &o##_object
#define ARR(o, max, T, m) .kind = CODEC_ARR, .sub = &o##_object, .high = (max), .count = offsetof(struct T, n_##m)
#define OBJECT(o)  static const struct codec_object o##_object = { \\
    .size = sizeof(struct o), .fields = o##_fields, .n_fields = sizeof(o##_fields) / sizeof(o##_fields[0])}
"""

TYPE_FUNCTIONS = """
const char *weir_ev_type_name(enum weir_ev_type type)
{
    return codec_events[type].name;
}

const char *weir_ev_topic(enum weir_ev_type type)
{
    return codec_events[type].topic;
}

const char *weir_ctl_type_name(enum weir_ctl_type type)
{
    return codec_controls[type].name;
}
"""


def bounds(owner, f):
    return {
        "id": lambda: "ID",
        "time": lambda: "TIME",
        "boolean": lambda: "BOOL",
        "integer": lambda: f"INT({f.low}, {f.high})",
        "string": lambda: f"STR({f.low}, {f.high}, {f.chars})",
        "enum": lambda: f"ENUM({f.enum.c_name})",
        "object": lambda: f"OBJ({f.sub.c_name})",
        "array": lambda: f"ARR({f.sub.c_name}, {f.high}, {owner}, {f.name})",
    }[f.kind]()


def enum(e):
    text = f"\nstatic const char *const {e.c_name}_names[] = {{\n"
    text += "".join(f'    "{v}",\n' for v in e.values) + "};\n"
    if e.shared:
        n = e.c_name
        text += (f"\nconst char *{n}_name(enum {n} value)\n{{\n    return {n}_names[value];\n}}\n"
                 f"\nenum weir_code {n}_get(const char *name, enum {n} *ret)\n{{\n"
                 f"    int value = codec_find_name({n}_names, {n.upper()}_N, name);\n"
                 f"    if (value < 0) {{\n        return WEIR_EINVAL;\n    }}\n"
                 f"    *ret = (enum {n})value;\n    return WEIR_OK;\n}}\n")
    return text


def field_line(owner, f):
    how = "OPT" if f.optional else "REQ"
    if f.kind == "time":
        place = f'.name = "{f.name}", .offset = offsetof(struct {owner}, {f.name}_ms), .has = CODEC_REQUIRED'
        return f"    {{{place}, {bounds(owner, f)}}},\n"
    return f"    {{{how}({owner}, {f.name}), {bounds(owner, f)}}},\n"


def table(obj):
    n = obj.c_name
    text = f"\nstatic const struct codec_field {n}_fields[] = {{\n"
    return text + "".join(field_line(n, f) for f in obj.fields) + f"}};\nOBJECT({n});\n"


def type_table(name, size, messages):
    text = f"\nconst struct codec_type {name}[{size}] = {{\n"
    for m in messages:
        topic = f", {topic_macro(m.weir['topic'])}" if not m.control else ", NULL"
        text += f'    {{"{m.title}"{topic}, &{m.body.c_name}_object}},\n'
    return text + "};\n"


def emit(model):
    text = BANNER + HEAD
    text += "".join(enum(e) for e in model.enums if e.shared)
    text += "".join(table(o) for o in model.objects if o.shared)
    for m in model.messages:
        enums, objects = owned(model, m)
        text += "".join(enum(e) for e in enums) + "".join(table(o) for o in objects)
    fields = "".join(field_line("weir_event", f) for f in model.envelope.fields)
    text += f"\nstatic const struct codec_field weir_event_fields[] = {{\n{fields}}};\n"
    text += ("const struct codec_object codec_envelope = {\n    .size = sizeof(struct weir_event),"
             " .fields = weir_event_fields, .n_fields = sizeof(weir_event_fields) /"
             " sizeof(weir_event_fields[0])};\n")
    text += type_table("codec_events", "WEIR_EV_N", model.events())
    text += type_table("codec_controls", "WEIR_CTL_N", model.controls())
    text += "\nconst struct weir_topic weir_topics[WEIR_N_TOPICS] = {\n"
    for t in model.topics:
        kept = t["retention_ms"]
        text += (f"    {{{topic_macro(t['name'])}, WEIR_TOPIC_PARTITIONS, "
                 f"{-1 if kept is None else kept}, {'true' if kept is None else 'false'}, "
                 f"{'true' if t['acks'] == 'all' else 'false'}}},\n")
    return text + "};\n" + TYPE_FUNCTIONS + "\n/* clang-format on */\n"
