"""Serving: `rmq serve` itself. How it starts, over what it is spoken to, and how it ends."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import ssl
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import botocore.exceptions
import httpx
import psutil
import pytest
import trustme
import uvloop
from cryptography.hazmat.primitives import serialization

import rmq
from rmq.cli.failures import USAGE
from rmq.core.limits import Limits
from rmq.gateway import logs
from rmq.gateway.server import Door, Serving
from rmq.settings import Settings
from tests.colours import PATIENCE, until
from tests.gateway.command import Command
from tests.gateway.sdk import Sdk
from tests.servers import HOST, Server, _wait, single_server

POOL = 8
"""Threads of one test."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with single_server() as made:
        yield made


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Callable[..., Command]]:
    """Makes commands, which end with the test."""
    with ExitStack() as stack:
        made: list[Command] = []

        def make(*options: str, **more: Any) -> Command:
            folder = tmp_path / str(len(made))
            folder.mkdir()
            made.append(stack.enter_context(Command(folder, *options, **more)))
            return made[-1]

        yield make


@pytest.fixture(scope="module")
def on_valkey(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    """An endpoint that several tests share."""
    folder = tmp_path_factory.mktemp("on-valkey")
    with Command(folder, redis=server.url) as made:
        made.start()
        yield made


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(POOL) as made:
        yield made


# --- how it starts ------------------------------------------------------------------------------


def test_it_says_where_it_is_and_that_memory_does_not_last(command):
    """Without a URL it serves memory://. All of that on stderr: stdout is for answers."""
    serve = command()
    serve.start()

    first, memory, export = serve.said().splitlines()[:3]
    assert first == (
        f"rmq {rmq.__version__} serves memory://, namespace {serve.namespace}, at {serve.url}"
    )
    assert memory.startswith("memory:// is gone when this ends")
    assert export == f"  export AWS_ENDPOINT_URL={serve.url}"
    assert serve.out.read_bytes() == b""


def test_the_endpoint_it_names_is_the_one_that_boto3_finds(command):
    """What it says is pasted into a shell."""
    serve = command()
    serve.start()
    (export,) = re.findall(r"^  export (\S+)=(\S+)$", serve.said(), re.MULTILINE)
    keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "eu-x-1"}
    script = "import boto3; print(boto3.client('sqs').create_queue(QueueName='q')['QueueUrl'])"

    done = subprocess.run(
        [sys.executable, "-c", script],
        env=dict([export]) | keys,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert done.stdout == f"{serve.url}/000000000000/q\n"


def test_json_is_not_greeted(command):
    """Whoever asks for JSON reads every line as JSON."""
    serve = command("--log-format", "json", words=("--json",))
    serve.start()
    assert "export" not in serve.said()


def test_account_and_region_are_told_by_the_environment(command):
    serve = command(env={"RMQ_AWS_ACCOUNT_ID": "123456789012", "RMQ_AWS_REGION": "eu-west-1"})
    serve.start()
    with closing(serve.sqs(region_name="eu-west-1")) as sqs:
        url = sqs.create_queue(QueueName="orders")["QueueUrl"]
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])

    assert url == f"{serve.url}/123456789012/orders"
    assert found["Attributes"]["QueueArn"] == "arn:aws:sqs:eu-west-1:123456789012:orders"


def test_without_limits_those_of_sqs_are_lifted(command):
    """They are AWS's, not the engine's."""
    serve = command(words=("--no-limits",))
    serve.start()
    attributes = {"VisibilityTimeout": "90000", "MaximumMessageSize": "4000000"}
    with closing(serve.sqs()) as sqs:
        url = sqs.create_queue(QueueName="orders", Attributes=attributes)["QueueUrl"]
        for body in ("x" * 3_000_000, "\x00"):
            sqs.send_message(QueueUrl=url, MessageBody=body, DelaySeconds=0)
        sqs.send_message(QueueUrl=url, MessageBody="late", DelaySeconds=100_000)
        found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=50)["Messages"]
        assert [len(one["Body"]) for one in found] == [3_000_000, 1]
        for _ in range(2):
            sqs.purge_queue(QueueUrl=url)
        sqs.delete_queue(QueueUrl=url)
        sqs.create_queue(QueueName="orders")


