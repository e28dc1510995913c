"""Recordings: where they may lie, what may come, and that nobody learns the key there. Real sockets on this machine."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from functools import cache
from ipaddress import ip_address
from typing import Any

import anyio
import httpx
import pytest

from dialer.client.media import STRICT, THIS_MACHINE, Media, MediaClient, Rules, is_public
from dialer.core.errors import ApiError, Expired, NoAnswer, Unfit
from tests.client.raw_server import Behaviour, RawServer, answers, drips, reply, says, serving, streams

WAV = b"RIFF\x24\0\0\0WAVEfmt " + bytes(50)
AUDIO = {"Content-Type": "audio/wav"}
_certificates = cache(httpx.create_ssl_context)


@pytest.fixture(autouse=True)
def _read_certificates_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(httpx, "create_ssl_context", _certificates)


async def nobody_asked(host: str, _port: int) -> Sequence[str]:
    raise AssertionError(f"{host} was looked up")


def downloaded(*script: Behaviour, **settings: Any) -> tuple[Media | ApiError, bytes, RawServer]:
    """What comes of a download from a server that behaves like this."""
    got = bytearray()

    async def main() -> tuple[Media | ApiError, bytes, RawServer]:
        async with serving(*script) as server, MediaClient(THIS_MACHINE, **settings) as client:
            try:
                return await client.download(f"{server.url}/call_1.wav", got.extend), bytes(got), server
            except ApiError as error:
                return error, bytes(got), server

    return anyio.run(main)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://recordings.getsmartalex.com/a.mp3", "is http, not https"),
        ("https://evilgetsmartalex.com/a.mp3", "evilgetsmartalex.com"),
        ("https://getsmartalex.com.evil.org/a.mp3", "getsmartalex.com.evil.org"),
        ("https://recordings.getsmartalex.com@evil.org/a.mp3", "evil.org"),
        ("https://me:secret@recordings.getsmartalex.com/a.mp3", "a user"),
        ("https://recordings.getsmartalex.com:8443/a.mp3", "port of its own"),
        ("https://127.0.0.1/a.mp3", "127.0.0.1"),
        ("https://169.254.169.254/latest/meta-data", "169.254.169.254"),
        ("https://localhost/a.mp3", "localhost"),
        ("https://recordings.getsmartalex.com\\@evil.org/a.mp3", ""),
        ("ftp://recordings.getsmartalex.com/a.mp3", "ftp"),
        ("file:///etc/passwd", "no host"),
        ("//recordings.getsmartalex.com/a.mp3", ""),
        ("", "no host"),
        ("https://\x1b[31m.invalid/", ""),
    ],
)
def test_an_address_that_is_not_the_providers_is_refused_before_anything_is_looked_up(address: str, said: str) -> None:
    async def main() -> None:
        async with MediaClient(STRICT, resolve=nobody_asked) as client:
            await client.download(address, bytes)

    with pytest.raises(Unfit) as refused:
        anyio.run(main)
    assert said in refused.value.message
    assert refused.value.message.isprintable()
    assert "secret" not in refused.value.message


@pytest.mark.parametrize(
    "address",
    [
        "https://recordings.getsmartalex.com/a.mp3?x=1",
        "https://GetSmartAlex.com./a",
        "https://a.b.getsmartalex.com:443/",
    ],
)
def test_an_address_of_the_provider_is_taken(address: str) -> None:
    assert STRICT.check(address).host.rstrip(".").endswith("getsmartalex.com")


def test_a_rehearsal_goes_nowhere_but_to_this_machine() -> None:
    with pytest.raises(Unfit):
        THIS_MACHINE.check("https://recordings.getsmartalex.com/a.mp3")
    assert THIS_MACHINE.check("http://localhost:8765/recordings/a.wav").port == 8765


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True), ("2606:2800:220:1:248:1893:25c8:1946", True), ("::ffff:93.184.216.34", True),
        ("127.0.0.1", False), ("0.0.0.1", False), ("10.1.2.3", False), ("172.16.0.1", False), ("192.168.1.1", False),
        ("169.254.169.254", False), ("100.64.0.1", False), ("224.0.0.1", False), ("255.255.255.255", False),
        ("240.0.0.1", False), ("::1", False), ("::", False), ("fe80::1", False), ("fc00::1", False), ("fec0::1", False),
        ("ff02::1", False), ("::ffff:10.0.0.1", False), ("64:ff9b::7f00:1", False), ("2002:7f00:1::", False),
    ],
)  # fmt: skip
def test_only_addresses_that_are_anybodys_are_public(address: str, public: bool) -> None:
    assert is_public(ip_address(address)) is public


@pytest.mark.parametrize("found", [["127.0.0.1"], ["93.184.216.34", "10.0.0.1"], ["fe80::1%eth0"]])
def test_a_name_that_stands_for_a_private_address_is_refused_also_beside_a_public_one(found: list[str]) -> None:
    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return found

    async def main() -> None:
        async with MediaClient(STRICT, resolve=resolve) as client:
            await client.download("https://recordings.getsmartalex.com/a.mp3", bytes)

    with pytest.raises(Unfit, match="where nobody should go"):
        anyio.run(main)


def test_the_connection_goes_to_the_address_that_was_checked_and_nobody_looks_it_up_again() -> None:
    asked: list[str] = []

    async def resolve(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"]  # a name that no resolver of this machine knows

    async def main() -> RawServer:
        rules = Rules(("recordings.invalid",), frozenset({"http"}), None, lambda address: address.is_loopback)
        async with serving(answers(200, WAV, AUDIO)) as server, MediaClient(rules, resolve=resolve) as client:
            port = httpx.URL(server.url).port
            await client.download(f"http://recordings.invalid:{port}/a.wav", bytes)
            return server

    server = anyio.run(main)
    assert asked == ["recordings.invalid"]
    assert server.heard[0].headers["host"].startswith("recordings.invalid:")


def test_what_is_sent_is_a_get_and_nothing_that_tells_who_we_are() -> None:
    found, got, server = downloaded(answers(200, WAV, {**AUDIO, "Set-Cookie": "a=b"}))
    assert (found, got) == (Media("wav", len(WAV)), WAV)
    assert server.heard[0].method == "GET"
    assert set(server.heard[0].headers) == {"host", "accept", "accept-encoding", "user-agent"}


@pytest.mark.parametrize(
    ("behaviour", "becomes", "said"),
    [
        (answers(403, b"", AUDIO), Expired, "HTTP 403"),
        (answers(404, b"", AUDIO), Expired, "HTTP 404"),
        (answers(410, b"", AUDIO), Expired, "HTTP 410"),
        (answers(302, b"", {"Location": "http://169.254.169.254/"}), Unfit, "not followed"),
        (answers(400, b"", AUDIO), Unfit, "HTTP 400"),
        (answers(429, b"", AUDIO), NoAnswer, "HTTP 429"),
        (answers(503, b"", AUDIO), NoAnswer, "HTTP 503"),
        (answers(206, WAV, AUDIO), NoAnswer, "HTTP 206"),
        (answers(200, b"<html>", {"Content-Type": "text/html; charset=utf-8"}), Unfit, "text/html"),
        (answers(200, b"", AUDIO), Unfit, "empty"),
        (answers(200, b"MZ this is a program", {"Content-Type": "application/octet-stream"}), Unfit, "no audio"),
        (answers(200, b"RIFF", {"Content-Type": "application/octet-stream"}), Unfit, "too short"),
        (answers(200, WAV, {**AUDIO, "Content-Encoding": "br"}), Unfit, "packed as br"),
        (answers(200, WAV, {**AUDIO, "Content-Encoding": "gzip"}), Unfit, "broken"),
        (answers(200, gzip.compress(WAV)[:-9], {**AUDIO, "Content-Encoding": "gzip"}), NoAnswer, "breaks off"),
        (says(reply(200, WAV, {**AUDIO, "Content-Length": "9999"}), then_close=True), NoAnswer, "host"),
        (says(b"no http at all\r\n\r\n", then_close=True), NoAnswer, "host"),
        (answers(200, WAV, {**AUDIO, "Content-Length": str(2**40)}), Unfit, "larger than"),
    ],
)  # fmt: skip
def test_what_is_no_recording_is_told_for_what_it_is(behaviour: Behaviour, becomes: type[ApiError], said: str) -> None:
    found, _, _ = downloaded(behaviour)
    assert type(found) is becomes
    assert said in str(found)


@pytest.mark.parametrize(
    ("kind", "extension"),
    [
        ("audio/mpeg", "mp3"), ("AUDIO/X-WAV", "wav"), ("audio/ogg; codecs=opus", "ogg"), ("audio/strange", "audio"),
        ("application/octet-stream", "wav"), ("", "wav"),
    ],
)  # fmt: skip
def test_the_extension_is_ours_by_the_type_or_by_the_bytes(kind: str, extension: str) -> None:
    found, _, _ = downloaded(answers(200, WAV, {"Content-Type": kind}))
    assert found == Media(extension, len(WAV))


def test_a_recording_that_came_packed_is_unpacked() -> None:
    found, got, _ = downloaded(answers(200, gzip.compress(WAV), {**AUDIO, "Content-Encoding": "gzip"}))
    assert (found, got) == (Media("wav", len(WAV)), WAV)


_BOMB = gzip.compress(bytes(8 * 2**20))
_CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: audio/wav\r\nTransfer-Encoding: chunked\r\n\r\n"
_OPEN = b"HTTP/1.1 200 OK\r\nContent-Type: audio/wav\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    "behaviour",
    [
        streams(_OPEN, [bytes(2**16)] * 64),
        answers(200, _BOMB, {**AUDIO, "Content-Encoding": "gzip"}),
        streams(_CHUNKED, [b"10000\r\n" + bytes(2**16) + b"\r\n"] * 64),
    ],
    ids=["without a length", "packed", "chunked"],
)  # fmt: skip
def test_what_comes_is_counted_and_cut_off_whatever_the_headers_say(behaviour: Behaviour) -> None:
    found, got, _ = downloaded(behaviour, most_bytes=2**20)
    assert type(found) is Unfit
    assert "larger than 1 MB" in str(found)
    assert len(got) <= 2**20


@pytest.mark.parametrize(
    ("behaviour", "settings"),
    [
        (says(reply(200, WAV, {**AUDIO, "Content-Length": "9999"})), {"idle_s": 0.1}),
        (drips(reply(200, WAV, AUDIO), 0.02), {"total_s": 0.2}),
    ],
    ids=["stalls", "drips"],
)
def test_a_host_that_stalls_or_drips_is_left(behaviour: Behaviour, settings: dict[str, float]) -> None:
    found, _, _ = downloaded(behaviour, **settings)
    assert type(found) is NoAnswer
