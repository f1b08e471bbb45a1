"""Delivery policies: what may be said, what holds, and the delays that come of it."""

import json
from datetime import timedelta
from itertools import pairwise

import pytest

from rmq.errors import InvalidParameter
from rmq.topics.delivery_policy import (
    AWS_MANAGED,
    COUNTED,
    CUSTOMER_MANAGED,
    HTTP,
    SHAPES,
    DeliveryPolicy,
    check_subscription_delivery_policy,
    check_topic_delivery_policy,
    effective,
    effective_topic,
    jittered,
)

DOCUMENTED = {
    "healthyRetryPolicy": {
        "minDelayTarget": 1,
        "maxDelayTarget": 60,
        "numRetries": 50,
        "numNoDelayRetries": 3,
        "numMinDelayRetries": 2,
        "numMaxDelayRetries": 35,
        "backoffFunction": "exponential",
    },
    "throttlePolicy": {"maxReceivesPerSecond": 10},
    "requestPolicy": {"headerContentType": "application/json"},
}
"""The example of the page Creating an HTTP/S delivery policy."""


def seconds(policy: DeliveryPolicy) -> list[float]:
    """All delays of a policy."""
    found = []
    attempt = 1
    while (delay := policy.delay(attempt)) is not None:
        found.append(delay.total_seconds())
        attempt += 1
    return found


def test_without_a_policy_http_is_tried_three_more_times_20_s_apart():
    assert seconds(effective(None, None, "http")) == [20, 20, 20]


def test_phases_come_in_their_order_and_the_back_off_fills_the_middle():
    found = seconds(effective(None, check_subscription_delivery_policy(DOCUMENTED), "https"))

    assert len(found) == 50
    assert found[:5] == [0, 0, 0, 1, 1]
    assert found[5] == 1
    assert found[14] == 60
    assert found[5:15] == sorted(found[5:15])
    assert found[15:] == [60] * 35


def test_back_off_functions_are_more_convex_in_their_order():
    curves = [
        seconds(DeliveryPolicy(retries=10, max_delay=timedelta(seconds=1000), backoff=function))
        for function in SHAPES
    ]

    for curve in curves:
        steps = [b - a for a, b in pairwise(curve)]
        assert (curve[0], curve[-1]) == (20, 1000)
        assert steps == pytest.approx(sorted(steps))
    for flatter, steeper in pairwise(curves):
        assert all(a > b for a, b in zip(flatter[1:-1], steeper[1:-1], strict=True))


def test_one_back_off_retry_waits_the_smallest_delay():
    policy = DeliveryPolicy(retries=1, min_delay=timedelta(seconds=5))

    assert seconds(policy) == [5]


def test_lambda_and_firehose_are_tried_for_23_days():
    assert effective(None, None, "lambda") is AWS_MANAGED
    assert effective(None, None, "firehose") is AWS_MANAGED
    assert AWS_MANAGED.retries == 100_015
    assert timedelta(days=23) < AWS_MANAGED.duration < timedelta(days=24)
    assert [AWS_MANAGED.delay(n).total_seconds() for n in (1, 3, 4, 5, 6, 15, 16)] == [
        *(0, 0, 1, 1, 1, 20, 20)
    ]


def test_email_sms_and_push_are_tried_50_times_in_over_6_hours():
    for protocol in ("email", "email-json", "sms", "application"):
        assert effective(None, None, protocol) is CUSTOMER_MANAGED
    found = seconds(CUSTOMER_MANAGED)
    assert len(found) == 50
    assert found[:3] == [10, 10, 10]
    assert found[11:] == [600] * 39
    assert sum(found) == pytest.approx(CUSTOMER_MANAGED.duration.total_seconds())
    assert sum(found) > 6 * 3600


def test_a_policy_with_more_retries_than_a_queue_counts_ends_by_time():
    assert AWS_MANAGED.delay(COUNTED, timedelta(days=22)) == timedelta(seconds=20)
    assert AWS_MANAGED.delay(COUNTED, timedelta(days=24)) is None
    assert CUSTOMER_MANAGED.delay(2, timedelta(days=30)) is not None


def test_jitter_spreads_a_delay_around_itself():
    delay = timedelta(seconds=20)

    assert [jittered(delay, at).total_seconds() for at in (0, 0.5, 1)] == [16, 20, 24]


def test_a_subscription_overrides_its_topic_part_by_part():
    topic = check_topic_delivery_policy(
        {
            "http": {
                "defaultHealthyRetryPolicy": {"numRetries": 7},
                "defaultThrottlePolicy": {"maxReceivesPerSecond": 3},
            }
        }
    )

    found = effective(topic, '{"healthyRetryPolicy":{"numRetries":1}}', "http")

    assert (found.retries, found.max_per_second) == (1, 3)
    assert effective(topic, None, "http").retries == 7


def test_a_topic_can_forbid_overrides():
    topic = check_topic_delivery_policy(
        '{"http":{"defaultHealthyRetryPolicy":{"numRetries":7},"disableSubscriptionOverrides":true}}'
    )

    assert effective(topic, check_subscription_delivery_policy(DOCUMENTED), "http").retries == 7


