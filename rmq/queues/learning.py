"""Learning: how a queue that compresses comes to its dictionary.

Whoever puts messages there looks now and then whether enough of them wait to tell what they have in
common, makes a dictionary of that, and gives it to the queue. It is part of the queue's description
then: no script takes or hands out a message for a client that has not got it.

Where compression is switched off and on again another one is made, for messages that have changed.
"""

from __future__ import annotations

from contextlib import suppress

from rmq.core.compression import SAMPLES, dictionary_of, expand
from rmq.core.script import Plan
from rmq.errors import BrokenEnvelope, RmqError, StaleConfig
from rmq.queues import administration
from rmq.queues.attributes import QueueInfo
from rmq.queues.registry import Registry


def learn(registry: Registry, name: str, count: int) -> Plan[None]:
    """Look after *count* messages were put there: at the first, and whenever as many have come as
    it takes. What goes wrong is left to the next one: they are there, whatever becomes of this."""
    info = registry.known(name)
    if info is None or not info.learns:
        return
    waited = registry.unlearnt.get(name, SAMPLES) + count
    if waited < SAMPLES:
        registry.unlearnt[name] = waited
        return
    registry.unlearnt[name] = 0
    keys = registry.keys(name)
    with suppress(RmqError):
        try:
            dictionary = dictionary_of(_readable(info, (yield administration.sample(keys, info))))
            if dictionary:
                yield administration.set_dictionary(keys, info, dictionary)
                registry.forget(name)
        except StaleConfig:
            # Somebody else had one, perhaps.
            registry.forget(name)


def _readable(info: QueueInfo, packed: list[bytes]) -> list[bytes]:
    found = []
    for one in packed:
        with suppress(BrokenEnvelope):
            found.append(expand(one, info.dictionaries))
    return found
