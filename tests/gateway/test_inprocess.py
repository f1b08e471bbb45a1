"""In process: boto3 on our engine without HTTP, by rmq.boto3_session and by rmq.testing.aws.

Nothing here may reach a network: what boto3 would send is caught where it would leave.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import os
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import botocore.exceptions
import pytest
from botocore.awsrequest import AWSResponse
from botocore.httpsession import URLLib3Session

import rmq
import rmq.testing
from rmq.gateway import inprocess
from rmq.testing import private_namespace
from tests import clients
from tests.colours import PATIENCE

RUN_DEADLINE = 60
"""Seconds for a process of its own. It takes 1."""


class WentOut(Exception):
    """A request that would have gone to AWS."""


@pytest.fixture(autouse=True)
def went_out(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hosts that requests would have gone to; each of them raises WentOut."""
    found: list[str] = []

    def send(self: Any, request: Any) -> Any:
        found.append(request.url)
        raise WentOut(request.url)

    monkeypatch.setattr(URLLib3Session, "send", send)
    return found


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a machine that has never heard of AWS."""
    for name in os.environ:
        if name.startswith(("AWS_", "RMQ_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(autouse=True)
def engines() -> Iterator[Callable[[], int]]:
    """How many engines of this test run. Afterwards none does: each ends with who used it."""
    gc.collect()
    before = _threads()
    yield lambda: len(_threads() - before)
    gc.collect()
    _wait(lambda: not _threads() - before, "the engines to end")


def _threads() -> set[threading.Thread]:
    return {one for one in threading.enumerate() if one.name == "rmq-endpoint"}


def _wait(happened: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end, f"waited {PATIENCE} s for {what}"
        time.sleep(0.005)


def _queue(sqs: Any, name: str = "orders", **attributes: str) -> str:
    return str(sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])


def _bodies(sqs: Any, url: str, **parameters: Any) -> list[str]:
    found = sqs.receive_message(QueueUrl=url, **parameters)
    return [one["Body"] for one in found.get("Messages", ())]


def _names(sqs: Any) -> list[str]:
    return [url.rpartition("/")[2] for url in sqs.list_queues().get("QueueUrls", ())]


def _python(script: str, *arguments: str) -> str:
    """What a script prints that runs in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script), *arguments],
        capture_output=True,
        text=True,
        timeout=RUN_DEADLINE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


