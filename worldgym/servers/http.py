"""The HTTP client of every provider: answers bounded in size and in time as a whole, proxies only
where they make sense."""

from __future__ import annotations

import ipaddress
import threading
import time
import zlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from worldgym.errors import InputError

if TYPE_CHECKING:
    import httpx2

AUTOMATIC = zlib.MAX_WBITS | 32  # the header says whether it is gzip or zlib
PROXIES = ("http", "https", "socks5", "socks5h")
Pairs = Mapping[str, str]


def http_client(
    address: str,
    seconds: float,
    most: int,
    query: Pairs,
    headers: Pairs,
    without: Iterable[str] = (),
) -> httpx2.Client:
    """address: where the requests go.   seconds: for one request, from its first byte to the
    answer's last.   most: bytes.

    query, headers: added to every request.   without: headers that are taken out, whatever a
    library puts there. InputError where the environment names a proxy that cannot be used.
    """
    import httpx2

    clock = _Clock(seconds)

    def prepare(request: httpx2.Request) -> None:
        clock.start()
        for name in without:
            request.headers.pop(name, None)
        request.headers.update(headers)
        if query:
            request.url = request.url.copy_merge_params(dict(query))

    def hold(response: httpx2.Response) -> None:
        """Reads the body itself, up to `most` bytes: the libraries would read any number, and
        unpack to any number what a server compresses though nobody asked for that."""
        parts = list[bytes]()
        size = 0
        stream = response.stream
        if not isinstance(stream, httpx2.SyncByteStream):
            return
        try:
            for part in stream:
                size += len(part)
                if size > most:
                    raise httpx2.RemoteProtocolError(f"the answer has more than {most} bytes")
                parts.append(part)
        finally:
            stream.close()
        body = b"".join(parts)
        if packing := response.headers.pop("content-encoding", ""):
            try:
                body = _unpacked(body, packing, most)
            except ValueError as error:
                raise httpx2.RemoteProtocolError(str(error)) from None
        response.stream = httpx2.ByteStream(body)

    return httpx2.Client(
        transport=_transport(address, clock),
        timeout=seconds,
        event_hooks={"request": [prepare], "response": [hold]},
        headers={"accept-encoding": "identity"},
    )


def _unpacked(body: bytes, packing: str, most: int) -> bytes:
    """A body's bytes by its Content-Encoding. ValueError for a coding that is not known here, what
    is damaged, and more than `most` bytes."""
    coding = packing.strip().lower()
    if coding == "identity":
        return body
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise ValueError(f"the answer is coded as {coding[:40]}, which was not asked for")
    try:
        unpacked = zlib.decompressobj(wbits=AUTOMATIC).decompress(body, most + 1)
    except zlib.error as error:
        raise ValueError(f"the answer is damaged ({error})") from None
    if len(unpacked) > most:
        raise ValueError(f"the answer has more than {most} bytes")
    return unpacked


class _Clock:
    """When the request of this thread must be over: a server that sends a byte now and then would
    hold it forever."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._here = threading.local()

    def start(self) -> None:
        self._here.end = time.monotonic() + self._seconds

    def left(self, wanted: float | None) -> float:
        """Seconds that the next read or write may take. TimeoutError if there are none."""
        left = float(self._here.end) - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"the answer took more than {self._seconds:g} s")
        return left if wanted is None else min(left, wanted)


def _transport(address: str, clock: _Clock) -> httpx2.BaseTransport:
    """Connections that keep to the clock."""
    import httpcore2
    import httpx2

    class Stream(httpcore2.NetworkStream):
        def __init__(self, inner: httpcore2.NetworkStream) -> None:
            self._inner = inner

        def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
            try:
                return self._inner.read(max_bytes, clock.left(timeout))
            except TimeoutError as error:
                raise httpcore2.ReadTimeout(str(error)) from None

        def write(self, buffer: bytes, timeout: float | None = None) -> None:
            try:
                self._inner.write(buffer, clock.left(timeout))
            except TimeoutError as error:
                raise httpcore2.WriteTimeout(str(error)) from None

        def close(self) -> None:
            self._inner.close()

        def start_tls(self, *arguments: Any, **named: Any) -> httpcore2.NetworkStream:
            return Stream(self._inner.start_tls(*arguments, **named))

        def get_extra_info(self, info: str) -> Any:
            return self._inner.get_extra_info(info)

    class Backend(httpcore2.SyncBackend):
        def connect_tcp(self, *arguments: Any, **named: Any) -> httpcore2.NetworkStream:
            return Stream(super().connect_tcp(*arguments, **named))

    proxy = _proxy(address)
    # certificates take long to load
    secure = any(url.startswith("https:") for url in (address, proxy or ""))
    transport = httpx2.HTTPTransport(verify=secure, proxy=proxy)
    transport._pool._network_backend = Backend()
    return transport


def _proxy(address: str) -> str | None:
    """The environment's proxy for an address, None for one on this machine. InputError for a proxy
    that cannot be used."""
    target = urlsplit(address)
    host = target.hostname or ""
    if _loopback(host) or proxy_bypass(host):
        return None
    named = getproxies()
    proxy = named.get(target.scheme) or named.get("all")
    if not proxy:
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    try:
        parts = urlsplit(proxy)
        shown = f"{parts.scheme}://{parts.hostname}:{parts.port}"
        whole = parts.hostname is not None
    except ValueError:
        raise InputError(
            "the proxy in the environment is no address; set it as http://HOST:PORT, or unset it"
        ) from None
    fix = f"set another, unset it, or add {host} to NO_PROXY"
    if parts.scheme not in PROXIES or not whole:
        raise InputError(
            f"the environment's proxy {shown} is none of http, https and socks5; {fix}"
        )
    if parts.scheme.startswith("socks5"):
        try:
            import socksio  # noqa: F401
        except ImportError:
            raise InputError(
                f'the environment\'s proxy {shown} needs  pip install "socksio"; do that, or {fix}'
            ) from None
    return proxy


def _loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
