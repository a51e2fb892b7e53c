"""Write docs/messages: every default message as it goes out, and pictures of those that people see (needs a Chromium)."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.shown.incident import files
from tests.shown.slack_page import page

FOLDER = Path("docs/messages")
DARK = ("--blink-settings=preferredColorScheme=0",)


def main() -> int:
    FOLDER.mkdir(exist_ok=True)
    made = files()
    for name, text in made.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        print("no chromium: the texts are written, the pictures are as they were")
        return 0
    for name in ("firing", "resolved"):
        _picture(chromium, made[f"{name}-email.html"], f"{name}-email.png", 700, 560)
        _picture(chromium, page(json.loads(made[f"{name}-slack.json"])), f"{name}-slack.png", 640, 590)
    _picture(chromium, made["firing-email.html"], "firing-email-phone.png", 390, 760)
    _picture(chromium, made["firing-email.html"], "firing-email-dark.png", 700, 560, *DARK)
    return 0


def _picture(chromium: str, html: str, name: str, width: int, height: int, *flags: str) -> None:
    """A picture of the page in a window of this size."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "page.html"
        # A window narrower than 500 is made wider, so the page is framed in one of the width asked for.
        (Path(folder) / "inner.html").write_text(html, encoding="utf-8")
        source.write_text(
            "<!doctype html><style>body{margin:0;background:#cfd4da}iframe{display:block;margin:0 auto;border:0;"
            f"width:{width}px;height:{height}px}}</style>"
            "<iframe src=inner.html></iframe>",
            encoding="utf-8",
        )
        command = [
            chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={folder}/profile",
            f"--window-size={max(width, 500)},{height}", f"--screenshot={FOLDER / name}", *flags, source.as_uri(),
        ]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True, timeout=120)
    print(f"{FOLDER / name}  {(FOLDER / name).stat().st_size} bytes")


if __name__ == "__main__":
    sys.exit(main())
