from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from deskim.testing import FakeDesk
from deskim.testing._msg_body import FIELDS
from deskim.testing._reply import Answer, Arrival
from tests.support.poster import SEND_MSG, Clock, pack, parameters_for

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(sorted({"MsgRandom", "SessionId", "ToAccount", *(n for f in FIELDS.values() for n in f)}))
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=6)
ELEMENTS = st.fixed_dictionaries({"MsgType": st.sampled_from(sorted(FIELDS)) | VALUES, "MsgContent": OBJECTS | VALUES})
MESSAGES = st.fixed_dictionaries(
    {"MsgRandom": st.integers(0, 2**32 - 1) | VALUES, "MsgBody": st.lists(ELEMENTS | VALUES, max_size=2) | VALUES},
    optional=dict.fromkeys(("SessionId", "FromAccount", "ToAccount", "ExcludeFromUserRespTimeout"), VALUES),
)


def _signed() -> bytes:
    parameters = parameters_for(FakeDesk(clock=Clock()))
    return "&".join(f"{name}={value}" for name, value in parameters.items()).encode()


QUERY = _signed()


def answer(body: bytes, query: bytes = QUERY) -> Answer:
    """Return what a fresh fake answers."""
    return FakeDesk(clock=Clock())._respond(Arrival("POST", SEND_MSG, query, {}, body))


def code_of(found: Answer) -> int:
    """Return the code of a reply that has all that a reply has."""
    envelope: dict[str, Any] = json.loads(found.body)
    assert {"ActionStatus", "ErrorInfo", "ErrorCode"} == envelope.keys()
    assert ("OK" if envelope["ErrorCode"] == 0 else "FAIL") == envelope["ActionStatus"]
    return found.code if found.code == envelope["ErrorCode"] else -1


@given(MESSAGES | OBJECTS | VALUES)
def test_any_json_gets_a_documented_code(value: object) -> None:
    """Whatever the body says, the answer is a success or a code of 1229/68821."""
    body = json.dumps(value).encode()
    assert code_of(answer(body)) in {0, 90001, 90002, 90005, 90007, 90010, 93000, 141004}


@given(st.binary())
def test_any_bytes_get_a_documented_code(body: bytes) -> None:
    """A body may be anything at all."""
    assert code_of(answer(body)) in {90001, 90005, 90010}


def test_deep_json_gets_a_documented_code() -> None:
    """Nesting at the limit of the interpreter, wherever that is, is answered, too."""
    body = '{"SessionId":"s","MsgRandom":1,"MsgBody":[{"MsgType":"TIMNewElem","MsgContent":{"x":%s}}]}'
    bodies = ((body % ("[" * depth + "]" * depth)).encode() for depth in range(800, 1050))
    assert set() == {code_of(answer(deep)) for deep in bodies} - {0, 90001}


@given(st.binary() | st.text().map(str.encode))
def test_any_query_gets_a_documented_code(query: bytes) -> None:
    """A query may be anything at all; what is no signature is never taken for one."""
    assert code_of(answer(b"{}", query)) in {60012, 60006, 70020}


@given(VALUES | st.dictionaries(st.sampled_from(["TLS.sig", "TLS.time", "TLS.expire", "TLS.identifier"]), VALUES))
def test_any_usersig_gets_a_documented_code(claims: Any) -> None:
    """Claims may be anything at all; what is no signature is never taken for one."""
    query = b"sdkappid=1400000000&identifier=administrator&random=1&contenttype=json&usersig=" + pack(claims).encode()
    assert 70003 == code_of(answer(b"{}", query))