class TestBoto3Session:
    @pytest.fixture
    def session(self) -> Any:
        return partial(rmq.boto3_session, "memory://", namespace=private_namespace())

    def test_client_and_resource_are_boto3s_own(self, session):
        made = session()
        assert type(made) is boto3.Session
        orders = made.resource("sqs").create_queue(QueueName="orders")
        orders.send_message(
            MessageBody="hello",
            MessageAttributes={"n": {"DataType": "Number", "StringValue": "1"}},
        )
        (message,) = orders.receive_messages(MessageAttributeNames=["All"])
        assert message.body == "hello"
        assert message.message_attributes == {"n": {"DataType": "Number", "StringValue": "1"}}
        message.delete()

        with closing(made.client("sqs")) as sqs:
            assert _names(sqs) == ["orders"]
            assert sqs.get_queue_url(QueueName="orders")["QueueUrl"] == orders.url

    def test_urls_are_of_aws_and_nothing_goes_there(self, session, went_out):
        with closing(session().client("sqs")) as sqs:
            url = _queue(sqs)
            assert url.rpartition("/")[0].endswith("amazonaws.com/000000000000")
            sqs.send_message(QueueUrl=url, MessageBody="hello")
        assert went_out == []

    def test_exceptions_are_boto3s_own(self, session):
        with closing(session().client("sqs")) as sqs:
            with pytest.raises(sqs.exceptions.QueueDoesNotExist) as caught:
                sqs.get_queue_url(QueueName="none")
            assert caught.value.response["Error"]["Code"] == (
                "AWS.SimpleQueueService.NonExistentQueue"
            )
            assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
            url = _queue(sqs)
            sqs.purge_queue(QueueUrl=url)
            with pytest.raises(sqs.exceptions.PurgeQueueInProgress):
                sqs.purge_queue(QueueUrl=url)

    def test_paginators_go_through_all_pages(self, session):
        with closing(session().client("sqs")) as sqs:
            names = [f"queue-{number:02}" for number in range(25)]
            for name in names:
                _queue(sqs, name)
            pages = sqs.get_paginator("list_queues").paginate(PaginationConfig={"PageSize": 10})
            found = [[url.rpartition("/")[2] for url in page["QueueUrls"]] for page in pages]
        assert found == [names[:10], names[10:20], names[20:]]

    def test_two_sessions_on_one_redis_see_the_same_queues(self, servers):
        namespace, url = private_namespace(), servers.url("valkey")
        with ExitStack() as stack:
            one, other = (
                stack.enter_context(
                    closing(rmq.boto3_session(url, namespace=namespace).client("sqs"))
                )
                for _ in range(2)
            )
            queue = _queue(one)
            one.send_message(QueueUrl=queue, MessageBody="hello")
            assert _names(other) == ["orders"]
            assert _bodies(other, queue) == ["hello"]
            with rmq.connect(url, namespace=namespace) as client:
                assert client.queue("orders").stats().in_flight == 1

    def test_it_stands_where_the_library_and_the_settings_say(self, session, monkeypatch):
        """As connect(): an argument first, then RMQ_*, then what is usual."""
        monkeypatch.setenv("RMQ_AWS_ACCOUNT_ID", "123456789012")
        with closing(session(region_name="eu-west-1").client("sqs")) as sqs:
            url = _queue(sqs)
            asked = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        assert asked["Attributes"]["QueueArn"] == "arn:aws:sqs:eu-west-1:123456789012:orders"

    def test_a_client_outlives_its_session(self, engines):
        sqs = rmq.boto3_session("memory://x", namespace=private_namespace()).client("sqs")
        gc.collect()
        url = _queue(sqs)
        gc.collect()
        sqs.send_message(QueueUrl=url, MessageBody="hello")
        assert _bodies(sqs, url) == ["hello"]
        assert engines() == 1
        sqs.close()

    def test_what_nobody_holds_any_more_leaves_nothing(self, servers, engines):
        """Neither a thread nor a connection, however many sessions a program makes."""
        with closing(servers.client("valkey")) as admin:

            def connections() -> set[str]:
                return {one["id"] for one in admin.client_list()}

            before = connections()  # of other tests too, which may be about to end
            for _ in range(3):
                with closing(rmq.boto3_session(servers.url("valkey")).client("sqs")) as sqs:
                    sqs.list_queues()
                    assert engines() >= 1
                    assert connections() - before
                del sqs
            gc.collect()
            _wait(lambda: engines() == 0, "the engines to end")
            _wait(lambda: not connections() - before, "the server to see it")

    def test_an_engine_may_be_collected_in_its_own_thread(self, session, engines):
        """Python collects garbage wherever it happens to be, and who waits there for itself waits
        for ever."""
        gc.disable()
        try:
            made = session()
            with closing(made.client("sqs")) as sqs:
                sqs.list_queues()
            # Not isinstance, which asks a proxy of what is gone for its class.
            (engine,) = (one for one in gc.get_objects() if type(one) is inprocess.Engine)
            loop, ended = engine._loop, weakref.ref(engine)
            made.itself = made  # type: ignore[attr-defined]
            del made, sqs, engine
            assert engines() == 1
            collected = threading.Event()
            loop.call_soon_threadsafe(lambda: (gc.collect(), collected.set()))
            assert collected.wait(PATIENCE / 2)
            _wait(lambda: engines() == 0, "the engine to end")
            del loop
            gc.collect()
            assert ended() is None
        finally:
            gc.enable()

    def test_many_threads_may_use_one_client(self, session):
        with closing(session().client("sqs")) as sqs, ThreadPoolExecutor(16) as pool:
            url = _queue(sqs)

            def work(number: int) -> str:
                sqs.send_message(QueueUrl=url, MessageBody=str(number))
                (one,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
                sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
                return str(one["Body"])

            found = list(pool.map(work, range(200)))
        assert sorted(found, key=int) == [str(number) for number in range(200)]

    def test_other_services_go_where_they_always_went(self, session, went_out):
        made = session(region_name="eu-west-1")
        config = botocore.config.Config(retries={"total_max_attempts": 1})
        for service, ask in (("s3", "list_buckets"), ("sts", "get_caller_identity")):
            with closing(made.client(service, config=config)) as client, pytest.raises(WentOut):
                getattr(client, ask)()
        assert [url.split("/")[2] for url in went_out] == [
            "s3.eu-west-1.amazonaws.com",
            "sts.eu-west-1.amazonaws.com",
        ]

    def test_other_services_may_be_stubbed_beside_it(self, session):
        """Whoever plays another service in the same way has the event to themselves."""

        class Body:
            def stream(self, **_: Any) -> Iterator[bytes]:
                yield b"<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>"

        made = session()
        made.events.register(
            "before-send.s3", lambda request, **_: AWSResponse(request.url, 200, {}, Body())
        )
        with closing(made.client("s3")) as s3, closing(made.client("sqs")) as sqs:
            assert s3.list_buckets()["Buckets"] == []
            assert _names(sqs) == []

    def test_other_sessions_are_left_alone(self, session, went_out):
        session()
        keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
        config = botocore.config.Config(retries={"total_max_attempts": 1})
        other = boto3.Session(region_name="us-east-1", **keys)
        with closing(other.client("sqs", config=config)) as sqs, pytest.raises(WentOut):
            sqs.list_queues()

    def test_a_program_ends_with_a_client_in_its_hands(self):
        _python("""
            import gc, threading, time, rmq
            from rmq.gateway import inprocess
            sqs = rmq.boto3_session("memory://").client("sqs")
            url = sqs.create_queue(QueueName="orders")["QueueUrl"]
            poll = lambda: sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)
            threading.Thread(target=poll, daemon=True).start()
            (engine,) = (one for one in gc.get_objects() if isinstance(one, inprocess.Engine))
            while not engine._running:  # one that has not begun when it ends is refused
                time.sleep(0.001)
        """)


class TestAws:
    def test_clients_of_every_kind_work_on_queues_of_its_own(self, went_out):
        with rmq.testing.aws():
            url = _queue(boto3.client("sqs"))
            boto3.resource("sqs").Queue(url).send_message(MessageBody="hello")
            assert _bodies(boto3.Session().client("sqs"), url) == ["hello"]
        with rmq.testing.aws():
            assert _names(boto3.client("sqs")) == []
        assert went_out == []

    def test_a_function_begins_with_nothing_each_time(self):
        @rmq.testing.aws()
        def code(name: str, *, more: str) -> list[str]:
            """What it does."""
            sqs = boto3.client("sqs")
            _queue(sqs, name)
            _queue(sqs, more)
            return _names(sqs)

        assert code.__doc__ == "What it does."
        assert code("a", more="b") == ["a", "b"]
        assert code("c", more="d") == ["c", "d"]

    async def test_so_does_a_coroutine_function(self, engines):
        @rmq.testing.aws()
        async def code(name: str) -> list[str]:
            sqs = boto3.client("sqs")
            await asyncio.to_thread(_queue, sqs, name)
            return await asyncio.to_thread(_names, sqs)

        assert await code("a") == ["a"]
        assert await asyncio.gather(code("b")) == [["b"]]
        assert engines() == 0

    def test_a_function_that_calls_itself_is_inside_itself(self):
        @rmq.testing.aws()
        def code(depth: int) -> list[list[str]]:
            sqs = boto3.client("sqs")
            _queue(sqs, f"queue-{depth}")
            deeper = code(depth - 1) if depth else []
            return [_names(sqs), *deeper]

        assert code(2) == [["queue-2"], ["queue-1"], ["queue-0"]]

    def test_one_inside_another_hides_it_for_as_long(self):
        with rmq.testing.aws():
            _queue(boto3.client("sqs"), "outer")
            with rmq.testing.aws():
                assert _names(boto3.client("sqs")) == []
                _queue(boto3.client("sqs"), "inner")
            assert _names(boto3.client("sqs")) == ["outer"]

    def test_one_may_be_used_again(self):
        here = rmq.testing.aws()
        for _ in range(2):
            with here:
                assert _names(boto3.client("sqs")) == []
                _queue(boto3.client("sqs"))

    @pytest.mark.parametrize("ends", ["well", "with an error"])
    def test_everything_is_as_it_was(self, monkeypatch, ends):
        mine = boto3.Session(aws_access_key_id="x", aws_secret_access_key="x")
        monkeypatch.setenv("AWS_PROFILE", "mine")
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", mine)
        before = dict(os.environ)

        with _fails(ends == "with an error"), rmq.testing.aws():
            assert boto3.DEFAULT_SESSION is None
            sqs = boto3.client("sqs")
            assert sqs.meta.region_name == "eu-west-1"
            _queue(sqs)
            if ends == "with an error":
                raise ZeroDivisionError

        assert dict(os.environ) == before
        assert boto3.DEFAULT_SESSION is mine

    def test_a_client_from_before_is_not_touched(self, went_out):
        keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
        config = botocore.config.Config(retries={"total_max_attempts": 1})
        before = boto3.Session(region_name="us-east-1", **keys).client("sqs", config=config)
        with closing(before), rmq.testing.aws(), pytest.raises(WentOut):
            before.list_queues()

    def test_the_code_under_test_makes_its_client_when_it_is_imported(self, tmp_path, monkeypatch):
        """And once for all tests: the module stays, so its client works on what is at hand."""
        (tmp_path / "shop.py").write_text(
            "import boto3\n"
            "sqs = boto3.client('sqs')\n"
            "def order(url): sqs.send_message(QueueUrl=url, MessageBody='one coffee')\n"
        )
        monkeypatch.syspath_prepend(tmp_path)
        for _ in range(2):
            with rmq.testing.aws():
                code = importlib.import_module("shop")
                url = _queue(boto3.client("sqs"))
                code.order(url)
                assert _bodies(boto3.client("sqs"), url) == ["one coffee"]
        del sys.modules["shop"]

    def test_a_visibility_timeout_costs_nothing(self):
        begun = time.monotonic()
        with rmq.testing.aws() as here:
            here.clock.freeze()  # or a second that really passes would be the thirtieth
            queue = boto3.resource("sqs").create_queue(QueueName="orders")
            queue.send_message(MessageBody="hello")
            assert len(queue.receive_messages()) == 1
            assert queue.receive_messages() == []

            here.clock.move(29)
            assert queue.receive_messages() == []
            here.clock.move(1)
            assert len(queue.receive_messages()) == 1
        assert time.monotonic() - begun < 30

    def test_a_clock_that_is_frozen_stands_still(self):
        with rmq.testing.aws() as here:
            here.clock.freeze()
            sqs = boto3.client("sqs")
            url = _queue(sqs)
            sqs.send_message(QueueUrl=url, MessageBody="hello")
            names = ["SentTimestamp", "ApproximateFirstReceiveTimestamp"]
            (found,) = sqs.receive_message(QueueUrl=url, MessageSystemAttributeNames=names)[
                "Messages"
            ]
            now = str(round(here.clock.now().timestamp() * 1000))
            assert found["Attributes"] == dict.fromkeys(names, now)

    def test_the_60_seconds_of_a_purge_pass_with_the_clock(self):
        with rmq.testing.aws() as here:
            sqs = boto3.client("sqs")
            url = _queue(sqs)
            sqs.purge_queue(QueueUrl=url)
            with pytest.raises(sqs.exceptions.PurgeQueueInProgress):
                sqs.purge_queue(QueueUrl=url)
            here.clock.move(60)
            sqs.purge_queue(QueueUrl=url)

    def test_other_limits_may_be_given(self):
        with rmq.testing.aws(limits=rmq.Limits.none()):
            sqs = boto3.client("sqs")
            url = _queue(sqs)
            for _ in range(2):
                sqs.purge_queue(QueueUrl=url)

    def test_a_reset_removes_everything_and_the_clock_runs_on(self):
        with rmq.testing.aws() as here:
            sqs = boto3.client("sqs")
            here.clock.freeze()
            _queue(sqs)
            sqs.delete_queue(QueueUrl=_queue(sqs, "deleted"))
            here.reset()
            assert _names(sqs) == []
            assert not here.clock.frozen
            _queue(sqs, "deleted")  # nor is a name that was deleted remembered

    @pytest.mark.parametrize("place", ["memory", "valkey"])
    def test_who_waits_when_it_ends_is_answered(self, servers, place):
        with ThreadPoolExecutor(8) as pool:
            with rmq.testing.aws(servers.url(place)) as here:
                sqs = boto3.client("sqs")
                url = _queue(sqs)
                polls = [
                    pool.submit(sqs.receive_message, QueueUrl=url, WaitTimeSeconds=20)
                    for _ in range(8)
                ]
                waiting = here._engine.endpoint.client._executor._lines
                _wait(
                    lambda: sum(len(one.waiting) for one in (*waiting.values(),)) == len(polls),
                    "all to sleep",
                )
            for one in polls:
                answer = one.result(PATIENCE)
                assert answer.get("Messages") is None
                assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200

    def test_who_waits_when_it_is_reset_is_told_that_the_queue_is_gone_or_answered(self):
        with rmq.testing.aws() as here, ThreadPoolExecutor(1) as pool:
            sqs = boto3.client("sqs")
            url = _queue(sqs)
            poll = pool.submit(sqs.receive_message, QueueUrl=url, WaitTimeSeconds=20)
            waiting = here._engine.endpoint.client._executor._lines
            _wait(lambda: any(one.waiting for one in (*waiting.values(),)), "it to sleep")
            here.reset()
            with suppress(sqs.exceptions.QueueDoesNotExist):
                assert poll.result(PATIENCE).get("Messages") is None

    def test_it_leaves_no_key_in_redis(self, servers):
        with closing(servers.client("valkey")) as admin:
            before = set(admin.scan_iter())
            with rmq.testing.aws(servers.url("valkey")):
                sqs = boto3.client("sqs")
                url = _queue(sqs, "orders.fifo", FifoQueue="true")
                sqs.send_message(
                    QueueUrl=url, MessageBody="x", MessageGroupId="g", MessageDeduplicationId="d"
                )
                keys = {"aws_access_key_id": "123456789012", "aws_secret_access_key": "x"}
                other = boto3.client("sqs", region_name="eu-west-1", **keys)
                _queue(other)
                assert len(set(admin.scan_iter()) - before) > 2
            assert set(admin.scan_iter()) <= before  # those of other tests may have expired

    def test_a_redis_that_is_not_there_is_not_waited_for_at_the_end(self, engines, monkeypatch):
        """An error of the test's own is what should be seen, and everything is as it was."""
        monkeypatch.setenv("RMQ_RETRY_TIMEOUT", "0.1")
        before = dict(os.environ)
        with pytest.raises(ZeroDivisionError), rmq.testing.aws("redis://127.0.0.1:1"):
            raise ZeroDivisionError
        assert dict(os.environ) == before
        assert engines() == 0

    def test_granian_is_not_needed(self):
        """Users' tests have boto3, and no server."""
        _python("""
            import sys
            sys.modules["granian"] = sys.modules["uvloop"] = None  # not installed
            import boto3, rmq.testing
            with rmq.testing.aws():
                boto3.client("sqs").create_queue(QueueName="orders")
        """)

    def test_pytest_has_it_as_a_fixture(self, tmp_path):
        (tmp_path / "shop.py").write_text("import boto3\nsqs = boto3.client('sqs')\n")
        (tmp_path / "test_code.py").write_text(
            textwrap.dedent("""
                import sys

                import pytest

                def test_nothing_is_loaded_before_it_is_asked_for():
                    assert not {"boto3", "botocore", "granian"} & set(sys.modules)

                @pytest.mark.parametrize("number", [1, 2])
                def test_each_test_begins_with_nothing(rmq_aws, number):
                    from shop import sqs
                    assert "QueueUrls" not in sqs.list_queues()
                    url = sqs.create_queue(QueueName="orders")["QueueUrl"]
                    sqs.send_message(QueueUrl=url, MessageBody="x", DelaySeconds=900)
                    rmq_aws.clock.move(900)
                    assert sqs.receive_message(QueueUrl=url)["Messages"]
            """)
        )
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "-W",
                "error",
                *("-p", "no:cacheprovider", "-p", "no:asyncio"),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=RUN_DEADLINE,
            check=False,
        )
        assert "3 passed" in done.stdout, done.stdout + done.stderr


@contextmanager
def _fails(wanted: bool) -> Iterator[None]:
    if not wanted:
        yield
        return
    with pytest.raises(ZeroDivisionError):
        yield


AIOBOTOCORE = Path(__file__).with_name("aiobotocore_scenarios.py")


@pytest.mark.timeout(clients.FIRST_RUN_DEADLINE)
@pytest.mark.parametrize(
    "scenario",
    [
        "in_process",
        "nobody_is_blocked",
        "over_http",
        "topics_in_process",
        "topics_over_http",
        "streams_in_process",
        "streams_over_http",
    ],
)
def test_aiobotocore(scenario, endpoint_url):
    """In an environment of its own: it wants an older botocore than we have. Each scenario is a
    function of the script beside this file; it fails by raising."""
    clients.run(
        clients.aiobotocore(),
        *("-W", "error", AIOBOTOCORE, scenario, endpoint_url),
        env=clients.environment(),
    )
