"""Recordings: files on another host than the API's, at addresses that somebody else wrote. Only GET is sent there.

No key, no cookies, no redirects. An address must be https on the provider's own hosts; every address that the name
stands for must be a public one, and the connection goes to the very one that was checked: a name that would stand for
another one a moment later is not asked again. What comes is counted as it comes, whatever the headers say, and bounded
in size and time. Rehearsals have their recordings on this machine, and then nothing but this machine is allowed.
"""

from __future__ import annotations

import re
import socket
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any, Final, Self

import anyio
import httpx
from anyio.abc import ByteStream

from dialer.client import CONNECT_S, tidy
from dialer.client.oneshot import OneShotTransport
from dialer.core.errors import Expired, NoAnswer, Unfit

MOST_BYTES: Final = 200 * 1024 * 1024
IDLE_S: Final = 30.0
TOTAL_S: Final = 900.0
_PROVIDER: Final = "getsmartalex.com"
_ADDRESSES_TRIED: Final = 3
_HEADERS: Final = {
    "Accept": "audio/*, application/octet-stream;q=0.5",
    "Accept-Encoding": "identity",
    "User-Agent": "dialer",
}
_EXPIRED: Final = frozenset({401, 403, 404, 410})
"""What hosts of temporary addresses say once those have expired."""
_NAT64: Final = IPv6Network("64:ff9b::/96")
_EXTENSIONS: Final = {
    "mpeg": "mp3", "mp3": "mp3", "mpeg3": "mp3", "x-mpeg": "mp3", "wav": "wav", "x-wav": "wav", "wave": "wav",
    "vnd.wave": "wav", "ogg": "ogg", "opus": "opus", "flac": "flac", "x-flac": "flac", "mp4": "m4a", "m4a": "m4a",
    "x-m4a": "m4a", "aac": "aac", "webm": "webm", "amr": "amr", "basic": "au",
}  # fmt: skip
OTHER_AUDIO: Final = "audio"
"""The extension of audio/* that is not known here."""
EXTENSIONS: Final = (*sorted(set(_EXTENSIONS.values())), OTHER_AUDIO)
"""Every extension that a recording may get. None of them is anything that a machine would run."""
_MAGIC: Final = (
    (re.compile(rb"ID3|\xff[\xe2\xe3\xf2\xf3\xfa\xfb]"), "mp3"),
    (re.compile(rb"RIFF....WAVE", re.DOTALL), "wav"),
    (re.compile(rb"OggS"), "ogg"),
    (re.compile(rb"fLaC"), "flac"),
    (re.compile(rb"....ftyp", re.DOTALL), "m4a"),
    (re.compile(rb"#!AMR"), "amr"),
)
_MAGIC_BYTES: Final = 12
_Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


@dataclass(frozen=True, slots=True)
class Rules:
    """Where recordings may lie: names (themselves, and what ends in them after a dot), schemes, ports, addresses."""

    names: tuple[str, ...]
    schemes: frozenset[str]
    ports: frozenset[int] | None
    fits: Callable[[_Address], bool]

    def check(self, text: str) -> httpx.URL:
        """The address, if it may be asked. Raises :class:`~dialer.core.errors.Unfit` with the host in its message."""
        try:
            url = httpx.URL(text)
            host = url.raw_host.decode("ascii").lower().rstrip(".")
        except (httpx.InvalidURL, UnicodeError, ValueError, TypeError):
            raise Unfit("the recording's address is none") from None
        if not any(host == name or host.endswith(f".{name}") for name in self.names):
            raise Unfit(f"the recording lies on {_shown(host) or 'no host'}, which is not the provider's")
        if url.scheme not in self.schemes:
            raise Unfit(f"the recording's address on {_shown(host)} is {tidy(url.scheme)}, not https")
        if url.userinfo or (self.ports is not None and (url.port or 443) not in self.ports):
            raise Unfit(f"the recording's address on {_shown(host)} has a user or a port of its own")
        return url


def _shown(host: str) -> str:
    """A host as it may be told: an address in numbers too, which :func:`~dialer.client.tidy` would hide."""
    return re.sub(r"[^A-Za-z0-9.:_\[\]-]", "?", host)[:100]


def is_public(address: _Address) -> bool:
    """Whether an address is anybody's on the internet: also where another one is packed into it."""
    if isinstance(address, IPv6Address):
        packed = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if address in _NAT64:
            packed.append(IPv4Address(int(address) & 0xFFFFFFFF))
        if any(inner is not None and not is_public(inner) for inner in packed):
            return False
        if address.ipv4_mapped is not None:
            return True
        if address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _is_own(address: _Address) -> bool:
    return address.is_loopback


STRICT: Final = Rules((_PROVIDER,), frozenset({"https"}), frozenset({443}), is_public)
THIS_MACHINE: Final = Rules(("localhost", "127.0.0.1", "::1", "[::1]"), frozenset({"http", "https"}), None, _is_own)
"""For an API on this machine: nothing but this machine, either."""


async def resolved(host: str, port: int) -> Sequence[str]:
    """The addresses that a name stands for, in the system's order."""
    found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class GuardedTransport(OneShotTransport):
    """A connection of its own for each request, to an address that was checked."""

    def __init__(self, verify: ssl.SSLContext, rules: Rules, resolve: Resolve) -> None:
        super().__init__(verify)
        self._rules = rules
        self._resolve = resolve

    async def _dial(self, url: httpx.URL, host: str, port: int) -> ByteStream:
        addresses = [ip_address(text.partition("%")[0]) for text in await self._resolve(host, port)]
        for address in addresses:
            if not self._rules.fits(address):
                raise Unfit(f"the recording's host {_shown(host)} stands for {address}, where nobody should go")
        failed: OSError = OSError("the name stands for no address")
        for address in addresses[:_ADDRESSES_TRIED]:
            try:
                return await super()._dial(url, str(address), port)
            except ssl.SSLError:
                raise
            except OSError as error:
                failed = error
        raise failed


