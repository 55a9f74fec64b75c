"""Which parser reads the replies."""

from __future__ import annotations

from functools import cache

from deskim._transport._parsers import ParserFactory


@cache
def default_parser() -> ParserFactory:
    """Return httptools' parser where the extra `fast` has brought it, h11's otherwise."""
    try:
        from deskim._transport._httptools import HttptoolsParser
    except ImportError:
        from deskim._transport._h11 import H11Parser

        return H11Parser
    return HttptoolsParser