def test_it_starts_before_redis_does(command):
    """In a composition of services none waits for another: it says so until Redis is there."""
    with single_server() as late:
        late.kill()
        serve = command(redis=late.url, env={"RMQ_RETRY_TIMEOUT": "0.2"})
        serve.start("/health/live")
        assert "serving all the same, /health/ready tells" in serve.said()
        assert serve.get("/health/ready")[0] == 503
        with closing(serve.sqs()) as sqs:
            with pytest.raises(botocore.exceptions.ClientError) as caught:
                sqs.create_queue(QueueName="orders")
            assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
            assert caught.value.response["Error"]["Code"] == "ServiceUnavailable"

            late.start()

            # It may take longer to ask than it is patient.
            _wait(lambda: serve.get("/health/ready")[0] == 200, PATIENCE, "it to be ready")
            assert sqs.create_queue(QueueName="orders")["QueueUrl"]
    assert "Traceback" not in serve.said()


def test_the_library_and_the_command_line_meet_its_queues(on_valkey, server):
    """One namespace, whoever comes: nothing is copied or kept beside."""
    with closing(on_valkey.sqs()) as sqs:
        url = sqs.create_queue(QueueName="meeting", Attributes={"VisibilityTimeout": "77"})
        url = url["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody="by boto3")

        with rmq.connect(server.url, namespace=on_valkey.namespace) as client:
            queue = client.get_queue("meeting")
            assert queue.info().attributes.visibility_timeout.total_seconds() == 77
            (message,) = queue.receive()
            assert message.text == "by boto3"
            message.delete()
            queue.send("by the library", attributes={"n": 1})

        (found,) = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"])["Messages"]
        assert found["Body"] == "by the library"
        assert found["MessageAttributes"] == {"n": {"DataType": "Number", "StringValue": "1"}}

        def command_line(*words: str) -> Any:
            program = [str(Path(sys.executable).with_name("rmq")), *on_valkey.words]
            done = subprocess.run(
                [*program, "queue", *words, "--json"], capture_output=True, timeout=60, check=True
            )
            return json.loads(done.stdout)

        assert "meeting" in json.dumps(command_line("list"))
        command_line("send", "meeting", "by the command line")
        (found,) = sqs.receive_message(QueueUrl=url)["Messages"]
        assert found["Body"] == "by the command line"


# --- a user's mistakes --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with certificates, keys that belong to them, and what is neither."""
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    for name in ("one", "other"):
        made = authority.issue_cert(HOST, "localhost")
        made.private_key_pem.write_to_path(folder / f"{name}.key")
        for blob in made.cert_chain_pems:
            blob.write_to_path(folder / f"{name}.pem", append=True)
        locked = made.private_key_pem.bytes()
    key = serialization.load_pem_private_key(locked, None)
    (folder / "locked.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    (folder / "text").write_text("hello")
    return folder


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--port", "0"), "port"),
        (("--port", "65536"), "port"),
        (("--host", "192.0.2.1"), "can not listen on 192.0.2.1"),
        (("--host", "no-such-host.invalid"), "no-such-host.invalid"),
        (("--workers", "0"), "workers"),
        (("--workers", "2"), "memory://"),
        (("--testing", "--host", "0.0.0.0"), "--testing"),
        (("--log-format", "xml"), "text or json"),
        (("--account-id", "12345"), "account"),
        (("--region", "Mars!"), "region"),
        (("--tls-cert", "one.pem"), "--tls-key"),
        (("--tls-key", "one.key"), "--tls-cert"),
        (("--tls-cert", "one.pem", "--tls-key", "none.key"), "none.key"),
        (("--tls-cert", "none.pem", "--tls-key", "one.key"), "none.pem"),
        (("--tls-cert", "one.pem", "--tls-key", "other.key"), "other.key"),
        (("--tls-cert", "other.pem", "--tls-key", "locked.key"), "asks for a password"),
        (("--tls-cert", "text", "--tls-key", "one.key"), "text"),
        (("--tls-cert", "one.pem", "--tls-key", "text"), "text"),
        (("--colour", "red"), "--colour"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, tuple) else "",
)
def test_a_mistake_ends_with_one_line_that_says_what_it_is(command, files, options, words):
    serve = command(*(str(files / one) if (files / one).exists() else one for one in options))
    assert serve.run() == USAGE
    (line,) = serve.said().splitlines()
    assert line.startswith("rmq: ")
    assert words in line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--namespace", "n" * 27), "26 characters"),
        (("--namespace", "a b"), "namespace"),
        (("--url", "http://localhost"), "http"),
    ],
    ids=lambda one: one[1][:9] if isinstance(one, tuple) else "",
)
def test_so_does_a_mistake_before_the_word_serve(command, words, said):
    serve = command(words=words)
    assert serve.run() == USAGE
    (line,) = serve.said().splitlines()
    assert line.startswith("rmq: ")
    assert said in line


