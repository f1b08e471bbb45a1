"""The outbox and the inbox."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies: ClassVar[list[tuple[str, str]]] = []

    operations: ClassVar[list[migrations.CreateModel]] = [
        migrations.CreateModel(
            name="InboxMessage",
            fields=[
                ("id", models.CharField(max_length=128, primary_key=True, serialize=False)),
                ("taken_at", models.DateTimeField(auto_now_add=True, db_index=True)),
            ],
        ),
        migrations.CreateModel(
            name="OutboxMessage",
            fields=[
                ("position", models.BigAutoField(primary_key=True, serialize=False)),
                ("id", models.CharField(max_length=36, unique=True)),
                ("queue", models.CharField(max_length=255)),
                ("body", models.BinaryField()),
                ("attributes", models.JSONField(default=dict)),
                ("message_group_id", models.CharField(max_length=128, null=True)),
                ("delay", models.FloatField(null=True)),
                ("error", models.TextField(null=True)),
            ],
            options={
                "ordering": ("position",),
            },
        ),
    ]
