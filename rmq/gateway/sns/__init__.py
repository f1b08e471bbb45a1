"""SNS: the table of its actions. Each is a module; the others here are what they share."""

from __future__ import annotations

from rmq.gateway.service import Service
from rmq.gateway.sns import errors, overlay
from rmq.gateway.sns.add_permission import add_permission
from rmq.gateway.sns.check_if_phone_number_is_opted_out import check_if_phone_number_is_opted_out
from rmq.gateway.sns.confirm_subscription import confirm_subscription
from rmq.gateway.sns.create_platform_application import create_platform_application
from rmq.gateway.sns.create_platform_endpoint import create_platform_endpoint
from rmq.gateway.sns.create_sms_sandbox_phone_number import create_sms_sandbox_phone_number
from rmq.gateway.sns.create_topic import create_topic
from rmq.gateway.sns.delete_endpoint import delete_endpoint
from rmq.gateway.sns.delete_platform_application import delete_platform_application
from rmq.gateway.sns.delete_sms_sandbox_phone_number import delete_sms_sandbox_phone_number
from rmq.gateway.sns.delete_topic import delete_topic
from rmq.gateway.sns.get_data_protection_policy import get_data_protection_policy
from rmq.gateway.sns.get_endpoint_attributes import get_endpoint_attributes
from rmq.gateway.sns.get_platform_application_attributes import get_platform_application_attributes
from rmq.gateway.sns.get_sms_attributes import get_sms_attributes
from rmq.gateway.sns.get_sms_sandbox_account_status import get_sms_sandbox_account_status
from rmq.gateway.sns.get_subscription_attributes import get_subscription_attributes
from rmq.gateway.sns.get_topic_attributes import get_topic_attributes
from rmq.gateway.sns.list_endpoints_by_platform_application import (
    list_endpoints_by_platform_application,
)
from rmq.gateway.sns.list_origination_numbers import list_origination_numbers
from rmq.gateway.sns.list_phone_numbers_opted_out import list_phone_numbers_opted_out
from rmq.gateway.sns.list_platform_applications import list_platform_applications
from rmq.gateway.sns.list_sms_sandbox_phone_numbers import list_sms_sandbox_phone_numbers
from rmq.gateway.sns.list_subscriptions import list_subscriptions
from rmq.gateway.sns.list_subscriptions_by_topic import list_subscriptions_by_topic
from rmq.gateway.sns.list_tags_for_resource import list_tags_for_resource
from rmq.gateway.sns.list_topics import list_topics
from rmq.gateway.sns.opt_in_phone_number import opt_in_phone_number
from rmq.gateway.sns.publish import publish
from rmq.gateway.sns.publish_batch import publish_batch
from rmq.gateway.sns.put_data_protection_policy import put_data_protection_policy
from rmq.gateway.sns.remove_permission import remove_permission
from rmq.gateway.sns.set_endpoint_attributes import set_endpoint_attributes
from rmq.gateway.sns.set_platform_application_attributes import set_platform_application_attributes
from rmq.gateway.sns.set_sms_attributes import set_sms_attributes
from rmq.gateway.sns.set_subscription_attributes import set_subscription_attributes
from rmq.gateway.sns.set_topic_attributes import set_topic_attributes
from rmq.gateway.sns.subscribe import subscribe
from rmq.gateway.sns.tag_resource import tag_resource
from rmq.gateway.sns.unsubscribe import unsubscribe
from rmq.gateway.sns.untag_resource import untag_resource
from rmq.gateway.sns.verify_sms_sandbox_phone_number import verify_sms_sandbox_phone_number

SERVICE = Service(
    name="sns",
    model_name="sns",
    operations={
        "AddPermission": add_permission,
        "CheckIfPhoneNumberIsOptedOut": check_if_phone_number_is_opted_out,
        "ConfirmSubscription": confirm_subscription,
        "CreatePlatformApplication": create_platform_application,
        "CreatePlatformEndpoint": create_platform_endpoint,
        "CreateSMSSandboxPhoneNumber": create_sms_sandbox_phone_number,
        "CreateTopic": create_topic,
        "DeleteEndpoint": delete_endpoint,
        "DeletePlatformApplication": delete_platform_application,
        "DeleteSMSSandboxPhoneNumber": delete_sms_sandbox_phone_number,
        "DeleteTopic": delete_topic,
        "GetDataProtectionPolicy": get_data_protection_policy,
        "GetEndpointAttributes": get_endpoint_attributes,
        "GetPlatformApplicationAttributes": get_platform_application_attributes,
        "GetSMSAttributes": get_sms_attributes,
        "GetSMSSandboxAccountStatus": get_sms_sandbox_account_status,
        "GetSubscriptionAttributes": get_subscription_attributes,
        "GetTopicAttributes": get_topic_attributes,
        "ListEndpointsByPlatformApplication": list_endpoints_by_platform_application,
        "ListOriginationNumbers": list_origination_numbers,
        "ListPhoneNumbersOptedOut": list_phone_numbers_opted_out,
        "ListPlatformApplications": list_platform_applications,
        "ListSMSSandboxPhoneNumbers": list_sms_sandbox_phone_numbers,
        "ListSubscriptions": list_subscriptions,
        "ListSubscriptionsByTopic": list_subscriptions_by_topic,
        "ListTagsForResource": list_tags_for_resource,
        "ListTopics": list_topics,
        "OptInPhoneNumber": opt_in_phone_number,
        "Publish": publish,
        "PublishBatch": publish_batch,
        "PutDataProtectionPolicy": put_data_protection_policy,
        "RemovePermission": remove_permission,
        "SetEndpointAttributes": set_endpoint_attributes,
        "SetPlatformApplicationAttributes": set_platform_application_attributes,
        "SetSMSAttributes": set_sms_attributes,
        "SetSubscriptionAttributes": set_subscription_attributes,
        "SetTopicAttributes": set_topic_attributes,
        "Subscribe": subscribe,
        "TagResource": tag_resource,
        "Unsubscribe": unsubscribe,
        "UntagResource": untag_resource,
        "VerifySMSSandboxPhoneNumber": verify_sms_sandbox_phone_number,
    },
    error=errors.error,
    refuse=errors.refuse,
    translate=errors.translate,
    overlay=overlay.apply,
    pushes=True,
)
