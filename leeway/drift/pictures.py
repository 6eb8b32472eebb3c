"""Two distributions as a picture in SVG, which a page holds as text.

Belongs here: drawing numbers that are handed in. Does not belong here: computing them
(`leeway.drift.distribution`).
"""

from __future__ import annotations

from html import escape

from leeway.drift.distribution import Distribution

WIDTH, HEIGHT = 300, 90
# As leeway.plots has them, which needs NumPy to start: colour-blind readers can tell them apart.
REFERENCE, CURRENT = "#999999", "#D55E00"
_LABEL = 18  # characters of a level


def distribution_svg(found: Distribution, unit: str) -> str:
    """The reference as a grey area, the batch as a line; of a category, bars in pairs."""
    return _bars(found) if found.levels else _lines(found, unit)


def _lines(found: Distribution, unit: str) -> str:
    top = max(*found.reference, *found.current) or 1.0
    base = HEIGHT - 16
    step = WIDTH / len(found.reference)

    def path(shares: tuple[float, ...]) -> str:
        points = [f"M0,{base}"]
        for place, share in enumerate(shares):
            height = base - share / top * (base - 4)
            points.append(f"L{place * step:.1f},{height:.1f}L{(place + 1) * step:.1f},{height:.1f}")
        return "".join(points) + f"L{WIDTH},{base}"

    low, high = (escape(f"{edge:.4g} {unit}".strip()) for edge in (found.edges[0], found.edges[-1]))
    return _svg(
        HEIGHT,
        f'<path d="{path(found.reference)}Z" fill="{REFERENCE}" opacity=".5"/>'
        f'<path d="{path(found.current)}" fill="none" stroke="{CURRENT}" stroke-width="1.5"/>'
        f'<text x="0" y="{HEIGHT - 3}">{low}</text>'
        f'<text x="{WIDTH}" y="{HEIGHT - 3}" text-anchor="end">{high}</text>',
    )


def _bars(found: Distribution) -> str:
    top = max(*found.reference, *found.current, 1e-9)
    left, line = 110, 15
    parts = []
    for place, level in enumerate(found.levels):
        y = place * line
        shown = level if len(level) <= _LABEL else level[: _LABEL - 1] + "…"
        parts.append(f'<text x="{left - 4}" y="{y + 11}" text-anchor="end">{escape(shown)}</text>')
        for offset, share, colour in (
            (2, found.reference[place], REFERENCE),
            (8, found.current[place], CURRENT),
        ):
            width = share / top * (WIDTH - left)
            parts.append(
                f'<rect x="{left}" y="{y + offset}" width="{width:.1f}" height="5" '
                f'fill="{colour}"/>'
            )
    return _svg(line * len(found.levels), "".join(parts))


def _svg(height: int, content: str) -> str:
    return (
        f'<svg width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'font-size="10" font-family="sans-serif">{content}</svg>'
    )
