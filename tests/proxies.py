"""Proxies on this machine between a store and its server: they count what passes, and misbehave when told to."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

Trouble = Literal["500", "503", "403", "silence", "slow", "cut", "torn", "unheard"]
"""``silence``: no answer. ``slow``: an answer in small pieces. ``cut``: half of an answer. ``torn``: half of a request
is taken. ``unheard``: it is done, and the connection ends before the answer."""

SLOW_DOWN = (
    b"<?xml version='1.0' encoding='UTF-8'?><Error><Code>SlowDown</Code><Message>Please reduce your request rate."
    b"</Message></Error>"
)
DENIED = (
    b"<?xml version='1.0' encoding='UTF-8'?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
)


@dataclass(frozen=True)
class Exchange:
    """A request and its answer, as they passed."""

    method: str
    path: str
    status: int
    sent: int
    """Bytes of the request's body."""
    received: int
    """Bytes of the answer's body."""
    heads: int
    """Bytes of both heads."""


@dataclass
class Wire:
    """What passes, and what goes wrong."""

    url: str
    seen: list[Exchange] = field(default_factory=list)
    troubles: list[tuple[Trouble, str, str, int]] = field(default_factory=list)
    """What happens to which method (``*`` is all) with which text in its path, and how many times yet."""
    released: threading.Event = field(default_factory=threading.Event)
    """Ends all silence."""
    rate: float = 0.0
    """Bytes of answers a second; 0 is as fast as can be."""
    failed: int = 0
    """How many requests had trouble."""

    def trouble(self, kind: Trouble, method: str = "*", path: str = "", times: int = 1 << 30) -> None:
        """Let so many of these requests fail."""
        self.troubles.append((kind, method, path, times))

    def heal(self) -> None:
        """All is well again."""
        self.troubles.clear()

    def take(self, method: str, path: str) -> Trouble | None:
        for index, (kind, wanted, text, times) in enumerate(self.troubles):
            if wanted in ("*", method) and text in path and times:
                self.troubles[index] = (kind, wanted, text, times - 1)
                return kind
        return None

    def asked(self, *methods: str) -> list[Exchange]:
        """The exchanges of these methods."""
        return [each for each in self.seen if each.method in methods]

    @contextmanager
    def counted(self) -> Iterator[list[Exchange]]:
        """What passes in the block, once it has ended."""
        before, passed = len(self.seen), list[Exchange]()
        yield passed
        passed += self.seen[before:]


@contextmanager
def proxied(upstream: str) -> Iterator[Wire]:
    """An HTTP proxy in front of the server at the URL `upstream`."""
    wire = Wire("")

    class Handler(_Handler):
        pass

    Handler.wire, Handler.upstream = wire, urlsplit(upstream).netloc
    server = _Server(("127.0.0.1", 0), Handler)
    wire.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield wire
    finally:
        wire.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Who hangs up is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wire: Wire
    upstream: str

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._there: HTTPConnection | None = None

    def finish(self) -> None:
        if self._there is not None:
            self._there.close()
        with suppress(OSError):
            super().finish()

    def log_message(self, *_: object) -> None:
        pass

    def pass_on(self) -> None:
        kind = self.wire.take(self.command, self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length // 2 if kind == "torn" else length)
        if kind is not None:
            self.wire.failed += 1
        if kind == "torn":
            self.close_connection = True
        elif kind == "silence":
            self.wire.released.wait()
            self.close_connection = True
        elif kind in ("500", "503", "403"):
            words = {"503": SLOW_DOWN, "403": DENIED}.get(kind, b"")
            self.answer(
                int(kind), [("Content-Type", "application/xml")], b"" if self.command == "HEAD" else words, body
            )
        else:
            status, headers, content = self.ask(body)
            if kind == "unheard":
                self.close_connection = True
            else:
                self.answer(status, headers, content, body, kind)

    def ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        target = urlsplit(self.path)  # a client that knows us as a proxy sends the whole URL
        path = f"{target.path}?{target.query}" if target.query else target.path
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("connection", "expect")}
        for attempt in range(2):
            if self._there is None:
                self._there = HTTPConnection(self.upstream, timeout=60)
            try:
                self._there.request(self.command, path, body, headers)
                answer = self._there.getresponse()
                return answer.status, answer.getheaders(), answer.read()
            except (HTTPException, OSError):
                self._there = None  # it was closed while nobody used it
                if attempt:
                    raise
        raise AssertionError

    def answer(
        self, status: int, headers: list[tuple[str, str]], content: bytes, body: bytes, kind: Trouble | None = None
    ) -> None:
        hidden = ("connection", "transfer-encoding", "content-length", "date", "server", "keep-alive")
        self.send_response(status)
        lengths = [value for name, value in headers if name.lower() == "content-length"]
        for name, value in headers:
            if name.lower() not in hidden:
                self.send_header(name, value)
        if status not in (204, 304):
            length = lengths[0] if self.command == "HEAD" and lengths else str(len(content))
            self.send_header("Content-Length", length)
        heads = len(bytes(self.headers)) + sum(map(len, self._headers_buffer))
        self.end_headers()
        self.wire.seen.append(Exchange(self.command, self.path, status, len(body), len(content), heads))
        if kind == "cut":
            content, self.close_connection = content[: len(content) // 2], True
        if kind == "slow":
            for start in range(0, len(content), step := max(1, len(content) // 10)):
                self.wfile.write(content[start : start + step])
                time.sleep(0.05)
        elif self.wire.rate:
            for start in range(0, len(content), 1 << 16):
                self.wfile.write(content[start : start + (1 << 16)])
                time.sleep(len(content[start : start + (1 << 16)]) / self.wire.rate)
        else:
            self.wfile.write(content)

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = pass_on
    do_PROPFIND = do_MKCOL = do_MOVE = do_COPY = do_OPTIONS = do_LOCK = do_UNLOCK = do_PROPPATCH = pass_on


class Relay:
    """Passes bytes on to `port` of this machine; its connections can be cut, or fall silent."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._ends: list[socket.socket] = []
        self._goes = threading.Event()
        self._goes.set()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End all connections."""
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._ends.clear()

    def silence(self) -> None:
        """Pass nothing on any more."""
        self._goes.clear()

    def speak(self) -> None:
        """Go on."""
        self._goes.set()

    def close(self) -> None:
        self._listening.close()
        self.speak()
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                here, _ = self._listening.accept()
                there = socket.create_connection(("127.0.0.1", self._port))
                self._ends += [here, there]
                for source, sink in ((here, there), (there, here)):
                    threading.Thread(target=self._pass, args=(source, sink), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                self._goes.wait()
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