@pytest.mark.parametrize("missing", ["granian", "cbor2", "rmq.gateway.pages"])
def test_what_is_not_installed_is_named_unless_it_is_a_part_of_ours(missing):
    """A bug of ours always has its traceback."""
    script = f"import sys; sys.modules[{missing!r}] = None; from rmq.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script, "serve"], capture_output=True, text=True, timeout=60
    )
    if missing.startswith("rmq"):
        assert done.returncode == 1
        assert "Traceback" in done.stderr
    else:
        assert done.returncode == USAGE
        (line,) = done.stderr.splitlines()
        assert (
            line == f"rmq: rmq serve needs {missing}, which is not installed; pip install "
            "'rmq[endpoint]'"
        )


def test_a_port_that_is_taken_is_named(command, on_valkey):
    serve = command(port=on_valkey.port)
    assert serve.run() == USAGE
    (line,) = serve.said().splitlines()
    assert f"can not listen on {HOST}:{on_valkey.port}" in line


def test_a_wrong_password_is_said_and_not_shown(command):
    with single_server() as server, closing(server.client()) as admin:
        admin.config_set("requirepass", "right")
        serve = command(redis=f"redis://:wrong-{id(server)}@{HOST}:{server.port}")
        assert serve.run() == USAGE
    (line,) = serve.said().splitlines()
    assert "refused our login" in line
    assert f"wrong-{id(server)}" not in line


# --- over what it is spoken to ------------------------------------------------------------------


@pytest.fixture(scope="module")
def secure(
    server: Server, files: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Command]:
    """An endpoint that speaks TLS."""
    options = ("--tls-cert", str(files / "one.pem"), "--tls-key", str(files / "one.key"))
    folder = tmp_path_factory.mktemp("secure")
    with Command(folder, *options, redis=server.url, authority=files / "ca.pem") as made:
        made.start()
        yield made


def _sends_and_receives(sqs: Any, name: str = "orders") -> str:
    """Whether a queue works. Its URL."""
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="hello")
    (found,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=found["ReceiptHandle"])
    assert found["Body"] == "hello"
    return str(url)


def test_boto3_speaks_tls(secure, files):
    with closing(secure.sqs(verify=str(files / "ca.pem"))) as sqs:
        assert _sends_and_receives(sqs) == f"{secure.url}/000000000000/orders"
    assert f"export AWS_ENDPOINT_URL=https://{HOST}:{secure.port}" in secure.said()


def test_a_client_that_does_not_know_the_authority_refuses(secure):
    with closing(secure.sqs()) as sqs, pytest.raises(botocore.exceptions.SSLError):
        sqs.list_queues()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=str)
def test_tls_may_be_as_old_as_aws_takes_it(secure, files, version):
    """1.2 and 1.3. Source: Infrastructure security (Amazon SQS Developer Guide)."""
    context = ssl.create_default_context(cafile=str(files / "ca.pem"))
    context.minimum_version = context.maximum_version = version
    with (
        socket.create_connection((HOST, secure.port), timeout=PATIENCE) as plain,
        context.wrap_socket(plain, server_hostname=HOST) as wrapped,
    ):
        assert wrapped.version() == version.name.replace("_", ".")


