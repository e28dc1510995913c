"""A real browser for tests of the page: found on this machine, started without a window, a network or a past."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from playwright.sync_api import Browser, sync_playwright

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
"""As ``get_browser.sh`` has them."""
ABSENT: Final = (
    "no Chromium or Chrome on this machine: `make test` installs one where it may, or name one with DIALER_BROWSER"
)
_FLAGS: Final = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_browser() -> str | None:
    """The program of a browser: ``DIALER_BROWSER``, or the first of :data:`NAMES` on the path."""
    return next(filter(None, map(shutil.which, (os.environ.get("DIALER_BROWSER", ""), *NAMES))), None)


@contextmanager
def browser(program: str) -> Iterator[Browser]:
    """A running browser with a fresh profile, which goes away with it."""
    flags = [*_FLAGS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=program, args=flags, timeout=60_000)
        try:
            yield started
        finally:
            started.close()
