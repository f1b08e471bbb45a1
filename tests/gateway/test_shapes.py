"""Shapes: what a service model demands of a request, on a model that is made up for it.

SQS's own model has few constraints; SNS's, Kinesis's and Firehose's have many.
"""

from __future__ import annotations

import pytest
from botocore.model import ServiceModel

from rmq.gateway.protocol import json
from rmq.gateway.protocol.shapes import WrongType, kind_of, reader

MADE_UP = {
    "metadata": {"protocol": "json"},
    "shapes": {
        "Top": {
            "type": "structure",
            "required": ["must", "inner"],
            "members": {
                "must": {"shape": "Text"},
                "inner": {"shape": "Inner"},
                "name": {"shape": "Name"},
                "word": {"shape": "Word"},
                "count": {"shape": "Count"},
                "ratio": {"shape": "Ratio"},
                "raw": {"shape": "Raw"},
                "names": {"shape": "Names"},
                "inners": {"shape": "Inners"},
                "tags": {"shape": "Tags"},
                "at": {"shape": "At"},
                "tree": {"shape": "Tree"},
                "odd": {"shape": "Odd"},
            },
        },
        "Inner": {
            "type": "structure",
            "required": ["must"],
            "members": {"must": {"shape": "Text"}, "name": {"shape": "Name"}},
        },
        "Text": {"type": "string"},
        "Name": {"type": "string", "min": 2, "max": 4, "pattern": "[a-z]+"},
        "Word": {"type": "string", "enum": ["this", "that"]},
        "Count": {"type": "integer", "min": 1, "max": 10},
        "Ratio": {"type": "double", "max": 1},
        "Raw": {"type": "blob", "min": 1, "max": 3},
        "Names": {"type": "list", "member": {"shape": "Name"}, "max": 2},
        "Inners": {"type": "list", "member": {"shape": "Inner"}},
        "Tags": {
            "type": "map",
            "key": {"shape": "Name"},
            "value": {"shape": "Word"},
            "min": 1,
            "max": 2,
        },
        "At": {"type": "timestamp"},
        "Tree": {"type": "structure", "members": {"branches": {"shape": "Trees"}}},
        "Trees": {"type": "list", "member": {"shape": "Tree"}},
        "Odd": {"type": "string", "pattern": "\\p{javaOnly}+"},
    },
}

GOOD = {"must": "", "inner": {"must": ""}}


@pytest.fixture
def read():
    read_top = reader(ServiceModel(MADE_UP, "made-up").shape_for("Top"), json.SCALARS)

    def read(**more):
        problems = []
        return read_top(GOOD | more, problems), problems

    return read


def test_what_is_right_is_converted_and_has_no_problems(read):
    found, problems = read(
        name="ab",
        word="that",
        count=10,
        ratio=1,
        raw="AAEC",
        names=["ab", "cd"],
        tags={"ab": "this"},
    )

    assert problems == []
    assert found["raw"] == b"\x00\x01\x02"
    assert type(found["ratio"]) is float


@pytest.mark.parametrize(
    ("given", "kind", "path", "constraint"),
    [
        ({"must": None}, "required", ("must",), "Member must not be null"),
        ({"inner": {}}, "required", ("inner", "must"), "Member must not be null"),
        (
            {"inners": [{"must": ""}, {}]},
            "required",
            ("inners", 2, "must"),
            "Member must not be null",
        ),
        ({"name": "a"}, "length", ("name",), "Member must have length greater than or equal to 2"),
        ({"name": "a" * 5}, "length", ("name",), "Member must have length less than or equal to 4"),
        (
            {"name": "AB"},
            "pattern",
            ("name",),
            "Member must satisfy regular expression pattern: [a-z]+",
        ),
        (
            {"name": "ab\n"},
            "pattern",
            ("name",),
            "Member must satisfy regular expression pattern: [a-z]+",
        ),
        (
            {"word": "other"},
            "enum",
            ("word",),
            "Member must satisfy enum value set: [that, this]",
        ),
        ({"count": 0}, "range", ("count",), "Member must have value greater than or equal to 1"),
        ({"count": 11}, "range", ("count",), "Member must have value less than or equal to 10"),
        ({"ratio": 1.5}, "range", ("ratio",), "Member must have value less than or equal to 1"),
        ({"raw": ""}, "length", ("raw",), "Member must have length greater than or equal to 1"),
        (
            {"raw": "AAECAw=="},
            "length",
            ("raw",),
            "Member must have length less than or equal to 3",
        ),
        (
            {"names": ["ab", "cd", "ef"]},
            "length",
            ("names",),
            "Member must have length less than or equal to 2",
        ),
        (
            {"names": ["ab", "c"]},
            "length",
            ("names", 2),
            "Member must have length greater than or equal to 2",
        ),
        ({"tags": {}}, "length", ("tags",), "Member must have length greater than or equal to 1"),
        (
            {"tags": {"ab": "other"}},
            "enum",
            ("tags", "ab"),
            "Member must satisfy enum value set: [that, this]",
        ),
        (
            {"tags": {"a": "this"}},
            "length",
            ("tags", "a"),
            "Member must have length greater than or equal to 2",
        ),
    ],
)
def test_a_constraint_that_is_not_kept_is_a_problem(read, given, kind, path, constraint):
    _, (problem,) = read(**given)

    assert (problem.kind, problem.path, problem.constraint) == (kind, path, constraint)


