from __future__ import annotations

import json
from typing import Any

import pytest

from deskim._usersig import sign_usersig
from deskim.testing import FakeDesk
from tests.support.poster import Clock, Poster, in_memory, message

pytestmark = pytest.mark.anyio

LIMIT = 12 * 1024


async def codes(desk: FakeDesk, *bodies: dict[str, Any]) -> list[int]:
    """Return the codes that these bodies get, one after the other."""
    async with in_memory(desk) as poster:
        return [await poster.code(body) for body in bodies]


def filled_up_to(size: int, character: str) -> dict[str, Any]:
    """Return a message whose MsgBody has this size as compact UTF-8 JSON."""
    rest = size - len(json.dumps(message("")["MsgBody"], separators=(",", ":")))
    width = len(character.encode())
    return message(character * (rest // width) + "a" * (rest % width))


@pytest.mark.parametrize("character", ["a", "你"])
async def test_a_msg_body_of_12_kilobytes_is_taken_and_one_byte_more_is_not(desk: FakeDesk, character: str) -> None:
    """The limit of 1229/68821 counts the bytes of UTF-8, however the request spells them."""
    at, over = filled_up_to(LIMIT, character), filled_up_to(LIMIT + 1, character)
    assert [0, 93000] == await codes(desk, at, over)
    assert 1 == len(desk.messages)


async def test_only_the_msg_body_counts_against_the_limit(desk: FakeDesk) -> None:
    """What stands beside the MsgBody may be larger."""
    assert [0] == await codes(desk, message(CloudCustomData="x" * LIMIT))


async def test_half_a_surrogate_pair_does_not_upset_the_fake(desk: FakeDesk) -> None:
    """JSON can spell what UTF-8 cannot; the message is taken."""
    assert [0] == await codes(desk, message("\ud83d"))


@pytest.mark.parametrize("body", [b"\xff\xfe", b"[" * 100_000, "{}".encode("utf-16")], ids=["binary", "deep", "utf-16"])
async def test_bytes_that_are_no_json_are_refused(desk: FakeDesk, body: bytes) -> None:
    """Whatever comes, the answer is a code and not a crash."""
    async with in_memory(desk) as poster:
        assert 90001 == await poster.code(body)


async def test_every_session_exists_until_it_ends(desk: FakeDesk) -> None:
    """Without a list of sessions any id will do; one that ended is refused, until it begins anew."""
    assert [0] == await codes(desk, message(MsgRandom=1))
    desk.end_session("session")
    assert [141005, 0] == await codes(desk, message(MsgRandom=2), message(SessionId="other"))
    desk.begin_session("session")
    assert [0] == await codes(desk, message(MsgRandom=3))


async def test_named_sessions_are_the_only_ones() -> None:
    """With a list of sessions no other exists, but for those that begin later."""
    desk = FakeDesk(sessions=["session"])
    assert [0, 141005] == await codes(desk, message(), message(SessionId="other"))
    desk.begin_session("other")
    assert [0] == await codes(desk, message(SessionId="other"))


async def test_a_repeated_message_is_answered_but_not_shown_again(desk: FakeDesk) -> None:
    """Same sender, MsgRandom and content: one message (269/2282)."""
    assert [0, 0] == await codes(desk, message(), message())
    assert 1 == len(desk.messages)
    assert [False, True] == [request.duplicate for request in desk.requests]


@pytest.mark.parametrize("change", [{"MsgRandom": 2}, {"text": "ho"}, {"SessionId": "other"}], ids=str)
async def test_a_message_that_differs_is_shown(desk: FakeDesk, change: dict[str, Any]) -> None:
    """Another MsgRandom, content or session makes another message."""
    await codes(desk, message(), message(**change))
    assert 2 == len(desk.messages)


@pytest.mark.parametrize(("change", "shown"), [({"ToAccount": "user46"}, 1), ({"FromAccount": "@other"}, 2)], ids=str)
async def test_the_recipient_makes_no_difference_but_the_sender_does(
    desk: FakeDesk, change: dict[str, Any], shown: int
) -> None:
    """Two users who are sent the same with one MsgRandom: the second sees nothing (269/2282)."""
    first = message(SessionId=None, FromAccount="@customer_service_account", ToAccount="user45")
    await codes(desk, first, first | change)
    assert shown == len(desk.messages)


async def test_a_repetition_after_the_window_is_a_new_message(clock: Clock) -> None:
    """The window is counted from the first time, and a repetition does not extend it."""
    desk = FakeDesk(clock=clock, dedup_window=120)
    shown = []
    for pause in (0.0, 119.9, 0.1):
        clock.now += pause
        await codes(desk, message())
        shown.append(len(desk.messages))
    assert [1, 1, 2] == shown


@pytest.mark.parametrize("window", [0, None])
async def test_deduplication_can_be_switched_off(window: float | None) -> None:
    """Without a window every arrival is shown."""
    desk = FakeDesk(dedup_window=window)
    await codes(desk, message(), message())
    assert 2 == len(desk.messages)


async def test_a_refused_message_is_not_remembered(desk: FakeDesk) -> None:
    """What was refused and comes again in order is shown."""
    desk.end_session("session")
    await codes(desk, message())
    desk.begin_session("session")
    await codes(desk, message())
    assert [141005, 0] == [request.code for request in desk.requests]
    assert [False, False] == [request.duplicate for request in desk.requests]


async def test_the_quota_holds_in_every_sliding_second(clock: Clock) -> None:
    """So many calls in any one second; those refused do not count."""
    desk = FakeDesk(clock=clock, rate_limit=2)
    found = []
    for pause in (0.0, 0.5, 0.4, 0.1, 0.0, 0.5):
        clock.now += pause
        found += await codes(desk, message())
    assert [0, 0, 60011, 0, 60011, 0] == found


async def test_the_quota_can_change_while_running(desk: FakeDesk) -> None:
    """A lower limit counts what was taken before; none lets everything through."""
    assert [0, 0] == await codes(desk, message(), message())
    desk.rate_limit = 2
    assert [60011] == await codes(desk, message())
    desk.rate_limit = None
    assert [0] == await codes(desk, message())


async def test_only_the_administrator_may_call(desk: FakeDesk) -> None:
    """A good signature of an ordinary account lacks the permission (1229/68821)."""
    usersig = sign_usersig(desk.sdk_app_id, desk.secret_key, "user45", now=int(desk.clock()))
    async with in_memory(desk) as poster:
        assert 90009 == await poster.code(message(), {"identifier": "user45", "usersig": usersig})


async def test_a_usersig_with_a_userbuf_is_taken(desk: FakeDesk) -> None:
    """The userbuf is part of what is signed."""
    now = int(desk.clock())
    usersig = sign_usersig(desk.sdk_app_id, desk.secret_key, desk.identifier, now=now, userbuf=b"room 7")
    async with in_memory(desk) as poster:
        assert 0 == await poster.code(message(), {"usersig": usersig})


async def test_a_usersig_that_was_cut_short_is_refused(desk: FakeDesk) -> None:
    """Half a signature cannot be decoded."""
    async with in_memory(desk) as poster:
        usersig = poster.query()["usersig"]
        cut = [usersig[: len(usersig) // 8 * 4], usersig[:-5]]
        assert [70003, 70003] == [await poster.code(message(), {"usersig": text}) for text in cut]


async def test_another_key_is_told_apart(desk: FakeDesk) -> None:
    """A UserSig made with another application's key gets the code for that."""
    usersig = sign_usersig(desk.sdk_app_id, "another key", desk.identifier, now=int(desk.clock()))
    async with in_memory(desk) as poster:
        assert 70009 == await poster.code(message(), {"usersig": usersig})


async def test_other_methods_and_paths_are_refused(poster: Poster) -> None:
    """Only POST is taken, and only on paths that exist."""
    assert 60002 == await poster.code(message(), method="PUT")
    assert 60009 == await poster.code(message(), path="/v4/desk_http_svc/send_message")
    assert 60009 == await poster.code(message(), path="/v4/openim/send_msg")


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"sdk_app_id": "1400000000"}, TypeError),
        ({"sessions": "session"}, TypeError),
        ({"dedup_window": -1}, ValueError),
        ({"rate_limit": -1}, ValueError),
        ({"rate_limit": float("nan")}, ValueError),
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], error: type[Exception]) -> None:
    """The constructor says which setting is wrong."""
    with pytest.raises(error, match=next(iter(settings))):
        FakeDesk(**settings)
