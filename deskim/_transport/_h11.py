"""Reply parsing by h11, which httpx brings along."""

from __future__ import annotations

import contextlib
from typing import Final

import h11

from deskim._transport._parsers import MAX_HEAD, ReplyParser, not_http

# h11 reads a reply in the light of its request; the requests themselves are written without it.
_GET: Final = h11.Request(method="GET", target="/", headers=[("Host", "-")])
_HEAD: Final = h11.Request(method="HEAD", target="/", headers=[("Host", "-")])
_END: Final = h11.EndOfMessage()


class H11Parser(ReplyParser):
    """Draw the pieces from h11's events."""

    __slots__ = ("_machine",)

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._machine = h11.Connection(h11.CLIENT, max_incomplete_event_size=2 * MAX_HEAD)

    def begin(self, *, head_only: bool) -> None:
        super().begin(head_only=head_only)
        if self._machine.our_state is not h11.IDLE:
            self._machine.start_next_cycle()
        self._machine.send(_HEAD if head_only else _GET)
        self._machine.send(_END)

    def eof(self) -> None:
        with contextlib.suppress(h11.RemoteProtocolError):
            self._machine.receive_data(b"")
            self._draw()

    def _parse(self, data: bytes) -> None:
        broken: str | None = None
        try:
            self._machine.receive_data(data)
            self._draw()
        except h11.RemoteProtocolError as error:
            broken = str(error).partition(":")[0]  # what follows quotes the server
        if broken is not None:
            raise not_http(broken)

    def _draw(self) -> None:
        """Take event after event until more bytes are needed or the reply is whole."""
        while not self.complete:
            event = self._machine.next_event()
            if isinstance(event, h11.Data):
                self.take(bytes(event.data))
            elif isinstance(event, h11.Response):
                self.status = event.status_code
                self.headers = [(name.lower(), value) for name, value in event.headers.raw_items()]
            elif isinstance(event, h11.EndOfMessage):
                self.complete, self.reusable = True, self._reusable()
            elif event is h11.NEED_DATA or event is h11.PAUSED:
                return

    def _reusable(self) -> bool:
        """Nobody asked for what already lies behind the reply."""
        return self._machine.their_state is h11.DONE and self._machine.trailing_data == (b"", False)
