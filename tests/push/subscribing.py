"""Subscribers over HTTP that have agreed already."""

from __future__ import annotations

from typing import Any

from rmq.push.dispatcher import Dispatcher
from rmq.topics.subscription import Subscription
from tests.push.listener import Listener


async def confirmed(
    topic: Any, dispatcher: Dispatcher, listener: Listener, path: str = "/", **attributes: Any
) -> Subscription:
    """Subscribe a listener, and confirm as it would. What came meanwhile is forgotten."""
    one = await topic.subscribe(listener.url(path), **attributes)
    await dispatcher.drain()
    asked = [
        request.json()
        for request in listener.requests
        if request.headers["x-amz-sns-message-type"] == "SubscriptionConfirmation"
        and request.path == path
    ]
    found = await topic.confirm_subscription(asked[-1]["Token"])
    assert found.id == one.id
    listener.requests.clear()
    return found
