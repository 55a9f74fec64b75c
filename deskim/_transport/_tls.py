"""TLS between a socket's transport and a protocol: OpenSSL's own, with little around it and no large buffers."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from typing import Any, Final, cast

_LONGEST_RECORD: Final = 16384  # bytes of content, RFC 8446, section 5.1
_SLICE: Final = 65536  # bytes at a time: a MemoryBIO keeps the room for the most that it ever held


class TlsStream(asyncio.Protocol, asyncio.Transport):
    """Be the protocol of the transport below and the transport of the protocol above.

    The protocol above hears `connection_made` after the handshake, and `eof_received` after a close_notify alone: any
    other end is a lost connection, for anybody on the way can bring it about.
    """

    __slots__ = ("_incoming", "_lower", "_open", "_opened", "_outgoing", "_tls", "_upper", "_why")
    _lower: asyncio.Transport

    def __init__(self, upper: asyncio.Protocol, context: ssl.SSLContext, host: str) -> None:
        self._upper = upper
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._open = False
        self._why: Exception | None = None

    async def opened(self) -> TlsStream:
        """Wait for the handshake; raise OSError (ssl.SSLError is one) if it fails. Whoever stops waiting closes it."""
        try:
            await self._opened
        except BaseException:
            self.abort()
            raise
        error, self._why = self._why, None
        if error is None:
            return self
        try:
            raise error
        finally:
            del error  # else it, this frame and the stream hold each other

    # The transport of the protocol above

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if len(data) > _SLICE:
            for piece in _slices(data):
                self.write(piece)
            return
        try:
            self._tls.write(data)
        except ssl.SSLError as error:  # TLS 1.2: the server began to renegotiate at this very moment
            self._fail(error)
        else:
            self._lower.write(self._outgoing.read())

    def abort(self) -> None:
        self._lower.abort()

    def is_closing(self) -> bool:
        return self._lower.is_closing()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._upper = cast("asyncio.Protocol", protocol)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._tls if name == "ssl_object" else self._lower.get_extra_info(name, default)

    # The protocol of the transport below

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._lower = cast("asyncio.Transport", transport)
        self.data_received(b"")

    def data_received(self, data: bytes) -> None:
        if len(data) > _SLICE:
            for piece in _slices(data):
                self.data_received(piece)
            return
        if self._why is not None:
            return
        self._incoming.write(data)
        try:
            if self._open or self._shake():
                self._read()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self._fail(error)
        if self._outgoing.pending:
            self._lower.write(self._outgoing.read())

    def connection_lost(self, exc: Exception | None) -> None:
        if self._open:
            self._upper.connection_lost(self._why or exc)
        elif not self._opened.done():
            lost = ConnectionResetError("the connection was closed during the TLS handshake")
            self._why = self._why or exc or lost
            self._opened.set_result(None)

    def pause_writing(self) -> None:
        self._upper.pause_writing()

    def resume_writing(self) -> None:
        self._upper.resume_writing()

    # TLS itself

    def _shake(self) -> bool:
        self._tls.do_handshake()
        self._open = True
        self._upper.connection_made(self)
        if not self._opened.done():
            self._opened.set_result(None)
        return True

    def _read(self) -> None:
        """Hand on what has come, record by record; a close_notify reads as nothing."""
        while data := self._tls.read(_LONGEST_RECORD):
            self._upper.data_received(data)
            if not self._incoming.pending:
                return
        self._upper.eof_received()
        self.abort()

    def _fail(self, error: ssl.SSLError) -> None:
        """End the connection; OpenSSL has left the alert that tells the other side why in `_outgoing`."""
        self._why = self._why or error.with_traceback(None)  # its frames hold what was to be sent
        self._lower.write(self._outgoing.read())
        self.abort()


def _slices(data: bytes | bytearray | memoryview) -> Iterator[bytes]:
    view = memoryview(data)
    for start in range(0, len(view), _SLICE):
        yield bytes(view[start : start + _SLICE])
