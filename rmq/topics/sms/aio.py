"""SMS in asyncio. `sync.py` is made from this file: `make sync`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from rmq.core.executor import AsyncExecutor
from rmq.core.paging import PageOf
from rmq.topics.message import Notification
from rmq.topics.registry import TopicRegistry
from rmq.topics.sms import opting, origination, sandbox, sending, settings
from rmq.topics.sms.attributes import SmsAttributes
from rmq.topics.sms.origination import OriginationNumber, Route
from rmq.topics.sms.sandbox import SandboxNumber
from rmq.topics.sms.sending import SmsPublished


class AsyncSms:
    """Text messages to phone numbers, and what the account has for them. It is `client.sms`.

    A *number* is in E.164, `+15550100123`; blanks and punctuation are ignored.
    """

    def __init__(self, registry: TopicRegistry, executor: AsyncExecutor) -> None:
        self._registry = registry
        self._executor = executor

    def __repr__(self) -> str:
        return f"<SMS of {self._registry.namespace!r}>"

    # --- messages ---

    async def publish(
        self,
        number: str,
        message: str | bytes,
        *,
        attributes: Mapping[str, Any] | None = None,
        by_protocol: bool = False,
    ) -> SmsPublished:
        """Publish a message for one number. When this returns Redis has it; a dispatcher sends it.

        *message*: 1 to 1,600 characters. The answer says how many SMS that are.
        *attributes* as in Topic.publish; of those that SNS knows, `AWS.SNS.SMS.SenderID` (1 to 11
        letters and digits), `AWS.SNS.SMS.SMSType` (Promotional, Transactional) and
        `AWS.SNS.SMS.MaxPrice` (US dollars), `AWS.MM.SMS.OriginationNumber`, `.EntityId` and
        `.TemplateId` are checked. What is left out of the first two, the account's attributes say.
        *by_protocol*: the message is a JSON object with a text for `sms`, and one for `default`.

        A number that opted out is answered alike, and sent nothing.

        Raises InvalidParameter.
        Source: Publish (Amazon SNS API Reference).
        """
        notification = Notification(message, None, attributes, by_protocol)
        return await self._executor.run(sending.publish(self._registry, number, notification))

    # --- the account's attributes ---

    async def attributes(self) -> SmsAttributes:
        """What the account was told. Source: GetSMSAttributes (Amazon SNS API Reference)."""
        return await self._executor.run(settings.read(self._registry))

    async def set_attributes(self, **attributes: Any) -> SmsAttributes:
        """Change attributes (names of SmsAttributes), all of them or none; None takes one away.

        Raises InvalidParameter. Source: SetSMSAttributes (Amazon SNS API Reference).
        """
        return await self._executor.run(settings.change(self._registry, attributes))

    # --- who wants no SMS ---

    async def is_opted_out(self, number: str) -> bool:
        """Whether a number wants no SMS. Raises InvalidParameter."""
        return await self._executor.run(opting.is_out(self._registry, number))

    async def opted_out(self, *, limit: int = 100, token: str | None = None) -> PageOf[str]:
        """Up to *limit* (1 to 100) numbers that want no SMS, in order, going on behind *token*."""
        return await self._executor.run(opting.page(self._registry, limit, token))

    async def all_opted_out(self) -> AsyncIterator[str]:
        """Every number that wants no SMS, however many there are."""
        token = None
        while True:
            page = await self.opted_out(token=token)
            for one in page:
                yield one
            token = page.next_token
            if token is None:
                return

    async def opt_out(self, number: str) -> bool:
        """Note that a number wants no SMS; senders learn it from their provider. False when that
        was known. Raises InvalidParameter."""
        return await self._executor.run(opting.opt_out(self._registry, number))

    async def opt_in(self, number: str) -> bool:
        """Send a number SMS again; once in 30 days. False when it had not opted out.

        Raises InvalidParameter, OptedInRecently.
        Source: OptInPhoneNumber (Amazon SNS API Reference).
        """
        return await self._executor.run(opting.opt_in(self._registry, number))

    # --- the sandbox ---

    async def is_in_sandbox(self) -> bool:
        """Whether only verified numbers are sent SMS. An account is not, unless it is put there."""
        return await self._executor.run(sandbox.is_inside(self._registry))

    async def set_in_sandbox(self, in_sandbox: bool) -> None:
        """Put the account in the sandbox, or take it out."""
        await self._executor.run(sandbox.put_inside(self._registry, in_sandbox))

    async def add_sandbox_number(self, number: str, *, language: str = "en-US") -> SandboxNumber:
        """Take a number in and send it a one-time password, good for 15 minutes. Again: another
        password, up to 5 a day. *language* is one of AWS's 13: de-DE, ja-JP, ..

        Raises InvalidParameter, OptedOut, TooManySandboxNumbers (10), TooManyPasswords.
        Source: CreateSMSSandboxPhoneNumber (Amazon SNS API Reference).
        """
        return await self._executor.run(sandbox.add(self._registry, number, language))

    async def verify_sandbox_number(self, number: str, password: str) -> SandboxNumber:
        """Verify a number by the *password* (5 to 8 digits) that was sent there; 5 tries.

        Raises InvalidParameter, SandboxNumberDoesNotExist, VerificationFailed.
        Source: VerifySMSSandboxPhoneNumber (Amazon SNS API Reference).
        """
        return await self._executor.run(sandbox.verify(self._registry, number, password))

    async def remove_sandbox_number(self, number: str) -> None:
        """Take a number out. Raises InvalidParameter, SandboxNumberDoesNotExist."""
        await self._executor.run(sandbox.remove(self._registry, number))

    async def sandbox_numbers(
        self, *, limit: int = 100, token: str | None = None
    ) -> PageOf[SandboxNumber]:
        """Up to *limit* (1 to 100) numbers of the sandbox, in order, going on behind *token*."""
        return await self._executor.run(sandbox.page(self._registry, limit, token))

    # --- where messages come from ---

    async def add_origination_number(
        self,
        number: str,
        country: str,
        *,
        route: Route = "Transactional",
        capabilities: Iterable[str] = ("SMS",),
        status: str = "ACTIVE",
    ) -> OriginationNumber:
        """Note a number (or short code) that a provider gave to the account, or what has changed of
        it. *country*: two letters. *route*: Transactional, Promotional or Premium. *capabilities*:
        of SMS, MMS, VOICE. Raises InvalidParameter."""
        return await self._executor.run(
            origination.add(self._registry, number, country, route, capabilities, status)
        )

    async def remove_origination_number(self, number: str) -> bool:
        """Forget such a number. False when it was not noted. Raises InvalidParameter."""
        return await self._executor.run(origination.remove(self._registry, number))

    async def origination_numbers(
        self, *, limit: int = 30, token: str | None = None
    ) -> PageOf[OriginationNumber]:
        """Up to *limit* (1 to 30) of them, in order, going on behind *token*."""
        return await self._executor.run(origination.page(self._registry, limit, token))
