"""The behaviour suite of queues runs through boto3 too: see tests/boto_backend.py."""

from tests.boto_backend import backend, beyond_aws, clock, namespace, served

__all__ = ["backend", "beyond_aws", "clock", "namespace", "served"]
