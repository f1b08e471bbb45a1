"""Book: the platform endpoints, as Redis has them."""

from __future__ import annotations

from rmq.core.executor import AsyncExecutor
from rmq.push.job import Job, Sender
from rmq.push.senders.mobile.sender import Phone, PhoneBook, reachable
from rmq.topics.mobile import pushing


class RedisPhoneBook:
    """Who has which token, and what the platform applications say of how to get there."""

    def __init__(self, executor: AsyncExecutor) -> None:
        self._executor = executor

    async def find(self, job: Job) -> Phone | None:
        found = await self._executor.run(pushing.recipient(job.registry, job.endpoint))
        if found is None:
            return None
        return Phone(
            platform=found.endpoint.name.application.platform,
            token=found.endpoint.token,
            is_enabled=found.enabled,
            principal=found.principal,
            credential=found.credential,
            attributes={
                "ApplePlatformTeamID": found.apple_platform_team_id,
                "ApplePlatformBundleID": found.apple_platform_bundle_id,
            },
        )

    async def disable(self, job: Job, phone: Phone) -> None:
        # While it has that token: the app may have registered another one meanwhile.
        await self._executor.run(pushing.disable(job.registry, job.endpoint, phone.token))

    async def given_up(self, job: Job, reason: str) -> None:
        # Of what is published on topics SNS tells nobody; there are dead-letter queues for that.
        if not job.subscription_arn:
            await self._executor.run(
                pushing.report_failure(
                    job.registry, job.endpoint, reason, job.message.id, job.attempt
                )
            )


class KnownPhones:
    """A recorder that takes what MobileSender would try to send, and refuses the rest alike."""

    def __init__(self, book: PhoneBook, recorder: Sender) -> None:
        self._book = book
        self._recorder = recorder

    async def send(self, job: Job) -> None:
        reachable(await self._book.find(job))
        await self._recorder.send(job)

    async def given_up(self, job: Job, reason: str) -> None:
        await self._book.given_up(job, reason)

    async def close(self) -> None:
        await self._recorder.close()
