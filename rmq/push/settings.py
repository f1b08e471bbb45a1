"""Settings of pushing: to whom it may go, and by what. RMQ_* in the environment, as all settings.

What is not set is recorded instead of sent: e-mail, SMS and messages to phones then go to a list in
Redis, where the endpoint shows them (see senders/record.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from rmq.errors import ConfigurationError
from rmq.security.address import AllowList


class PushSettings(BaseSettings):
    """How messages get to endpoints."""

    model_config = SettingsConfigDict(env_prefix="RMQ_", extra="ignore")

    allow_addresses: Annotated[tuple[str, ...], NoDecode] = ()
    """What HTTP may go to though it is not public: addresses, CIDR blocks, host names and
    `loopback`, with commas between."""
    handlers: Annotated[tuple[str, ...], NoDecode] = ()
    """Where the functions of lambda subscriptions are: `module` or `module:name`, with commas
    between."""
    record_folder: Path | None = None
    """Record what is not sent in files here, not in Redis."""

    smtp_host: str = ""
    """The server that takes e-mail. Without one e-mail is recorded."""
    smtp_port: int = Field(587, ge=1, le=65535)
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    smtp_user: str = ""
    smtp_password: SecretStr = SecretStr("")
    smtp_from: str = "no-reply@localhost"
    """Whom e-mail is from; the topic's display name stands beside it."""
    smtp_ca_file: Path | None = None
    """The authority that signed the mail server's certificate (PEM)."""

    sms_sender: str = ""
    """`module:name` of a function that sends an SMS. Without one SMS are recorded."""

    mobile: Literal["record", "send"] = "record"
    """Whether messages to platform endpoints go to the platforms, with the credentials of their
    platform applications."""
    fcm_url: str = "https://fcm.googleapis.com"
    apns_url: str = "https://api.push.apple.com"
    apns_sandbox_url: str = "https://api.sandbox.push.apple.com"
    adm_url: str = "https://api.amazon.com"

    @field_validator("allow_addresses", "handlers", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @property
    def allowed(self) -> AllowList:
        """allow_addresses, read. Raises InvalidParameter."""
        return AllowList.of(self.allow_addresses)


def push_settings(**given: Any) -> PushSettings:
    """What is *given* over the environment's. Raises ConfigurationError."""
    try:
        return PushSettings(**given)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, one['loc']))}: {one['msg']}"
            for one in error.errors(include_input=False, include_url=False)
        )
        raise ConfigurationError(f"settings can not be used: {wrong}") from error
