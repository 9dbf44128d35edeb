"""A table of what is imported when it is first asked for, so that its names and their help cost nothing.

One line of such a table is all that a new entry needs beside its own file: ``--help`` and the checks of names read the
lines, the verbs what they point to.
"""

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from importlib import import_module
from typing import Any, Generic, NamedTuple, TypeVar

T = TypeVar("T")


class TableEntry(NamedTuple):
    """Where an entry stands, ``module:name``, and what it is in a few words."""

    path: str
    help: str = ""


class LazyTable(MutableMapping[str, T], Generic[T]):
    """Name → entry, in the order of the lines. An entry that is set by hand is kept as it is.

    >>> tables = LazyTable({"floor": TableEntry("math:floor", "rounds down")})
    >>> list(tables), tables.help["floor"], tables["floor"](2.5)
    (['floor'], 'rounds down', 2)
    """

    def __init__(self, places: Mapping[str, TableEntry], make: Callable[[Any], T] = lambda found: found) -> None:
        """Keeps the lines.

        Args:
            places: name → where the entry stands.
            make: what is done with what stands there: a class called, say.
        """
        self._places, self._make = dict(places), make
        self._entries: dict[str, T] = {}

    @property
    def help(self) -> dict[str, str]:
        """Name → what it is in a few words."""
        return {name: place.help for name, place in self._places.items()}

    def __getitem__(self, name: str) -> T:
        if name not in self._entries:
            module, attribute = self._places[name].path.split(":")
            self._entries[name] = self._make(getattr(import_module(module), attribute))
        return self._entries[name]

    def __setitem__(self, name: str, entry: T) -> None:
        self._places.setdefault(name, TableEntry(""))
        self._entries[name] = entry

    def __delitem__(self, name: str) -> None:
        del self._places[name]
        self._entries.pop(name, None)

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._places))

    def __len__(self) -> int:
        return len(self._places)