@pytest.mark.parametrize("over", ["http", "https"])
async def test_http_2_carries_a_long_poll_and_all_else_on_one_connection(request, files, over):
    """By prior knowledge where there is no TLS, by ALPN where there is. One connection that served
    one at a time would not let the send to the poll that it is for."""
    serve = request.getfixturevalue("secure" if over == "https" else "on_valkey")
    sqs = Sdk("json", None)
    async with httpx.AsyncClient(
        base_url=serve.url,
        verify=ssl.create_default_context(cafile=str(files / "ca.pem")),
        http1=over == "https",
        http2=True,
        trust_env=False,
        timeout=PATIENCE,
        limits=httpx.Limits(max_connections=1),
    ) as client:

        async def ask(operation: str, **parameters: Any) -> Any:
            asked = sqs.request(operation, parameters)
            answer = await client.post("/", content=asked.body, headers=dict(asked.headers))
            assert answer.status_code == 200
            assert answer.http_version == "HTTP/2"
            return answer.json() if answer.content else {}

        url = (await ask("CreateQueue", QueueName="orders"))["QueueUrl"]
        assert url == f"{serve.url}/{sqs.account}/orders"
        poll = asyncio.create_task(ask("ReceiveMessage", QueueUrl=url, WaitTimeSeconds=20))
        await ask("ListQueues")
        assert not poll.done()
        await ask("SendMessage", QueueUrl=url, MessageBody="hello")
        assert [one["Body"] for one in (await poll)["Messages"]] == ["hello"]

        await asyncio.gather(*(ask("ListQueues") for _ in range(50)))


# --- what it logs -------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["text", "json"])
async def test_a_line_of_the_log_has_the_id_that_the_client_was_given(command, form):
    """The id is what a user sees in an SDK's error, and what they will look for."""
    serve = command("--log-format", form)
    serve.start()
    with closing(serve.sqs()) as sqs:
        url = sqs.create_queue(QueueName="orders")["QueueUrl"]
        sent = sqs.send_message(QueueUrl=url, MessageBody="a secret")
        with pytest.raises(botocore.exceptions.ClientError) as caught:
            sqs.send_message(QueueUrl=url, MessageBody="\x00")
    good = sent["ResponseMetadata"]["RequestId"]
    bad = caught.value.response["ResponseMetadata"]["RequestId"]

    await until(lambda: bad in serve.said())

    lines = serve.said().splitlines()
    for id, status in ((good, 200), (bad, 400)):
        (line,) = [one for one in lines if id in one]
        if form == "json":
            found = json.loads(line)
            assert (found["asked"], found["status"]) == ("sqs.SendMessage", status)
            assert found["request_id"] == id
        else:
            assert re.search(rf" POST / sqs\.SendMessage {status} [0-9.]+ms .* id={id}$", line)
    assert "a secret" not in serve.said()


def test_without_an_access_log_nothing_is_said_of_requests(command):
    serve = command("--no-access-log")
    serve.start()
    greeting = serve.said()
    with closing(serve.sqs()) as sqs:
        _sends_and_receives(sqs)
        with pytest.raises(botocore.exceptions.ClientError):
            sqs.get_queue_url(QueueName="none")
    serve.signal(signal.SIGTERM)
    assert serve.ended() == 0
    assert serve.said() == greeting


# --- how it ends --------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize(
    ("number", "everyone"),
    [(signal.SIGTERM, False), (signal.SIGINT, True)],
    ids=["sigterm", "ctrl-c"],
)
async def test_it_answers_everybody_before_it_ends(
    command, server, pool, workers, number, everyone
):
    """Long polls at once, with nothing; what is under way when it is done. Redis is slow here: a
    send waits for it, which only ends when the polls have been answered."""
    # No dispatcher: it would be among those that are blocked, now and then.
    serve = command("--workers", workers, "--no-dispatch", redis=server.url)
    serve.start()
    sends, polls = [], []
    with closing(server.client()) as admin, closing(serve.sqs()) as sqs:
        url = sqs.create_queue(QueueName="orders")["QueueUrl"]
        _sends_and_receives(sqs)
        for name in range(4):  # each of a queue of its own, and so asleep in a pop of its own
            empty = sqs.create_queue(QueueName=f"empty-{name}")["QueueUrl"]
            polls.append(pool.submit(sqs.receive_message, QueueUrl=empty, WaitTimeSeconds=20))
        await until(lambda: _blocked(admin, serve).count("blpop") == len(polls))
        admin.client_pause(60_000, all=False)
        try:
            sends.append(pool.submit(sqs.send_message, QueueUrl=url, MessageBody="hello"))
            await until(lambda: "evalsha" in _blocked(admin, serve))

            serve.signal(number, everyone=everyone)

            answers = [await _result(one) for one in polls]
            assert not sends[0].done()
        finally:
            admin.client_unpause()
        assert (await _result(sends[0]))["MessageId"]
        assert [one.get("Messages") for one in answers] == [None] * len(polls)
        assert [one["ResponseMetadata"]["HTTPStatusCode"] for one in answers] == [200] * len(polls)
    assert await asyncio.to_thread(serve.ended) == 0
    assert "Traceback" not in serve.said()
    with rmq.connect(server.url, namespace=serve.namespace) as client:
        assert [one.text for one in client.queue("orders").receive()] == ["hello"]


