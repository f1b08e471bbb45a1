"""Mail: e-mail by SMTP, for people (email: the text) and for programs (email-json: the envelope).

The server's word decides: what it refuses for good (5xx) is not sent again. That it does not let us
in is for the operator to mend, and passes.
"""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

from rmq.push.job import Job, Passing, Permanent
from rmq.push.settings import PushSettings
from rmq.topics.envelope import DEFAULT_SUBJECT, Confirmation

TIMEOUT_S = 15.0
THREADS = 16
"""Messages that are sent at the same time."""


class MailSender:
    """Sends through one SMTP server. Each message has a connection of its own."""

    def __init__(self, settings: PushSettings) -> None:
        self._settings = settings
        # Threads of its own: a server that hangs would hold up all else that is done in threads.
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="rmq-mail")
        self._tls = ssl.create_default_context(
            cafile=None if settings.smtp_ca_file is None else str(settings.smtp_ca_file)
        )

    async def send(self, job: Job) -> None:
        try:
            message = composed(job, self._settings.smtp_from)
        except (ValueError, IndexError, MessageError) as error:
            raise Permanent(f"it can not be sent as e-mail: {error}") from error
        await asyncio.get_running_loop().run_in_executor(self._threads, self._send, message)

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _send(self, message: EmailMessage) -> None:
        try:
            with self._connected() as server:
                server.send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            code, text = next(iter(error.recipients.values()))
            raise _failure(code, text) from error
        except smtplib.SMTPAuthenticationError as error:
            raise Passing(f"the mail server refused our login: {error.smtp_code}") from error
        except smtplib.SMTPResponseException as error:
            raise _failure(error.smtp_code, error.smtp_error) from error
        except (smtplib.SMTPException, OSError) as error:
            raise Passing(f"{type(error).__name__}: {error}") from error

    def _connected(self) -> smtplib.SMTP:
        settings = self._settings
        where = (settings.smtp_host, settings.smtp_port)
        server: smtplib.SMTP
        if settings.smtp_security == "tls":
            server = smtplib.SMTP_SSL(*where, timeout=TIMEOUT_S, context=self._tls)
        else:
            server = smtplib.SMTP(*where, timeout=TIMEOUT_S)
        try:
            if settings.smtp_security == "starttls":
                server.starttls(context=self._tls)
            if settings.smtp_user:
                server.login(settings.smtp_user, settings.smtp_password.get_secret_value())
        except BaseException:
            server.close()
            raise
        return server


def composed(job: Job, sender: str) -> EmailMessage:
    """The e-mail of a job. Raises ValueError for an address that is none."""
    message = job.message
    if isinstance(message, Confirmation):
        subject, text = message.email()
    else:
        subject, text = message.email(job.subscription_arn)
    if job.protocol == "email-json":
        subject = subject if isinstance(message, Confirmation) else DEFAULT_SUBJECT
        text = job.payload.decode()
    made = EmailMessage()
    made["From"] = Address(job.display_name, addr_spec=sender)
    made["To"] = Address(addr_spec=job.endpoint)
    made["Subject"] = subject
    made["Date"] = format_datetime(datetime.now(UTC))
    # The same for each try: a server that took it, and whose answer was lost, can tell.
    made["Message-ID"] = f"<{message.id}.{job.subscription_arn.rpartition(':')[2] or 'rmq'}@rmq>"
    made.set_content(text)
    return made


def _failure(code: int, text: bytes | str) -> Passing | Permanent:
    said = text.decode(errors="replace") if isinstance(text, bytes) else text
    kind = Permanent if code >= 500 else Passing
    return kind(f"the mail server answered {code} {said[:200]}")
