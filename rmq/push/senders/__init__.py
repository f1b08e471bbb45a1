"""Senders: what takes a message to its endpoint, one for each protocol or kind of them."""

from __future__ import annotations

from rmq.core.executor import AsyncExecutor
from rmq.errors import ConfigurationError
from rmq.push.job import Sender
from rmq.push.senders.function import FunctionSender, Handlers
from rmq.push.senders.mail import MailSender
from rmq.push.senders.record import FileRecorder, RedisRecorder
from rmq.push.senders.sms import PermittedSms, SmsSender
from rmq.push.settings import PushSettings

__all__ = ["FunctionSender", "Handlers", "MailSender", "PermittedSms", "SmsSender", "chosen"]


def chosen(
    settings: PushSettings,
    executor: AsyncExecutor,
    *,
    handlers: Handlers | None = None,
) -> dict[str, Sender]:
    """Senders by protocol, as *settings* want them. What they do not say how to send is recorded.

    *handlers* are beside those of the settings. Raises ConfigurationError, InvalidParameter.
    """
    try:
        from rmq.push.senders.http import HttpSender
        from rmq.push.senders.mobile import KnownPhones, MobileSender, RedisPhoneBook
    except ImportError as error:
        if (error.name or "").startswith("rmq"):
            raise  # a bug of ours, and nothing that an install could mend
        raise ConfigurationError(
            f"pushing needs {error.name}, which is not installed; pip install 'rmq[push]'"
        ) from error
    functions = Handlers.of(settings.handlers)
    if handlers is not None:
        functions.add(handlers)
    recorder: Sender = RedisRecorder(executor)
    if settings.record_folder is not None:
        recorder = FileRecorder(settings.record_folder, executor)
    http = HttpSender(settings.allowed)
    mail = MailSender(settings) if settings.smtp_host else recorder
    sms = SmsSender.named(settings.sms_sender) if settings.sms_sender else recorder
    book = RedisPhoneBook(executor)
    mobile: Sender = KnownPhones(book, recorder)
    if settings.mobile == "send":
        mobile = MobileSender(book, settings)
    return {
        "http": http,
        "https": http,
        "lambda": FunctionSender(functions),
        "email": mail,
        "email-json": mail,
        "sms": PermittedSms(executor, sms),
        "application": mobile,
        "firehose": recorder,
    }
