"""The OpenAPI 3.1 document for the routes that the settings enable."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

import yaml

from service import __version__
from service.config import Config

_FILE = Path(__file__).parent.parent / "openapi.yaml"
_REFERENCE = "#/components/"
_NOT_OPERATIONS = frozenset({"parameters"})

Document = dict[str, Any]


def describe(config: Config, routes: AbstractSet[tuple[str, str]]) -> Document:
    """Return the document for `routes`, pairs of method and path, with its components."""
    document: Document = yaml.load(_FILE.read_bytes(), Loader=yaml.CSafeLoader)
    del document["x-shared"]
    document["info"]["version"] = __version__
    document["servers"] = [{"url": config.public_url}]
    paths = {
        path: {
            name: value
            for name, value in item.items()
            if name in _NOT_OPERATIONS or routes & {(name.upper(), path), ("*", path)}
        }
        for path, item in document["paths"].items()
    }
    document["paths"] = {
        path: item for path, item in paths.items() if item.keys() - _NOT_OPERATIONS
    }
    components = document["components"]
    schemes = components.pop("securitySchemes")
    schemes["cookie"]["name"] = config.cookie_name
    if not config.bypass_auth:
        codes = components["schemas"]["Problem"]["properties"]["code"]
        codes["enum"] = [code for code in codes["enum"] if not code.startswith("bypass_")]
    document["components"] = {"securitySchemes": schemes, **_used(document["paths"], components)}
    return document


def _used(paths: Document, components: Document) -> Document:
    """Return the components that the paths use, directly or indirectly."""
    used: set[tuple[str, str]] = set()
    waiting = list(_references(paths))
    while waiting:
        kind, name = found = waiting.pop()
        if found not in used:
            used.add(found)
            waiting += _references(components[kind][name])
    return {
        kind: {name: value for name, value in known.items() if (kind, name) in used}
        for kind, known in components.items()
    }


def _references(value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        reference = value.get("$ref")
        if isinstance(reference, str):
            kind, _, name = reference.removeprefix(_REFERENCE).partition("/")
            yield kind, name
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _references(each)
