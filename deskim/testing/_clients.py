"""Clients of the fake Desk: in memory, and over its socket."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import httpx
from attrs import field, frozen

from ._memory import MemoryTransport
from ._reply import Answer, Arrival

if TYPE_CHECKING:
    from deskim._client import AsyncDeskClient


@frozen
class ServedDesk:
    """Tell where a fake Desk listens (see :meth:`FakeDesk.serve`).

    :ivar base_url: such as ``http://127.0.0.1:49152``; ``AsyncDeskClient`` takes it.
    """

    base_url: str
    _settings: Mapping[str, Any] = field(repr=False)

    def client(self, **overrides: Any) -> AsyncDeskClient:
        """Return a client that talks to the fake over its socket, without pacing.

        ``overrides`` are arguments of ``AsyncDeskClient``.
        """
        return _client({**self._settings, "base_url": self.base_url, **overrides})


def client_in_memory(settings: Mapping[str, Any], respond: Callable[[Arrival], Answer]) -> AsyncDeskClient:
    """Return a client whose requests ``respond`` answers."""
    wires = {"base_url": "https://fake.desk", "http_client": httpx.AsyncClient(transport=MemoryTransport(respond))}
    return _client({**wires, **settings})


def _client(settings: Mapping[str, Any]) -> AsyncDeskClient:
    from deskim._client import AsyncDeskClient

    given = {name: value for name, value in settings.items() if name != "secret_key" or "usersig" not in settings}
    return AsyncDeskClient(**given)
