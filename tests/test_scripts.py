"""Every Lua script keeps what its header promises, and what the house style asks of all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import rmq.core.script
from rmq.core.script import load, names
from rmq.errors import RmqError

FOLDER = Path(rmq.core.script.__file__).parent.parent.parent / "lua"
SCRIPTS = list(names())

HEAD = re.compile(r"\A#!lua(?: flags=[a-z,-]+)?\n-- (?P<name>\w+\.\w+): ")
CALL = re.compile(
    r"""\b(?:redis\.)?p?call\(\s*'(?P<command>\w+)'(?:,\s*(?P<key>[^,()]+(?:\([^()]*\))?))?"""
)
WRITES = re.compile(
    r"APPEND|COPY|DECR.*|DEL|.*EXPIRE.*|GETDEL|GETSET|H(DEL|INCR.*|MSET|SET.*)|INCR.*|L(INSERT|POP|"
    r"PUSH.*|REM|SET|TRIM)|MSET.*|PERSIST|RENAME.*|RPOP.*|RPUSH.*|S(ADD|ET.*|POP|REM|.*STORE)|UNLINK|"
    r"S?PUBLISH|X(ACK|ADD|AUTOCLAIM|CLAIM|DEL|GROUP|READGROUP|TRIM)|Z(ADD|INCRBY|POP.*|REM.*|.*STORE)"
)
FREES_MEMORY = (
    "receive",
    "delete",
    "purge",
    "sweep",
    "change_visibility",
    "outbox_settle",
    "settle",
    "relay",
    "ready_claim",
    "ready_done",
)
"""What must work when Redis is full begins with one of these."""
STORES = ("send", "publish", "deliver", "accept")
"""What must be refused then, before anything is done of it, begins with one of these."""


@pytest.fixture(params=SCRIPTS)
def name(request):
    return request.param


@pytest.fixture
def text(name):
    return (FOLDER / f"{name}.lua").read_text()


@pytest.fixture
def body(text):
    """The code, without comments."""
    return "\n".join(
        line for line in text.splitlines() if not line.lstrip().startswith(("--", "#"))
    )


@pytest.fixture
def header(text):
    """The comment at the top."""
    return text.partition("\n\n")[0]


def test_there_are_scripts():
    assert "queues/send" in SCRIPTS
    assert "topics/publish" in SCRIPTS
    assert len(SCRIPTS) >= 45


def test_the_header_begins_with_the_name_and_what_it_does(name, text):
    found = HEAD.match(text)
    assert found
    assert found["name"] == name.replace("/", ".")


def test_the_contract_can_be_read(name):
    script = load(name)
    assert script.name == name.replace("/", ".")
    assert script.keys or script.rest_keys
    assert len(set(script.keys)) == len(script.keys)
    assert len(set(script.args)) == len(script.args)
    assert all(re.fullmatch(r"[a-z][a-z_]*", one) for one in script.keys + script.args)
    assert script.source.startswith("#!lua")
    assert "--@include" not in script.source


@pytest.mark.parametrize("word", ["Reply", "Errors", "Cost"])
def test_the_header_says_what_comes_back_and_what_it_costs(header, word):
    assert re.search(rf"^-- {word} +\S", header, re.MULTILINE)


def test_the_cost_is_an_order(header):
    assert re.search(r"^-- Cost +O\(.+\)", header, re.MULTILINE)


def test_every_error_in_the_header_is_known(name):
    for code in load(name).errors:
        assert code in RmqError._by_code, code


def test_every_error_of_the_code_is_in_the_header_and_back(name, body):
    said = set(re.findall(r"RMQ_[A-Z_]+", body))
    if re.search(r"\brefuse\(", body):
        said |= {"RMQ_QUEUE_DOES_NOT_EXIST", "RMQ_STALE_CONFIG"}
    if re.search(r"\brefuse_topic\(", body):
        said |= {"RMQ_TOPIC_DOES_NOT_EXIST", "RMQ_STALE_CONFIG"}
    if re.search(r"\brefuse_stream\(", body):
        said |= {"RMQ_STREAM_DOES_NOT_EXIST", "RMQ_STALE_CONFIG"}
    if re.search(r"\brefuse_shard\(", body):
        said |= {"RMQ_SHARD_DOES_NOT_EXIST", "RMQ_STALE_CONFIG"}
    assert said == set(load(name).errors)


@pytest.mark.parametrize("kind", ["KEYS", "ARGV"])
def test_every_index_of_the_code_is_declared(name, body, header, kind):
    script = load(name)
    declared = len(script.keys if kind == "KEYS" else script.args)
    rest = re.search(rf"^-- {kind}\[(\d+)\.\.\]", header, re.MULTILINE)
    for index in map(int, re.findall(rf"\b{kind}\[(\d+)\]", body)):
        timed = kind == "ARGV" and script.timed and index == declared + 1
        assert index <= declared or timed or (rest and index >= int(rest[1])), index
    if re.search(rf"\b{kind}\[[^\]\d#]", body):
        assert rest, "an index is computed"
    if rest:
        assert int(rest[1]) == declared + 1


@pytest.mark.parametrize("kind", ["KEYS", "ARGV"])
def test_every_declared_index_is_used(name, body, kind):
    script = load(name)
    used = set(map(int, re.findall(rf"\b{kind}\[(\d+)\]", body)))
    unpacked = re.search(rf"unpack\({kind}(?:, (\d+))?", body)
    if unpacked:
        used |= set(range(int(unpacked[1] or 1), 100))
    declared = range(1, len(script.keys if kind == "KEYS" else script.args) + 1)
    assert [one for one in declared if one not in used] == []


def test_no_script_makes_a_key(body, text):
    """Keys come whole from core/keys.py: a cluster must know them before the script runs."""
    for found in CALL.finditer(body):
        if found["command"] in ("TIME",):
            continue
        key = (found["key"] or "").strip()
        assert re.fullmatch(r"[a-z_]+|KEYS\[\d+\]|unpack\(KEYS.*", key), found[0]
    assert "{q:" not in body
    assert not re.search(r"KEYS\[[^\]]+\]\s*\.\.", body)


def test_a_script_that_says_it_does_not_write_does_not(name, text, body):
    flags = text.partition("\n")[0]
    written = [
        found["command"] for found in CALL.finditer(body) if WRITES.fullmatch(found["command"])
    ]
    written += re.findall(r"\b(wake_one|settle|expire|keep_for)\(", body)
    if "no-writes" in flags:
        assert written == []
    else:
        assert written, "it does not write: say so with flags=no-writes"


def test_what_frees_memory_works_when_redis_is_full(name, text):
    if name.split("/")[1].startswith(FREES_MEMORY):
        assert "allow-oom" in text.partition("\n")[0]
    if name.split("/")[1].startswith(STORES):
        assert "allow-oom" not in text.partition("\n")[0]


def test_one_look_at_the_clock(name, body):
    assert len(re.findall(r"\bnow_us\(|'TIME'", body)) <= 1
    assert bool(re.search(r"\bnow_us\(", body)) == load(name).timed


def test_refusals_are_returned_not_raised(body):
    assert not re.search(r"\berror\(", body)
    for line in body.splitlines():
        if "error_reply" in line:
            assert "return" in line or "refusal" in line


def test_an_include_is_there_and_used(name, text, body):
    for one in re.findall(r"^--@include (\S+)", text, re.MULTILINE):
        library = (FOLDER / f"{one}.lua").read_text()
        offered = re.findall(r"^local function (\w+)", library, re.MULTILINE)
        for group in re.findall(r"^local ([\w, ]+) =", library, re.MULTILINE):
            offered += group.split(", ")
        others = "".join(
            (FOLDER / f"{other}.lua").read_text()
            for other in re.findall(r"^--@include (\S+)", text, re.MULTILINE)
            if other != one
        )
        assert any(re.search(rf"\b{word}\b", body + others) for word in offered), one


def test_every_script_is_loaded_by_somebody():
    package = Path(rmq.core.script.__file__).parent.parent
    code = "\n".join(path.read_text() for path in package.rglob("*.py"))
    assert [one for one in SCRIPTS if f'"{one}"' not in code] == []
