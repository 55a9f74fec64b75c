"""A credential that shows itself to nobody."""

from __future__ import annotations

from typing import Any, NoReturn


class Secret:
    """Hold a credential so that no repr, traceback or pickle shows it."""

    __slots__ = ("__value",)

    def __init__(self, value: Any) -> None:
        self.__value = value

    def reveal(self) -> Any:
        """Return the credential itself."""
        return self.__value

    def __repr__(self) -> str:
        return "Secret('***')"

    def __reduce__(self) -> NoReturn:
        msg = "a secret does not pickle: hand the settings to the other process and make the client there"
        raise TypeError(msg)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and bool(self.__value == other.reveal())

    def __hash__(self) -> int:
        return hash(self.__value)


def is_text(secret: Secret) -> bool:
    """Tell whether a credential is text that can be written; half of a surrogate pair cannot."""
    try:
        secret.reveal().encode()
    except (AttributeError, UnicodeEncodeError):
        return False
    return True
