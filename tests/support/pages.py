"""Pages of reports, and what is packed inside them."""

from __future__ import annotations

import base64
import gzip
import json
import re
from pathlib import Path
from typing import Any

from dialer.ledger.reading import open_reader
from dialer.reports.page import write_page
from dialer.reports.page.rows import COLUMNS
from dialer.reports.summary import summarise
from tests.support_rows import NOON


def page_of(ledger: Path, target: Path, **options: Any) -> Path:
    """The page of the campaign ``spring``."""
    with open_reader(ledger) as reader:
        record = reader.campaign("spring")
        write_page(reader, record, summarise(reader, record, NOON), target, **options)
    return target


def rows_of(page: Path) -> list[dict[str, Any]]:
    """The contacts inside a page."""
    found = re.search(r'id="rows">([A-Za-z0-9+/=]*)</script>', page.read_text("utf-8"))
    assert found is not None
    rows: list[list[Any]] = json.loads(gzip.decompress(base64.b64decode(found[1])))
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows]
