# SPDX-License-Identifier: Apache-2.0
"""openapi.yaml says what the api serves, both ways.

The api is the newest build of weir-api, or the one that WEIR_API_PROGRAM names."""

import os
import pathlib
import subprocess

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
METHODS = ("get", "put", "post", "patch", "delete", "head", "options")


def api_program() -> str:
    built = ROOT.glob("build/*/api/weir-api")
    newest = max(built, key=lambda path: path.stat().st_mtime, default=None)
    program = os.environ.get("WEIR_API_PROGRAM", newest)
    assert program, "weir-api is not built: cmake --build --preset dev"
    return str(program)


@pytest.fixture(scope="module")
def document() -> dict:
    return yaml.safe_load((ROOT / "api" / "openapi.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def routes() -> set[str]:
    done = subprocess.run(
        [api_program(), "--dump-routes"], capture_output=True, text=True, check=True, timeout=10
    )
    return set(done.stdout.split("\n")) - {""}


def described(document: dict) -> set[str]:
    return {
        f"{method.upper()} {path}"
        for path, item in document["paths"].items()
        for method in item
        if method in METHODS
    }


def test_every_route_is_described(document: dict, routes: set[str]) -> None:
    assert routes - described(document) == set()


def test_every_description_has_a_route(document: dict, routes: set[str]) -> None:
    assert described(document) - routes == set()


def test_every_reference_leads_somewhere(document: dict) -> None:
    def walk(node: object) -> None:
        if isinstance(node, dict):
            reference = node.get("$ref")
            if isinstance(reference, str):
                target: object = document
                for part in reference.removeprefix("#/").split("/"):
                    assert isinstance(target, dict) and part in target, reference
                    target = target[part]
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(document)


def test_every_operation_has_a_name_of_its_own(document: dict) -> None:
    names = [
        item[method]["operationId"]
        for item in document["paths"].values()
        for method in item
        if method in METHODS
    ]
    assert len(names) == len(set(names))