@dataclass(frozen=True, slots=True)
class Media:
    """What was fetched: its extension, without a dot, and its length."""

    extension: str
    size_bytes: int


class MediaClient:
    """Fetches recordings. Knows no key. Use as an asynchronous context manager."""

    def __init__(
        self,
        rules: Rules = STRICT,
        *,
        most_bytes: int = MOST_BYTES,
        idle_s: float = IDLE_S,
        total_s: float = TOTAL_S,
        resolve: Resolve = resolved,
    ) -> None:
        self._rules = rules
        self._most_bytes = most_bytes
        self._idle_s = idle_s
        self._total_s = total_s
        self._transport = GuardedTransport(httpx.create_ssl_context(), rules, resolve)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._transport.aclose()

    async def download(self, address: str, write: Callable[[bytes], object]) -> Media:
        """Hand a recording to ``write``, piece by piece. Whatever was written before an error is to be thrown away.

        Raises :class:`~dialer.core.errors.Unfit` where it must not be fetched or kept,
        :class:`~dialer.core.errors.Expired` where the address is no longer good, and
        :class:`~dialer.core.errors.NoAnswer` where it may go another time.
        """
        url = self._rules.check(address)
        request = httpx.Request("GET", url, headers=_HEADERS)
        request.extensions = {"timeout": {"connect": min(CONNECT_S, self._idle_s)}}
        try:
            with anyio.fail_after(self._total_s):
                with anyio.fail_after(self._idle_s):
                    answer = await self._transport.handle_async_request(request)
                try:
                    return await self._taken(answer, write)
                finally:
                    await answer.aclose()
        except TimeoutError:
            raise NoAnswer("the recording's host was silent for too long, or took too long") from None
        except httpx.HTTPError as error:
            raise NoAnswer(f"the recording's host: {tidy(str(error)) or type(error).__name__}") from None

    async def _taken(self, answer: httpx.Response, write: Callable[[bytes], object]) -> Media:
        _check_status(answer)
        extension = _extension(answer.headers.get("content-type", ""))
        if (said := answer.headers.get("content-length", "")).isdecimal() and int(said) > self._most_bytes:
            raise self._too_large()
        size_bytes, head = 0, b""
        async for piece in _unpacked(self._pieces(answer), answer.headers.get("content-encoding", "")):
            size_bytes += len(piece)
            if size_bytes > self._most_bytes:
                raise self._too_large()
            if extension is None:
                head += piece
                if len(head) < _MAGIC_BYTES:
                    continue
                extension, piece = _by_its_bytes(head), head  # noqa: PLW2901  # all that came so far
            write(piece)
        if extension is None or not size_bytes:
            raise Unfit("the recording is empty, or too short to tell what it is")
        return Media(extension, size_bytes)

    async def _pieces(self, answer: httpx.Response) -> AsyncIterator[bytes]:
        stream = answer.aiter_raw()
        while True:
            with anyio.fail_after(self._idle_s):
                piece = await anext(stream, None)
            if piece is None:
                return
            yield piece

    def _too_large(self) -> Unfit:
        return Unfit(f"the recording is larger than {self._most_bytes / 2**20:g} MB")


def _check_status(answer: httpx.Response) -> None:
    status = answer.status_code
    if status in _EXPIRED:
        raise Expired(f"the recording's host says HTTP {status}", http_status=status)
    if 300 <= status < 400:
        where = tidy(answer.headers.get("location", "")) or "nowhere"
        raise Unfit(f"the recording's host sends on to {where}, which is not followed", http_status=status)
    if 400 <= status < 500 and status not in {408, 425, 429}:
        raise Unfit(f"the recording's host says HTTP {status}", http_status=status)
    if status != 200:
        raise NoAnswer(f"the recording's host says HTTP {status}", http_status=status)


def _extension(content_type: str) -> str | None:
    """The extension by the type; None where the bytes themselves must tell."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind in {"", "application/octet-stream", "binary/octet-stream"}:
        return None
    family, _, name = kind.partition("/")
    if family != "audio":
        raise Unfit(f"there is {tidy(kind)} in the place of the recording")
    return _EXTENSIONS.get(name, OTHER_AUDIO)


def _by_its_bytes(head: bytes) -> str:
    for pattern, extension in _MAGIC:
        if pattern.match(head):
            return extension
    raise Unfit("what lies in the place of the recording is no audio that is known")


async def _unpacked(pieces: AsyncIterator[bytes], encoding: str) -> AsyncIterator[bytes]:
    """The pieces as they are meant, though packing was not asked for: a small piece may become many, each of 1 MB."""
    encoding = encoding.strip().lower()
    if encoding in {"", "identity"}:
        async for piece in pieces:
            yield piece
        return
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise Unfit(f"the recording is packed as {tidy(encoding)}, unasked")
    inflater = zlib.decompressobj(wbits=47)
    async for piece in pieces:
        left: Any = piece
        while left:
            try:
                out = inflater.decompress(left, 1 << 20)
            except zlib.error:
                raise Unfit("the recording is packed, and broken") from None
            left = inflater.unconsumed_tail
            if out:
                yield out
            if inflater.eof:
                break
    if not inflater.eof:
        raise NoAnswer("the recording is packed, and breaks off")
