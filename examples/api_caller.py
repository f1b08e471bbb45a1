"""Calls of somebody's API, no faster than it allows: retries that it asked for, dead letters for
what it refuses, and a redrive once it is repaired.

    python examples/api_caller.py [url]
"""

import asyncio
import logging
import sys
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from tenacity import wait_fixed

import rmq
from rmq.testing import private_namespace
from rmq.worker import App, Context, Retry, Throttle

app = App(sys.argv[1] if len(sys.argv) > 1 else "memory://", namespace=private_namespace())
api_limit = Throttle("weather-api", "100/s", burst=20)
"""In the whole fleet, however many workers there are."""


@dataclass
class Answer:
    status: int
    retry_after: float = 0.0


@dataclass
class Weather:
    """Stands for a client of somebody's HTTP API."""

    calls: Counter[str] = field(default_factory=Counter)
    is_broken: bool = True

    async def ask(self, city: str) -> Answer:
        self.calls[city] += 1
        await asyncio.sleep(0.001)
        if city == "Atlantis" and self.is_broken:
            return Answer(500)
        if self.calls[city] == 1 and city.startswith("B"):
            return Answer(429, retry_after=0.05)
        return Answer(200)


@app.resource
async def weather() -> AsyncIterator[Weather]:
    """One client for the process, closed when the worker ends."""
    yield WEATHER


WEATHER = Weather()


class ApiFailed(Exception):
    """The API is at fault."""


@app.task(queue="weather", limits=[api_limit], retries=2, wait=wait_fixed(0.05), timeout=10)
async def look_up(city: str, weather: Weather, context: Context) -> None:
    answer = await weather.ask(city)
    if answer.status == 429:
        raise Retry("too many requests", after=answer.retry_after)
    if answer.status >= 500:
        raise ApiFailed(f"status {answer.status} for {city}")
    context.logger.info("%s is looked up, at attempt %d", city, context.attempt)


async def all_done(queue: rmq.AsyncQueue) -> None:
    """Look now and then whether anything is left in a queue."""
    while (await queue.stats()).messages:  # noqa: ASYNC110
        await asyncio.sleep(0.02)


async def main() -> None:
    # Each failure is logged, with its traceback; here what became of it is printed below.
    logging.getLogger("rmq.worker").setLevel(logging.CRITICAL)
    async with app, app.worker() as worker:
        await app.make_queues()
        working = asyncio.create_task(worker.run())
        queue, dead = app.client.queue("weather"), app.client.queue("weather-dead")
        for city in ["Berlin", "Bern", "Atlantis", "Oslo", "Rome"]:
            await look_up.send(city)
        await all_done(queue)
        letters = await dead.peek()
        print("calls:", dict(sorted(WEATHER.calls.items())))
        for letter in letters:
            failure = letter.failure
            print(f"dead letter after {failure.failures} failures: {failure.text}")

        WEATHER.is_broken = False
        moved = (await dead.redrive()).moved
        await all_done(queue)
        print(f"repaired, {moved} redriven, {(await dead.stats()).messages} dead letters left")
        worker.stop()
        await working
        await app.client.wipe()


if __name__ == "__main__":
    asyncio.run(main())
