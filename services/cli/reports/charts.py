"""Small charts as inline SVG: widths in shares of the page, so that text keeps its size on a telephone and on paper."""

from collections.abc import Sequence
from html import escape
from typing import Final, NamedTuple

HEIGHT: Final = 150
"""Of the field in which bars stand, in pixels."""
_ABOVE, _BELOW, _SCALE = 16, 22, 56
_LABELS: Final = 4
_EDGE: Final = 12.0
"""Within so many percent of an edge, a label would leave the picture."""


class Bar(NamedTuple):
    """One bar: how high it is, as a share of the field; None: there is none."""

    label: str
    height: float | None
    told: str
    """What it says, for those who point at it."""
    kind: str = "good"


def bars(bars_: Sequence[Bar], *, about: str, scale: Sequence[tuple[float, str]], line: tuple[float, str] | None = None) -> str:
    """Return a chart of bars that stand beside each other, with a scale to the left and, if one is given, a line across."""
    step = 100 / max(len(bars_), 1)
    numbers = "".join(f'<text x="{_SCALE - 6}" y="{_y(share) + 4:.1f}" text-anchor="end">{escape(text)}</text>' for share, text in scale)
    parts = [f'<line class="rule" x2="100%" y1="{_y(share):.1f}" y2="{_y(share):.1f}"/>' for share, _ in scale]
    for index, bar in enumerate(bars_):
        labelled = index % -(-len(bars_) // _LABELS) == 0
        parts.append(_bar(bar, index * step, step) + (_label(bar.label, (index + 0.5) * step) if labelled else ""))
    if line is not None:
        share, text = line
        parts.append(f'<line class="aim" x2="100%" y1="{_y(share):.1f}" y2="{_y(share):.1f}"/>')
        parts.append(f'<text class="aim" x="100%" y="{_y(share) - 5:.1f}" text-anchor="end">{escape(text)}</text>')
    height = HEIGHT + _ABOVE + _BELOW
    field = f'<svg role="img" aria-label="{escape(about)}" width="100%" height="{height}">{"".join(parts)}</svg>'
    return f'<div class="chart"><svg aria-hidden="true" width="{_SCALE}" height="{height}">{numbers}</svg><div>{field}</div></div>'


def beam(share: float, kind: str = "good") -> str:
    """Return a bar that lies in a cell of a table; the table says its number."""
    width = f"{max(0.0, min(share, 1.0)):.2%}"
    return f'<svg aria-hidden="true" width="100%" height="10"><rect class="{kind}" width="{width}" height="10"/></svg>'


def _y(share: float) -> float:
    return _ABOVE + HEIGHT * (1 - share)


def _bar(bar: Bar, left: float, step: float) -> str:
    if bar.height is None:
        return ""
    height = max(HEIGHT * bar.height, 0.5)
    place = f'x="{left + step * 0.1:.2f}%" width="{step * 0.8:.2f}%" y="{_ABOVE + HEIGHT - height:.1f}" height="{height:.1f}"'
    return f'<rect class="{bar.kind}" {place}><title>{escape(bar.told)}</title></rect>'


def _label(text: str, middle: float) -> str:
    anchor = "start" if middle < _EDGE else "end" if middle > 100 - _EDGE else "middle"
    place = {"start": 0.0, "end": 100.0}.get(anchor, middle)
    return f'<text x="{place:.2f}%" y="{_ABOVE + HEIGHT + 16}" text-anchor="{anchor}">{escape(text)}</text>'
