"""The tables of an outbox and an inbox; see rmq/worker/outbox/row.py."""

from __future__ import annotations

from django.db import models


class OutboxMessage(models.Model):
    """A message on its way to its queue."""

    position = models.BigAutoField(primary_key=True)
    id = models.CharField(max_length=36, unique=True)
    queue = models.CharField(max_length=255)
    body = models.BinaryField()
    attributes = models.JSONField(default=dict)
    message_group_id = models.CharField(max_length=128, null=True)
    delay = models.FloatField(null=True)
    error = models.TextField(null=True)
    """Why it can not be sent; it stays then."""

    class Meta:
        ordering = ("position",)


class InboxMessage(models.Model):
    """A message that was taken."""

    id = models.CharField(max_length=128, primary_key=True)
    taken_at = models.DateTimeField(auto_now_add=True, db_index=True)
