"""Reply parsing by httptools (the extra `fast`)."""

from __future__ import annotations

import httptools

from deskim._transport._parsers import FIRST_FINAL_STATUS, SWITCHING_PROTOCOLS, ReplyParser, not_http


class HttptoolsParser(ReplyParser):
    """Let llhttp find the pieces; it calls the `on_...` methods."""

    __slots__ = ("_machine", "_stale", "_switched")

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._machine = httptools.HttpResponseParser(self)
        self._stale = self._switched = False

    def eof(self) -> None:
        sized = {b"content-length", b"transfer-encoding"}
        if self.status and not any(name in sized for name, _ in self.headers):
            self.complete = True

    def on_message_begin(self) -> None:
        if self.complete:
            self.reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.status:  # trailers are read over
            self.headers.append((name.lower(), value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        if self.complete:
            return
        self.status = self._machine.get_status_code()
        if self.status == SWITCHING_PROTOCOLS:
            self._switched = True
        elif self._head_only and self.status >= FIRST_FINAL_STATUS:
            self._stale = True  # llhttp still waits for the body that the reply to HEAD announces
            self.complete, self.reusable = True, self._machine.should_keep_alive()

    def on_message_complete(self) -> None:
        if self.complete:
            return
        if self.status < FIRST_FINAL_STATUS:
            self.status, self.headers = 0, []
        else:
            self.complete, self.reusable = True, self._machine.should_keep_alive()

    on_body = ReplyParser.take

    def _parse(self, data: bytes) -> None:
        broken: str | None = None
        try:
            self._machine.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            broken = str(error)
        if self._stale:
            self._machine, self._stale = httptools.HttpResponseParser(self), False
        if self._switched:
            raise not_http("it switches protocols unasked")
        if self.complete:
            self.reusable = self.reusable and broken is None
        elif broken is not None:
            raise not_http(broken)
