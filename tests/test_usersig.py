"""UserSigs: signed, read, renewed, and shown to nobody."""

from __future__ import annotations

import asyncio
import base64
import copy
import json
import pickle
import zlib
from typing import Any
from urllib.parse import parse_qs, unquote

import pytest
import TLSSigAPIv2
from hypothesis import example, given
from hypothesis import strategies as st

from deskim._protocol import Identity, Signature
from deskim._usersig import (
    ReadyUserSig,
    Secret,
    UserSigCache,
    UserSigClaims,
    UserSigSigner,
    check_identity,
    decode_usersig,
    sign_usersig,
)
from deskim.errors import ConfigurationError
from tests.support.leaks import shown_by
from tests.support.wire import read

VECTORS = read("_usersig")
APP_ID, KEY = VECTORS["sdkappid"], VECTORS["key"]
CANARY = "canary0123456789canary"
keys = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=64)
names = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=32)


class Clock:
    """Show the time that the test sets."""

    def __init__(self, now: float = 1_600_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Provider:
    """Give UserSigs and count how often it was asked."""

    def __init__(self, clock: Clock, expire: int = 1000, age: int = 0) -> None:
        self.clock, self.expire, self.age, self.calls = clock, expire, age, 0

    async def __call__(self) -> str:
        self.calls += 1
        await asyncio.sleep(0)
        return sign_usersig(APP_ID, KEY, "administrator", expire=self.expire, now=self.clock() - self.age)


@pytest.mark.parametrize("vector", VECTORS["samples"], ids=lambda v: v["identifier"])
def test_the_vectors(vector: dict[str, Any]) -> None:
    """A UserSig says what the reference algorithm says, to the last bit of its signature."""
    usersig = sign_usersig(APP_ID, KEY, vector["identifier"], expire=vector["expire"], now=vector["time"])
    expected = UserSigClaims(
        identifier=vector["identifier"],
        sdk_app_id=APP_ID,
        time=vector["time"],
        expire=vector["expire"],
        sig=vector["sig"],
    )
    assert expected == decode_usersig(usersig) == decode_usersig(vector.get("usersig", usersig))
    assert expected.verify(KEY)
    assert vector["time"] + vector["expire"] == expected.expires_at


@given(
    st.integers(1, 2**40), keys, names, st.integers(1, 2**31), st.none() | st.binary(max_size=50), st.integers(0, 2**33)
)
@example(1400000000, KEY, "a&b=c/中 文", 86400, b"room", 1_600_000_000)
def test_tencents_own_code_signs_alike(  # noqa: PLR0917 - drawn values
    app_id: int, key: str, name: str, expire: int, userbuf: bytes | None, now: int
) -> None:
    """The package tls-sig-api-v2 makes the same claims with the same signature."""
    api = TLSSigAPIv2.TLSSigAPIv2(app_id, key)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TLSSigAPIv2.time, "time", lambda: now)
        theirs = api.gen_sig(name, expire) if userbuf is None else api.gen_sig_with_userbuf(name, expire, userbuf)
    ours = sign_usersig(app_id, key, name, expire=expire, now=now, userbuf=userbuf)
    assert decode_usersig(theirs) == decode_usersig(ours)
    assert decode_usersig(theirs).verify(key)


@given(names)
@example("a&b=c/中 文")
def test_any_identifier_survives_the_url(name: str) -> None:
    """The identifier is percent-encoded, the UserSig stands as it is."""
    usersig = sign_usersig(APP_ID, KEY, name, now=1)
    target = Signature(Identity(APP_ID, name), Secret(usersig)).target("/v4/x/y").with_random(7).decode("ascii")
    assert [name] == parse_qs(target.partition("?")[2], keep_blank_values=True)["identifier"]
    assert f"&usersig={usersig}&random=7&contenttype=json" in target
    assert name == unquote(target.partition("&identifier=")[2].partition("&")[0])
    assert name == decode_usersig(usersig).identifier


