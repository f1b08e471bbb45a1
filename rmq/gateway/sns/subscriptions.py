"""Subscriptions: between SNS's form of a subscription and ours, on the way in and the way out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from rmq.gateway.errors import AwsError
from rmq.gateway.sns.attributes import boolean_in, boolean_out, json_object, json_text, moment
from rmq.gateway.sns.errors import BadAttribute
from rmq.topics.aio import AsyncTopic
from rmq.topics.delivery_policy import effective
from rmq.topics.subscription import Subscription

FIELD_OF = {
    "DeliveryPolicy": "delivery_policy",
    "FilterPolicy": "filter_policy",
    "FilterPolicyScope": "filter_policy_scope",
    "RawMessageDelivery": "raw_message_delivery",
    "RedrivePolicy": "dead_letter_queue",
    "SubscriptionRoleArn": "subscription_role_arn",
}
"""What can be set, by its name in SNS, and our name for it."""
NAME_OF = {field: name for name, field in FIELD_OF.items()}
REPLAY = "ReplayPolicy"
"""Can be set too; to us it is something that is done."""
PENDING = "PendingConfirmation"
"""What lists show in place of the ARN of a subscription that nobody confirmed."""
_SCOPES = {"MessageAttributes": "message_attributes", "MessageBody": "message_body"}


class Replay(NamedTuple):
    """From when, and until when, an archive is wanted again."""

    start: datetime
    end: datetime | None


# --- in ------------------------------------------------------------------------------------------


def attributes_in(given: Mapping[str, str], unknown: Callable[[str], AwsError]) -> dict[str, Any]:
    """Attributes as the library takes them. Raises BadAttribute, and for a name that is not there
    the AwsError that *unknown* makes."""
    found = {}
    for name, text in given.items():
        if name not in FIELD_OF:
            raise unknown(name)
        found[FIELD_OF[name]] = _value_in(name, text)
    return found


def _value_in(name: str, text: str) -> Any:
    if name == "RawMessageDelivery":
        return boolean_in(name, text)
    if name == "FilterPolicyScope":
        if text not in _SCOPES:
            raise BadAttribute(
                name,
                f"Invalid value [{text[:100]}]. Please use either MessageBody or MessageAttributes",
            )
        return _SCOPES[text]
    if name == "FilterPolicy":
        return None if text.strip() in ("", "{}") else text
    if name == "RedrivePolicy":
        return _redrive_in(text)
    return text or None


def _redrive_in(text: str) -> str | None:
    policy = json_object("RedrivePolicy", text) if text else {}
    if not policy:
        return None
    arn = policy.get("deadLetterTargetArn")
    if set(policy) != {"deadLetterTargetArn"} or not isinstance(arn, str):
        raise BadAttribute("RedrivePolicy", "must have a deadLetterTargetArn, and no more")
    if len(arn.split(":")) != 6 or arn.split(":")[2] != "sqs":
        raise BadAttribute("RedrivePolicy", "deadLetterTargetArn is an invalid arn")
    return arn


def replay_in(text: str) -> Replay | None:
    """What a ReplayPolicy asks for; None is the end of a replay. Raises BadAttribute."""
    policy = json_object(REPLAY, text) if text else {}
    if not policy:
        return None
    known = {"PointType", "StartingPoint", "EndingPoint"}
    if policy.get("PointType") != "Timestamp" or set(policy) - known:
        raise BadAttribute(REPLAY, "must have PointType Timestamp and StartingPoint")
    start, end = _time_in(policy, "StartingPoint"), None
    if "EndingPoint" in policy:
        end = _time_in(policy, "EndingPoint")
    return Replay(start, end)


def _time_in(policy: Mapping[str, Any], name: str) -> datetime:
    try:
        found = datetime.fromisoformat(policy.get(name, ""))
    except (ValueError, TypeError):
        raise BadAttribute(REPLAY, f"{name} must be a time in ISO 8601") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


async def set_replay(topic: AsyncTopic, id: str, wanted: Replay | None) -> None:
    """Begin the replay that is wanted, or end the one that runs."""
    if wanted is None:
        await topic.stop_replay(id)
    else:
        await topic.replay(id, wanted.start, wanted.end)


# --- out -----------------------------------------------------------------------------------------


def listed_out(one: Subscription) -> dict[str, Any]:
    """A subscription as the two listing actions show it."""
    return {
        "SubscriptionArn": one.arn if one.confirmed else PENDING,
        "Owner": one.account,
        "Protocol": one.protocol,
        "Endpoint": one.endpoint,
        "TopicArn": one.topic_arn,
    }


def attributes_out(
    one: Subscription, topic_policy: str | None, replay_status: str | None
) -> dict[str, str]:
    """All that GetSubscriptionAttributes says. What is not set is left out."""
    its = one.attributes
    found = {
        "SubscriptionArn": one.arn,
        "TopicArn": one.topic_arn,
        "Owner": one.account,
        "Protocol": one.protocol,
        "Endpoint": one.endpoint,
        "SubscriptionPrincipal": f"arn:aws:iam::{one.account}:root",
        "PendingConfirmation": boolean_out(not one.confirmed),
        "ConfirmationWasAuthenticated": boolean_out(one.confirmed and one.authenticated),
        "RawMessageDelivery": boolean_out(its.raw_message_delivery),
    }
    if its.filter_policy is not None:
        found["FilterPolicy"] = its.filter_policy
        found["FilterPolicyScope"] = next(
            name for name, own in _SCOPES.items() if own == its.filter_policy_scope
        )
    if its.dead_letter_queue is not None:
        found["RedrivePolicy"] = json_text({"deadLetterTargetArn": its.dead_letter_queue})
    if its.delivery_policy is not None:
        found["DeliveryPolicy"] = its.delivery_policy
    if one.protocol in ("http", "https"):
        found["EffectiveDeliveryPolicy"] = effective(
            topic_policy, its.delivery_policy, one.protocol
        ).as_json()
    if its.subscription_role_arn is not None:
        found["SubscriptionRoleArn"] = its.subscription_role_arn
    if one.replay is not None and not one.replay.stopped:
        policy = {"PointType": "Timestamp", "StartingPoint": moment(one.replay.start)}
        if one.replay.end is not None:
            policy["EndingPoint"] = moment(one.replay.end)
        found[REPLAY] = json_text(policy)
        if replay_status is not None:
            found["ReplayStatus"] = replay_status
    return found
