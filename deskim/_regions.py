"""The hosts that serve an SDKAppID, by its data centre (1047/34620)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from urllib.parse import urlsplit

from deskim._checks import shown
from deskim.errors import ConfigurationError

STANDBY_SECONDS = 60.0
"""How long a standby host is used after the main host failed."""

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_HOST = re.compile(r"[\w.-]+|[0-9a-fA-F:.]+")  # a name, or an IPv6 address without its brackets


class Region(StrEnum):
    """Name the data centre of the application.

    Desk's own pages show the Chinese host alone; that the others serve Desk too is likely, not confirmed.
    """

    CHINA = "china"
    SINGAPORE = "singapore"
    SEOUL = "seoul"
    TOKYO = "tokyo"
    FRANKFURT = "frankfurt"
    SILICON_VALLEY = "silicon_valley"
    JAKARTA = "jakarta"
    MUMBAI = "mumbai"
    """In the edition of 2024-02 of 1047/34620 only."""

    @property
    def hosts(self) -> tuple[str, str]:
        """Return the main host and its standby."""
        return _HOSTS[self]


def _international(code: str) -> tuple[str, str]:
    return f"adminapi{code}.im.qcloud.com", f"adminapi{code}.my-imcloud.com"


_HOSTS = {
    Region.CHINA: ("console.tim.qq.com", "adminapi.my-imcloud.com"),
    Region.SINGAPORE: _international("sgp"),
    Region.SEOUL: _international("kr"),
    Region.TOKYO: _international("jpn"),
    Region.FRANKFURT: _international("ger"),
    Region.SILICON_VALLEY: _international("usa"),
    Region.JAKARTA: _international("idn"),
    Region.MUMBAI: _international("ind"),
}


def base_urls(region: Region | str, base_url: str | None) -> tuple[str, ...]:
    """Return the base URLs to use, the main one first (1047/34620); raises ``ConfigurationError``."""
    if base_url is not None:
        return (_checked(base_url),)
    try:
        hosts = Region(region).hosts
    except ValueError:
        known = ", ".join(Region)
        raise ConfigurationError(
            f"region must be one of {known}, not {shown(region)}; other hosts go in base_url="
        ) from None
    return tuple(f"https://{host}" for host in hosts)


def _checked(base_url: object) -> str:
    if not isinstance(base_url, str):
        kind = type(base_url).__name__
        raise ConfigurationError(f"base_url must be text such as 'https://console.tim.qq.com', not of type {kind}")
    try:
        parts = urlsplit(base_url)
        _ = parts.port
    except ValueError:
        raise ConfigurationError("base_url does not read as a URL such as 'https://console.tim.qq.com'") from None
    if parts.scheme not in ("http", "https") or not _HOST.fullmatch(parts.hostname or ""):
        raise ConfigurationError("base_url must be a URL such as 'https://console.tim.qq.com'")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ConfigurationError("base_url must be https: over http the UserSig would travel in clear")
    if parts.query or parts.fragment or "@" in parts.netloc or parts.path.strip("/"):
        raise ConfigurationError("base_url is scheme and host alone, e.g. 'https://console.tim.qq.com'")
    return f"{parts.scheme}://{parts.netloc}"


class HostChooser:
    """Choose the host for the next attempt: the main one, or for a minute after it failed to connect, the standby."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._urls = tuple(urls)
        self._index = 0
        self._main_again = 0.0

    def current(self, now: float) -> str:
        """Return the base URL to use at ``now``, in seconds of any steady clock."""
        if self._index and now >= self._main_again:
            self._index = 0
        return self._urls[self._index]

    def failed(self, url: str, now: float) -> None:
        """Take note that no connection to ``url`` came about."""
        if url == self._urls[self._index]:
            self._index = (self._index + 1) % len(self._urls)
            self._main_again = now + STANDBY_SECONDS
