"""The samples of Tencent's pages, against what deskim writes and reads."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deskim import payloads as p
from deskim._codec import dump_body, load_body
from deskim._elements import CustomElem, RawElem
from deskim._messages import Message
from deskim._protocol import Identity, Reply, Signature, decode, encode_message, path_of
from deskim._usersig import Secret
from deskim.commands import RawCommand
from deskim.errors import CODES, DeskError, MessageError
from tests.support.wire import CALLS, read

WIRE = read("send_msg")
URL = read("_url")
each_sample = pytest.mark.parametrize("sample", WIRE["samples"], ids=lambda s: s["name"])
WELCOME = "Welcome to use smart customer service. Glad to serve you."
MALL = (
    "Welcome to register with xx mall. You can purchase the products you want herein. "
    "If you have any questions, contact our customer service."
)
CLOUD = "your cloud custom data"
CARD = p.Card(
    header="card title",
    desc="description",
    pic="https://static.cloudcachetci.com/qcloud/portal/kit/images/presale.a4955999.jpeg",
    url="https://www.qcloud.com/",
)
EXAMPLES = {
    "text to a session": Message.to_session(
        "fd8a2e30-54de-4e40-bcaf-02718409c5cf", WELCOME, msg_random=8436874, cloud_custom_data=CLOUD
    ),
    "text to a user": Message.to_user("user45", MALL, msg_random=82139, cloud_custom_data=CLOUD),
    "card to a user": Message.to_user("user45", CARD, msg_random=82139, cloud_custom_data=CLOUD),
}
SAMPLES = {sample["name"]: sample["request"] for sample in WIRE["samples"]}


def _in_order(value: Any) -> Any:
    """Objects as lists of pairs, so that comparing them compares the order of their keys; Data read as JSON."""
    if isinstance(value, dict):
        return [(k, _in_order(json.loads(v) if k == "Data" and v.startswith("{") else v)) for k, v in value.items()]
    return [_in_order(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_of_the_page_field_for_field(name: str) -> None:
    """The three example bodies come out with the same keys in the same order, the JSON inside the JSON too."""
    written = json.loads(encode_message(EXAMPLES[name], "@customer_service_account"))
    assert _in_order(SAMPLES[name]) == _in_order(written)


def test_the_card_of_the_page_is_a_card() -> None:
    """The page's Data reads as the payload that writes it."""
    (elem,) = Message.from_dict(SAMPLES["card to a user"]).elements
    assert isinstance(elem, CustomElem)
    assert CARD == elem.payload()


@each_sample
def test_every_sample_reads_and_writes_alike(sample: dict[str, Any]) -> None:
    """A request of the page, read as a message, is sent as it stands."""
    message = Message.from_dict(sample["request"])
    assert sample["request"] == json.loads(encode_message(message, None))
    assert sample["request"] == message.to_dict()
    assert sample["request"]["MsgBody"] == dump_body(message.elements)


@each_sample
def test_every_sample_has_classes(sample: dict[str, Any]) -> None:
    """No documented element falls back to a RawElem."""
    assert [] == [e for e in load_body(sample["request"]["MsgBody"]) if isinstance(e, RawElem)]


@each_sample
def test_every_reply_of_a_sample_is_success(sample: dict[str, Any]) -> None:
    """What the page answers is read as it stands."""
    assert sample["reply"] == decode(Reply(200, {}, json.dumps(sample["reply"]).encode()))


@pytest.mark.parametrize("error", WIRE["errors"], ids=lambda e: e["name"])
def test_the_code_of_every_wrong_request_has_its_error(error: dict[str, Any]) -> None:
    """What Desk answers to a wrong request raises the class of the table."""
    content = json.dumps({"ActionStatus": "FAIL", "ErrorInfo": "no", "ErrorCode": error["code"]}).encode()
    with pytest.raises(CODES[error["code"]].error) as caught:
        decode(Reply(200, {}, content))
    assert (error["code"], "no") == (caught.value.code, caught.value.info)


@pytest.mark.parametrize(
    "error", [e for e in WIRE["errors"] if isinstance(e.get("request"), dict)], ids=lambda e: e["name"]
)
def test_no_wrong_request_is_written_differently(error: dict[str, Any]) -> None:
    """What is read from a wrong dict is refused here with the field's name, or is still wrong in the same way."""
    try:
        message = Message.from_dict(error["request"])
    except MessageError as refusal:
        named = ("MsgBody", "unknown field", "Message.", "a message", "the message", "from_account")
        assert any(name in str(refusal) for name in named)  # noqa: PT017 - or it passes
    else:
        assert error["request"]["MsgBody"] == message.to_dict()["MsgBody"]
        assert any(isinstance(e, RawElem) for e in message.elements) or error["code"] in (141004, 90005)


@pytest.mark.parametrize("name", CALLS)
def test_every_call_has_its_path(name: str) -> None:
    """A raw command makes each call of the pages."""
    path = read(name)["path"]
    _, version, service, command = path.split("/")
    assert ("v4", path) == (version, path_of(RawCommand(service, command)))


@pytest.mark.parametrize("name", CALLS)
def test_every_documented_reply_is_an_envelope(name: str) -> None:
    """The reply of each sample, whatever the call, passes as success or raises its error."""
    for sample in read(name)["samples"]:
        reply = Reply(200, {}, json.dumps(sample["reply"]).encode())
        if sample["reply"]["ErrorCode"] == 0:
            assert sample["reply"] == decode(reply)
        else:
            with pytest.raises(DeskError):
                decode(reply)


def test_the_parameters_of_the_url() -> None:
    """Names, order and values are those of the page."""
    given = URL["parameters"]
    identity = Identity(int(given["sdkappid"]), given["identifier"])
    target = Signature(identity, Secret("xxx")).target(WIRE["path"]).with_random(int(given["random"])).decode()
    path, _, query = target.partition("?")
    pairs = [tuple(pair.split("=")) for pair in query.split("&")]
    assert WIRE["path"] == path
    assert ["sdkappid", "identifier", "usersig", "random", "contenttype"] == [name for name, _ in pairs]
    assert {**given, "usersig": "xxx"} == dict(pairs)
