"""Scripts: a Lua file, its contract, and the Call that one use of it makes.

A script's header names its keys and arguments in order. The loader reads them, so that Python
passes everything by name and can not get the order wrong:

    -- KEYS[1] log       stream       a key
    -- KEYS[2..]                      the rest are keys as well
    -- ARGV[1] seq                    an argument
    -- ARGV[3..]                      the rest, as many as there are
    -- ARGV[#] now_ms                 the last one; the executor fills it in from the clock
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from operator import itemgetter
from pathlib import Path
from typing import Any, Generic, TypeVar

T = TypeVar("T")

_ENTRY = re.compile(r"^-- (KEYS|ARGV)\[(\d+\.\.|\d+|#)\](?: +(\w+))?", re.MULTILINE)
_INCLUDE = re.compile(r"^--@include (\S+)\n", re.MULTILINE)
_ERRORS = re.compile(r"^-- Errors +(.+(?:\n-- +RMQ_.+)*)$", re.MULTILINE)


Picker = Callable[[dict[str, Any]], Iterable[Any]]
"""From what is given by name to the values in the order of a contract."""


def _picker(names: tuple[str, ...]) -> Picker:
    # itemgetter knows no tuple of one or none.
    return itemgetter(*names) if len(names) > 1 else lambda named: [named[one] for one in names]


def _folder() -> Path:
    """`rmq/lua` where we are installed, `lua` beside the package in a checkout."""
    package = Path(__file__).parent.parent
    installed = package / "lua"
    return installed if installed.is_dir() else package.parent / "lua"


@dataclass(frozen=True, slots=True, eq=False)
class Script:
    """One operation: its source with the includes pasted in, and the names of its contract."""

    name: str
    source: str
    sha: str
    bare: str
    """The source without its first line, which fakeredis does not parse."""
    bare_sha: str
    keys: tuple[str, ...]
    args: tuple[str, ...]
    rest_keys: bool
    rest_args: bool
    timed: bool
    """Takes a trailing now_ms."""
    errors: tuple[str, ...]
    _keys_of: Picker = field(init=False)
    _args_of: Picker = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_keys_of", _picker(self.keys))
        object.__setattr__(self, "_args_of", _picker(self.args))

    def call(
        self,
        subject: str,
        parse: Callable[[Any], T],
        *,
        rest_keys: Sequence[str] = (),
        rest: Sequence[Any] = (),
        **named: Any,
    ) -> Call[T]:
        """Make a Call. Keys and arguments go by the names of the contract.

        *subject* names what it is about in errors; *parse* turns the reply into the result.
        """
        keys = [*self._keys_of(named), *rest_keys]
        args = [*self._args_of(named), *rest]
        return Call(self, keys, args, parse, subject)


@dataclass(slots=True)
class Call(Generic[T]):
    """One round trip. A value: nothing happens until an executor carries it out."""

    script: Script | str
    """A script, or the name of a plain command whose arguments are `keys` and `args`."""
    keys: list[str]
    args: list[Any]
    parse: Callable[[Any], T]
    subject: str
    repeated: str = ""
    """The refusal that a repeat gets when the first try, whose answer was lost, was carried out. It
    then counts as done, and *parse* gets None."""


@dataclass(slots=True)
class Joint(Generic[T]):
    """A call that may go out together with others of its kind, as one that shares its result."""

    kind: Any
    """Hashable; those of one kind differ in nothing but the next two."""
    amount: int
    """How much this one asks for."""
    patience: int
    """How long it would wait, in ms."""
    most: int
    """How much one call may ask for."""
    join: Callable[[Sequence[Joint[T]]], Call[T]]
    deal: Callable[[Sequence[Joint[T]], T], list[T]]
    """From the result of the joined call to each one's share."""

    @property
    def alone(self) -> Call[T]:
        """The call that this one is by itself."""
        return self.join((self,))


