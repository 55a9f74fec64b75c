from __future__ import annotations

import collections
import gzip
import tracemalloc
import zlib

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskim._transport._choice import default_parser
from deskim._transport._h11 import H11Parser
from deskim._transport._parsers import ParserFactory, ReplyParser

try:
    from deskim._transport._httptools import HttptoolsParser
except ImportError:  # without the extra `fast` there is one parser
    HttptoolsParser = H11Parser  # type: ignore[assignment,misc]

LIMIT = 1000
PARSERS = [H11Parser, HttptoolsParser]

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
INTERIM = b"HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"

WHOLE = {
    "by length": (b"HTTP/1.1 200 OK\r\nX-A:  b \t\r\nContent-Length: 5\r\n\r\nhello", b"hello", True),
    "by chunks": (CHUNKED + b"3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", b"hello", True),
    "with trailers": (CHUNKED + b"5\r\nhello\r\n0\r\nX-Late: 1\r\n\r\n", b"hello", True),
    "after interim replies": (INTERIM + b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello", True),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", b"", True),
    "not modified": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", b"", True),
    "empty": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"", True),
    "closing": (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", b"hello", False),
    "of the old version": (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello", False),
}

BROKEN = {
    "not HTTP": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "no status": b"HTTP/1.1 abc OK\r\n\r\n",
    "a header without a colon": b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n",
    "a header name with a space": b"HTTP/1.1 200 OK\r\nA B: c\r\nContent-Length: 0\r\n\r\n",
    "a negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "a wrong chunk size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nhello\r\n0\r\n\r\n",
    "switching protocols": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "switching protocols without saying to what": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
}


def begun(factory: ParserFactory, limit: int = LIMIT, *, head_only: bool = False) -> ReplyParser:
    """Return a parser that expects a reply."""
    parser = factory(limit)
    parser.begin(head_only=head_only)
    return parser


def fed(factory: ParserFactory, data: bytes, limit: int = LIMIT) -> ReplyParser:
    """Return a parser that has read `data`."""
    parser = begun(factory, limit)
    parser.feed(data)
    return parser


@pytest.mark.parametrize("case", WHOLE)
def test_whole_reply(parser: ParserFactory, case: str) -> None:
    """A reply is complete when its framing says so, and another may follow it where the server allows."""
    data, body, reusable = WHOLE[case]
    done = fed(parser, data)
    assert (True, reusable, body) == (done.complete, done.reusable, done.reply()[2])


@pytest.mark.parametrize("case", WHOLE)
def test_reply_byte_by_byte(parser: ParserFactory, case: str) -> None:
    """However the bytes arrive, the reply is complete with the last of them and not before."""
    data, body, reusable = WHOLE[case]
    slow = begun(parser)
    for index in range(len(data)):
        assert not slow.complete
        slow.feed(data[index : index + 1])
    assert (True, reusable, body) == (slow.complete, slow.reusable, slow.reply()[2])


def test_status_and_headers(parser: ParserFactory) -> None:
    """Header names come in lower case, values without the blanks around them, interim replies leave nothing behind."""
    assert (200, [(b"x-a", b"b"), (b"content-length", b"5")], b"hello") == fed(parser, WHOLE["by length"][0]).reply()
    assert (200, [(b"content-length", b"5")], b"hello") == fed(parser, WHOLE["after interim replies"][0]).reply()
    assert [(b"transfer-encoding", b"chunked")] == fed(parser, WHOLE["with trailers"][0]).reply()[1]


@given(st.lists(st.sampled_from(sorted(WHOLE)), min_size=1, max_size=4), st.data())
def test_parsers_agree(cases: list[str], data: st.DataObject) -> None:
    """Both parsers read the same replies, one after the other, out of any pieces."""
    h11_parser, httptools_parser = H11Parser(LIMIT), HttptoolsParser(LIMIT)
    for case in cases:
        wire = WHOLE[case][0]
        cut = data.draw(st.integers(0, len(wire)))
        for parser in (h11_parser, httptools_parser):
            parser.begin(head_only=False)
            for piece in filter(None, (wire[:cut], wire[cut:])):
                parser.feed(piece)
        assert h11_parser.reply() == httptools_parser.reply()
        assert h11_parser.reusable == httptools_parser.reusable
        if not h11_parser.reusable:
            return


@pytest.mark.parametrize("case", BROKEN)
def test_broken_reply(parser: ParserFactory, case: str) -> None:
    """What is no reply is refused."""
    with pytest.raises(httpx.RemoteProtocolError):
        fed(parser, BROKEN[case])


@given(st.binary(max_size=300), st.sampled_from(PARSERS), st.booleans())
def test_any_bytes(data: bytes, factory: ParserFactory, led: bool) -> None:  # noqa: FBT001
    """Whatever a server sends, nothing but a protocol error comes out."""
    parser = begun(factory)
    try:
        parser.feed(b"HTTP/1.1 200 OK\r\n" * led + data)
        parser.eof()
    except httpx.RemoteProtocolError:
        return
    assert parser.complete or not parser.reusable


def test_read_to_close(parser: ParserFactory) -> None:
    """Without a length the end of the connection is the end of the reply."""
    closing = fed(parser, b"HTTP/1.1 200 OK\r\n\r\nhel")
    closing.feed(b"lo")
    assert not closing.complete
    closing.eof()
    assert (True, False, b"hello") == (closing.complete, closing.reusable, closing.reply()[2])


@pytest.mark.parametrize("cut", [0, 10, 40, 42])
def test_cut_short(parser: ParserFactory, cut: int) -> None:
    """A reply that says how long it is, is not completed by an end before that."""
    short = begun(parser)
    if cut:
        short.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"[:cut])
    short.eof()
    assert not short.complete


def test_head(parser: ParserFactory) -> None:
    """The reply to HEAD ends with its head, whatever length it announces, and the next reply has its body again."""
    again = begun(parser, head_only=True)
    again.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
    assert (True, True, b"") == (again.complete, again.reusable, again.reply()[2])
    again.begin(head_only=False)
    again.feed(WHOLE["by length"][0])
    assert (True, b"hello") == (again.complete, again.reply()[2])


@pytest.mark.parametrize("extra", [b"HTTP/1.1 500 X\r\nContent-Length: 1\r\n\r\nx", INTERIM, b"H", b"garbage"])
@pytest.mark.parametrize("head_only", [False, True])
def test_more_than_asked_for(parser: ParserFactory, extra: bytes, head_only: bool) -> None:  # noqa: FBT001
    """Bytes behind a reply leave it as it is, but nothing may follow on that connection."""
    full = begun(parser, head_only=head_only)
    full.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + b"ok" * (not head_only) + extra)
    assert (True, False) == (full.complete, full.reusable)
    assert (200, [(b"content-length", b"2")], b"" if head_only else b"ok") == full.reply()


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000,
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 4000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: " + b"x" * 70_000,
    ],
    ids=["endless header", "one large header", "interim replies without end", "endless trailer"],
)
@pytest.mark.parametrize("step", [1000, 100_000])
def test_oversized_head(parser: ParserFactory, head: bytes, step: int) -> None:
    """Heads are bounded to 64 KiB, in pieces or at once, as is all that brings no body."""
    large = begun(parser)
    pieces = [head[start : start + step] for start in range(0, len(head), step)]
    with pytest.raises(httpx.RemoteProtocolError):
        collections.deque(map(large.feed, pieces), maxlen=0)


