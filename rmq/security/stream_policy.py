"""Stream policy: what the policy of a stream, or of one of its registered consumers, may say.

Source: PutResourcePolicy (Amazon Kinesis Data Streams API Reference).
"""

from __future__ import annotations

from rmq.errors import InvalidPolicy, Words
from rmq.security import pattern
from rmq.security.policy import Policy, parse


def check(text: str, arn: str, most_bytes: int | None) -> Policy:
    """The policy that *text* is, if the stream or the consumer *arn* can have it: at most
    *most_bytes*, actions of Kinesis, and resources of which it is one. Raises InvalidPolicy."""
    size = len(text.encode(errors="surrogatepass")) if isinstance(text, str) else 0
    if most_bytes is not None and size > most_bytes:
        raise InvalidPolicy("policy", Words(f"{size} bytes"), f"at most {most_bytes} bytes")
    policy = parse(text)
    for one in policy.statements:
        where = f"policy.Statement[{one.index}]"
        for action in one.actions:
            if action != "*" and not action.lower().startswith("kinesis:"):
                raise InvalidPolicy(f"{where}.Action", action, "an action of kinesis")
        for resource in one.resources:
            if not pattern.glob(resource, f"{where}.Resource", variables=False)(arn, {}):
                raise InvalidPolicy(f"{where}.Resource", resource, arn)
    return policy
