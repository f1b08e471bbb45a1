"""lambda subscriptions: functions in the dispatcher's process."""

import asyncio
import sys
import threading
from datetime import timedelta

import pytest

from rmq.errors import ConfigurationError
from rmq.push.senders import Handlers

ARN = "arn:aws:lambda:us-east-1:000000000000:function:resize"


async def test_a_function_is_called_with_the_event_of_lambda(topic, dispatch):
    events = []
    handlers = Handlers()

    @handlers.register
    def resize(event):
        events.append((event, threading.current_thread()))

    one = await topic.subscribe("resize", "lambda")
    await topic.publish("hello", subject="s", attributes={"n": 7})
    assert await dispatch(handlers=handlers).drain() == 1

    ((event, thread),) = events
    (record,) = event["Records"]
    assert record["EventSource"] == "aws:sns"
    assert record["EventSubscriptionArn"] == one.arn
    assert record["Sns"]["Message"] == "hello"
    assert record["Sns"]["Subject"] == "s"
    assert record["Sns"]["MessageAttributes"] == {"n": {"Type": "String", "Value": "7"}}
    assert thread is not threading.main_thread()


async def test_a_coroutine_runs_in_the_loop_and_gets_a_context(topic, dispatch):
    seen = []
    handlers = Handlers()

    @handlers.register(name="resize")
    async def anything(event, context):
        seen.append((asyncio.get_running_loop(), context))

    await topic.subscribe(ARN, "lambda")
    sent = await topic.publish("hello")
    await dispatch(handlers=handlers).drain()

    ((loop, context),) = seen
    assert loop is asyncio.get_running_loop()
    assert context.function_name == "resize"
    assert context.invoked_function_arn == ARN
    assert context.aws_request_id == sent.id
    assert 0 < context.get_remaining_time_in_millis() <= 900_000


async def test_a_function_that_raises_is_called_again(clock, topic, dispatch):
    calls = []
    handlers = Handlers()

    @handlers.register
    def resize(event, context):
        calls.append(event)
        if len(calls) < 6:
            raise ValueError("not yet")

    one = await topic.subscribe("resize", "lambda")
    await topic.publish("hello")
    dispatcher = dispatch(handlers=handlers)
    # Three times at once, then twice a second apart.
    assert await dispatcher.drain() == 4
    for _ in range(2):
        clock.move(1)
        assert await dispatcher.drain() == 1

    assert len(calls) == 6
    assert (await topic.subscription_stats(one.id)).delivered == 1


async def test_what_nobody_has_loaded_waits(clock, topic, dispatch):
    """Another dispatcher may have it, or this one after the next release."""
    await topic.subscribe("resize", "lambda")
    await topic.publish("hello")
    await dispatch().drain()
    clock.move(timedelta(minutes=5))

    called = []
    handlers = Handlers()
    handlers.register(called.append, name="resize")
    await dispatch(handlers=handlers).drain()

    assert len(called) == 1


async def test_the_event_is_signed_where_the_topic_says_how(client, dispatch):
    events = []
    handlers = Handlers()
    handlers.register(events.append, name="resize")
    for name, version in (("silent", None), ("signing", 2)):
        topic = await client.create_topic(name, signature_version=version)
        await topic.subscribe("resize", "lambda")
        await topic.publish(name)
    await dispatch(handlers=handlers).drain()

    told = {one["Records"][0]["Sns"]["Message"]: one["Records"][0]["Sns"] for one in events}
    assert told["silent"]["Signature"] == ""
    assert told["signing"]["Signature"]
    assert told["signing"]["SignatureVersion"] == "2"
    assert told["signing"]["SigningCertUrl"].endswith(".pem")


MODULE = """
from rmq.push.senders import Handlers

handlers = Handlers()

@handlers.register(name="from-handlers")
def one(event): ...

def public(event): ...
def _private(event): ...
from os.path import join
number = 3
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "app_of_this_test.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield "app_of_this_test"
    sys.modules.pop("app_of_this_test", None)


def test_a_module_offers_its_own_public_functions(module):
    assert set(Handlers.of([module])) == {"from-handlers", "one", "public"}
    assert set(Handlers.of([f"{module}:handlers"])) == {"from-handlers"}
    assert set(Handlers.of([f"{module}:public"])) == {"public"}


@pytest.mark.parametrize(
    "source",
    ["no_such_module", "os.path:nothing", "os.path:sep", "", "..", "app_of_this_test:number"],
)
def test_what_can_not_be_loaded_is_named(module, source):
    with pytest.raises(ConfigurationError) as caught:
        Handlers.of([source])
    assert source.partition(":")[0] in str(caught.value)
