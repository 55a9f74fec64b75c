"""Clients of the fake Desk: in memory, and over its socket."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import httpx
from attrs import field, frozen

from deskim._client import AsyncDeskClient

from ._memory import MemoryTransport
from ._reply import Answer, Arrival
from ._signature import Identity


@frozen
class ClientMaker:
    """Make clients of one application."""

    served: Identity
    customer_service_account: str

    def make(self, overrides: Mapping[str, Any], **settings: Any) -> AsyncDeskClient:
        """Return a client without pacing; its key stays out of local variables, which tracebacks may show."""
        known: dict[str, Any] = {
            "sdk_app_id": self.served.sdk_app_id,
            "identifier": self.served.identifier,
            "customer_service_account": self.customer_service_account,
            "rate_limit": None,
        }
        given: dict[str, Any] = {**known, **settings, **overrides}
        if "usersig" in given or "secret_key" in given:
            return AsyncDeskClient(**given)
        return AsyncDeskClient(secret_key=self.served.secret_key, **given)

    def in_memory(self, respond: Callable[[Arrival], Answer], overrides: Mapping[str, Any]) -> AsyncDeskClient:
        """Return a client whose requests ``respond`` answers."""
        wire = httpx.AsyncClient(transport=MemoryTransport(respond))
        return self.make(overrides, base_url="https://fake.desk", http_client=wire)


@frozen
class ServedDesk:
    """Tell where a fake Desk listens (see :meth:`FakeDesk.serve`).

    :ivar base_url: such as ``http://127.0.0.1:49152``; ``AsyncDeskClient`` takes it.
    """

    base_url: str
    _make: Callable[..., AsyncDeskClient] = field(repr=False)

    def client(self, **overrides: Any) -> AsyncDeskClient:
        """Return a client that talks to the fake over its socket, without pacing.

        ``overrides`` are arguments of ``AsyncDeskClient``.
        """
        return self._make(overrides, base_url=self.base_url)
