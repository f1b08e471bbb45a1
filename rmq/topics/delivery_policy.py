"""Delivery policies: how often a delivery is tried again, and how long after the last attempt.

Retries go through four phases, in this order:

    no delay ── min delay ── back-off, from min to max ── max delay ── given up

Source of the rules: Amazon SNS message delivery retries, Creating an HTTP/S delivery policy
(Amazon SNS Developer Guide).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import msgspec

from rmq.core.limits import whole
from rmq.errors import InvalidParameter, Words

Policy = Mapping[str, Any] | str | bytes
"""As it is given: the JSON object, or its text."""

MAX_RETRIES = 100
MAX_DELAY = 3600
"""Seconds: the most between two attempts, and the most that all retries of HTTP take together."""
DEFAULT_CONTENT_TYPE = "text/plain; charset=UTF-8"
ENVELOPE_TYPES = ("application/json", "text/plain")
"""What an envelope may be called (headerContentType)."""
RAW_TYPES = (
    *ENVELOPE_TYPES,
    "application/atom+xml",
    "application/octet-stream",
    "application/soap+xml",
    "application/x-www-form-urlencoded",
    "application/xhtml+xml",
    "application/xml",
    "text/css",
    "text/csv",
    "text/html",
    "text/xml",
)
"""What a raw message may be called."""
SHAPES = {"linear": 1, "arithmetic": 2, "geometric": 3, "exponential": 4}
"""Back-off functions: at the part x (0 to 1) of the back-off phase, x to this power of the way from
the smallest delay to the largest. SNS publishes no formulas, only that they are ever more convex in
this order: powers are, at each x, and for all bounds."""
COUNTED = 2046
"""A queue counts no more receives than these; a policy that goes on longer ends by time."""
SPREAD = 0.2
"""Jitter moves a delay by up to this part of it."""

_CONTENT_TYPE = re.compile(r"([a-z]+/[a-z+-]+)( *; *charset=[A-Za-z0-9_-]+)?", re.IGNORECASE)
_RETRY: dict[str, Any] = {
    "minDelayTarget": 20,
    "maxDelayTarget": 20,
    "numRetries": 3,
    "numMaxDelayRetries": 0,
    "numNoDelayRetries": 0,
    "numMinDelayRetries": 0,
    "backoffFunction": "linear",
}
"""The fields of a retry policy and their defaults, in the order in which SNS prints them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPolicy:
    """How one subscription is delivered to. `retries` counts all phases."""

    retries: int = 3
    no_delay: int = 0
    """Retries at once."""
    min_delay_retries: int = 0
    max_delay_retries: int = 0
    min_delay: timedelta = timedelta(seconds=20)
    max_delay: timedelta = timedelta(seconds=20)
    backoff: str = "linear"
    """One of SHAPES."""
    max_per_second: int | None = None
    """Throttle: deliveries a second. None has no limit."""
    content_type: str = DEFAULT_CONTENT_TYPE
    """HTTP only."""

    @property
    def backoff_retries(self) -> int:
        """What the other three phases leave of all retries."""
        return self.retries - self.no_delay - self.min_delay_retries - self.max_delay_retries

    @property
    def duration(self) -> timedelta:
        """What all delays come to, without the attempts themselves."""
        low, high = self.min_delay, self.max_delay
        rising = sum((self._rising(i) for i in range(self.backoff_retries)), timedelta(0))
        return low * self.min_delay_retries + rising + high * self.max_delay_retries

    def delay(self, attempt: int, age: timedelta = timedelta(0)) -> timedelta | None:
        """How long after attempt *attempt* (1 is the first) has failed to try again; None when it
        was the last one. *age* is the time since the first attempt: it decides once attempts are
        no longer counted (COUNTED)."""
        if attempt > self.retries or (attempt >= COUNTED and age >= self.duration):
            return None
        at = attempt - 1
        if at < self.no_delay:
            return timedelta(0)
        at -= self.no_delay
        if at < self.min_delay_retries:
            return self.min_delay
        at -= self.min_delay_retries
        if at < self.backoff_retries:
            return self._rising(at)
        return self.max_delay

    def _rising(self, at: int) -> timedelta:
        """Delay number *at* of the back-off phase: the first is min_delay, the last max_delay."""
        last = self.backoff_retries - 1
        part = at / last if last else 0.0
        return self.min_delay + (self.max_delay - self.min_delay) * part ** SHAPES[self.backoff]

    def as_json(self) -> str:
        """EffectiveDeliveryPolicy of a subscription, as SNS prints it."""
        throttle = self.max_per_second and {"maxReceivesPerSecond": self.max_per_second}
        return _text(
            {
                "healthyRetryPolicy": self._retry_policy(),
                "sicklyRetryPolicy": None,
                "throttlePolicy": throttle,
                "requestPolicy": {"headerContentType": self.content_type},
                "guaranteed": False,
            }
        )

    def _retry_policy(self) -> dict[str, Any]:
        values = (
            self.min_delay // timedelta(seconds=1),
            self.max_delay // timedelta(seconds=1),
            self.retries,
            self.max_delay_retries,
            self.no_delay,
            self.min_delay_retries,
            self.backoff,
        )
        return dict(zip(_RETRY, values, strict=True))


