"""The version, in a room below all others."""

from __future__ import annotations

from typing import Final

VERSION: Final = "0.1.0"
