"""Mobile push in asyncio. `sync.py` is made from this file: `make sync`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from rmq.core.executor import AsyncExecutor
from rmq.core.paging import PageOf
from rmq.queues.message import Sent
from rmq.topics.message import Notification
from rmq.topics.mobile import devices, lifecycle, pushing
from rmq.topics.mobile.application import PlatformApplication
from rmq.topics.mobile.endpoint import PlatformEndpoint
from rmq.topics.mobile.pushing import Recipient
from rmq.topics.registry import TopicRegistry


class AsyncMobile:
    """Platform applications and their endpoints. It is `client.mobile`.

    An *application* is named by its ARN or by `platform/name`, an *endpoint* by its ARN or by
    `platform/application/id`; both of this client's account and region.
    """

    def __init__(self, registry: TopicRegistry, executor: AsyncExecutor) -> None:
        self._registry = registry
        self._executor = executor

    def __repr__(self) -> str:
        return f"<mobile push in {self._registry.namespace!r}>"

    # --- applications ---

    async def create_application(
        self, platform: str, name: str, *, credential: str | None = None, **attributes: Any
    ) -> PlatformApplication:
        """Make a platform application, or find that one with these attributes stands.

        *platform* is GCM (Firebase), APNS, APNS_SANDBOX, ADM, or one that SNS took before.
        *name* is 1 to 256 of A-Z a-z 0-9 _ . -.
        *credential*: GCM's service account (JSON) or API key, Apple's signing or private key, ADM's
        client secret. It is kept in Redis for senders, and returned to nobody.
        *attributes* are those of ApplicationAttributes; Apple's and ADM need `principal`.

        Raises InvalidParameter, PlatformApplicationExists (naming the attribute that differs).
        Source: CreatePlatformApplication (Amazon SNS API Reference).
        """
        given = {"credential": credential, **attributes}
        return await self._executor.run(lifecycle.create(self._registry, platform, name, given))

    async def application(self, application: str) -> PlatformApplication:
        """An application as it is now. Raises PlatformApplicationDoesNotExist."""
        return await self._executor.run(lifecycle.find(self._registry, application))

    async def set_application(self, application: str, **attributes: Any) -> PlatformApplication:
        """Change attributes (of ApplicationAttributes, and `credential`), all of them or none; None
        takes one away.

        Raises InvalidParameter, PlatformApplicationDoesNotExist.
        Source: SetPlatformApplicationAttributes (Amazon SNS API Reference).
        """
        return await self._executor.run(
            lifecycle.set_attributes(self._registry, application, attributes)
        )

    async def applications(
        self, *, limit: int = 100, token: str | None = None
    ) -> PageOf[PlatformApplication]:
        """Up to *limit* (1 to 100) applications by platform and name, going on behind *token*."""
        return await self._executor.run(lifecycle.page(self._registry, limit, token))

    async def all_applications(self) -> AsyncIterator[PlatformApplication]:
        """Every application, however many there are."""
        token = None
        while True:
            page = await self.applications(token=token)
            for one in page:
                yield one
            token = page.next_token
            if token is None:
                return

    async def delete_application(self, application: str) -> bool:
        """Remove an application with all its endpoints. False when there was none.

        Source: DeletePlatformApplication (Amazon SNS API Reference).
        """
        return await self._executor.run(lifecycle.delete(self._registry, application))

    # --- endpoints ---

    async def create_endpoint(
        self,
        application: str,
        token: str,
        *,
        custom_user_data: str | None = None,
        enabled: bool | None = None,
    ) -> PlatformEndpoint:
        """Make an endpoint for a device's *token*, or find that it has one with these attributes;
        what is left out asks for nothing.

        *token*: up to 4,096 characters; Apple's are up to 400 hexadecimal digits.
        *custom_user_data*: up to 2,048 bytes in UTF-8. *enabled* is True unless it is said.

        Raises InvalidParameter, PlatformApplicationDoesNotExist, EndpointExists (naming the
        endpoint that has the token, and the attribute that differs).
        Source: CreatePlatformEndpoint (Amazon SNS API Reference).
        """
        return await self._executor.run(
            devices.create(
                self._registry,
                application,
                token,
                custom_user_data=custom_user_data,
                enabled=enabled,
            )
        )

    async def endpoint(self, endpoint: str) -> PlatformEndpoint:
        """An endpoint as it is now. Raises EndpointDoesNotExist."""
        return await self._executor.run(devices.find(self._registry, endpoint))

    async def set_endpoint(self, endpoint: str, **attributes: Any) -> PlatformEndpoint:
        """Change `token`, `enabled` or `custom_user_data`, all of them or none.

        Raises InvalidParameter, EndpointDoesNotExist, EndpointExists (another has the token).
        Source: SetEndpointAttributes (Amazon SNS API Reference).
        """
        return await self._executor.run(
            devices.set_attributes(self._registry, endpoint, attributes)
        )

    async def endpoints(
        self, application: str, *, limit: int = 100, token: str | None = None
    ) -> PageOf[PlatformEndpoint]:
        """Up to *limit* (1 to 100) endpoints of an application, going on behind *token*.

        Raises InvalidParameter, PlatformApplicationDoesNotExist.
        """
        return await self._executor.run(devices.page(self._registry, application, limit, token))

    async def all_endpoints(self, application: str) -> AsyncIterator[PlatformEndpoint]:
        """Every endpoint of an application, however many there are."""
        token = None
        while True:
            page = await self.endpoints(application, token=token)
            for one in page:
                yield one
            token = page.next_token
            if token is None:
                return

    async def delete_endpoint(self, endpoint: str) -> bool:
        """Remove an endpoint. False when there was none. Subscriptions of it stay.

        Source: DeleteEndpoint (Amazon SNS API Reference).
        """
        return await self._executor.run(devices.delete(self._registry, endpoint))

    # --- messages ---

    async def publish(
        self,
        endpoint: str,
        message: str | bytes,
        *,
        subject: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        by_protocol: bool = False,
    ) -> Sent:
        """Publish a message for one endpoint. When this returns Redis has it; dispatchers send it.

        *message*, *subject*, *attributes* and *by_protocol* are as in Topic.publish; at most
        262,144 bytes in all. By protocol, what stands under the platform's name (`GCM`, `APNS`, ..)
        is that platform's JSON object, as text. `AWS.SNS.MOBILE.<PLATFORM>.TTL` is for how many
        seconds the platform keeps it for a device that is away.

        Raises InvalidParameter, EndpointDoesNotExist, EndpointDisabled,
        PlatformApplicationDisabled.
        Source: Publish (Amazon SNS API Reference).
        """
        notification = Notification(message, subject, attributes, by_protocol)
        return await self._executor.run(pushing.publish(self._registry, endpoint, notification))

    # --- for senders ---

    async def recipient(self, endpoint: str) -> Recipient | None:
        """What a sender needs to reach an endpoint: its token and the application's credential.
        None where it is gone."""
        return await self._executor.run(pushing.recipient(self._registry, endpoint))

    async def disable(self, endpoint: str, *, token: str | None = None) -> bool:
        """Switch an endpoint off whose token is of no use any more; with *token* only while it has
        that one: a device may have got another meanwhile. Whether it is there, and off."""
        return await self._executor.run(pushing.disable(self._registry, endpoint, token))

    async def report_failure(
        self, endpoint: str, reason: str, *, message_id: str = "", attempts: int = 1
    ) -> None:
        """Say that a message published to an endpoint will never be delivered: the topic is told
        that its application names in event_delivery_failure."""
        await self._executor.run(
            pushing.report_failure(self._registry, endpoint, reason, message_id, attempts)
        )
