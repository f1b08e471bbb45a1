"""Forms: the query protocol by itself: a form becomes a tree and the tree parameters; an answer
becomes XML. On a made-up model in SNS's style, whose lists and maps have elements of their own;
SQS's flat ones are in test_protocol.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import urlencode

import pytest
from botocore.model import ServiceModel
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from hypothesis import given
from hypothesis import strategies as some

from rmq.gateway.errors import AwsError
from rmq.gateway.protocol import query
from rmq.gateway.protocol.shapes import reader

MADE_UP = {
    "metadata": {"protocol": "query", "apiVersion": "2026-01-01", "endpointPrefix": "made-up"},
    "operations": {
        "Do": {
            "name": "Do",
            "http": {"method": "POST", "requestUri": "/"},
            "input": {"shape": "Top"},
            "output": {"shape": "Top", "resultWrapper": "DoResult"},
        }
    },
    "shapes": {
        "Top": {
            "type": "structure",
            "members": {
                "Text": {"shape": "Text"},
                "Other": {"shape": "Text", "locationName": "other"},
                "Whole": {"shape": "Whole"},
                "Big": {"shape": "Big"},
                "Real": {"shape": "Real"},
                "Flag": {"shape": "Flag"},
                "Raw": {"shape": "Raw"},
                "At": {"shape": "At"},
                "Many": {"shape": "Many"},
                "Flat": {"shape": "Flat"},
                "Tops": {"shape": "Tops"},
                "Map": {"shape": "Map"},
                "FlatMap": {"shape": "FlatMap"},
                "Inner": {"shape": "Top"},
            },
        },
        "Text": {"type": "string"},
        "Whole": {"type": "integer"},
        "Big": {"type": "long"},
        "Real": {"type": "double"},
        "Flag": {"type": "boolean"},
        "Raw": {"type": "blob"},
        "At": {"type": "timestamp"},
        "Many": {"type": "list", "member": {"shape": "Text"}},
        "Flat": {
            "type": "list",
            "member": {"shape": "Text", "locationName": "One"},
            "flattened": True,
        },
        "Tops": {"type": "list", "member": {"shape": "Top"}},
        "Map": {"type": "map", "key": {"shape": "Text"}, "value": {"shape": "Text"}},
        "FlatMap": {
            "type": "map",
            "key": {"shape": "Text", "locationName": "Name"},
            "value": {"shape": "Text", "locationName": "Value"},
            "flattened": True,
        },
    },
}
SERVICE = ServiceModel(MADE_UP, "made-up")
OPERATION = SERVICE.operation_model("Do")
TOP = SERVICE.shape_for("Top")
NEST, READ, WRITE = query.nester(TOP), reader(TOP, query.SCALARS), query.writer(TOP)
XMLNS = "http://made-up/"
ID = "00000000-0000-4000-8000-000000000000"


def _read(form: dict[str, str]) -> dict:
    return query.read(NEST, READ, form, [])


FULL = {
    "Text": "a b&c=d%e\r\n<ü>",
    "Other": "other",
    "Whole": -(1 << 31),
    "Big": (1 << 63) - 1,
    "Real": 0.25,
    "Flag": True,
    "Raw": b"\x00\xfb\xff",
    "Many": ["one", "two"],
    "Flat": ["three"],
    "Tops": [{"Text": "x"}, {"Map": {"k": "v"}}],
    "Map": {"key": "value", "": "empty"},
    "FlatMap": {"name": "value"},
    "Inner": {"Inner": {"Flag": False}},
}


def test_what_botocore_writes_is_read_as_it_was_meant():
    body = create_serializer("query").serialize_to_request(FULL, OPERATION)["body"]
    form = query.read_form(urlencode(body))

    assert _read(form) == FULL


def test_what_is_written_botocore_reads_as_it_was_meant():
    body = query.write("Do", "DoResult", WRITE, XMLNS, FULL, ID)

    found = create_parser("query").parse(
        {"status_code": 200, "headers": {}, "body": body}, OPERATION.output_shape
    )
    assert found.pop("ResponseMetadata")["RequestId"] == ID
    assert found == FULL


def test_the_xml_to_the_letter():
    value = {"Text": "<&>\r", "Flag": False, "Many": ["a"], "Flat": ["b", "c"], "Map": {"k": "v"}}

    assert query.write("Do", "DoResult", WRITE, XMLNS, value, ID).decode() == (
        '<?xml version="1.0"?>\n<DoResponse xmlns="http://made-up/"><DoResult>'
        "<Text>&lt;&amp;&gt;&#13;</Text><Flag>false</Flag><Many><member>a</member></Many>"
        "<One>b</One><One>c</One>"
        "<Map><entry><key>k</key><value>v</value></entry></Map></DoResult>"
        f"<ResponseMetadata><RequestId>{ID}</RequestId></ResponseMetadata></DoResponse>"
    )


def test_an_operation_without_output_has_no_result():
    body = query.write("Do", None, None, XMLNS, None, ID)

    assert b"Result>" not in body
    assert f"<RequestId>{ID}</RequestId>".encode() in body


def test_an_error_to_the_letter():
    error = AwsError("Shape", "Why <so>?", code="The.Code", status=503)

    assert query.write_error(error, XMLNS, "<Detail/>", ID).decode() == (
        '<?xml version="1.0"?>\n<ErrorResponse xmlns="http://made-up/"><Error>'
        "<Type>Receiver</Type><Code>The.Code</Code><Message>Why &lt;so&gt;?</Message><Detail/>"
        f"</Error><RequestId>{ID}</RequestId></ErrorResponse>"
    )


@given(some.text())
def test_any_text_makes_well_formed_xml(text):
    """What XML cannot hold does not get so far, but for what the library's own users send."""
    from xml.etree import ElementTree

    body = query.write("Do", "DoResult", WRITE, XMLNS, {"Text": text}, ID)

    found = ElementTree.fromstring(body)[0][0].text or ""
    assert len(found) == len(text)


