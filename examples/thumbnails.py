"""Thumbnails of all images in a folder, made in processes: one core each, and a broken file harms
nobody but itself.

    python examples/thumbnails.py [url]

In a project of its own `rmq worker thumbnails:app` would do the work, on any number of machines.
"""

import asyncio
import logging
import sys
import tempfile
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from rmq.testing import private_namespace
from rmq.worker import App, Reject, TaskHandle

app = App(sys.argv[1] if len(sys.argv) > 1 else "memory://", namespace=private_namespace())
SIZE = (64, 64)


@app.task(
    queue="thumbnails",
    process=True,
    timeout=60,
    memory_limit=1 << 30,
    result_ttl=600,
)
def make_thumbnail(source: str, target: str) -> list[int]:
    """Write a small one of *source* to *target*. Returns its width and height."""
    try:
        with Image.open(source) as image:
            image.thumbnail(SIZE)
            image.save(target)
            return list(image.size)
    except UnidentifiedImageError as error:
        raise Reject(str(error)) from None  # no retry will make it an image


def files_of(folder: Path) -> list[Path]:
    return sorted(one for one in folder.iterdir() if one.is_file())


async def thumbnails_of(folder: Path) -> list[TaskHandle]:
    """Have a thumbnail made of everything in *folder*."""
    small = folder / "small"
    small.mkdir(exist_ok=True)
    files = files_of(folder)
    return [await make_thumbnail.send(str(one), str(small / one.name)) for one in files]


async def main() -> None:
    # Each failure is logged, with its traceback; here what became of it is printed below.
    logging.getLogger("rmq.worker").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(6):
            Image.new("RGB", (640, 480 - 60 * number), (40 * number, 90, 200)).save(
                folder / f"{number}.png"
            )
        (folder / "notes.txt").write_text("not an image")
        async with app, app.worker() as worker:
            await app.make_queues()
            working = asyncio.create_task(worker.run())
            for handle, file in zip(await thumbnails_of(folder), files_of(folder), strict=True):
                try:
                    width, height = await handle.result(timeout=60)
                    print(f"{file.name}: {width} x {height}")
                except Exception as error:
                    print(f"{file.name}: {error}".replace(str(folder), "."))
            for dead in await app.client.queue("thumbnails-dead").peek():
                print(f"dead letter: {dead.failure.reason} by {dead.failure.task}")
            worker.stop()
            await working
            await app.client.wipe()


if __name__ == "__main__":
    asyncio.run(main())