@dataclass(frozen=True, slots=True)
class Sleep:
    """A plan's wish to wait."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Block:
    """A plan's wish to wait until a token appears in the list *key*, or *timeout_ms* passed.

    *then* is what it would ask next. Who drives it may have that waiting at the server already (see
    core.executor.standing), and answers with its result; the answer None says nothing.
    """

    key: str
    timeout_ms: int
    then: Call[Any] | Joint[Any] | None = None


@dataclass(frozen=True, slots=True)
class Several:
    """A plan's wish to carry out calls on any slots at the same time, those of one node in one
    write. The answer is a list with the result or the RmqError of each.

    Trouble is met with one more try, not retried to a deadline: who asks goes on without those.
    """

    calls: Sequence[Call[Any]]


@dataclass(frozen=True, slots=True)
class Aside:
    """What a plan need not wait for: it goes on meanwhile. Where there are threads, a call is sent
    at once all the same, and a plan carried out by a thread of its own.

    Only for what somebody else does later if it fails, or ends with the client.
    """

    work: Call[Any] | Plan[Any]


@dataclass(frozen=True, slots=True)
class Offload:
    """Work for the processor that would hold up others: asyncio does it in a thread."""

    work: Callable[[], Any]


Step = Call[Any] | Joint[Any] | Sleep | Block | Several | Aside | Offload
Plan = Generator[Step, Any, T]

LOOKS = 20
"""How often a plan looks again when what it is about keeps changing under it."""


def command(name: str, subject: str, parse: Callable[[Any], T], key: str, *args: Any) -> Call[T]:
    """A Call of one plain Redis command on one key."""
    return Call(name, [key], list(args), parse, subject)


@cache
def load(name: str) -> Script:
    """Read `lua/<name>.lua`, paste its includes, and parse its contract."""
    text = (_folder() / f"{name}.lua").read_text()
    keys: list[str] = []
    args: list[str] = []
    rest_keys = rest_args = timed = False
    for kind, index, label in _ENTRY.findall(text):
        if index == "#" or label == "now_ms":
            timed = True
        elif index.endswith(".."):
            rest_keys, rest_args = rest_keys or kind == "KEYS", rest_args or kind == "ARGV"
        else:
            names = keys if kind == "KEYS" else args
            if int(index) != len(names) + 1:
                raise ValueError(f"{name}: {kind}[{index}] is out of order")
            names.append(label)
    source = _without_comments(_with_includes(text))
    bare = source.partition("\n")[2]
    found = _ERRORS.search(text)
    errors = () if not found or found[1] == "none" else tuple(found[1].replace("--", "").split())
    return Script(
        name=name.replace("/", "."),
        source=source,
        sha=hashlib.sha1(source.encode()).hexdigest(),
        bare=bare,
        bare_sha=hashlib.sha1(bare.encode()).hexdigest(),
        keys=tuple(keys),
        args=tuple(args),
        rest_keys=rest_keys,
        rest_args=rest_args,
        timed=timed,
        errors=errors,
    )


def _with_includes(text: str) -> str:
    """Paste what is included, and what that includes."""
    return _INCLUDE.sub(
        lambda found: _with_includes((_folder() / f"{found[1]}.lua").read_text()), text
    )


def _without_comments(source: str) -> str:
    """The server keeps every script it was ever sent; spare it the prose."""
    lines = (line for line in source.splitlines() if not line.lstrip().startswith("--"))
    return "\n".join(line for line in lines if line.strip()) + "\n"


def names() -> Iterable[str]:
    """All scripts there are, as load() takes them."""
    folder = _folder()
    return sorted(
        str(path.relative_to(folder).with_suffix("")).replace("\\", "/")
        for path in folder.glob("*/*.lua")
        if path.parent.name != "lib"
    )


def text_of(raw: bytes | str) -> str:
    """Text in a reply; fakeredis and handed-in clients differ in what they make of it."""
    return raw.decode() if isinstance(raw, bytes) else str(raw)
