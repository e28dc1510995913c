"""What is masked cannot be dialed: whatever the importer reads as a number, a masked cell no longer shows."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dialer.core.columns import Columns
from dialer.core.masks import masked_cell, masked_numbers, masked_phone_cell, masked_row
from dialer.intake.phones import Numbers

NEW_YORK = "+12125550100"
GROUPS = ("212", "555", "0100")
SIGNS = [" ", "-", ".", "\t", "\xa0", "\u2007", "\u202f", "\u3000", "\r", "\x0b", "\u200b", "\u2060", "\ufeff", "\xad",
         *map(chr, range(0x2010, 0x2016)), "－", "．", "（", "）", " (", ") ", "~", "/", " cell "]  # fmt: skip
"""Whatever may stand between groups of digits; some of them no importer takes."""
DIGITS = ("0123456789", "０１２３４５６７８９", "٠١٢٣٤٥٦٧٨٩", "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗", "⁰¹²³⁴⁵⁶⁷⁸⁹", "O123456789", "⓪①②③④⑤⑥⑦⑧⑨")
READERS = [
    Numbers(Columns(region=region, extensions="strip", vanity=True, allow_possible=True))
    for region in ("US", "GB", "ZA", "DE", "DK", None)
]


def _shows(text: str, phone: str) -> bool:
    """Whether seven digits of the end of a number still stand in a text, or any reader still reads it there."""
    digits = "".join(str(unicodedata.decimal(mark, "")) for mark in unicodedata.normalize("NFKC", text))
    return phone[-7:] in digits or any(reader.read(text) == phone for reader in READERS)


_GAPS = st.lists(st.sampled_from(SIGNS), max_size=5).map("".join)


@st.composite
def _written(draw: st.DrawFn) -> str:
    """A number as people write it, and what stands around it."""
    digits, code = draw(st.sampled_from(DIGITS)), draw(st.sampled_from(["", "1", "+1", "001", "+27", "+45", "0"]))
    groups = draw(st.sampled_from([GROUPS, ("82", "123", "4567"), ("2026", "02", "25"), ("20", "7946", "0018")]))
    number = draw(_GAPS).join([code, *groups]) if draw(st.booleans()) else draw(_GAPS).join([*code, *"".join(groups)])
    around = st.sampled_from(
        ["", "Tel. ", "mobile: ", " (work)", " x12", ", +1 212 555 0199", "'", ".0", " ext 1234567"]
    )
    return draw(around) + "".join(digits[int(m)] if m in "0123456789" else m for m in number) + draw(around)


_VANITY = st.builds(
    lambda a, b, c: f"{a}{b}-{c}",
    st.sampled_from(["1-800-", "+1 800 ", "800", "Tel. 1 (800) "]),
    st.sampled_from(["FLO", "flo", "356", "ＦＬＯ"]),
    st.sampled_from(["WERS", "9377", "W3RS"]),
)


@example("2\x0bO\x0b2\x0b6\x0bO\x0b2\x0b2\x0b5")
@given(_written() | _VANITY)
def test_whatever_the_importer_reads_a_masked_cell_no_longer_shows(cell: str) -> None:
    shown = masked_phone_cell(cell)
    for reader in READERS:
        if isinstance(phone := reader.read(cell), str):
            assert not _shows(shown, phone), (cell, shown)
            assert not _shows(masked_row(f'7,"{cell}",Ada'), phone), cell


@pytest.mark.parametrize(
    "cell",
    [
        "212–555–0100",
        "212\xa0555\xa00100",
        "212‑555‑0100",
        "212\t555\t0100",
        "２１２－５５５－０１００",
        "212  -  555  -  0100",
        "212\N{MINUS SIGN}555\N{MINUS SIGN}0100",
        "212\u200b555\u200b0100",
        "(212) 555-O1OO",
        "Ada 212 555 0100",
        "212 555 0100 212 555 0100",
        "212 555 0100 ext. 1234567",
    ],
)
def test_numbers_of_every_writing_are_masked_in_every_kind_of_cell(cell: str) -> None:
    for mask in (masked_numbers, masked_cell, masked_phone_cell, masked_row):
        assert not _shows(mask(cell), NEW_YORK), mask
        assert "•" in mask(cell)


@pytest.mark.parametrize("cell", ["Ada", "10115", "12 Main Street", "Europe/Paris", "high", ""])
def test_what_is_no_number_stays_as_it_is(cell: str) -> None:
    for mask in (masked_numbers, masked_cell, masked_phone_cell, masked_row):
        assert mask(cell) == cell


def test_a_row_keeps_its_days_and_hides_numbers_with_words_in_them() -> None:
    assert masked_row("Ada,212 cell 555 0100,2026-12-01 09:30,90210") == "Ada,212 c••• ••• ••00,2026-12-01 09:30,90210"
    assert masked_phone_cell("2026-12-01") == "2•••-••-01"  # somewhere a number
