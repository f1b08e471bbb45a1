"""The Django app, which has the outbox's tables."""

from django.apps import AppConfig


class RmqConfig(AppConfig):
    """`rmq.worker.django` in INSTALLED_APPS."""

    name = "rmq.worker.django"
    label = "rmq"
    verbose_name = "rmq"
    default_auto_field = "django.db.models.BigAutoField"
