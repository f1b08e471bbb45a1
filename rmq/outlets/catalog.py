"""A catalog: named documents of one kind in a namespace, each with an id of its own.

A document is changed by who knows it as it is: two that change it at once do not undo each other.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from rmq.client.aio import AsyncClient
from rmq.core import script
from rmq.core.keys import CatalogKeys
from rmq.core.paging import PageOf
from rmq.core.script import LOOKS, Call
from rmq.errors import StaleConfig

STEP = 500
"""Documents that one look at all of them asks for."""


class Document(Protocol):
    """What a catalog keeps."""

    @property
    def id(self) -> str: ...

    @property
    def name(self) -> str: ...


D = TypeVar("D", bound=Document)


class Catalog(Generic[D]):
    """The documents of one kind in a client's namespace."""

    def __init__(self, client: AsyncClient, kind: str, type: type[D]) -> None:
        self._executor = client._executor
        self._keys = CatalogKeys(client.namespace, kind)
        self._kind = kind
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode: Callable[[bytes], D] = msgspec.msgpack.Decoder(type).decode

    async def add(self, document: D) -> bool:
        """Keep a new document. False where its name is taken."""
        packed = self._encode(document)
        return await self._executor.call(self._put(document, b"", packed)) == packed

    async def find(self, id: str) -> D | None:
        """The document with an id."""
        return (await self._found(id))[1]

    async def change(self, id: str, make: Callable[[D], D | None]) -> D | None:
        """Put what *make* makes of the document in its place; None removes it. The document as it
        was before, or None where there is none."""
        for _ in range(LOOKS):
            before, document = await self._found(id)
            if document is None:
                return None
            made = make(document)
            after = b"" if made is None else self._encode(made)
            if await self._executor.call(self._put(document, before, after)) == after:
                return document
        raise StaleConfig(f"{self._kind} {id!r} changes faster than it can be changed from here")

    async def page(self, after: str | None, limit: int) -> PageOf[D]:
        """Up to *limit* (1 to 1,000) documents in the order of their names, behind *after*."""
        found = await self._executor.call(self._list(after, limit + 1))
        more = len(found) > limit
        page = tuple(found[:limit])
        return PageOf(page, page[-1].name if more else None)

    async def every(self) -> AsyncIterator[D]:
        """All documents."""
        after = None
        while True:
            page = await self.page(after, STEP)
            for one in page:
                yield one
            after = page.next_token
            if after is None:
                return

    async def _found(self, id: str) -> tuple[bytes, D | None]:
        packed = await self._executor.call(self._read(id))
        return packed, self._decode(packed) if packed else None

    def _put(self, document: D, before: bytes, after: bytes) -> Call[bytes]:
        return script.load("outlets/put").call(
            f"{self._kind} {document.name}",
            bytes,
            documents=self._keys.documents,
            names=self._keys.names,
            ids=self._keys.ids,
            name=document.name,
            id=document.id,
            before=before,
            after=after,
        )

    def _read(self, id: str) -> Call[bytes]:
        return script.load("outlets/read").call(
            f"{self._kind} {id}",
            bytes,
            documents=self._keys.documents,
            ids=self._keys.ids,
            id=id,
        )

    def _list(self, after: str | None, limit: int) -> Call[list[D]]:
        def parse(reply: Any) -> list[D]:
            return [self._decode(bytes(reply[i + 1])) for i in range(0, len(reply), 2)]

        return script.load("outlets/list").call(
            self._kind,
            parse,
            documents=self._keys.documents,
            names=self._keys.names,
            low="-" if after is None else f"({after}",
            limit=limit,
        )
