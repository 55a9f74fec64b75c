"""Which host is called."""

from __future__ import annotations

from typing import Any

import pytest

from deskim._regions import STANDBY_SECONDS, HostChooser, Region, base_urls
from deskim.errors import ConfigurationError

MAIN, STANDBY = "https://main.example", "https://standby.example"


def test_every_region_has_two_hosts() -> None:
    """The hosts are those of 1047/34620."""
    assert ("https://console.tim.qq.com", "https://adminapi.my-imcloud.com") == base_urls(Region.CHINA, None)
    assert ("adminapisgp.im.qcloud.com", "adminapisgp.my-imcloud.com") == Region.SINGAPORE.hosts
    codes = ["sgp", "kr", "jpn", "ger", "usa", "idn", "ind"]
    assert [f"https://adminapi{code}.im.qcloud.com" for code in codes] == [
        base_urls(r, None)[0] for r in list(Region)[1:]
    ]


def test_a_region_is_named_by_its_text_too() -> None:
    """What an environment variable holds will do."""
    assert base_urls(Region.TOKYO, None) == base_urls("tokyo", None)


@pytest.mark.parametrize("region", ["mars", "", None, 7, []])
def test_an_unknown_region_names_the_known_ones(region: Any) -> None:
    """The error lists the regions, and says where another host goes."""
    with pytest.raises(
        ConfigurationError, match=r"region must be one of china, singapore, .*other hosts go in base_url="
    ):
        base_urls(region, None)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("https://desk.example", "https://desk.example"),
        ("https://desk.example/", "https://desk.example"),
        ("HTTPS://desk.example:8443", "https://desk.example:8443"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://localhost:1/", "http://localhost:1"),
        ("http://[::1]:9", "http://[::1]:9"),
    ],
)
def test_base_urls_of_ones_own(given: str, expected: str) -> None:
    """Https anywhere, http on this machine; no standby."""
    assert (expected,) == base_urls("mars", given)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (7, "must be text such as 'https://console.tim.qq.com', not of type int"),
        (b"https://desk.example", "not of type bytes"),
        ("", "must be a URL such as"),
        ("desk.example", "must be a URL such as"),
        ("ftp://desk.example", "must be a URL such as"),
        ("https://", "must be a URL such as"),
        ("https://desk example", "must be a URL such as"),
        ("https://desk.example:port", "does not read as a URL"),
        ("https://[::1", "does not read as a URL"),
        ("http://desk.example", "must be https: over http the UserSig would travel in clear"),
        ("http://127.0.0.1.evil.example", "must be https"),
        ("https://desk.example/v4", "is scheme and host alone"),
        ("https://desk.example?usersig=hidden", "is scheme and host alone"),
        ("https://desk.example#a", "is scheme and host alone"),
        ("https://user:hidden@desk.example", "is scheme and host alone"),
        ("https://:hidden@desk.example", "is scheme and host alone"),
    ],
)
def test_base_urls_that_cannot_work(given: Any, text: str) -> None:
    """Each refusal says what is wanted, and repeats nothing that may be a secret."""
    with pytest.raises(ConfigurationError) as caught:
        base_urls(Region.CHINA, given)
    assert text in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_the_standby_serves_for_a_minute() -> None:
    """After the main host failed to connect the standby is used, then the main one is tried again."""
    hosts = HostChooser([MAIN, STANDBY])
    assert MAIN == hosts.current(0)
    hosts.failed(MAIN, 0)
    assert [STANDBY, STANDBY, MAIN] == [hosts.current(at) for at in (0, STANDBY_SECONDS - 1, STANDBY_SECONDS)]


def test_a_standby_that_fails_too_gives_way_to_the_main_host() -> None:
    """Both are tried in turn."""
    hosts = HostChooser([MAIN, STANDBY])
    hosts.failed(MAIN, 0)
    hosts.failed(STANDBY, 1)
    assert MAIN == hosts.current(1)


def test_a_late_failure_of_the_other_host_changes_nothing() -> None:
    """Of many calls that fail at once only the first one switches."""
    hosts = HostChooser([MAIN, STANDBY])
    hosts.failed(MAIN, 0)
    hosts.failed(MAIN, 0)
    assert STANDBY == hosts.current(0)


def test_a_single_host_stays() -> None:
    """With base_url= there is nothing to switch to."""
    hosts = HostChooser([MAIN])
    hosts.failed(MAIN, 0)
    assert MAIN == hosts.current(0)