@given(st.text() | st.binary().map(lambda b: base64.b64encode(zlib.compress(b)).decode()) | st.integers())
@example("")
@example("%")
@example(None)
@example(base64.b64encode(zlib.compress(b"[1]")).decode())
@example(base64.b64encode(zlib.compress(b"[" * 60_000)).decode())
@example(base64.b64encode(zlib.compress(b" " * 10**7 + b"{}")).decode())
def test_what_is_no_usersig_is_refused_without_showing_it(text: Any) -> None:
    """Anything else than a UserSig is a ValueError that repeats nothing of it."""
    with pytest.raises(ValueError, match=r"^this is no UserSig: it does not decode$") as caught:
        decode_usersig(text)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "change",
    [
        {"TLS.expire": 10**400},
        {"TLS.expire": float("inf")},
        {"TLS.expire": -1},
        {"TLS.time": 1.5},
        {"TLS.sdkappid": None},
        {"TLS.sdkappid": "no number"},
        {"TLS.identifier": "\ud800"},
        {"TLS.sig": "\ud800"},
        {"TLS.userbuf": 7},
    ],
    ids=str,
)
def test_claims_that_make_no_sense_are_no_usersig(change: dict[str, Any]) -> None:
    """A UserSig with numbers beyond any time, or with what is no text, does not decode."""
    assert "administrator" == decode_usersig(_packed({})).identifier
    with pytest.raises(ValueError, match="this is no UserSig"):
        decode_usersig(_packed(change))


def _packed(change: dict[str, Any]) -> str:
    claims = {"TLS.identifier": "administrator", "TLS.sdkappid": "7", "TLS.time": 1, "TLS.expire": 1, "TLS.sig": "s"}
    return base64.b64encode(zlib.compress(json.dumps({**claims, **change}).encode())).decode()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"sdk_app_id": 0}, "sdk_app_id must be the SDKAppID, a positive whole number, not 0"),
        ({"sdk_app_id": True}, "a positive whole number, not True"),
        ({"sdk_app_id": "1400000000"}, "a positive whole number, not '1400000000'"),
        ({"sdk_app_id": 2**53}, "a positive whole number, not 9007199254740992"),
        ({"identifier": ""}, "identifier must be the name of an App administrator account"),
        ({"identifier": None}, "identifier must be the name"),
        ({"identifier": "a\nTLS.sdkappid:1"}, "a text of one line"),
        ({"identifier": "\ud800"}, "a text of one line"),
        ({"secret_key": ""}, "secret_key must be the SDKAppID's key as the console shows it, a text"),
        ({"secret_key": None}, "secret_key must be the SDKAppID's key"),
        ({"secret_key": CANARY.encode()}, "secret_key must be the SDKAppID's key"),
        ({"secret_key": CANARY + "\n"}, "secret_key has white space around it"),
        ({"secret_key": CANARY + "\ud800"}, "secret_key has white space around it, or what is no text"),
        ({"expire": 0}, "expire must be a number of seconds from 1, not 0"),
        ({"expire": True}, "expire must be a number of seconds from 1, not True"),
        ({"expire": "86400"}, "expire must be a number of seconds from 1, not '86400'"),
        ({"expire": float("nan")}, "expire must be a number of seconds from 1, not nan"),
        ({"now": float("inf")}, "now must be a number of seconds from 0, not inf"),
        ({"now": -1}, "now must be a number of seconds from 0, not -1"),
        ({"userbuf": "room"}, "userbuf must be bytes, not str"),
    ],
    ids=str,
)
def test_settings_that_cannot_be_signed(change: dict[str, Any], text: str) -> None:
    """Each wrong setting is refused by name; the key is shown by nothing, local variables included."""
    good: dict[str, Any] = {"sdk_app_id": APP_ID, "secret_key": CANARY, "identifier": "administrator"}
    with pytest.raises(ConfigurationError) as caught:
        sign_usersig(**{**good, **change})
    assert text in str(caught.value)
    assert CANARY not in shown_by(caught.value)


@pytest.mark.parametrize(
    "change", [{"secret_key": CANARY + " "}, {"expire": -1}, {"sdk_app_id": -1}, {"identifier": 7}], ids=str
)
def test_a_signer_checks_its_settings_at_once(change: dict[str, Any]) -> None:
    """The signer refuses what signing would refuse, and shows its key as little."""
    good: dict[str, Any] = {"sdk_app_id": APP_ID, "secret_key": CANARY}
    with pytest.raises(ConfigurationError) as caught:
        UserSigSigner(**{**good, **change})
    assert CANARY not in shown_by(caught.value)


