"""Bodies as stores post them."""

from __future__ import annotations

import json
from typing import Any


def aws(name: str = "ObjectCreated:Put", key: str = "a/b+c%2Bd.jpg", **more: Any) -> dict[str, Any]:
    """A record of S3's own; the key is url-encoded."""
    return {
        "eventVersion": "2.3",
        "eventSource": "aws:s3",
        "awsRegion": "us-west-2",
        "eventTime": "2024-01-01T00:00:00.000Z",
        "eventName": name,
        "userIdentity": {"principalId": "AIDAJDPLRKLG7UEXAMPLE"},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "responseElements": {"x-amz-request-id": "C3D13FE58DE4C810", "x-amz-id-2": "FMyUVURIY8"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "uploads",
            "bucket": {
                "name": "pictures",
                "ownerIdentity": {"principalId": "A3NL1KOZZKExample"},
                "arn": "arn:aws:s3:::pictures",
            },
            "object": {
                "key": key,
                "size": 1024,
                "eTag": "d41d8cd98f00b204e9800998ecf8427e",
                "versionId": "096fKKXTRTtl3on89fVO.nfljtsv6qko",
                "sequencer": "0055AED6DCD90281E5",
            },
        },
        **more,
    }


def minio(name: str = "s3:ObjectCreated:Put", key: str = "a%2Fb+c%2Bd.jpg") -> dict[str, Any]:
    """A record of MinIO's."""
    return {
        "eventVersion": "2.0",
        "eventSource": "minio:s3",
        "awsRegion": "",
        "eventTime": "2024-01-01T00:00:00.000Z",
        "eventName": name,
        "userIdentity": {"principalId": "minio"},
        "requestParameters": {
            "principalId": "minio",
            "region": "",
            "sourceIPAddress": "10.0.0.1",
        },
        "responseElements": {
            "x-amz-id-2": "dd9025bab4ad464b",
            "x-amz-request-id": "17A639B8E8C7DA6F",
            "x-minio-deployment-id": "5a1b",
            "x-minio-origin-endpoint": "http://10.0.0.1:9000",
        },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "Config",
            "bucket": {
                "name": "pictures",
                "ownerIdentity": {"principalId": "minio"},
                "arn": "arn:aws:s3:::pictures",
            },
            "object": {
                "key": key,
                "size": 1024,
                "eTag": "d41d8cd98f00b204e9800998ecf8427e",
                "contentType": "image/jpeg",
                "userMetadata": {"content-type": "image/jpeg"},
                "sequencer": "17A639B8E8D2C0BA",
            },
        },
        "source": {"host": "10.0.0.1", "port": "", "userAgent": "MinIO (linux)"},
    }


def posted(*records: dict[str, Any]) -> bytes:
    """A body of S3's."""
    return json.dumps({"Records": records}).encode()


def posted_by_minio(*records: dict[str, Any]) -> bytes:
    """A body of MinIO's webhook."""
    told = {"EventName": records[0]["eventName"], "Key": "pictures/a/b c+d.jpg"}
    return json.dumps(told | {"Records": records}).encode()


TEST_EVENT = {
    "Service": "Amazon S3",
    "Event": "s3:TestEvent",
    "Time": "2014-10-13T15:57:02.089Z",
    "Bucket": "pictures",
    "RequestId": "5582815E1AEA5ADF",
    "HostId": "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR",
}
