"""Child: one worker process, as its supervisor starts it: `python -m rmq.worker.child ORDERS`.

It ends when it is told to (SIGTERM, a second one for at once), when its supervisor is gone, and
when a handler is stuck that nothing else could end.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from typing import Any

import msgspec

from rmq.errors import ConfigurationError, RmqError
from rmq.worker.blackbox import STUCK, BlackBox, BoxHandler
from rmq.worker.consuming.consumer import Consumer
from rmq.worker.consuming.held import Held
from rmq.worker.loading import load
from rmq.worker.worker import Worker

log = logging.getLogger("rmq.worker")

CONFIGURED_WRONGLY, WAS_STUCK, WAS_TOLD = 78, 75, 79
"""Exit statuses (sysexits.h: EX_CONFIG, EX_TEMPFAIL; the last is ours): the last is of a worker
that somebody told to end, by `rmq worker stop` or `drain`. No other is started in its place."""
FIGURES_S = 0.2
"""How often it says how it is."""


class Orders(msgspec.Struct):
    """What a child has to know; JSON, its one argument."""

    app: str
    queues: list[str]
    concurrency: int | None
    stop_deadline: float
    box: int
    slots: int
    lifeline: int
    """A pipe whose other end the supervisor holds open as long as it lives."""
    json_logs: bool
    log_level: str
    url: str | None = None
    namespace: str | None = None


class SupervisedWorker(Worker):
    """A worker that may end its process: somebody starts another."""

    def stuck(self, consumer: Consumer, held: Held, where: str) -> None:
        super().stuck(consumer, held, where)
        if self.box is not None:
            self.box.mark(held.slot, STUCK)
        logging.shutdown()
        os._exit(WAS_STUCK)


class JsonFormatter(logging.Formatter):
    """A JSON object a line, with all that a record has beside its text."""

    _USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03d}",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "pid": record.process,
        }
        line |= {name: value for name, value in vars(record).items() if name not in self._USUAL}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=str).decode()


class TextFormatter(logging.Formatter):
    """A line for people; at its end which message it is about, where it is about one."""

    _FIELDS = ("handler", "queue", "message_id", "task_id", "attempt")

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s [%(process)d] %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        said = vars(record)
        about = " ".join(f"{one}={said[one]}" for one in self._FIELDS if one in said)
        line = super().formatMessage(record)
        return f"{line} [{about}]" if about else line


def log_to_stderr(*, as_json: bool, level: str) -> None:
    """Log everything, as lines for people or for programs."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if as_json else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


async def work(orders: Orders) -> bool:
    """Work until it is over. Whether somebody told us through Redis that it is."""
    app = load(orders.app)
    if orders.url is not None or orders.namespace is not None:
        app.use(orders.url, orders.namespace)
    box = BlackBox(orders.box, orders.queues, orders.slots)
    logging.getLogger().addHandler(BoxHandler(box))
    worker = SupervisedWorker(
        app,
        orders.queues,
        concurrency=orders.concurrency,
        stop_deadline=orders.stop_deadline,
        box=box,
    )
    asyncio.get_running_loop().add_reader(orders.lifeline, _orphaned, worker, orders.lifeline)
    speaking = asyncio.create_task(_say(worker, box))
    try:
        await worker.run()
    finally:
        speaking.cancel()
        await worker.close()
        await app.close()
    return worker.was_told


async def _say(worker: Worker, box: BlackBox) -> None:
    while True:
        box.say(worker.figures)
        await asyncio.sleep(FIGURES_S)


def _orphaned(worker: Worker, lifeline: int) -> None:
    asyncio.get_running_loop().remove_reader(lifeline)
    log.warning("the supervisor is gone, worker %s ends", worker.name)
    worker.stop()


def main() -> None:
    # Ctrl-C at a terminal reaches all of a group; the supervisor tells us what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    orders = msgspec.json.decode(sys.argv[1], type=Orders)
    log_to_stderr(as_json=orders.json_logs, level=orders.log_level)
    status = 0
    try:
        with _runner() as runner:
            if runner.run(work(orders)):
                status = WAS_TOLD
    except ConfigurationError as error:
        log.critical("%s", error)
        status = CONFIGURED_WRONGLY
    except RmqError as error:
        # Redis is away, or does not want us: all is said by its text. We are started again.
        log.critical("the worker has failed: %s", error)
        status = 1
    except BaseException:
        log.critical("the worker has failed", exc_info=True)
        status = 1
    logging.shutdown()
    sys.stdout.flush()
    # A thread that does not end must not keep the process.
    os._exit(status)


def _runner() -> asyncio.Runner:
    """uvloop where it is installed."""
    try:
        import uvloop
    except ImportError:
        return asyncio.Runner()
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


if __name__ == "__main__":
    main()
