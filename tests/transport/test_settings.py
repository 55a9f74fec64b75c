from __future__ import annotations

import ssl
from typing import Any

import pytest

from deskim._transport import DeskTransport, PoolStats
from deskim._transport._dial import shared_context


@pytest.mark.parametrize(
    ("settings", "kind", "text"),
    [
        ({"http2": True}, ValueError, r"http_client=httpx\.AsyncClient\(http2=True\)"),
        ({"verify": "/etc/ssl/ca.pem"}, TypeError, "verify is an ssl.SSLContext or a bool, not str"),
        ({"max_connections": 0}, ValueError, "max_connections is a whole number from 1 up, not 0"),
        ({"max_connections": 1.5}, ValueError, "max_connections"),
        ({"keepalive_expiry": -1}, ValueError, "keepalive_expiry is a number of seconds, not -1"),
        ({"keepalive_expiry": float("nan")}, ValueError, "keepalive_expiry"),
        ({"keepalive_expiry": "30"}, ValueError, "keepalive_expiry"),
        ({"max_response_bytes": 0}, ValueError, "max_response_bytes is a whole number from 1 up, not 0"),
        ({"max_response_bytes": None}, ValueError, "max_response_bytes"),
    ],
)
def test_refused_settings(settings: dict[str, Any], kind: type[Exception], text: str) -> None:
    """A setting that cannot work is refused at once, by name."""
    with pytest.raises(kind, match=text):
        DeskTransport(**settings)


def test_constructor_does_nothing_else() -> None:
    """Making a transport opens nothing and needs no event loop."""
    assert PoolStats() == DeskTransport().stats()


def test_context_is_shared() -> None:
    """One SSLContext serves the whole process, and checks certificates unless told not to."""
    shared = shared_context(verify=True, trust_env=True)
    assert shared is shared_context(verify=True, trust_env=True)
    assert ssl.CERT_REQUIRED == shared.verify_mode
    assert ssl.CERT_NONE == shared_context(verify=False, trust_env=True).verify_mode