async def test_no_worker_is_left_behind_when_the_first_process_is_killed(command, server, pool):
    """Its workers would hold the port, and nobody would ever end them."""
    serve = command("--workers", "2", redis=server.url)
    serve.start()
    workers = await until(lambda: len(found := serve.workers()) == 2 and found)
    with closing(serve.sqs()) as sqs:
        url = sqs.create_queue(QueueName="orders")["QueueUrl"]
        _sends_and_receives(sqs)

        serve.signal(signal.SIGKILL)
        serve.ended()
        await until(lambda: not any(one.is_running() for one in workers))

        serve.start()
        sqs.send_message(QueueUrl=url, MessageBody="hello")
        assert sqs.receive_message(QueueUrl=url)["Messages"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_that_is_told_to_end_while_it_starts_ends(number, monkeypatch):
    """The loop that would tell granian does not run yet."""
    before = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)}
    monkeypatch.setattr(logs, "configure", lambda form: None)  # of this process, for good
    loop, told = uvloop.new_event_loop(), asyncio.Event()
    door = Door(Serving(settings=Settings(url="memory://"), limits=Limits.aws(), dispatch=False))
    try:
        loop.add_signal_handler(number, told.set)  # as granian does, before its application begins
        door.__rsgi_init__(loop)
        signal.raise_signal(number)
        loop.run_until_complete(asyncio.wait_for(told.wait(), PATIENCE))
        door.__rsgi_del__(loop)
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
        loop.close()


def test_so_does_one_that_is_told_before_it_has_begun():
    """What the first process does on a signal is lost on its fork."""
    script = """
        import asyncio, os, signal
        from rmq.core.limits import Limits
        from rmq.gateway.server import Door, Serving, hold_signals
        from rmq.settings import Settings

        signal.signal(signal.SIGTERM, lambda *_: None)  # as in granian's first process
        hold_signals()
        pid = os.fork()
        if not pid:
            os.kill(os.getpid(), signal.SIGTERM)
            loop, told = asyncio.new_event_loop(), asyncio.Event()
            loop.add_signal_handler(signal.SIGTERM, told.set)
            settings = Settings(url="memory://")
            serving = Serving(settings=settings, limits=Limits.aws(), dispatch=False)
            Door(serving).__rsgi_init__(loop)
            loop.run_until_complete(asyncio.wait_for(told.wait(), 20))
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())  # the first one hears on
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], timeout=60, check=True)


async def test_it_ends_and_says_so_when_a_worker_can_not_live(command, server):
    """Died, started anew, and dead again: it is for whoever started it to decide what next."""
    serve = command("--workers", "2", redis=server.url)
    serve.start()
    # The first answers before the second is there; a process that is new must be one in its place.
    before = await until(lambda: len(found := serve.workers()) == 2 and found)
    before[0].kill()

    def ended() -> bool:
        # One that is seen late has lived for long enough to be replaced once more.
        for one in serve.workers():
            with suppress(psutil.NoSuchProcess):
                if one not in before:
                    one.kill()
        return serve.process.poll() is not None

    await until(ended)

    assert serve.ended() == 1
    assert "rmq: a worker died right after it had been started anew" in serve.said()
    assert "Traceback" not in serve.said()


def _blocked(admin: Any, serve: Command) -> list[str]:
    """The commands of this endpoint's processes that wait at the server, for something to come or
    for the end of a pause. Other endpoints are there too, and their dispatchers wait as well."""
    ours = set()
    for one in (psutil.Process(serve.process.pid), *serve.workers()):
        ours |= {f"{here.laddr.ip}:{here.laddr.port}" for here in one.net_connections("tcp")}
    found = admin.client_list()
    return [one["cmd"] for one in found if "b" in one["flags"] and one["addr"] in ours]


async def _result(future: Any) -> Any:
    with suppress(TimeoutError):
        return await asyncio.wait_for(asyncio.wrap_future(future), PATIENCE)
    raise AssertionError(f"no answer within {PATIENCE} s")