def test_timestamps_are_written_in_utc_with_milliseconds():
    at = datetime(2026, 1, 2, 5, 4, 5, 678_900, timezone(timedelta(hours=2)))

    body = query.write("Do", "DoResult", WRITE, XMLNS, {"At": at}, ID)

    assert b"<At>2026-01-02T03:04:05.678Z</At>" in body


@pytest.mark.parametrize(
    "text",
    ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000+00:00", "2026-01-02T05:04:05+02:00"],
)
def test_timestamps_are_read_in_any_zone(text):
    assert _read({"At": text})["At"] == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_numbered_names_are_a_list_in_numeric_order_without_gaps():
    form = {"Many.member.10": "c", "Many.member.9": "b", "Many.member.1": "a", "One.2": "d"}

    assert _read(form) == {"Many": ["a", "b", "c"], "Flat": ["d"]}


@pytest.mark.parametrize(
    "name",
    [
        "Many.member.x",
        "Many.member.-1",
        "Many.member.1.5",
        "Many.member.",
        "Many.member",
        "Many.1",
        "Many.member.²",
    ],
)
def test_a_name_that_is_not_numbered_right_is_not_an_element(name):
    assert _read({name: "x"}).get("Many", []) == []


@pytest.mark.parametrize("index", ["99999999999", "9" * 4000, "0", "007"])
def test_an_index_may_be_any_number(index):
    assert _read({f"Many.member.{index}": "x"}) == {"Many": ["x"]}


def test_the_last_of_two_equal_names_counts():
    assert query.read_form("a=1&a=2") == {"a": "2"}


def test_names_without_a_value_are_empty():
    assert query.read_form("a&b=&c=1") == {"a": "", "b": "", "c": "1"}


def test_a_map_keeps_the_last_of_two_equal_keys_and_leaves_out_what_has_no_value():
    form = {
        "Map.entry.1.key": "a",
        "Map.entry.1.value": "1",
        "Map.entry.2.key": "a",
        "Map.entry.2.value": "2",
        "Map.entry.3.key": "b",
    }

    assert _read(form) == {"Map": {"a": "2"}}


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("Whole", "1.0", "an integer"),
        ("Whole", "", "an integer"),
        ("Whole", "1e3", "an integer"),
        ("Whole", " 1", "an integer"),
        ("Whole", "٣", "an integer"),
        ("Whole", "1_000", "an integer"),
        ("Whole", "9" * 5000, "an integer"),
        ("Flag", "True", "a boolean"),
        ("Flag", "1", "a boolean"),
        ("Real", "one", "a number"),
        ("Raw", "*", "a blob"),
        ("At", "yesterday", "a timestamp"),
    ],
)
def test_a_field_of_a_wrong_type_is_an_invalid_parameter(name, text, kind):
    with pytest.raises(AwsError) as caught:
        _read({name: text})

    assert caught.value.code == "InvalidParameterValue"
    assert caught.value.message == (
        f"Value {text[:80]} for parameter {name} is invalid. Reason: Must be {kind}."
    )


@pytest.mark.parametrize("number", [1 << 31, -(1 << 31) - 1])
def test_a_number_that_is_too_large_is_an_invalid_parameter(number):
    with pytest.raises(AwsError) as caught:
        _read({"Whole": str(number)})

    assert caught.value.code == "InvalidParameterValue"
    assert "parameter Whole is invalid" in caught.value.message


def test_ten_thousand_fields_are_read_and_not_one_more():
    assert len(query.read_form("&".join(f"a{i}=" for i in range(10_000)))) == 10_000
    with pytest.raises(AwsError, match="more than 10000 fields") as caught:
        query.read_form("&".join(f"a{i}=" for i in range(10_001)))
    assert caught.value.shape == "SerializationException"


def test_a_name_has_sixteen_parts_at_most():
    assert _read({".".join("a" * 16): ""}) == {}
    with pytest.raises(AwsError, match="more than 16 parts") as caught:
        _read({".".join("a" * 17): ""})
    assert caught.value.shape == "SerializationException"


def test_a_form_that_is_not_utf_8_is_malformed():
    with pytest.raises(AwsError, match="not UTF-8") as caught:
        query.read_form("a=%ff")
    assert caught.value.shape == "SerializationException"


@given(some.dictionaries(some.text(), some.text()))
def test_any_form_is_read_or_refused(form):
    try:
        found = _read(form)
    except AwsError:
        return
    assert set(found) <= set(TOP.members)