def test_all_problems_are_noted_each_with_its_shape(read):
    _, problems = read(must=None, name="A", count=0)

    assert [(one.kind, one.shape) for one in problems] == [
        ("length", "Name"),
        ("pattern", "Name"),
        ("range", "Count"),
        ("required", "Text"),
    ]


@pytest.mark.parametrize(
    ("given", "where", "words"),
    [
        ({"must": 1}, "must", "NUMBER_VALUE can not be converted to a String"),
        ({"must": 1.5}, "must", "NUMBER_VALUE can not be converted to a String"),
        ({"must": True}, "must", "TRUE_VALUE can not be converted to a String"),
        ({"must": False}, "must", "FALSE_VALUE can not be converted to a String"),
        ({"must": []}, "must", "START_ARRAY can not be converted to a String"),
        ({"must": {}}, "must", "START_OBJECT can not be converted to a String"),
        ({"inner": ""}, "inner", "STRING_VALUE can not be converted to a structure"),
        ({"names": {}}, "names", "START_OBJECT can not be converted to a list"),
        ({"names": ["ab", 1]}, "names.2", "NUMBER_VALUE can not be converted to a String"),
        ({"tags": []}, "tags", "START_ARRAY can not be converted to a map"),
        ({"tags": {"ab": []}}, "tags.ab", "START_ARRAY can not be converted to a String"),
        ({"inners": [{"must": 1}]}, "inners.1.must", "NUMBER_VALUE can not be converted to"),
        ({"count": "1"}, "count", "STRING_VALUE can not be converted to an Integer"),
        ({"count": 1.0}, "count", "NUMBER_VALUE can not be converted to an Integer"),
        ({"count": 1 << 31}, "count", "NUMBER_VALUE can not be converted to an Integer"),
        ({"raw": "!"}, "raw", "Text that is not base64 can not be converted to a Blob"),
        ({"at": 1e300}, "at", "NUMBER_VALUE can not be converted to a Timestamp"),
    ],
)
def test_a_wrong_type_ends_the_walk_and_says_where(read, given, where, words):
    with pytest.raises(WrongType) as caught:
        read(**given)

    assert caught.value.where == where
    assert str(caught.value).startswith(words)


def test_nulls_are_absent_in_structures_lists_and_maps(read):
    found, problems = read(name=None, names=["ab", None], tags={"ab": None, "cd": "this"})

    assert "name" not in found
    assert (found["names"], found["tags"]) == (["ab"], {"cd": "this"})
    assert problems == []


def test_members_that_the_model_does_not_have_are_left_out(read):
    found, problems = read(new={"deep": [1]})

    assert "new" not in found
    assert problems == []


def test_a_shape_may_contain_itself(read):
    tree = {"branches": [{"branches": []}, {"branches": [{}]}]}

    assert read(tree=tree)[0]["tree"] == tree


def test_a_pattern_that_only_java_reads_is_left_to_the_service(read):
    assert read(odd="anything")[1] == []


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ({}, "START_OBJECT"),
        ([], "START_ARRAY"),
        ("", "STRING_VALUE"),
        (True, "TRUE_VALUE"),
        (False, "FALSE_VALUE"),
        (1, "NUMBER_VALUE"),
        (1.5, "NUMBER_VALUE"),
        (b"", "BYTE_STRING"),
    ],
)
def test_values_are_called_as_awss_parser_calls_them(value, kind):
    assert kind_of(value) == kind
