"""Doors: the two ways in which boto3 comes to the endpoint, and the clock behind each.

http        a `rmq serve` process that all tests of a test process share; an account for each test
in process  an Engine for each client, in the test's own namespace

What the library can do and AWS's API can not is NotInAws: the test is skipped, and says why.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import uuid
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import boto3
import pytest
import urllib3
from botocore.config import Config

from rmq.client.configured import configured
from rmq.core.clock import Clock
from rmq.core.limits import Limits
from rmq.gateway import inprocess
from rmq.gateway.app import endpoint_limits
from rmq.gateway.caller import SOON_S
from rmq.gateway.http import Request
from rmq.settings import Settings
from rmq.testing import HeldClock
from tests.colours import THREADS
from tests.gateway.serving import Serving

REGION = "us-east-1"
OWN_ACCOUNT = "000000000000"
"""The endpoint's, whose queues are those of its namespace."""

ASLEEP_S = SOON_S + 0.05
"""A receive over HTTP that was not answered by then is taken to be asleep; the others take 3 ms.
By then the endpoint also watches whether its client hangs up, which a wait has to survive.
One that was only slow finds what is sent, and sleeps through a move of the clock in real time."""


class NotInAws(pytest.skip.Exception):
    """A test asks for something that AWS's API does not have."""

    def __init__(self, what: str) -> None:
        super().__init__(f"not in AWS's API: {what}")


# --- http ---------------------------------------------------------------------------------------


class Served:
    """A `rmq serve --testing`, and our way to what is beside AWS's API there."""

    def __init__(self, serving: Serving) -> None:
        self.url = serving.url
        self._namespace = serving.namespace
        self._http = urllib3.PoolManager(maxsize=THREADS, retries=False)

    def namespace(self) -> str:
        """A namespace that nothing else uses: that of an account."""
        return self._namespace_of(_account(uuid.uuid4().hex))

    def account(self, namespace: str) -> str:
        """The account whose queues are in *namespace*; for any other text, one of its own."""
        account = namespace.partition(".")[2].partition(".")[0]
        return account if self._namespace_of(account) == namespace else _account(namespace)

    def _namespace_of(self, account: str) -> str:
        return f"{self._namespace}.{account}.{REGION}"

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        """Status and body of an answer."""
        answer = self._http.request("POST", self.url + path, body=body, headers=headers)
        return answer.status, answer.data

    def tell(self, change: dict[str, Any]) -> None:
        """Change the clock."""
        status, said = self.post("/_rmq/clock", json.dumps(change).encode(), {})
        assert status == 200, said

    def close(self) -> None:
        self._http.clear()


class HttpDoor:
    """One client's way to a served endpoint."""

    def __init__(
        self, served: Served, *, namespace: str, clock: Clock, limits: Limits | None = None
    ) -> None:
        if limits is not None:
            raise NotInAws("limits for one client; those of a server are AWS's")
        if not isinstance(clock, ServedClock):
            raise NotInAws("a clock for one client; a server has one")
        self.account = served.account(namespace)
        self.executor = UnderWay()
        self.post = served.post
        self.sqs = _client("sqs", served.url, self.account)
        self.sns = _client("sns", served.url, self.account)
        self.kinesis = _client("kinesis", served.url, self.account)

    def close(self) -> None:
        for one in (self.sqs, self.sns, self.kinesis):
            one.close()


class UnderWay:
    """The receives of one client that are under way, for Sleepers to count."""

    def see_naps(self) -> None:
        """What wakes and sleeps again in the server looks from here as if it slept on."""
        raise NotInAws("how often a receive falls asleep")

    async def answer(self, call: asyncio.Future[Any]) -> Any:
        """What *call* returns, after having noted that it sleeps if it takes that long."""
        done, _ = await asyncio.wait((call,), timeout=ASLEEP_S)
        if not done:
            await self._block(call)
        return await call

    async def _block(self, call: asyncio.Future[Any]) -> None:
        await asyncio.wait((call,))


class ServedClock(HeldClock):
    """The clock of a served endpoint, held from here. Begins at a whole second: AWS's times do."""

    def __init__(self, served: Served) -> None:
        self._tell = served.tell
        super().__init__()
        self.freeze(_this_second())

    def freeze(self, at: datetime | None = None) -> None:
        super().freeze(at)
        self._tell({"freeze": self.now().isoformat()})

    def release(self) -> None:
        super().release()
        self._tell({"release": True})

    def move(self, by: timedelta | float) -> None:
        super().move(by)
        self._tell({"advance": by.total_seconds() if isinstance(by, timedelta) else by})


# --- in process ---------------------------------------------------------------------------------


class InProcessDoor:
    """One client's engine."""

    account = OWN_ACCOUNT

    def __init__(self, *, namespace: str, clock: Clock, limits: Limits | None = None) -> None:
        self._engine = inprocess.Engine(
            configured(Settings, "memory://", namespace, {}),
            limits=limits or endpoint_limits(cooldowns=False),
            clock=clock,
        )
        self.executor = self._engine.endpoint.client._executor
        self.sqs = _client("sqs", "http://in.process", inprocess.KEY_ID)
        self.sns = _client("sns", "http://in.process", inprocess.KEY_ID)
        self.kinesis = _client("kinesis", "http://in.process", inprocess.KEY_ID)
        for one in (self.sqs, self.sns, self.kinesis):
            one.meta.events.register("before-send", inprocess.before_send(self._answers))

    def _answers(self) -> inprocess.Engine:
        return self._engine

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        """Status and body of an answer."""
        request = Request("POST", path, "", headers, body)
        answer = self._engine.run(self._engine.endpoint(request)).result()
        return answer.status, answer.body

    def close(self) -> None:
        for one in (self.sqs, self.sns, self.kinesis):
            one.close()
        self._engine.close()


def whole_second_clock() -> HeldClock:
    """A held clock that begins at a whole second: AWS's times of a queue are whole seconds."""
    return HeldClock(_this_second())


# --- what both have -----------------------------------------------------------------------------


def _client(service: str, url: str, key_id: str) -> Any:
    """A boto3 client that repeats nothing and checks nothing: both are for the endpoint to do."""
    config = Config(
        retries={"total_max_attempts": 1},
        max_pool_connections=THREADS,
        parameter_validation=False,
    )
    return _session().client(
        service,
        endpoint_url=url,
        config=config,
        aws_access_key_id=key_id,
        aws_secret_access_key="x",
    )


@cache
def _session() -> Any:
    """It reads the models once; a client of it is then made in 4 ms, not in 150."""
    return boto3.Session(region_name=REGION)


def _account(text: str) -> str:
    return f"{int(hashlib.sha256(text.encode()).hexdigest(), 16) % 10**12:012}"


def _this_second() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
