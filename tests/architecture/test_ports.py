"""Ports are abstract, and whoever keeps one says so: a method that is missing is an error at once."""

import importlib
import inspect
from functools import cache
from typing import Any, Protocol

import pytest

from application import (
    audit_ports,
    deliveries,
    exports,
    import_ports,
    operator_ports,
    personal_export,
    ports,
    processes,
    texts,
    traces,
)
from tests.architecture.sources import SRC, module_name, source_files, tree

PORTS: dict[str, type] = {
    name: port
    for module in (
        ports,
        audit_ports,
        deliveries,
        exports,
        import_ports,
        operator_ports,
        personal_export,
        processes,
        texts,
        traces,
    )
    for name, port in vars(module).items()
    if getattr(port, "__module__", "") == module.__name__ and getattr(port, "_is_protocol", False)
}


def methods(port: type) -> dict[str, Any]:
    """Return what a port declares itself, but for what every Protocol has."""
    return {
        name: value
        for name, value in vars(port).items()
        if inspect.isfunction(value)
        and (not name.startswith("_") or name in {"__aenter__", "__aexit__", "__call__"})
        and name not in vars(Protocol)
    }


@cache
def adapter_classes() -> frozenset[type]:
    """Return every class that is written in an adapter, which is imported for that."""
    found: set[object] = set()
    for file in source_files():
        if file.is_relative_to(SRC / "adapters") and "migrations" not in file.parts and tree(file).body:
            module = importlib.import_module(module_name(file))
            found.update(
                member
                for member in vars(module).values()
                if getattr(member, "__module__", "") == module.__name__
            )
    return frozenset(member for member in found if inspect.isclass(member))


def test_there_are_ports() -> None:
    assert {"Clock", "DeliveryChannel", "Messages", "UnitOfWork", "UserReader", "Users"} <= set(PORTS)


@pytest.mark.parametrize("name", sorted(PORTS))
def test_every_method_of_a_port_is_abstract_and_specified(name: str) -> None:
    port = PORTS[name]
    assert methods(port)
    assert {*methods(port)} <= getattr(port, "__abstractmethods__", frozenset())
    assert vars(port)["__slots__"] == ()
    assert port.__doc__


@pytest.mark.parametrize("name", sorted(PORTS))
def test_every_port_is_kept_by_an_adapter_that_says_so(name: str) -> None:
    assert [one for one in adapter_classes() if PORTS[name] in one.__mro__]


def test_no_adapter_looks_like_a_port_without_saying_so() -> None:
    for adapter in adapter_classes():
        for name, port in PORTS.items():
            if all(callable(getattr(adapter, method, None)) for method in methods(port)):
                assert port in adapter.__mro__, (
                    f"{adapter.__name__} looks like {name} and does not subclass it"
                )


def test_no_adapter_leaves_a_method_out() -> None:
    unfinished = {
        adapter.__name__: getattr(adapter, "__abstractmethods__", None) for adapter in adapter_classes()
    }
    assert not {name: missing for name, missing in unfinished.items() if missing}


def test_an_adapter_calls_the_values_of_a_method_as_the_port_does() -> None:
    """Callers may use names for values; mypy sees a difference only where it sees both."""
    for adapter in adapter_classes():
        for port in PORTS.values():
            for method in methods(port) if port in adapter.__mro__ else ():
                own = inspect.signature(getattr(adapter, method)).parameters
                asked = inspect.signature(getattr(port, method)).parameters
                kept = [name.rstrip("_") for name in own]
                assert kept[: len(asked)] == list(asked), f"{adapter.__name__}.{method}"
