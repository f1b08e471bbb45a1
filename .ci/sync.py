"""Makes each sync.py from the aio.py beside it: the same words without the waiting.

`python .ci/sync.py` writes them, `--check` says whether one has drifted (exit status 1).
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
HEAD = "# Made from aio.py by .ci/sync.py. Edit that file, then `make sync`.\n"

# In order; a later rule sees what an earlier one left.
RULES = [
    (
        r"in asyncio\. `sync\.py` is made from this file: `make sync`\.",
        "for threads.",
    ),
    (r"\n    def __await__\(.*?(?=\n    (async )?def __aenter__)", "\n"),
    (r"is_async=True", "is_async=False"),
    # What has no twin: up to the next section, or to the end.
    (r"\n    # --- asyncio only: .*?(?=\n    # --- |\Z)", "\n"),
    (
        r"    (Single sends, deletes|(Messages|Records) that tasks).*?own error\.\n",
        "    Safe to use from many threads.\n",
    ),
    (r"\basync (def|with|for)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\basynccontextmanager\b", "contextmanager"),
    (r"\.aclose\b", ".close"),
    (r"\bAsync(Iterator|Iterable)\b", r"\1"),
    (r"\bAsync(Coalescer|Executor)\b", r"Sync\1"),
    (r"\bAsync(Client|Queue|Message|Topic|Mobile|Sms|Stream|Reader)\b", r"\1"),
    (r"\b__a(enter|exit|iter)__\b", r"__\1__"),
    (r"\.aio\b", ".sync"),
    (r"\.producing\.tasks\b", ".producing.threads"),
    (r"\bAsyncProducer\b", "Producer"),
    (r"connect_async", "connect"),
]


def made(source: Path) -> str:
    text = source.read_text()
    for pattern, replacement in RULES:
        text = re.sub(pattern, replacement, text, flags=re.DOTALL)
    for command in (
        ["check", "--select", "I,F401,UP028", "--fix", "--unsafe-fixes", "--quiet"],
        ["format", "--quiet"],
    ):
        ruff = [
            sys.executable,
            "-m",
            "ruff",
            *command,
            "--stdin-filename",
            str(source.with_name("sync.py")),
            "-",
        ]
        text = subprocess.run(
            ruff, input=text, capture_output=True, text=True, check=True, cwd=ROOT
        ).stdout
    return HEAD + text


def main() -> int:
    drifted = 0
    for source in sorted((ROOT / "rmq").rglob("aio.py")):
        target, text = source.with_name("sync.py"), made(source)
        if target.exists() and target.read_text() == text:
            continue
        drifted += 1
        if "--check" in sys.argv:
            print(f"{target.relative_to(ROOT)} is not what {source.name} makes; run `make sync`")
        else:
            target.write_text(text)
            print(f"wrote {target.relative_to(ROOT)}")
    return drifted if "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