def jittered(delay: timedelta, random: float) -> timedelta:
    """*delay*, moved by up to SPREAD of it either way. *random* is from 0 to 1; 0.5 leaves it.

    What failed together must not come back together.
    """
    return delay * (1 - SPREAD + 2 * SPREAD * random)


HTTP = DeliveryPolicy()
"""The default of http and https."""
CUSTOMER_MANAGED = DeliveryPolicy(
    retries=50,
    min_delay_retries=2,
    max_delay_retries=38,
    min_delay=timedelta(seconds=10),
    max_delay=timedelta(seconds=600),
    backoff="exponential",
)
"""email, email-json, sms and application: 50 retries in more than 6 hours."""
AWS_MANAGED = DeliveryPolicy(
    retries=100_015,
    no_delay=3,
    min_delay_retries=2,
    max_delay_retries=100_000,
    min_delay=timedelta(seconds=1),
    max_delay=timedelta(seconds=20),
    backoff="exponential",
)
"""sqs, lambda and firehose: 100,015 retries in 23 days."""


def effective(
    topic_policy: str | None, subscription_policy: str | None, protocol: str
) -> DeliveryPolicy:
    """The policy by which a subscription is delivered to: of retries, throttle and content type
    each the subscription's own, or else the topic's, or else the default. Where the topic disables
    overrides, the subscription's are as if not given. Only http and https can be told."""
    if protocol not in ("http", "https"):
        managed = protocol in ("sqs", "lambda", "firehose")
        return AWS_MANAGED if managed else CUSTOMER_MANAGED
    topic = _decoded(topic_policy)["http"] if topic_policy else {}
    own = _decoded(subscription_policy) if subscription_policy else {}
    if topic.get("disableSubscriptionOverrides"):
        own = {}
    retry = own.get("healthyRetryPolicy") or topic.get("defaultHealthyRetryPolicy") or {}
    throttle = own.get("throttlePolicy") or topic.get("defaultThrottlePolicy") or {}
    request = own.get("requestPolicy") or topic.get("defaultRequestPolicy") or {}
    return replace(
        _from_retry(retry),
        max_per_second=throttle.get("maxReceivesPerSecond"),
        content_type=request.get("headerContentType") or DEFAULT_CONTENT_TYPE,
    )


def effective_topic(topic_policy: str | None) -> str:
    """EffectiveDeliveryPolicy of a topic, as SNS prints it."""
    http = _decoded(topic_policy)["http"] if topic_policy else {}
    found = {
        "defaultHealthyRetryPolicy": {**_RETRY, **(http.get("defaultHealthyRetryPolicy") or {})},
        "disableSubscriptionOverrides": bool(http.get("disableSubscriptionOverrides")),
    }
    if http.get("defaultThrottlePolicy"):
        found["defaultThrottlePolicy"] = http["defaultThrottlePolicy"]
    found["defaultRequestPolicy"] = http.get("defaultRequestPolicy") or {
        "headerContentType": DEFAULT_CONTENT_TYPE
    }
    return _text({"http": found})


# --- checking -----------------------------------------------------------------------------------


def check_topic_delivery_policy(value: Policy) -> str:
    """The DeliveryPolicy of a topic as JSON text: `{"http": {"defaultHealthyRetryPolicy": {..},
    "disableSubscriptionOverrides": bool, "defaultThrottlePolicy": {..},
    "defaultRequestPolicy": {..}}}`, each of them optional.

    Raises InvalidParameter.
    """
    name = "delivery_policy"
    http = _fields(_object(_decoded(value), name), name, ("http",)).get("http")
    name += ".http"
    checks = {
        "defaultHealthyRetryPolicy": _check_retry,
        "defaultSicklyRetryPolicy": _check_retry,
        "disableSubscriptionOverrides": _check_bool,
        "defaultThrottlePolicy": _check_throttle,
        "defaultRequestPolicy": _check_envelope_request,
    }
    return _text({"http": _each(_object(http, name), name, checks)})


