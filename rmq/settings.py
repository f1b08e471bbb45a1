"""Settings: what the environment says. Read by connect(), the command line and the gateway only.

Every field is an environment variable with the prefix RMQ_, so `RMQ_URL=redis://10.0.0.5`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class Settings(BaseSettings):
    """Where Redis is and how to speak to it."""

    model_config = SettingsConfigDict(env_prefix="RMQ_", extra="ignore")

    url: str = "memory://"
    """memory://, redis://, rediss://, unix:// or redis+cluster://host1,host2."""
    namespace: str = Field("default", pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    """Prefix of every key; several installations share one Redis without touching each other."""
    retry_timeout: float = Field(30.0, ge=0)
    """Seconds for which connection trouble is retried before ConnectionLost is raised."""
    socket_timeout: float = Field(5.0, gt=0)
    """Seconds that Redis may take for one answer."""
    tls_ca_file: Path | None = None
    """The authority that signed the server's certificate (PEM)."""
    tls_cert_file: Path | None = None
    """Our own certificate (PEM), where the server asks for one."""
    tls_key_file: Path | None = None
    """The key of our certificate (PEM)."""
    allow_eviction: bool = False
    """Work on a server whose maxmemory-policy is allkeys-*, which may drop queued messages."""
    allow_addresses: Annotated[tuple[str, ...], NoDecode] = ()
    """Addresses that HTTP(S) subscriptions may call though they are not public: addresses, CIDR
    blocks, host names, or `loopback`; separated by commas."""

    @field_validator("allow_addresses", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return tuple(entry for part in value.split(",") if (entry := part.strip()))

    aws_account_id: str = Field("000000000000", pattern=r"^[0-9]{12}$")
    """The account that owns this namespace: it stands in ARNs, and is that of the endpoint's
    callers whose access key id is not 12 digits."""
    aws_region: str = Field("us-east-1", pattern=r"^[a-z0-9-]{1,24}$")
    """The region that stands in ARNs, and whose queues and topics at the endpoint, with that
    account, are those of the library."""
    endpoint_url: str = Field("http://127.0.0.1:4566", pattern=r"^https?://[^\s/]+(/.*)?$")
    """Where `rmq serve` can be reached from outside: links in notifications begin with it."""
