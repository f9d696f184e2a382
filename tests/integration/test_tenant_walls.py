# SPDX-License-Identifier: Apache-2.0
"""One tenant and the things of another: each table of the database, by the catalog, and each route,
by openapi.yaml. What is new is walked without a change here."""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
import yaml
from client import Answer, Api, wait_for
from conftest import stack_of
from stack import ROOT, Stack, token_claims

A, B = "aaaaaaaa-0000-4000-8000-00000000000a", "bbbbbbbb-0000-4000-8000-00000000000b"
REFUSED = "42501"  # insufficient_privilege: a missing right or a policy


stack = stack_of(workers=0)


# ---- tables ----


@dataclass(frozen=True)
class Table:
    name: str
    tenant: str | None  # its column that names a tenant
    has_policies: bool
    is_forced: bool
    rights: tuple[str, ...]  # what weir_api may do, to a column at least
    columns: dict[str, str]  # what a row must be given: name to type
    touched: list[str] | None  # name and type of a column that weir_api may change
    checks: tuple[str, ...]


CATALOG = """
SELECT json_agg(json_build_object(
    'name', c.relname,
    'tenant', (SELECT CASE WHEN bool_or(a.attname = 'tenant_id') THEN 'tenant_id'
                           WHEN c.relname = 'tenant' THEN 'id' END
               FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
    'has_policies', c.relrowsecurity,
    'is_forced', c.relforcerowsecurity,
    'rights', (SELECT coalesce(json_agg(r), '[]') FROM unnest(array['SELECT', 'INSERT', 'UPDATE']) r
               WHERE has_any_column_privilege('weir_api', c.oid, r)),
    'deletes', has_table_privilege('weir_api', c.oid, 'DELETE')
               OR has_table_privilege('weir_api', c.oid, 'TRUNCATE'),
    'columns', (SELECT coalesce(json_object_agg(a.attname, format_type(a.atttypid, NULL)), '{}')
                FROM pg_attribute a
                WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull
                  AND NOT a.atthasdef AND a.attidentity = '' AND a.attgenerated = ''),
    'touched', (SELECT (json_agg(json_build_array(a.attname, format_type(a.atttypid, NULL))
                                 ORDER BY a.attname))->0 FROM pg_attribute a
                WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                  AND has_column_privilege('weir_api', c.oid, a.attnum, 'UPDATE')),
    'checks', (SELECT coalesce(json_agg(k.conname), '[]') FROM pg_constraint k
               WHERE k.conrelid = c.oid AND k.contype = 'c')))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'v', 'm', 'f');
"""

# A value for what a row must be given, by type; %d is the row's number.
VALUES = {
    "uuid": "gen_random_uuid()",
    "text": "'x%d'",
    "character varying": "'x%d'",
    "integer": "%d",
    "bigint": "%d",
    "smallint": "%d",
    "double precision": "%d",
    "boolean": "false",
    "timestamp with time zone": "now()",
    "bytea": "decode(lpad('%d', 64, '0'), 'hex')",
    "jsonb": "'{}'",
    "inet": "'127.0.0.1'",
    "text[]": "'{}'",
    "uuid[]": "'{}'",
}

# Written for the relay, which reads all of them; no tenant reads its own.
UNSEEN = {"outbox"}
# Written by a token of the platform only.
OF_PLATFORM = {"tenant"}


