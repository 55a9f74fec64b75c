"""What all clients send: a text message of 0.5 KB, and the parameters of the call (1229/68821)."""

from __future__ import annotations

import random
from typing import Any, Final

SDK_APP_ID: Final = 1400000000
SECRET_KEY: Final = "a key made up for the benchmark"  # noqa: S105
PATH: Final = "/v4/desk_http_svc/send_msg"
TEXT: Final = "Hello! Your order 20240612-8841 has shipped and will arrive on Friday. 你好 " * 3
REPLY: Final = '{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"MsgKey":"89541_2574206_1572870301"}'
#: A UserSig has about this length and these characters.
USERSIG: Final = ("eJw1zV0LgjAYhuH-snPJbX6lnXUoBIFFkmftw9f2MuZa5f8*q8P7eeC6s-pQ*oprZwdGS5wQFBFU*-oNKFq0" * 3)[:250]


def session(number: int) -> str:
    """Return the SessionId of a message: each goes to another session."""
    return f"fd8a2e30-54de-4e40-bcaf-{number:012d}"


def wire_text(number: int) -> dict[str, Any]:
    """Return the same text as one would write it by hand for another client."""
    return {
        "SessionId": session(number),
        "MsgRandom": random.getrandbits(32),
        "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": TEXT}}],
    }


class Parameters:
    """Make the parameters of a call: `random` is new each time."""

    def __init__(self) -> None:
        self._fixed = {
            "sdkappid": str(SDK_APP_ID),
            "identifier": "administrator",
            "usersig": USERSIG,
            "contenttype": "json",
        }

    def __call__(self) -> dict[str, str]:
        """Return them for the next call."""
        return {**self._fixed, "random": str(random.getrandbits(32))}
