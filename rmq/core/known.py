"""Known: what a client keeps of the topics or streams that it uses, so that it need not ask each
time, and the one object that stands for each.

Nothing here must be right. Scripts refuse what was decided on an outdated description.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Generic, Protocol, TypeVar
from weakref import WeakValueDictionary


class Description(Protocol):
    """What describes a thing that may be deleted and made anew."""

    @property
    def name(self) -> str: ...

    @property
    def incarnation(self) -> Any: ...


D = TypeVar("D", bound=Description)
K = TypeVar("K")


class Known(ABC, Generic[D, K]):
    """By name, what is kept of each thing that is there: a K, which has `info` (a D or None) and
    `handle`."""

    def __init__(self) -> None:
        self.handles: WeakValueDictionary[str, Any] = WeakValueDictionary()
        """Objects in somebody's hands. Of each thing there is one, so that what tasks do with it at
        the same time goes out together, and in order."""
        self._known: dict[str, Any] = {}

    @abstractmethod
    def _begin(self, name: str) -> K:
        """What is kept of a thing at first."""

    def meet(self, handle: Any) -> None:
        """Note the object that stands for a thing. It is kept only if the thing is there."""
        self.handles[handle.name] = handle
        if handle.name in self._known:
            self._known[handle.name].handle = handle

    def known(self, name: str) -> D | None:
        """The description, where there is one."""
        found = self._known.get(name)
        return None if found is None else found.info

    def kept(self, name: str) -> K:
        """All that is kept of a thing that is there; call it after `known` or `described`."""
        found: K | None = self._known.get(name)
        if found is None:  # another thread found that it is gone
            found = self._known.setdefault(name, self._begin(name))
        return found

    def learn(self, info: D) -> D:
        """Keep a description. Of what was made anew nothing else is kept."""
        found: Any = self._known.get(info.name)
        if found is None or (found.info and found.info.incarnation != info.incarnation):
            found = self._known[info.name] = self._begin(info.name)
            found.handle = self.handles.get(info.name)
        found.info = info
        return info

    def forget(self, name: str) -> None:
        """Look again before the next use."""
        if name in self._known:
            self._known[name].info = None

    def drop(self, name: str) -> None:
        """Forget all of what is gone."""
        self._known.pop(name, None)

    def clear(self) -> None:
        """Forget all of everything."""
        self._known.clear()