def psql(url: str, script: str) -> str:
    """Runs a script; the password goes by the environment, for arguments can be read by everybody."""
    parts = urlsplit(url)
    environment = {
        **os.environ,
        "PGHOST": parts.hostname or "",
        "PGPORT": str(parts.port),
        "PGUSER": parts.username or "",
        "PGPASSWORD": parts.password or "",
        "PGDATABASE": parts.path[1:],
    }
    done = subprocess.run(
        ["psql", "-X", "-q", "-A", "-t"],
        input=script, env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def catalog(url: str, before: str) -> list[Table]:
    told = json.loads(psql(url, f"\\o /dev/null\nBEGIN;\n{before}\n\\o\n{CATALOG}\nROLLBACK;\n"))
    tables = []
    for one in sorted(told, key=lambda one: one["name"]):
        rights = (*one["rights"], *(["DELETE"] if one.pop("deletes") else []))
        tables.append(Table(**{**one, "rights": rights, "checks": tuple(one["checks"])}))
    return tables


def row_of(table: Table, tenant: str, n: int) -> str:
    values = {}
    for column, kind in table.columns.items():
        assert kind in VALUES, f"{table.name}.{column} is {kind}: teach VALUES what to put there"
        values[column] = VALUES[kind].replace("%d", str(n))
    values[table.tenant or ""] = f"'{tenant}'"
    return f"INSERT INTO {table.name} ({', '.join(values)}) VALUES ({', '.join(values.values())});"


class Script:
    """Statements whose outcomes are told one a line; one that fails spoils no other."""

    def __init__(self, before: str) -> None:
        # No foreign keys and triggers: each table is judged by itself.
        begin = ["\\o /dev/null", "\\set ON_ERROR_ROLLBACK on", "BEGIN;",
                 "SET LOCAL session_replication_role = replica;", before]  # fmt: skip
        self.lines = begin
        self.asked: list[str] = []

    def do(self, sql: str) -> None:
        self.lines.append(sql)

    def ask(self, what: str, sql: str) -> None:
        self.asked.append(what)
        self.lines += [sql, "\\echo :SQLSTATE :ROW_COUNT"]

    def run(self, url: str) -> dict[str, tuple[str, int]]:
        """what -> SQLSTATE and rows"""
        out = psql(url, "\n".join([*self.lines, "ROLLBACK;", ""])).split("\n")[:-1]
        assert len(out) == len(self.asked), out
        return {
            what: (line.split()[0], int(line.split()[1])) for what, line in zip(self.asked, out)
        }


def ask_as(script: Script, table: Table, me: str, other: str) -> None:
    """All that a tenant could try."""
    name, column = table.name, table.tenant
    at = f"{name} {me[0]}"
    script.do(f"SELECT set_config('app.tenant_id', '{me}', true);")
    if "SELECT" in table.rights:
        script.ask(f"{at} sees own", f"SELECT 1 FROM {name} WHERE {column} = '{me}';")
        script.ask(f"{at} sees other", f"SELECT 1 FROM {name} WHERE {column} <> '{me}';")
    if "INSERT" in table.rights:
        number = 3 if me == A else 4
        script.ask(f"{at} adds other", row_of(table, other, number))
        script.ask(f"{at} adds own", row_of(table, me, number + 2))
    if "UPDATE" in table.rights:
        assert table.touched
        touched, kind = table.touched
        change = f"UPDATE {name} SET {touched} = {VALUES[kind].replace('%d', '7')}"
        script.ask(f"{at} changes other", f"{change} WHERE {column} = '{other}';")
        # What reads no column is not held by the policies of SELECT.
        script.ask(f"{at} changes blindly", f"{change};")
        script.ask(f"{at} gives away", f"UPDATE {name} SET {column} = '{other}' WHERE {column} = '{me}';")
    if "DELETE" in table.rights:
        script.ask(f"{at} removes other", f"DELETE FROM {name} WHERE {column} = '{other}';")
        script.ask(f"{at} removes blindly", f"DELETE FROM {name};")


def expected(table: Table, what: str) -> list[tuple[str, int]]:
    """The outcomes that are right."""
    _, _, deed, whose = (*what.split(" ", 3), "")[:4]
    nothing = [("00000", 0), (REFUSED, 0)]
    if whose == "blindly":
        return [*nothing, ("00000", 1), ("00000", 2)]  # the row given, and the one added
    if (deed, whose) == ("sees", "own"):
        return [("00000", 0 if table.name in UNSEEN else 1)]
    if (deed, whose) == ("adds", "own"):
        return [(REFUSED, 0)] if table.name in OF_PLATFORM else [("00000", 1)]
    return [(REFUSED, 0)] if deed == "adds" else nothing


def walk(url: str, before: str = "") -> list[str]:
    """What is wrong, after the statements `before`, which are undone."""
    tables = catalog(url, before)
    reached = [table for table in tables if table.rights]
    wrong = [
        f"{table.name}: weir_api may {', '.join(table.rights)}, and no column names a tenant"
        for table in reached if not table.tenant
    ]  # fmt: skip
    walled = [table for table in tables if table.tenant]
    wrong += [f"{table.name}: policies are off" for table in walled if not table.has_policies]
    wrong += [f"{table.name}: policies are not forced" for table in walled if not table.is_forced]
    script = Script(before)
    for table in walled:
        for check in table.checks:
            script.do(f"ALTER TABLE {table.name} DROP CONSTRAINT {check};")
        script.do(f"DELETE FROM {table.name};")
        script.ask(f"{table.name} - is given A", row_of(table, A, 1))
        script.ask(f"{table.name} - is given B", row_of(table, B, 2))
    script.do("SET LOCAL ROLE weir_api;")
    for table in walled:
        if "SELECT" in table.rights:
            script.ask(f"{table.name} nobody sees", f"SELECT 1 FROM {table.name};")
        if "INSERT" in table.rights:
            script.ask(f"{table.name} nobody adds", row_of(table, A, 9))
    for table in walled:
        ask_as(script, table, A, B)
    script.do("SET LOCAL ROLE weir_api;")
    for table in walled:
        ask_as(script, table, B, A)
    by_name = {table.name: table for table in walled}
    for what, outcome in script.run(url).items():
        name = what.split(" ", 1)[0]
        right = [("00000", 1)] if " - " in what else expected(by_name[name], what)
        if outcome not in right:
            wrong.append(f"{what}: {outcome}, expected {right}")
    return wrong


def test_each_table_shows_a_tenant_its_own_rows_and_no_others(stack: Stack) -> None:
    url = stack.values["WEIR_POSTGRES"]
    names = {table.name: table for table in catalog(url, "")}
    assert {"tenant", "camera", "outbox", "idempotency", "audit_event"} <= names.keys()
    assert {"camera_group", "camera_group_member", "camera_grant"} <= names.keys()
    assert walk(url) == []
    print(f"walked: {', '.join(name for name, table in names.items() if table.tenant)}")


@pytest.mark.parametrize(
    ("named", "sabotage"),
    [
        ("leaky", "CREATE TABLE leaky (tenant_id uuid NOT NULL); GRANT SELECT ON leaky TO weir_api;"),
        ("plain", "CREATE TABLE plain (x text); GRANT SELECT ON plain TO weir_api;"),
        ("copied", "CREATE VIEW copied AS SELECT * FROM camera; GRANT SELECT ON copied TO weir_api;"),
        ("camera", "ALTER TABLE camera DISABLE ROW LEVEL SECURITY;"),
        ("camera", "ALTER TABLE camera NO FORCE ROW LEVEL SECURITY;"),
        ("camera", "CREATE POLICY hole ON camera FOR SELECT USING (true);"),
        ("camera", "CREATE POLICY hole ON camera FOR INSERT WITH CHECK (true);"),
        ("camera", "CREATE POLICY hole ON camera FOR UPDATE USING (true);"),
        ("camera", "CREATE POLICY hole ON camera FOR DELETE USING (true);"),
        ("camera", "CREATE POLICY hole ON camera FOR ALL USING (tenant_id IS NOT NULL);"),
        ("camera", "DROP POLICY camera_own ON camera;"),
        ("audit_event", "ALTER ROLE weir_api BYPASSRLS;"),
        ("idempotency", "ALTER POLICY idempotency_own ON idempotency USING (true);"),
    ],
)
def test_the_walk_finds(stack: Stack, named: str, sabotage: str) -> None:
    wrong = walk(stack.values["WEIR_POSTGRES"], sabotage)
    assert any(one.startswith(named) for one in wrong), wrong


def test_no_role_passes_the_policies_by(stack: Stack) -> None:
    url = stack.values["WEIR_POSTGRES"]
    sql = """
    SELECT rolname FROM pg_roles WHERE rolname LIKE 'weir%' AND
        (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication);
    SELECT 'member ' || m.rolname FROM pg_auth_members JOIN pg_roles m ON m.oid = member
        WHERE m.rolname LIKE 'weir%';
    SELECT 'owns ' || relname FROM pg_class WHERE pg_get_userbyid(relowner) IN ('weir_api', 'weir_audit');
    SELECT 'definer ' || proname FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace
        WHERE nspname = 'public' AND prosecdef;
    SELECT 'audit reads ' || relname || '.' || b.attname FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_attribute b ON b.attrelid = c.oid
        WHERE c.relkind = 'r' AND a.attname = 'tenant_id' AND NOT b.attisdropped
        AND has_column_privilege('weir_audit', c.oid, b.attnum, 'SELECT')
        AND relname NOT IN ('viewing', 'viewing_part')  -- it goes on with sessions that it began
        -- and takes away what is old
        AND (relname, b.attname) NOT IN (('audit_event', 'topic'), ('audit_event', 'part'),
            ('audit_event', 'off'), ('viewer', 'tenant_id'), ('viewer', 'id'), ('viewer', 'seen_at'));
    SELECT r || ' makes' FROM unnest(array['weir_api', 'weir_audit']) r
        WHERE has_schema_privilege(r, 'public', 'CREATE');
    """
    assert psql(url, sql) == ""
    roles = psql(url, "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'weir%' AND rolcanlogin")
    assert int(roles) >= 3


def test_the_tenant_of_a_transaction_ends_with_it(stack: Stack) -> None:
    user = stack.user("acme")
    user.add_camera("seen", "rtsp://127.0.0.1:1/none")
    tenant = token_claims(user.token or "")["app_metadata"]["tenant_id"]
    count = "SELECT count(*) FROM camera;\n"
    given = f"SELECT 'set' FROM set_config('app.tenant_id', '{tenant}', true);\n"
    out = psql(
        stack.values["WEIR_POSTGRES_API"],
        f"{count}BEGIN;\n{given}{count}COMMIT;\n{count}BEGIN;\n{given}ROLLBACK;\n{count}",
    ).split()
    assert out[0] == "0" and out[1] == "set" and int(out[2]) >= 1
    assert out[3:] == ["0", "set", "0"]
    owner = psql(stack.values["WEIR_POSTGRES_OWNER"], count + "SELECT count(*) FROM tenant;\n")
    assert owner.split() == ["0", "0"], "the tables' owner sees rows"


# ---- routes ----

OF_TENANT = ("camera_id", "stream_id", "group_id", "grant_id")
METHODS = ("get", "put", "post", "patch", "delete")


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "api" / "openapi.yaml").read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Owned:
    """What tenant A has, by the names that path, query and body call it."""

    ids: dict[str, str]
    user: Api
    other: Api

    def state(self) -> list[Any]:
        paths = [
            f"/v1/{kind}s/{self.ids[f'{kind}_id']}" for kind in ("camera", "stream", "group", "grant")
        ]
        return [self.user.get(path).expect(200).json for path in paths]


