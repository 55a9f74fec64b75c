"""`deskim explain`: what an ErrorCode means and what to do about it, without a network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deskim.cli._screen import UsageError, complain, say, say_json
from deskim.cli._words import for_shell
from deskim.errors import ErrorCode, RetryKind, lookup

# 269 and 679 are products of the Chinese site, the others of the international one
PAGES: Mapping[str, str] = dict.fromkeys(("269", "679"), "https://cloud.tencent.com/document/product/")
OTHER_PAGES = "https://www.tencentcloud.com/document/product/"

AGAIN = {
    RetryKind.NEVER: "no: the same request fails again, mend it first",
    RetryKind.TRANSIENT: "yes: deskim sends it again by itself, with the same MsgRandom",
    RetryKind.THROTTLED: "yes: deskim slows down and sends it again by itself",
    RetryKind.RENEW: "yes, once: deskim signs anew where it has the secret key",
    RetryKind.LATER: "in some minutes; not by itself",
    RetryKind.LOCKED: "after a minute: until then deskim fails every call at once",
}


def explain(*codes: int, json: bool = False) -> int:
    """Explain ErrorCodes of Desk in English and Chinese, offline.

    :param codes: One or more codes, such as 70009.
    :param json: Print one JSON object a line.
    """
    if not codes:
        raise UsageError("give a code, such as: deskim explain 70009")
    return max([_explain(code, as_json=json) for code in codes])


def _explain(code: int, *, as_json: bool) -> int:
    row = lookup(code)
    if row is None:
        complain(f"{code}: no page of Tencent's that deskim knows names this code; Desk's ErrorInfo may say more")
        return 1
    say_json(_facts(row)) if as_json else _show(row)
    return 0


def _facts(row: ErrorCode) -> dict[str, Any]:
    return {
        "code": row.code,
        "error": row.error.__name__,
        "meaning": row.meaning,
        "advice": for_shell(row.advice),
        "meaning_zh": row.meaning_zh,
        "advice_zh": for_shell(row.advice_zh),
        "retry": row.retry.value,
        "stops_a_batch": row.fatal,
        "page": page_url(row.page),
    }


def _show(row: ErrorCode) -> None:
    say(f"{row.code}  {row.error.__name__}", "bold")
    say(f"  {row.meaning}")
    say(f"  {for_shell(row.advice)}")
    say(f"  {row.meaning_zh}。{for_shell(row.advice_zh)}")
    say(f"  again?  {AGAIN[row.retry]}" + ("; a batch stops at it" if row.fatal else ""))
    say(f"  page    {page_url(row.page)}")


def page_url(page: str) -> str:
    """Return the address of a page such as ``1229/68821``."""
    return PAGES.get(page.partition("/")[0], OTHER_PAGES) + page
