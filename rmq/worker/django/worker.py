"""What `rmq worker rmq.worker.django.worker:app` runs: the tasks of the backend `default`."""

import django

django.setup()

from rmq.worker.django.running import app_of  # noqa: E402

app = app_of()