@pytest.fixture(scope="module")
def owned(stack: Stack) -> Owned:
    user, other = stack.user("acme"), stack.user("globex")
    camera = user.add_camera("mine", "rtsp://127.0.0.1:1/none")["id"]
    stream = user.start(camera)["id"]
    user.call("DELETE", f"/v1/streams/{stream}").expect(202)
    user.wait_state(stream, "stopped", "cancelled")

    group = user.call("POST", "/v1/groups", {"name": "mine"}).expect(201).json["id"]
    user.call("PUT", f"/v1/groups/{group}/cameras/{camera}").expect(204)
    subject = str(uuid.uuid4())
    given = {"subject": subject, "group_id": group}
    grant = user.call("POST", "/v1/grants", given).expect(201).json["id"]

    def is_audited() -> bool:
        return bool(user.get(f"/v1/audit-events?stream_id={stream}").expect(200).json["items"])

    wait_for("the audit knows it", is_audited, 60)
    ids = {
        "camera_id": camera,
        "stream_id": stream,
        "tenant_id": str(token_claims(user.token or "")["app_metadata"]["tenant_id"]),
        "worker_id": str(uuid.uuid4()),
        "group_id": group,
        "grant_id": grant,
        "subject": subject,
    }
    return Owned(ids, user, other)


