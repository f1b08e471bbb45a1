"""Standing: a call that already waits at the server, behind a blocking pop on the same connection.

    BLPOP wake 20      the server answers when a token comes
    EVALSHA ..         and carries this out in the same breath

What a token announces is in the answer that brings the token: one round trip earlier than a call
that follows it. But the call can not be taken back. Whoever leaves has the pop ended (CLIENT
UNBLOCK), and gives back what the call brings all the same. So this is for who waits long, leaves
seldom, and can give back.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

from hiredis import pack_command
from redis import exceptions as trouble

from rmq.core.connection import GRACE_S
from rmq.core.executor.gathering import Errand
from rmq.core.executor.trouble import TROUBLE
from rmq.core.script import Block, Call, Joint

if TYPE_CHECKING:
    from rmq.core.executor.tasks import AsyncExecutor

AGAIN_S = 0.05
"""How soon who waited looks again after trouble."""
UNHEARD_S = 0.01
"""How soon a pop is told again to end that had not begun when it was told."""


class Post(Errand):
    """One who stands, and the future of what the call brings; None where it was not carried out."""

    __slots__ = ("_connection", "_executor", "_id", "_leaving", "block", "task")

    def __init__(self, executor: AsyncExecutor, block: Block, then: Call[Any]) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(then, loop)
        self.block = block
        self._executor = executor
        self._connection: Any = None
        self._id = 0
        self._leaving: asyncio.Task[None] | None = None
        self.task = loop.create_task(self._work(then), name="rmq-stand")

    def hurry(self) -> None:
        """Have the pop end now: nobody waits for it any more."""
        if self._leaving is None and not self.task.done():
            self._leaving = self._executor.give_back(self._leave(), "rmq-leave", self._loop)

    async def _work(self, then: Call[Any]) -> None:
        try:
            found = await self._stand(then)
        except asyncio.CancelledError:
            self.outcome.cancel()
            raise
        except (*TROUBLE, trouble.RedisError):
            # What was refused (no such script, the queue is another one) is refused again to who
            # asks next, and they know what to do.
            await asyncio.sleep(AGAIN_S)
            self.outcome.set_result(None)
        except Exception as error:
            self.outcome.set_exception(error)
        else:
            self.outcome.set_result(found)

    async def _stand(self, then: Call[Any]) -> Any:
        executor = self._executor
        patience = executor._link.try_s
        seconds = max(min(self.block.timeout_ms / 1000, executor._link.slice_s), 0.001)
        commands = (
            ("CLIENT", "ID"),
            ("BLPOP", self.block.key, f"{seconds:.3f}"),
            tuple(executor._command(then)),
        )
        connection = await executor._take()
        try:
            await connection.send_packed_command([pack_command(one) for one in commands])
            number = await _reply(connection, patience)
            self._id, self._connection = 0 if _refused(number) else int(number), connection
            replies = [await _reply(connection, seconds + GRACE_S)]
            replies.append(await _reply(connection, patience))
        except BaseException:
            self._connection = None
            await executor._discard(connection)
            raise
        self._connection = None
        await executor._give(connection)
        for one in replies:
            if _refused(one):
                raise one
        return then.parse(replies[-1])

    async def _leave(self) -> None:
        """End the pop, and the connection where we may not do that. A pop that the server has not
        begun yet can not be ended: it is told again."""
        while not self.task.done():
            if self._connection is not None:
                try:
                    await self._executor._once(["CLIENT", "UNBLOCK", self._id])
                except (*TROUBLE, trouble.RedisError):
                    if self._connection is not None:
                        await self._connection.disconnect(nowait=True)
            await asyncio.wait((self.task,), timeout=UNHEARD_S)


async def _reply(connection: Any, seconds: float | None) -> Any:
    """The next answer, or the error that it is; trouble with the connection is raised."""
    try:
        return await connection.read_response(timeout=seconds)
    except trouble.ResponseError as error:
        return error


def _refused(reply: Any) -> bool:
    return isinstance(reply, trouble.ResponseError)


class Standing:
    """Those of one executor who stand."""

    def __init__(self, executor: AsyncExecutor) -> None:
        self._executor = executor
        self._posts: set[Post] = set()
        self._is_closed = False

    def start(self, block: Block) -> Post | None:
        """Stand, if there is a call behind *block* and this is possible here: on one server, and by
        its own clock."""
        executor, then = self._executor, block.then
        link = executor._link
        if then is None or link.pool is None or link.memory or executor.clock.held:
            return None
        if self._is_closed:
            return None
        post = Post(executor, block, then.alone if isinstance(then, Joint) else then)
        self._posts.add(post)
        post.task.add_done_callback(lambda _: self._posts.discard(post))
        return post

    def end_waits(self, ours: re.Pattern[bytes]) -> None:
        """End every pop of a key that is *ours*."""
        for post in self._posts:
            if ours.match(post.block.key.encode()):
                post.hurry()

    async def close(self) -> None:
        """End all that stands."""
        self._is_closed = True
        posts = tuple(self._posts)
        for post in posts:
            post.hurry()
        if posts:
            await asyncio.wait([post.task for post in posts])
