"""Plug-ins by name, through entry points; ours come through the same door as everyone else's."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from grounded.errors import PluginError, UnknownNameError

Group = Literal["connectors", "templates", "verifiers", "metrics"]


def names(group: Group) -> tuple[str, ...]:
    """The names of all installed plug-ins of a group, sorted. Imports none of them.

    Raises:
        PluginError: Two packages claim one name.
    """
    return tuple(sorted(_installed(group)))


def load(group: Group, name: str) -> Any:
    """Import one plug-in.

    Raises:
        UnknownNameError: No installed package offers it.
        PluginError: It cannot be imported, or two packages claim the name.
    """
    installed = _installed(group)
    if name not in installed:
        raise UnknownNameError(
            f"{group[:-1]} plug-in",
            name,
            tuple(installed),
            fix=f"Install a package that offers it under the entry-point group 'grounded.{group}'.",
        )
    point = installed[name]
    try:
        return point.load()
    except (ImportError, AttributeError) as error:
        raise PluginError(
            f"The plug-in {name!r} ({point.value}) cannot be imported: {error}",
            fix=f"Reinstall or remove the package {_package(point)!r}.",
        ) from error


@cache
def _installed(group: Group) -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=f"grounded.{group}"):
        other = found.get(point.name)
        # An editable install lists its entry points twice when its source root is on the path too.
        if other is not None and (_package(other), other.value) != (_package(point), point.value):
            raise PluginError(
                f"Two packages offer the {group[:-1]} plug-in {point.name!r}: "
                f"{_package(other)!r} and {_package(point)!r}.",
                fix="Uninstall one of them.",
            )
        found[point.name] = point
    return found


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else point.module