def resolved(document: dict[str, Any], node: Any) -> Any:
    while isinstance(node, dict) and "$ref" in node:
        target: Any = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def example(document: dict[str, Any], schema: Any, ids: dict[str, str], name: str = "") -> Any:
    """A value that the schema takes: what is required, or else all that is simple."""
    schema = resolved(document, schema)
    if name in ids:
        return ids[name]
    if "default" in schema:
        return schema["default"]
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema["type"][0] if isinstance(schema["type"], list) else schema["type"]
    if kind == "object":
        names = schema.get("required") or list(schema.get("properties", {}))[:1]
        found = schema.get("properties", {})
        names = [*names, *(one for one in found if one in ids and one not in names and one != "id")]
        return {one: example(document, found[one], ids, one) for one in names}
    if kind == "array":
        return [example(document, schema["items"], ids)]
    if kind == "string" and schema.get("format") == "uuid":
        return str(uuid.uuid4())
    text = "rtsp://127.0.0.1:1/none" if "rtsp" in schema.get("pattern", "") else "some text"
    return {"string": text, "integer": schema.get("minimum", 1), "boolean": False, "null": None}[kind]


@dataclass(frozen=True)
class Route:
    method: str
    path: str
    query: tuple[str, ...]  # parameters that name an object, or must be there
    body: Any  # its schema, or None
    is_platform: bool

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def routes_of(document: dict[str, Any]) -> list[Route]:
    found = []
    for path, item in document["paths"].items():
        for method in METHODS:
            if method not in item:
                continue
            told = item[method]
            parameters = [
                resolved(document, one)
                for one in (*item.get("parameters", []), *told.get("parameters", []))
            ]
            query = tuple(
                one["name"]
                for one in parameters
                if one["in"] == "query"
                and (one.get("required") or one["schema"].get("format") == "uuid")
            )
            content = told.get("requestBody", {}).get("content", {})
            body = content.get("application/json", {}).get("schema")
            is_platform = told["summary"].rstrip().endswith("Platform scope.")
            found.append(Route(method.upper(), path, query, body, is_platform))
    return found