def test_effective_policies_are_printed_as_sns_prints_them():
    assert HTTP.as_json() == (
        '{"healthyRetryPolicy":{"minDelayTarget":20,"maxDelayTarget":20,"numRetries":3,'
        '"numMaxDelayRetries":0,"numNoDelayRetries":0,"numMinDelayRetries":0,'
        '"backoffFunction":"linear"},"sicklyRetryPolicy":null,"throttlePolicy":null,'
        '"requestPolicy":{"headerContentType":"text/plain; charset=UTF-8"},"guaranteed":false}'
    )
    assert effective_topic(None) == (
        '{"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":20,"maxDelayTarget":20,'
        '"numRetries":3,"numMaxDelayRetries":0,"numNoDelayRetries":0,"numMinDelayRetries":0,'
        '"backoffFunction":"linear"},"disableSubscriptionOverrides":false,'
        '"defaultRequestPolicy":{"headerContentType":"text/plain; charset=UTF-8"}}}'
    )
    own = check_subscription_delivery_policy(DOCUMENTED)
    printed = json.loads(effective(None, own, "http").as_json())
    assert {key: printed[key] for key in DOCUMENTED} == DOCUMENTED


def test_a_checked_policy_keeps_what_was_given_and_nothing_else():
    assert json.loads(check_subscription_delivery_policy(DOCUMENTED)) == DOCUMENTED
    assert check_topic_delivery_policy({"http": {"defaultThrottlePolicy": None}}) == '{"http":{}}'


RETRY = "delivery_policy.healthyRetryPolicy"


@pytest.mark.parametrize(
    ("given", "field", "limit"),
    [
        ({"numRetries": 101}, f"{RETRY}.numRetries", "0 to 100"),
        ({"numRetries": -1}, f"{RETRY}.numRetries", "0 to 100"),
        ({"numRetries": "3"}, f"{RETRY}.numRetries", "a whole number"),
        ({"numRetries": True}, f"{RETRY}.numRetries", "a whole number"),
        ({"minDelayTarget": 0}, f"{RETRY}.minDelayTarget", "1 to 20"),
        ({"minDelayTarget": 21}, f"{RETRY}.minDelayTarget", "1 to 20"),
        ({"maxDelayTarget": 3601}, f"{RETRY}.maxDelayTarget", "1 to 3600"),
        ({"backoffFunction": "cubic"}, f"{RETRY}.backoffFunction", "one of linear, arithmetic"),
        ({"backoffFunction": ["linear"]}, f"{RETRY}.backoffFunction", "one of linear"),
        ({"numNoDelayRetries": 4}, f"{RETRY}.numNoDelayRetries", "0 to 3"),
        (
            {"numNoDelayRetries": 2, "numMinDelayRetries": 2},
            f"the sum of {RETRY}.numNoDelayRetries, numMinDelayRetries and numMaxDelayRetries",
            "at most numRetries, 3",
        ),
        (
            {"numRetries": 100, "maxDelayTarget": 100, "minDelayTarget": 60},
            f"the time of all retries of {RETRY}",
            "at most 3600 s",
        ),
        ({"retries": 3}, f"a field of {RETRY}", "one of minDelayTarget"),
    ],
)
def test_a_retry_policy_out_of_its_limits_is_refused_by_name(given, field, limit):
    with pytest.raises(InvalidParameter) as caught:
        check_subscription_delivery_policy({"healthyRetryPolicy": given})

    assert caught.value.field == field
    assert caught.value.limit.startswith(limit)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ("", "delivery_policy"),
        ("{", "delivery_policy"),
        ("[]", "delivery_policy"),
        ("[" * 10_000, "delivery_policy"),
        (b"\xff", "delivery_policy"),
        (3, "delivery_policy"),
        ('{"throttlePolicy":[]}', "delivery_policy.throttlePolicy"),
        (
            '{"throttlePolicy":{"maxReceivesPerSecond":0}}',
            "delivery_policy.throttlePolicy.maxReceivesPerSecond",
        ),
        ('{"throttlePolicy":{"perSecond":1}}', "a field of delivery_policy.throttlePolicy"),
        ('{"guaranteed":1}', "delivery_policy.guaranteed"),
        (
            '{"requestPolicy":{"headerContentType":"image/png"}}',
            "delivery_policy.requestPolicy.headerContentType",
        ),
        (
            '{"requestPolicy":{"headerContentType":"text/plain\\r\\nX: 1"}}',
            "delivery_policy.requestPolicy.headerContentType",
        ),
        ('{"http":{}}', "a field of delivery_policy"),
    ],
)
def test_a_subscription_policy_of_another_shape_is_refused_by_name(given, field):
    with pytest.raises(InvalidParameter) as caught:
        check_subscription_delivery_policy(given)

    assert caught.value.field == field


@pytest.mark.parametrize("given", ["{}", '{"http":3}', '{"sqs":{}}', '{"http":{"x":1}}'])
def test_a_topic_policy_of_another_shape_is_refused(given):
    with pytest.raises(InvalidParameter):
        check_topic_delivery_policy(given)


def test_more_content_types_are_for_raw_messages_only():
    csv = {"requestPolicy": {"headerContentType": "text/csv; charset=utf-8"}}

    assert json.loads(check_subscription_delivery_policy(csv)) == csv
    with pytest.raises(InvalidParameter):
        check_subscription_delivery_policy(csv, raw=False)
    with pytest.raises(InvalidParameter):
        check_topic_delivery_policy({"http": {"defaultRequestPolicy": csv["requestPolicy"]}})
