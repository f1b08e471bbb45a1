"""python manage.py rmq_relay: bring what is in the outbox to its queues, until it is stopped."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, close_old_connections

from rmq.errors import RmqError
from rmq.worker.django.backend import client_of
from rmq.worker.django.outbox import relay


class Command(BaseCommand):
    """The relay of the outbox."""

    help = "Bring what is in the outbox to its queues, until it is stopped."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--backend", default="default", help="Whose OPTIONS say where Redis is."
        )
        parser.add_argument("--database", default=None, help="Default: as the routers say.")
        parser.add_argument("--every", type=float, default=1.0, help="Seconds between two looks.")
        parser.add_argument("--once", action="store_true", help="Bring what is there, and end.")

    def handle(self, *args: Any, **options: Any) -> None:
        stopping = threading.Event()
        if threading.current_thread() is threading.main_thread() and not options["once"]:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: stopping.set())
        client = client_of(options["backend"])
        total = 0
        while not stopping.is_set():
            try:
                close_old_connections()
                count = relay(client, using=options["database"])
            except (RmqError, DatabaseError) as error:
                if options["once"]:
                    raise
                self.stderr.write(f"the outbox waits: {error}")
                count = 0
            total += count
            if count == 0:
                if options["once"]:
                    break
                stopping.wait(options["every"])
        self.stdout.write(f"{total} messages were brought on")