def try_route(
    document: dict[str, Any], route: Route, user: Api, ids: dict[str, str], request_id: str
) -> Answer:
    path = route.path
    now = datetime.now(UTC)
    for name, value in ids.items():
        path = path.replace("{" + name + "}", value)
    assert "{" not in path, f"{route}: tell Owned what this path names"
    if route.query:
        values = {**ids, "from": now.isoformat(), "to": "now"}
        path += "?" + urlencode([(name, values[name]) for name in route.query])
    headers = {"X-Request-Id": request_id}
    if route.method != "GET":
        headers["Idempotency-Key"] = f'"{uuid.uuid4()}"'
    body = example(document, route.body, ids) if route.body else None
    return user.call(route.method, path, body, headers)


def told(answer: Answer, ids: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
    """An answer without the ids that were asked for and without what no two answers share."""
    body = answer.body
    for name, value in ids.items():
        body = body.replace(value.encode(), name.encode())
    fickle = ("date", "ratelimit")
    headers = {k: v for k, v in answer.headers.items() if k not in fickle}
    return answer.status, headers, body


def test_each_route_answers_for_anothers_object_as_for_an_unknown_one(
    document: dict[str, Any], owned: Owned
) -> None:
    """The same request id is sent with both, so the bodies are the same to the byte."""
    before = owned.state()
    walked = []
    for route in routes_of(document):
        names = [name for name in owned.ids if "{" + name + "}" in route.path]
        schema = resolved(document, route.body) or {}
        in_body = [name for name in schema.get("properties", {}) if name in owned.ids]
        if not names and not in_body and not route.query:
            continue
        unknown = {name: str(uuid.uuid4()) for name in owned.ids}
        request_id = str(uuid.uuid4())
        foreign = told(try_route(document, route, owned.other, owned.ids, request_id), owned.ids)
        nobody = told(try_route(document, route, owned.other, unknown, request_id), unknown)
        assert foreign == nobody, f"{route}: {foreign} for another's, {nobody} for an unknown one"
        if route.is_platform:
            assert foreign[0] == 403, f"{route}: {foreign}"
        elif names or in_body:
            assert foreign[0] == 404, f"{route}: {foreign}"
            assert b'"not_found"' in foreign[2], f"{route}: {foreign}"
        else:
            assert (foreign[0], json.loads(foreign[2])["items"]) == (200, []), f"{route}: {foreign}"
        walked.append(str(route))
    print(f"{len(walked)} routes: {', '.join(walked)}")
    assert len(walked) >= 22
    assert owned.state() == before


def test_the_owner_is_answered_on_the_same_routes(document: dict[str, Any], owned: Owned) -> None:
    """Else the walk could be refused for what has nothing to do with tenants."""
    for route in routes_of(document):
        is_object = any("{" + name + "}" in route.path for name in OF_TENANT)
        if is_object and route.method in ("GET", "PATCH"):
            answer = try_route(document, route, owned.user, owned.ids, str(uuid.uuid4()))
            # Nothing reads the camera, which nobody but its owner is told.
            is_picture = route.path.endswith(("/snapshot", "/snapshots"))
            assert answer.status in ((409,) if is_picture else (200, 202)), f"{route}: {answer.status} {answer.body!r}"


def test_no_list_holds_what_another_tenant_has(document: dict[str, Any], owned: Owned) -> None:
    walked = []
    for route in routes_of(document):
        if route.method != "GET" or "{" in route.path or route.path == "/openapi.json":
            continue
        answer = owned.other.get(route.path)
        assert answer.status in (200, 403), f"{route}: {answer.status}"
        for name, value in owned.ids.items():
            assert value.encode() not in answer.body, f"{route} tells another's {name}"
        walked.append(str(route))
    assert len(walked) >= 4, walked
