"""SNS: the table of its actions. Each is a module; the others here are what they share."""

from __future__ import annotations

from rmq.gateway.service import Service
from rmq.gateway.sns import errors, overlay
from rmq.gateway.sns.add_permission import add_permission
from rmq.gateway.sns.confirm_subscription import confirm_subscription
from rmq.gateway.sns.create_topic import create_topic
from rmq.gateway.sns.delete_topic import delete_topic
from rmq.gateway.sns.get_data_protection_policy import get_data_protection_policy
from rmq.gateway.sns.get_subscription_attributes import get_subscription_attributes
from rmq.gateway.sns.get_topic_attributes import get_topic_attributes
from rmq.gateway.sns.list_subscriptions import list_subscriptions
from rmq.gateway.sns.list_subscriptions_by_topic import list_subscriptions_by_topic
from rmq.gateway.sns.list_tags_for_resource import list_tags_for_resource
from rmq.gateway.sns.list_topics import list_topics
from rmq.gateway.sns.publish import publish
from rmq.gateway.sns.publish_batch import publish_batch
from rmq.gateway.sns.put_data_protection_policy import put_data_protection_policy
from rmq.gateway.sns.remove_permission import remove_permission
from rmq.gateway.sns.set_subscription_attributes import set_subscription_attributes
from rmq.gateway.sns.set_topic_attributes import set_topic_attributes
from rmq.gateway.sns.subscribe import subscribe
from rmq.gateway.sns.tag_resource import tag_resource
from rmq.gateway.sns.unsubscribe import unsubscribe
from rmq.gateway.sns.untag_resource import untag_resource

SERVICE = Service(
    name="sns",
    model_name="sns",
    operations={
        "AddPermission": add_permission,
        "ConfirmSubscription": confirm_subscription,
        "CreateTopic": create_topic,
        "DeleteTopic": delete_topic,
        "GetDataProtectionPolicy": get_data_protection_policy,
        "GetSubscriptionAttributes": get_subscription_attributes,
        "GetTopicAttributes": get_topic_attributes,
        "ListSubscriptions": list_subscriptions,
        "ListSubscriptionsByTopic": list_subscriptions_by_topic,
        "ListTagsForResource": list_tags_for_resource,
        "ListTopics": list_topics,
        "Publish": publish,
        "PublishBatch": publish_batch,
        "PutDataProtectionPolicy": put_data_protection_policy,
        "RemovePermission": remove_permission,
        "SetSubscriptionAttributes": set_subscription_attributes,
        "SetTopicAttributes": set_topic_attributes,
        "Subscribe": subscribe,
        "TagResource": tag_resource,
        "Unsubscribe": unsubscribe,
        "UntagResource": untag_resource,
    },
    error=errors.error,
    refuse=errors.refuse,
    translate=errors.translate,
    overlay=overlay.apply,
    pushes=True,
)