def check_subscription_delivery_policy(value: Policy, *, raw: bool = True) -> str:
    """The DeliveryPolicy of a subscription by http or https as JSON text: `{"healthyRetryPolicy":
    {..}, "throttlePolicy": {..}, "requestPolicy": {..}}`, each of them optional.
    *raw* says whether it has raw message delivery, which allows more content types.

    Raises InvalidParameter.
    """
    checks = {
        "healthyRetryPolicy": _check_retry,
        "sicklyRetryPolicy": _check_retry,
        "throttlePolicy": _check_throttle,
        "requestPolicy": _check_raw_request if raw else _check_envelope_request,
        "guaranteed": _check_bool,
    }
    name = "delivery_policy"
    return _text(_each(_object(_decoded(value), name), name, checks))


def _decoded(value: Policy) -> Any:
    if isinstance(value, Mapping):
        return value
    try:
        return msgspec.json.decode(value)
    except (msgspec.MsgspecError, RecursionError, UnicodeError, TypeError):
        raise InvalidParameter("delivery_policy", Words("something else"), "JSON") from None


def _object(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidParameter(name, Words(_shape(value)), "a JSON object")
    return value


def _shape(value: Any) -> str:
    return "missing" if value is None else type(value).__name__


def _fields(value: Mapping[str, Any], name: str, known: Any) -> Mapping[str, Any]:
    for one in value:
        if one not in known:
            raise InvalidParameter(f"a field of {name}", one, f"one of {', '.join(known)}")
    return value


def _each(value: Mapping[str, Any], name: str, checks: Mapping[str, Any]) -> dict[str, Any]:
    """What is given of the fields in *checks*, checked, in their order. null is as not given."""
    _fields(value, name, checks)
    return {
        field: check(value[field], f"{name}.{field}")
        for field, check in checks.items()
        if value.get(field) is not None
    }


def _check_bool(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise InvalidParameter(name, value, "true or false")
    return value


def _check_retry(value: Any, name: str) -> dict[str, Any]:
    given = _fields(_object(value, name), name, _RETRY)
    found = {field: given[field] for field in _RETRY if given.get(field) is not None}
    whole_of = {**_RETRY, **found}

    def number(field: str, low: int, high: int) -> int:
        return whole(whole_of[field], f"{name}.{field}", low, high)

    function = whole_of["backoffFunction"]
    if not isinstance(function, str) or function not in SHAPES:
        raise InvalidParameter(f"{name}.backoffFunction", function, f"one of {', '.join(SHAPES)}")
    longest = number("maxDelayTarget", 1, MAX_DELAY)
    number("minDelayTarget", 1, longest)
    retries = number("numRetries", 0, MAX_RETRIES)
    phases = sum(
        number(field, 0, retries)
        for field in ("numNoDelayRetries", "numMinDelayRetries", "numMaxDelayRetries")
    )
    if phases > retries:
        raise InvalidParameter(
            f"the sum of {name}.numNoDelayRetries, numMinDelayRetries and numMaxDelayRetries",
            phases,
            f"at most numRetries, {retries}",
        )
    took = _from_retry(whole_of).duration
    if took > timedelta(seconds=MAX_DELAY):
        raise InvalidParameter(f"the time of all retries of {name}", took, f"at most {MAX_DELAY} s")
    return found


def _check_throttle(value: Any, name: str) -> dict[str, Any]:
    given = _fields(_object(value, name), name, ("maxReceivesPerSecond",))
    rate = given.get("maxReceivesPerSecond")
    if rate is None:
        return {}
    return {"maxReceivesPerSecond": whole(rate, f"{name}.maxReceivesPerSecond", 1, None)}


def _check_envelope_request(value: Any, name: str) -> dict[str, Any]:
    return _check_request(value, name, ENVELOPE_TYPES)


def _check_raw_request(value: Any, name: str) -> dict[str, Any]:
    return _check_request(value, name, RAW_TYPES)


def _check_request(value: Any, name: str, types: tuple[str, ...]) -> dict[str, Any]:
    given = _fields(_object(value, name), name, ("headerContentType",))
    kind = given.get("headerContentType")
    if kind is None:
        return {}
    found = _CONTENT_TYPE.fullmatch(kind) if isinstance(kind, str) else None
    if found is None or found[1].lower() not in types:
        limit = f"one of {', '.join(types)}, with or without a charset"
        raise InvalidParameter(f"{name}.headerContentType", kind, limit)
    return {"headerContentType": kind}


def _from_retry(retry: Mapping[str, Any]) -> DeliveryPolicy:
    whole_of = {**_RETRY, **retry}
    return DeliveryPolicy(
        retries=whole_of["numRetries"],
        no_delay=whole_of["numNoDelayRetries"],
        min_delay_retries=whole_of["numMinDelayRetries"],
        max_delay_retries=whole_of["numMaxDelayRetries"],
        min_delay=timedelta(seconds=whole_of["minDelayTarget"]),
        max_delay=timedelta(seconds=whole_of["maxDelayTarget"]),
        backoff=whole_of["backoffFunction"],
    )


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()
