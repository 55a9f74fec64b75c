"""The codes of Tencent's pages (679/131708, 1047/34348, 1229/68821), and which of them prove no refusal."""

from __future__ import annotations

from typing import Final

#: Time-outs and internal errors: they may come after the message was accepted.
_INTERNAL: Final = """
    20004 20005 60008 60013 60014 70169 70202 70500 90992 90994 90995 91000 141002
"""
_REFUSALS: Final = """
    20003 20006 20007 20009 20010 20011 20012
    60002 60003 60004 60005 60006 60007 60009 60010 60011 60012 60015 60016 60017 60018 60019 60020 60021 60022
    70001 70002 70003 70005 70009 70013 70014 70016 70020 70050 70051 70052 70107 70114 70206 70398 70402 70403
    80001 80002 80004
    90001 90002 90003 90005 90007 90008 90009 90010 90012 90026 90043 90044 90048 93000
    120001 125000 130000
    141000 141001 141003 141004 141005 141006 141007 141008 141009 141010 141011 141012 141013 141014 141015 141016
    141017
"""

DOCUMENTED: Final[dict[int, bool]] = {
    **dict.fromkeys(map(int, _REFUSALS.split()), False),
    **dict.fromkeys(map(int, _INTERNAL.split()), True),
}
"""Each code, and whether it may follow an accepted message."""
