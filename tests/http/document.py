"""The OpenAPI document, read as a client would: operations, references, and whether a value fits a schema."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import attrs

from application.statistics import SchedulerState
from entrypoints.http.app import create_app
from tests.http.world import use_cases_of
from tests.use_cases.service import Service

_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}


@attrs.frozen
class Operation:
    """One method of one path."""

    method: str
    path: str
    told: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def answers(self) -> Mapping[str, Mapping[str, Any]]:
        return {status: resolved(answer) for status, answer in self.told["responses"].items()}

    def success(self) -> Mapping[str, Any]:
        [status] = [status for status in self.answers if status.startswith("2")]
        return self.answers[status]


@cache
def document() -> Mapping[str, Any]:
    return create_app(use_cases_of(Service(), SchedulerState())).openapi_schema.to_schema()


@cache
def operations() -> Sequence[Operation]:
    return [
        Operation(method.upper(), path, told)
        for path, methods in sorted(document()["paths"].items())  # the order of routes is chance
        for method, told in methods.items()
    ]


def operation_at(method: str, path: str) -> Operation | None:
    """Return the operation that answers; an address that is spelt out goes before one with a parameter."""
    found = [
        one
        for one in operations()
        if one.method == method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", one.path), path)
    ]
    return min(found, key=lambda one: "{" in one.path, default=None)


def resolved(told: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow a reference."""
    while "$ref" in told:
        place: Any = document()
        for step in told["$ref"].removeprefix("#/").split("/"):
            place = place[step.replace("~1", "/").replace("~0", "~")]
        told = place
    return told


def misfits(schema: Mapping[str, Any], value: Any, place: str = "") -> Iterator[str]:
    """Tell where *value* is not what *schema* says: as much of JSON Schema as the document uses."""
    schema = resolved(schema)
    if "oneOf" in schema:
        if all(list(misfits(one, value)) for one in schema["oneOf"]):
            yield f"{place}: fits none of several"
        return
    types = schema.get("type", ())
    types = [types] if isinstance(types, str) else types
    if types and not any(isinstance(value, _TYPES[one]) for one in types):
        yield f"{place}: is no {' or '.join(types)}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{place}: is none of {schema['enum']}"
    if isinstance(value, dict):
        yield from _misfits_of_object(schema, value, place)
    if isinstance(value, list):
        for number, one in enumerate(value):
            yield from misfits(schema["items"], one, f"{place}/{number}")


def _misfits_of_object(schema: Mapping[str, Any], value: Mapping[str, Any], place: str) -> Iterator[str]:
    properties = schema.get("properties", {})
    yield from (f"{place}/{name}: is missing" for name in schema.get("required", ()) if name not in value)
    for name, one in value.items():
        if name in properties:
            yield from misfits(properties[name], one, f"{place}/{name}")
        elif schema.get("additionalProperties"):
            yield from misfits(schema["additionalProperties"], one, f"{place}/{name}")
        else:
            yield f"{place}/{name}: is unknown"