def test_verify_tells_another_key() -> None:
    """A UserSig of another key, and one with rights data changed, do not verify; a wrong key is not shown."""
    claims = decode_usersig(sign_usersig(APP_ID, KEY, "a", userbuf=b"room"))
    assert claims.verify(KEY)
    assert not claims.verify(CANARY)
    with pytest.raises(ConfigurationError) as caught:
        claims.verify(CANARY + "\ud800")
    assert CANARY not in shown_by(caught.value)
    assert claims.sig not in repr(claims)


def test_names_are_checked_alone_too() -> None:
    """The client checks them also where it signs nothing."""
    check_identity(1, "a&b=c/中 文")
    with pytest.raises(ConfigurationError, match="a positive whole number, not -1"):
        check_identity(-1, "a")


@pytest.mark.parametrize(
    "make",
    [Secret, lambda text: UserSigSigner(1, text), lambda text: ReadyUserSig(Secret(text))],
    ids=["secret", "signer", "ready"],
)
def test_what_holds_a_secret_neither_shows_nor_pickles_it(make: Any) -> None:
    """No repr, pickle or copy gives the credential away."""
    holder = make(CANARY)
    assert CANARY not in repr(holder) + str(holder) + f"{holder}"
    for leave in (pickle.dumps, copy.copy, copy.deepcopy) if isinstance(holder, Secret) else (pickle.dumps,):
        with pytest.raises(TypeError, match="a secret does not pickle"):
            leave(holder)


def test_secrets_compare_by_what_they_hold() -> None:
    """Two holders of one credential are equal, and equal to nothing else."""
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert 1 == len({Secret("a"), Secret("a")})


def test_a_signer_renews_at_four_fifths_of_the_lifetime() -> None:
    """A UserSig is used until 80 % of its lifetime, then signed anew."""
    clock = Clock()
    signer = UserSigSigner(APP_ID, KEY, expire=1000, clock=clock)
    first = signer.current()
    clock.now += 799
    assert first == signer.current()
    clock.now += 1
    assert clock.now == decode_usersig(signer.current()).time


