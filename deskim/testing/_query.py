"""Check the parameters of the URL; their names and values are case-sensitive (1047/34620)."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from ._reply import Refused
from ._signature import Identity, check_usersig

_MAX_RANDOM = 2**32 - 1


def read_query(query: bytes) -> dict[str, str]:
    """Return the parameters of a query string; of a repeated one, the last."""
    return dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))


def check_query(query: Mapping[str, str], served: Identity, now: float) -> None:
    """Refuse parameters that are missing or wrong, with the codes of 679/131708."""
    _check_application(query.get("sdkappid", ""), served)
    _check_account(query, served, now)
    _check_rest(query)


def _check_application(sdkappid: str, served: Identity) -> None:
    if not sdkappid:
        raise Refused(60012, "sdkappid is missing in the URL")
    if not (sdkappid.isascii() and sdkappid.isdecimal()):
        raise Refused(60006, "sdkappid in the URL is not a number")
    if sdkappid != str(served.sdk_app_id):
        raise Refused(70020, "there is no application with this SDKAppID")


def _check_account(query: Mapping[str, str], served: Identity, now: float) -> None:
    account = query.get("identifier", "")
    if not account:
        raise Refused(60004, "identifier is missing in the URL")
    if not query.get("usersig"):
        raise Refused(70002, "usersig is missing in the URL")
    check_usersig(query["usersig"], account, served, now)
    if account != served.identifier:  # 1229/68821
        raise Refused(90009, "identifier is not an App administrator of this application")


def _check_rest(query: Mapping[str, str]) -> None:
    """Refuse what 1229/68821 asks for without naming a code; 60002 says that the URL cannot be understood."""
    random = query.get("random", "")
    if not (random.isascii() and random.isdecimal()) or int(random[:11]) > _MAX_RANDOM:
        raise Refused(60002, "random in the URL must be a whole number from 0 to 4294967295")
    if query.get("contenttype") != "json":
        raise Refused(60002, "contenttype in the URL must be json")
