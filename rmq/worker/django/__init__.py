"""For Django: a backend of its tasks framework, and an outbox in its database.

backend.py   TASKS = {"default": {"BACKEND": "rmq.worker.django.backend.RmqBackend", ..}}
worker.py    rmq worker rmq.worker.django.worker:app
outbox.py    send(..) inside of transaction.atomic(), relay(), is_new(..)
models.py    its two tables; INSTALLED_APPS needs "rmq.worker.django" for them
"""