def test_a_signer_signs_anew_when_told() -> None:
    """invalidate() forgets the UserSig at hand."""
    clock = Clock()
    signer = UserSigSigner(APP_ID, KEY, clock=clock)
    first = signer.current()
    clock.now += 1
    signer.invalidate()
    assert first != signer.current()


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["signer", "provider"])
async def test_a_hundred_callers_cost_one_signing(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Concurrent callers share one signing, or one call of the provider."""
    clock = Clock()
    provider = Provider(clock)
    signings: list[int] = []
    compress = zlib.compress
    monkeypatch.setattr(zlib, "compress", lambda data: signings.append(1) or compress(data))
    cache = UserSigCache(UserSigSigner(APP_ID, KEY, clock=clock) if kind == "signer" else provider, clock)
    got = await asyncio.gather(*(cache.get() for _ in range(100)))
    assert 1 == len({id(secret) for secret in got})
    assert 1 == len(signings)
    assert got[0] is cache.fresh()


@pytest.mark.anyio
async def test_a_hundred_refusals_cost_one_renewal() -> None:
    """When Desk refuses a UserSig that a hundred calls used, it is replaced once."""
    clock = Clock()
    provider = Provider(clock)
    cache = UserSigCache(provider, clock)
    stale = await cache.get()
    clock.now += 1
    got = await asyncio.gather(*(cache.get(instead_of=stale) for _ in range(100)))
    assert 2 == provider.calls
    assert {stale} != set(got)
    assert 1 == len(set(got))


@pytest.mark.anyio
async def test_a_refused_usersig_is_signed_anew() -> None:
    """The signer is told to forget it, too."""
    clock = Clock()
    cache = UserSigCache(UserSigSigner(APP_ID, KEY, clock=clock), clock)
    stale = await cache.get()
    clock.now += 1
    assert stale != await cache.get(instead_of=stale)
    assert cache.renewable


@pytest.mark.anyio
async def test_a_provider_is_asked_again_at_four_fifths() -> None:
    """What it gave is used until 80 % of its lifetime."""
    clock = Clock()
    provider = Provider(clock)
    cache = UserSigCache(provider, clock)
    first = await cache.get()
    clock.now += 799
    assert first is await cache.get()
    clock.now += 1
    assert first is not await cache.get()
    assert 2 == provider.calls


@pytest.mark.anyio
async def test_a_provider_with_an_old_usersig_is_asked_once_a_minute() -> None:
    """One that renews later than at 80 % is not called for each message; one that gives what expired is."""
    clock = Clock()
    provider = Provider(clock, expire=1000, age=850)
    cache = UserSigCache(provider, clock)
    for _ in range(3):
        await cache.get()
        clock.now += 29
    assert 1 == provider.calls
    clock.now += 4
    await cache.get()
    assert 2 == provider.calls
    provider.age = 1000
    cache = UserSigCache(provider, clock)
    await cache.get()
    assert cache.fresh() is None


@pytest.mark.anyio
async def test_a_ready_usersig_is_kept() -> None:
    """There is no other: it is used until the end, whatever its age, and replaced by nothing."""
    clock = Clock()
    usersig = sign_usersig(APP_ID, KEY, "administrator", expire=10, now=clock.now - 100)
    cache = UserSigCache(ReadyUserSig(Secret(usersig)), clock)
    got = await cache.get()
    assert usersig == got.reveal()
    assert got is cache.fresh()
    assert usersig == (await cache.get(instead_of=got)).reveal()
    assert not cache.renewable


@pytest.mark.anyio
async def test_what_we_cannot_read_is_for_desk_to_judge() -> None:
    """A UserSig of another make is used as it is."""
    cache = UserSigCache(ReadyUserSig(Secret("eJx-other")), Clock())
    assert "eJx-other" == (await cache.get()).reveal()
    assert cache.fresh() is not None


@pytest.mark.parametrize("usersig", [CANARY + "\n", CANARY + "\ud800", f"{CANARY} {CANARY}", "", 7, CANARY.encode()])
def test_a_ready_usersig_that_is_none(usersig: Any) -> None:
    """White space and the like never belong to a UserSig; the error shows nothing of it."""
    with pytest.raises(ConfigurationError, match=r"^usersig (is empty|must be a text|holds white space)") as caught:
        ReadyUserSig(Secret(usersig))
    assert CANARY not in shown_by(caught.value)


@pytest.mark.anyio
@pytest.mark.parametrize("usersig", [CANARY + "\n", "", None, CANARY.encode()])
async def test_a_provider_that_gives_none(usersig: Any) -> None:
    """What a provider returns is checked alike, and shown as little."""

    async def provider() -> str:
        return usersig

    with pytest.raises(ConfigurationError, match=r"^what the usersig provider returns") as caught:
        await UserSigCache(provider, Clock()).get()
    assert CANARY not in shown_by(caught.value)


@pytest.mark.anyio
async def test_a_provider_that_is_not_async_is_told_so() -> None:
    """What it returned is a credential: the error does not show it."""

    def provider() -> Any:
        return CANARY

    with pytest.raises(ConfigurationError, match="must be an async function") as caught:
        await UserSigCache(provider, Clock()).get()
    assert CANARY not in shown_by(caught.value)


@pytest.mark.anyio
async def test_a_provider_that_fails_is_asked_again() -> None:
    """Its error is passed on, and the next caller tries anew."""
    answers: list[Any] = [OSError("vault is down"), "eJx-later"]

    async def provider() -> str:
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return str(answer)

    cache = UserSigCache(provider, Clock())
    with pytest.raises(OSError, match="vault is down"):
        await cache.get()
    assert "eJx-later" == (await cache.get()).reveal()


@pytest.mark.anyio
async def test_a_caller_that_gives_up_leaves_the_others_unharmed() -> None:
    """When the caller that asked is cancelled, the next one asks."""
    clock = Clock()
    provider = Provider(clock)
    cache = UserSigCache(provider, clock)
    first, second = (asyncio.ensure_future(cache.get()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert KEY not in (await second).reveal()
    assert first.cancelled()
    assert 2 == provider.calls


@pytest.mark.anyio
async def test_a_signer_is_a_provider() -> None:
    """Called, it gives the UserSig at hand; without a clock of its own it asks the machine's."""
    signer = UserSigSigner(APP_ID, KEY)
    assert await signer() == signer.current()
    assert decode_usersig(sign_usersig(APP_ID, KEY, "a")).time >= decode_usersig(signer.current()).time
