"""Draw messages per second against aiohttp's as bars, an SVG of plain text."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Final

from attrs import frozen

from benchmarks.cells import Cell
from benchmarks.judge import of_peer
from benchmarks.report import NAMES, Run

_WIDTH: Final = 760
_LABEL: Final = 300
_ROW: Final = 20
_HEAD: Final = 34
_SHOWN: Final = (1, 64, 256)
_OURS, _OTHERS, _FLOOR = "#2563eb", "#94a3b8", "#cbd5e1"
_STYLE: Final = "text{font:12px system-ui,sans-serif;fill:#1e293b}.title{font-weight:600}"


@frozen
class Bar:
    """Hold one bar: what it stands for and how long it is, in multiples of aiohttp."""

    label: str
    value: float
    colour: str


def _bars(run: Run, concurrency: int) -> list[Bar]:
    found = [(peer, of_peer(run.measured, Cell(peer, concurrency), "aiohttp")) for peer in NAMES if "+" not in peer]
    bars = [
        Bar(NAMES[peer].replace("*", "").replace("`", ""), each.median, _colour(peer)) for peer, each in found if each
    ]
    return sorted(bars, key=lambda bar: -bar.value)


def _colour(peer: str) -> str:
    if peer == "floor":
        return _FLOOR
    return _OURS if peer.startswith("deskim") else _OTHERS


def _text(x: float, y: float, text: str, *, anchor: str = "start", kind: str = "") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" class="{kind}">{escape(text)}</text>'


def _row(bar: Bar, y: float, scale: float) -> Iterator[str]:
    length = max(1.0, bar.value * scale)
    yield _text(_LABEL - 8, y + 13, bar.label, anchor="end")
    yield f'<rect x="{_LABEL}" y="{y:.0f}" width="{length:.1f}" height="{_ROW - 5}" rx="2" fill="{bar.colour}"/>'
    yield _text(_LABEL + length + 6, y + 13, f"{bar.value:.2f}")


def _panel(run: Run, concurrency: int, y: float, scale: float) -> Iterator[str]:
    plural = "s" if concurrency > 1 else ""
    yield _text(16, y + 20, f"{concurrency} request{plural} under way", kind="title")
    for number, bar in enumerate(_bars(run, concurrency)):
        yield from _row(bar, y + _HEAD + number * _ROW, scale)


def draw(run: Run) -> str:
    """Return the chart."""
    panels = {number: len(bars) for number in _SHOWN if (bars := _bars(run, number))}
    most = max(bar.value for number in panels for bar in _bars(run, number))
    scale = (_WIDTH - _LABEL - 60) / most
    parts: list[str] = []
    y = 36.0
    for number, rows in panels.items():
        parts += _panel(run, number, y, scale)
        y += _HEAD + rows * _ROW + 8
    title = "Messages per second over TLS, as a multiple of aiohttp's"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y + 8:.0f}" role="img">',
            f"<title>{title}</title><style>{_STYLE}</style>",
            '<rect width="100%" height="100%" rx="6" fill="#ffffff"/>',
            _text(16, 24, title, kind="title"),
            *parts,
            "</svg>\n",
        ]
    )
