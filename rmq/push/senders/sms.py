"""SMS: handed to a function of yours, which knows your provider.

    def send(sms: Sms) -> None: ...         RMQ_SMS_SENDER=app.sms:send

It may be a coroutine. Whatever it raises passes, unless it is Permanent (rmq.push.job).
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from rmq.core.executor import AsyncExecutor
from rmq.core.keys import SmsKeys
from rmq.errors import ConfigurationError
from rmq.push.job import Job, Passing, Permanent, Sender
from rmq.push.senders.function import imported
from rmq.topics.envelope import Rendered
from rmq.topics.sms import commands
from rmq.topics.sms.handing import with_defaults
from rmq.topics.sms.number import phone_number
from rmq.topics.sms.sandbox import is_verified

THREADS = 16
"""Messages that are sent at the same time, by a function that is no coroutine."""


@dataclass(frozen=True, slots=True)
class Sms:
    """One text message."""

    number: str
    """E.164: +4930123456."""
    text: str
    id: str
    """The message id; the same for each try."""
    sender_id: str | None
    """AWS.SNS.SMS.SenderID."""
    sms_type: str | None
    """AWS.SNS.SMS.SMSType: Promotional or Transactional."""
    max_price: str | None
    """AWS.SNS.SMS.MaxPrice: US dollars."""
    origination_number: str | None
    """AWS.MM.SMS.OriginationNumber."""


class SmsSender:
    """Calls the function for each message, in a thread if it is no coroutine."""

    def __init__(self, function: Callable[[Sms], Any]) -> None:
        self._function = function
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="rmq-sms")

    @classmethod
    def named(cls, source: str) -> SmsSender:
        """By `module:name`. Raises ConfigurationError."""
        module, _, name = source.partition(":")
        function = getattr(imported(module, "sms_sender"), name, None)
        if not callable(function):
            raise ConfigurationError(f"sms_sender {source!r} names no function; give module:name")
        return cls(function)

    async def send(self, job: Job) -> None:
        assert isinstance(job.message, Rendered)
        given = job.header.attributes

        def attribute(name: str) -> str | None:
            return str(given[name][1]) if name in given else None

        sms = Sms(
            job.endpoint,
            job.message.text,
            job.message.id,
            attribute("AWS.SNS.SMS.SenderID"),
            attribute("AWS.SNS.SMS.SMSType"),
            attribute("AWS.SNS.SMS.MaxPrice"),
            attribute("AWS.MM.SMS.OriginationNumber"),
        )
        try:
            if inspect.iscoroutinefunction(self._function):
                await self._function(sms)
            else:
                loop = asyncio.get_running_loop()
                await loop.run_in_executor(self._threads, self._function, sms)
        except (Passing, Permanent):
            raise
        except Exception as error:
            raise Passing(f"{type(error).__name__}: {error}") from error

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


class PermittedSms:
    """Lets through, with the account's defaults, what the account and the number permit: nothing to
    a number that opted out, and in the sandbox only to verified ones."""

    def __init__(self, executor: AsyncExecutor, sender: Sender) -> None:
        self._executor = executor
        self._sender = sender

    async def send(self, job: Job) -> None:
        look = commands.look(SmsKeys(job.registry.namespace), phone_number("number", job.endpoint))
        found = await self._executor.call(look)
        if found.is_opted_out:
            raise Permanent("the number has opted out of SMS")
        # What is for a number alone was permitted when it was published, and so was the password
        # by which a number is verified in the first place.
        is_open = not found.is_in_sandbox or not job.subscription_arn or is_verified(found.record)
        if not is_open:
            raise Permanent("the account is in the SMS sandbox, and the number is not verified")
        attributes = with_defaults(job.header.attributes, found)
        header = msgspec.structs.replace(job.header, attributes=attributes)
        await self._sender.send(replace(job, header=header))

    async def close(self) -> None:
        await self._sender.close()
