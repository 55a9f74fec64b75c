"""What an inbox is given: checked before it takes the first callback."""

from __future__ import annotations

from deskim._checks import shown
from deskim._usersig import Secret, check_identity
from deskim.errors import ConfigurationError


def check_application(sdk_app_id: object) -> None:
    """Check the SDKAppID; raises ``ConfigurationError``."""
    check_identity(sdk_app_id, "administrator")


def check_token(token: Secret) -> None:
    """Check the token, which no error shows; raises ``ConfigurationError``."""
    kind = type(token.reveal()).__name__
    if token.reveal() is not None and kind != "str":
        raise ConfigurationError(f"token must be the text that callbacks are signed with, or None, not of type {kind}")
    if token.reveal() == "":
        raise ConfigurationError(
            "token is empty: give the one that callbacks are signed with, or None to verify nothing"
        )


def check_handler(name: str, handler: object, *, needed: bool = False) -> None:
    """Check what handles callbacks; raises ``ConfigurationError``."""
    if handler is None and not needed:
        return
    if isinstance(handler, type) or not callable(handler):
        raise ConfigurationError(f"{name} must be an async function that takes the callback, not {shown(handler)}")


def check_count(name: str, value: object) -> None:
    """Check a number of things; raises ``ConfigurationError``."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigurationError(f"{name} must be a whole number, at least 1, not {shown(value)}")


def check_drain(value: object) -> None:
    """Check how long leaving waits, in seconds; raises ``ConfigurationError``."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise ConfigurationError(f"drain must be a number of seconds from 0, not {shown(value)}")