def test_large_body_is_no_head(parser: ParserFactory) -> None:
    """A body in large pieces does not count as a head."""
    body = b"x" * 200_000
    reply = fed(parser, b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + body, limit=200_000)
    assert body == reply.reply()[2]


@pytest.mark.parametrize("framing", [b"Content-Length: 1001", b"Transfer-Encoding: chunked", b"X: y"])
def test_oversized_body(parser: ParserFactory, framing: bytes) -> None:
    """A body over the limit is refused as soon as it is over, in a text that names the setting."""
    large = fed(parser, b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n" + b"3e9\r\n" * (b"chunked" in framing))
    large.feed(b"x" * 1000)
    with pytest.raises(httpx.RemoteProtocolError, match=r"max_response_bytes \(1,000 bytes\)"):
        large.feed(b"x")


def compressed(coding: bytes, body: bytes) -> bytes:
    """Return a reply with a compressed body."""
    return b"HTTP/1.1 200 OK\r\nContent-Encoding: %b\r\nContent-Length: %d\r\n\r\n%b" % (coding, len(body), body)


def bare_deflate(data: bytes) -> bytes:
    """Compress without the header and trailer of zlib."""
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflater.compress(data) + deflater.flush()


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        (b"gzip", gzip.compress(b"hello")),
        (b"X-GZIP", gzip.compress(b"hello")),
        (b"deflate", zlib.compress(b"hello")),
        (b"deflate", bare_deflate(b"hello")),
        (b"deflate, gzip", gzip.compress(zlib.compress(b"hello"))),
        (b"identity", b"hello"),
    ],
)
def test_compressed(parser: ParserFactory, coding: bytes, body: bytes) -> None:
    """What a server compresses is unpacked here, and nobody further up unpacks it again."""
    _, headers, plain = fed(parser, compressed(coding, body)).reply()
    assert b"hello" == plain
    assert coding == b"identity" or [] == headers


def test_compressed_without_a_body(parser: ParserFactory) -> None:
    """An empty body needs no unpacking."""
    assert b"" == fed(parser, compressed(b"gzip", b"")).reply()[2]


@pytest.mark.parametrize(
    ("coding", "body", "text"),
    [
        (b"gzip", gzip.compress(b"x" * 1001), "decompressed, is larger than max_response_bytes"),
        (b"gzip", gzip.compress(b"hello")[:-4], "damaged or cut short"),
        (b"gzip", b"hello", "damaged or cut short"),
        (b"br", b"hello", "was not asked for"),
        (b"gzip, gzip, gzip", gzip.compress(b"hello"), "more than twice"),
    ],
)
def test_bad_compression(parser: ParserFactory, coding: bytes, body: bytes, text: str) -> None:
    """A bomb, a torso and an unknown encoding are refused."""
    with pytest.raises(httpx.RemoteProtocolError, match=text):
        fed(parser, compressed(coding, body)).reply()


def test_bomb_stays_packed(parser: ParserFactory) -> None:
    """A bomb is unpacked no further than to the bound."""
    bomb = fed(parser, compressed(b"gzip", gzip.compress(bytes(50_000_000))), limit=60_000)
    tracemalloc.start()
    with pytest.raises(httpx.RemoteProtocolError, match="decompressed"):
        bomb.reply()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000


def test_default_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parser is httptools where it is installed, h11 where it is not."""
    assert default_parser() is HttptoolsParser  # h11's own, where httptools is missing
    monkeypatch.setitem(__import__("sys").modules, "deskim._transport._httptools", None)
    assert default_parser.__wrapped__() is H11Parser
