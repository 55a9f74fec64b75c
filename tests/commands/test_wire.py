from __future__ import annotations

import json
from typing import Any

import pytest

from deskim import commands
from deskim._codec import dump_value, load_value
from deskim._protocol import decode_reply, encode_command, path_of
from tests.support.wire import read

CLASSES: list[Any] = [
    commands.TransferToHuman,
    commands.ContactUser,
    commands.EndSession,
    commands.GetSessionState,
    commands.DescribeImCdrList,
    commands.DescribeChatMessages,
    commands.SendStreamMsg,
    commands.SendStreamMsgV2,
]
SAMPLES = [
    pytest.param(cls, sample, id=f"{cls.path}: {sample['name']}")
    for cls in CLASSES
    for sample in read(cls.path)["samples"]
]
REPEATABLE = {"end_session", "get_session_state", "describe_im_cdr_list", "describe_chat_messages"}


@pytest.mark.parametrize("cls", CLASSES)
def test_a_command_goes_to_the_path_of_its_page(cls: Any) -> None:
    """The path of each command is the one that Tencent's page shows."""
    sample = read(cls.path)["samples"][0]["request"]
    assert read(cls.path)["path"] == path_of(load_value(cls, sample))


@pytest.mark.parametrize(("cls", "sample"), SAMPLES)
def test_a_command_writes_the_documented_request(cls: Any, sample: dict[str, Any]) -> None:
    """Each documented request is what the command with these fields writes: the same names, types and values."""
    written = encode_command(load_value(cls, sample["request"]))
    assert sample["request"] == json.loads(written)


@pytest.mark.parametrize(("cls", "sample"), SAMPLES)
def test_a_reply_holds_all_that_is_documented(cls: Any, sample: dict[str, Any]) -> None:
    """Each documented reply loads into the command's reply with nothing left over, and writes what it was read from."""
    reply = decode_reply(load_value(cls, sample["request"]), sample["reply"])
    envelope = {"ActionStatus", "ErrorInfo", "ErrorCode"}
    assert {} == reply.extra
    assert {k: v for k, v in sample["reply"].items() if k not in envelope}.items() <= dump_value(reply).items()


@pytest.mark.parametrize("cls", CLASSES)
def test_a_command_says_whether_it_may_be_repeated(cls: Any) -> None:
    """Questions, and the end of a session, may be repeated; what would act or append twice may not."""
    assert (cls.path in REPEATABLE) is cls.repeatable
