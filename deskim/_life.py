"""A client's life: bound to one event loop at its first use, over when it is closed and its calls have ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from deskim._here import Home
from deskim.errors import ClientClosedError, ConfigurationError


class Life:
    """Let calls begin while the client is open, on its own loop, and count them so that closing can wait."""

    def __init__(self, on_first_use: Callable[[], None] | None = None) -> None:
        self._on_first_use = on_first_use
        self._home: Home | None = None
        self._closed = False
        self._calls = 0
        self._all_ended: asyncio.Event | None = None

    @property
    def needs_closing(self) -> bool:
        """Tell whether the client was used and is open."""
        return self._home is not None and not self._closed

    def bind(self) -> None:
        """Check that the client is open and belongs to the running loop; the first use decides which."""
        if self._closed:
            raise ClientClosedError("the client is closed; make a new one, or close it later")
        if self._home is not None:
            self._check(self._home)
            return
        self._home = Home()
        if self._on_first_use is not None:
            self._on_first_use()

    def begin(self) -> None:
        """Count a call that begins; raises what :meth:`bind` raises."""
        if self._closed or self._home is None or not self._home.is_here:
            self.bind()
        self._calls += 1

    def end(self) -> None:
        """Count a call that ended."""
        self._calls -= 1
        if self._all_ended is not None and not self._calls:
            self._all_ended.set()

    def close(self) -> None:
        """Let no further call begin; may be called again, but on no other loop while the client's own is open."""
        if self._home is not None and not self._home.loop.is_closed():
            self._check(self._home)
        self._closed = True

    async def drain(self, patience: float) -> None:
        """Wait until the calls under way have ended, for so many seconds at most."""
        if not self._calls:
            return
        self._all_ended = self._all_ended or asyncio.Event()
        try:
            async with asyncio.timeout(patience):
                await self._all_ended.wait()
        except TimeoutError:
            pass  # closing the lane ends what is left; each caller learns that its reply was lost

    def _check(self, home: Home) -> None:
        if home.loop is not asyncio.get_running_loop():
            raise ConfigurationError(
                "the client belongs to another event loop: make one client for each loop, and close it there"
            )
