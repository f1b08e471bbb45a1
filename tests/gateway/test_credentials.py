"""Credentials: who signs, for which region and service: the many forms of saying so, and of not.

Source: Authenticating Requests: AWS Signature Version 4 (AWS General Reference).
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from rmq.gateway.credential import Credential, credential_of
from rmq.gateway.errors import AwsError

SCOPE = "AKIA/20260101/eu-west-1/sqs/aws4_request"
FOUND = Credential("AKIA", "eu-west-1", "sqs")
REST = f"SignedHeaders=host;x-amz-date, Signature={'0' * 64}"


def _of(header: str | None = None, query: dict | None = None, host: str = "localhost"):
    return credential_of({} if header is None else {"authorization": header}, query or {}, host)


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(f"AWS4-HMAC-SHA256 Credential={SCOPE}, {REST}", id="as SDKs write it"),
        pytest.param(f"AWS4-HMAC-SHA256 Credential={SCOPE},{REST}".replace(", ", ","), id="tight"),
        pytest.param(f"AWS4-HMAC-SHA256  Credential={SCOPE} , {REST} ", id="wide"),
        pytest.param(f"AWS4-HMAC-SHA256 {REST}, Credential={SCOPE}", id="in another order"),
        pytest.param(f"AWS4-HMAC-SHA256 Credential={SCOPE}, {REST}, More=1", id="with more"),
    ],
)
def test_a_header_says_key_region_and_service(header):
    assert _of(header) == FOUND


def test_version_4a_names_no_region():
    scope = "AKIA/20260101/sqs/aws4_request"

    assert _of(f"AWS4-ECDSA-P256-SHA256 Credential={scope}, {REST}") == Credential(
        "AKIA", "", "sqs"
    )


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ("AWS4-HMAC-SHA256", "not a valid key=value pair"),
        ("AWS4-HMAC-SHA256 nonsense", "not a valid key=value pair"),
        ("Basic dXNlcjpwYXNz", "not a signing algorithm"),
        ("Bearer token", "not a signing algorithm"),
        ("AWS key:signature", "not a signing algorithm"),
        (f"Credential={SCOPE}, {REST}", "not a signing algorithm"),
        (f"AWS4-HMAC-SHA256 {REST}", "requires 'Credential' parameter"),
        (f"AWS4-HMAC-SHA256 Credential=, {REST}", "requires 'Credential' parameter"),
        (
            f"AWS4-HMAC-SHA256 Credential={SCOPE}",
            "Authorization header requires 'SignedHeaders' parameter. Authorization header "
            "requires 'Signature' parameter.",
        ),
        (f"AWS4-HMAC-SHA256 Credential=key, {REST}", "exactly 5 slash-delimited elements"),
        (f"AWS4-HMAC-SHA256 Credential={SCOPE}/more, {REST}", "exactly 5 slash-delimited"),
        (f"AWS4-HMAC-SHA256 Credential=////, {REST}", "exactly 5 slash-delimited elements"),
        (
            f"AWS4-HMAC-SHA256 Credential=k/d/r/s/aws3_request, {REST}",
            "should end in aws4_request",
        ),
        (f"AWS4-ECDSA-P256-SHA256 Credential={SCOPE}, {REST}", "exactly 4 slash-delimited"),
        (" ", "not a signing algorithm"),
    ],
)
def test_a_header_that_is_not_whole_is_an_incomplete_signature(header, why):
    with pytest.raises(AwsError) as caught:
        _of(header)

    assert (caught.value.code, caught.value.status) == ("IncompleteSignature", 400)
    assert why in caught.value.message


@pytest.mark.parametrize("region", ["EU-WEST-1", "eu.west", "a" * 25, "eu_west", "é"])
def test_a_region_that_could_not_be_one_is_a_wrong_signature(region):
    """It becomes part of a name in Redis."""
    with pytest.raises(AwsError) as caught:
        _of(f"AWS4-HMAC-SHA256 Credential=k/d/{region}/sqs/aws4_request, {REST}")

    assert (caught.value.code, caught.value.status) == ("SignatureDoesNotMatch", 403)


def test_a_long_header_is_not_repeated_in_full():
    with pytest.raises(AwsError) as caught:
        _of(f"AWS4-HMAC-SHA256 Credential={'x' * 100_000}, {REST}")

    assert len(caught.value.message) < 300


def test_a_url_that_was_signed_says_it_too():
    signed = {
        "X-Amz-Credential": SCOPE,
        "X-Amz-Signature": "0",
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
    }

    assert _of(query=signed) == FOUND
    del signed["X-Amz-Algorithm"]
    assert _of(query=signed) == FOUND
    del signed["X-Amz-Signature"]
    with pytest.raises(AwsError, match="X-Amz-Signature"):
        _of(query=signed)


def test_the_header_goes_before_the_url():
    signed = {"X-Amz-Credential": "nonsense"}

    assert _of(f"AWS4-HMAC-SHA256 Credential={SCOPE}, {REST}", signed) == FOUND


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("localhost", ""),
        ("127.0.0.1:4566", ""),
        ("sqs.eu-west-1.amazonaws.com", "eu-west-1"),
        ("eu-west-1.queue.amazonaws.com", "eu-west-1"),
        ("queue.amazonaws.com", ""),
        ("sqs.us-east-1.localhost.localstack.cloud:4566", "us-east-1"),
        ("kinesis.us-west-2.amazonaws.com:443", "us-west-2"),
        ("s3.eu-west-1.amazonaws.com", ""),
    ],
)
def test_without_a_signature_the_host_may_tell_the_region(host, region):
    assert _of(host=host) == Credential(region=region)


@pytest.mark.parametrize(
    ("key_id", "account"),
    [
        ("123456789012", "123456789012"),
        ("000000000000", "000000000000"),
        ("12345678901", ""),
        ("1234567890123", ""),
        ("AKIAIOSFODNN7EXAMPLE", ""),
        ("١٢٣٤٥٦٧٨٩٠١٢", ""),
        ("", ""),
    ],
)
def test_only_a_key_of_12_digits_is_an_account(key_id, account):
    assert Credential(key_id).account == account


@given(some.text())
def test_any_header_is_read_or_refused(header):
    assert _code(header) in ("", "IncompleteSignature", "SignatureDoesNotMatch")


@given(some.text(), some.text(), some.text())
def test_any_scope_in_a_good_header_is_read_or_refused(key_id, region, service):
    scope = f"{key_id}/20260101/{region}/{service}/aws4_request"

    code = _code(f"AWS4-HMAC-SHA256 Credential={scope}, {REST}")

    assert code in ("", "IncompleteSignature", "SignatureDoesNotMatch")


def _code(header: str) -> str:
    """Of the error that a header is refused with, if it is."""
    try:
        _of(header)
    except AwsError as error:
        return error.code
    return ""
