"""Place: where a queue is: its URL, its ARN, and back from them to the queue."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from rmq.errors import InvalidParameter
from rmq.gateway.caller import Caller
from rmq.gateway.protocol.shapes import Problem
from rmq.gateway.service import Given
from rmq.gateway.sqs.errors import error, no_such_queue
from rmq.queues.aio import AsyncQueue
from rmq.queues.attributes import queue_name

_ACCOUNT = re.compile(r"[0-9]{12}")
_ARN = re.compile(r"arn:aws[a-z-]*:sqs:([a-z0-9-]+):([0-9]{12}):([A-Za-z0-9_.-]+)")


class Owner(NamedTuple):
    """Whose queues they are: an account, in a region."""

    account: str
    region: str


class _Place(NamedTuple):
    account: str
    """Empty where the URL does not say."""
    region: str
    name: str


@lru_cache(maxsize=4096)
def _place(url: str) -> _Place | None:
    """The last two parts of a URL's path, whatever host it names."""
    try:
        parts = [unquote(one) for one in urlsplit(url).path.split("/") if one]
    except ValueError:
        return None
    if len(parts) < 2:
        return None
    # Some emulators' URLs read /queue/<region>/<account>/<name>.
    region = parts[-3] if len(parts) == 4 and parts[0] == "queue" else ""
    account = parts[-2] if _ACCOUNT.fullmatch(parts[-2]) else ""
    return _Place(account, region, parts[-1])


def queue_of(caller: Caller, given: Given) -> AsyncQueue:
    """The queue that QueueUrl names. Raises AwsError."""
    place = _found(given)
    account, region = place.account or caller.account, place.region or caller.region
    try:
        return caller.accounts.client(account, region).queue(place.name)
    except InvalidParameter:
        raise no_such_queue() from None


def owner_of(caller: Caller, given: Given) -> Owner:
    """Whose queue it is that QueueUrl names. Raises AwsError."""
    place = _found(given)
    return Owner(place.account or caller.account, place.region or caller.region)


def _found(given: Given) -> _Place:
    place = _place(given["QueueUrl"])
    if place is None:
        url = given["QueueUrl"][:200]
        raise error("InvalidAddress", f"The address {url} is not valid for this endpoint.")
    return place


def adopt(path: str, given: Given, problems: list[Problem]) -> None:
    """A request on a queue's own path need not name it again."""
    if path != "/" and "QueueUrl" not in given:
        missing = [one for one in problems if one.path == ("QueueUrl",)]
        if missing and _place(path) is not None:
            given["QueueUrl"] = path
            problems.remove(missing[0])


def url_of(caller: Caller, name: str, account: str | None = None) -> str:
    """A queue's URL, with the host that the client used."""
    return f"{caller.base_url}/{account or caller.account}/{name}"


def arn_of(owner: Owner, name: str) -> str:
    return f"arn:aws:sqs:{owner.region}:{owner.account}:{name}"


def name_in(arn: object, owner: Owner) -> str | None:
    """The queue that an ARN names, if it is one of this owner's."""
    found = _ARN.fullmatch(arn) if isinstance(arn, str) else None
    if found is None or (found[2], found[1]) != owner:
        return None
    try:
        return queue_name(found[3])
    except InvalidParameter:
        return None
