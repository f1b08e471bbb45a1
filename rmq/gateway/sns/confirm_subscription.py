"""ConfirmSubscription: an endpoint agrees, with the token that it was sent. The link in the request
to confirm (SubscribeURL) is this action, unsigned."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sns.place import topic_of


async def confirm_subscription(caller: Caller, given: Given) -> Answer:
    wanted = given.get("AuthenticateOnUnsubscribe", "").lower() == "true"
    one = await topic_of(caller, given).confirm_subscription(
        given["Token"],
        # Who has not said who they are can not ask that others do.
        authenticate_on_unsubscribe=wanted and caller.is_signed,
        authenticated=caller.is_signed,
    )
    return {"SubscriptionArn": one.arn}
