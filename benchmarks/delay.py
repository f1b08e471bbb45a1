"""The delay: a TCP proxy that holds back every answer for a while, as a network does.

In a process of its own, so that it takes no time from the side under measurement but what the
machine has spare. It adds latency alone: no loss, no jitter, no limit to what is under way.
"""

from __future__ import annotations

import asyncio
import selectors
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

CHUNK = 1 << 16
"""Bytes read at a time."""


@contextmanager
def delayed(server: Mapping[str, Any], delay_ms: float) -> Iterator[str]:
    """Start a proxy before *server*, a client's connection arguments; yields its URL."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.delay"]
        + [str(part) for part in (server["host"], server.get("port", 6379), delay_ms)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield f"redis://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


async def _serve(host: str, port: int, delay_s: float) -> None:
    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answers, questions = await asyncio.open_connection(host, port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pass(reader, questions, 0), _pass(answers, writer, delay_s))

    proxy = await asyncio.start_server(meet, "127.0.0.1", 0, backlog=1000)
    print(proxy.sockets[0].getsockname()[1], flush=True)
    await proxy.serve_forever()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_s: float) -> None:
    """Carry bytes from one to the other, each *delay_s* after it came, in order."""
    loop = asyncio.get_running_loop()
    due = 0.0
    with suppress(ConnectionError):
        while data := await reader.read(CHUNK):
            if delay_s:
                # Equal moments may change places in the loop's heap; later ones can not.
                due = max(due + 1e-7, loop.time() + delay_s)
                loop.call_at(due, writer.write, data)
            else:
                writer.write(data)
    if delay_s:
        await asyncio.sleep(2 * delay_s)
    writer.close()


def _precise_loop() -> asyncio.AbstractEventLoop:
    # Not epoll: it counts in whole milliseconds, so that 1 ms would become up to 2.
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


if __name__ == "__main__":
    with suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=_precise_loop) as runner:
        runner.run(_serve(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]) / 1000))
