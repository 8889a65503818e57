"""Charts as inline SVG, without script or style; colours come from the page's classes.

A chart that is stretched to its place (``preserveAspectRatio="none"``) holds bars only, and the
page writes the labels.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

from markupsafe import Markup

from lowslow_assets.reports.pages.campaign_page import Place
from lowslow_assets.reports.pages.words import visible

# The limits of the map, from 84 degrees north to 57 degrees south, where nearly all people live.
_NORTH, _SOUTH = 84, -57
_LARGEST_DOT, _SMALLEST_DOT = 4.0, 0.7
_BAR = Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>')
_DOT = Markup('<circle class="{}" cx="{}" cy="{}" r="{}"><title>{}: {}</title></circle>')


def bars(kind: str, counts: Sequence[int], marked: Sequence[int], style: str) -> Markup:
    """Counts per day as bars of a class; marked days (not 0) have a column behind their bar.

    A day is 1 wide; the highest bar is 90 of 100 high, so that columns show above it.
    """
    highest = max(counts, default=0) or 1
    found = []
    for x, (count, mark) in enumerate(zip(counts, marked, strict=True)):
        if mark:
            found.append(_bar("entry", x, 0, 1, 100))
        if count:
            height = 90 * count / highest
            found.append(_bar(kind, x + 0.08, 100 - height, 0.84, height))
    return Markup(
        '<svg class="{}" viewBox="0 0 {} 100" preserveAspectRatio="none" aria-hidden="true">{}'
        "</svg>"
    ).format(style, max(len(counts), 1), Markup("").join(found))


def rhythm(labels: Sequence[str], campaign: Sequence[int], normal: Sequence[int]) -> Markup:
    """The share of a campaign's attempts in each bin, in front of the normal share."""
    width, height, foot = 480, 150, 20
    step = width / len(labels)
    shares = [_shares(campaign), _shares(normal)]
    highest = max(map(max, shares)) or 1
    found = []
    for i, label in enumerate(labels):
        mine, usual = (share[i] for share in shares)
        usual_height, my_height = height * usual / highest, height * mine / highest
        found += [
            Markup("<g><title>{}: {:.1%} of the attempts, {:.1%} of the successes</title>").format(
                label, mine, usual
            ),
            _bar("normal", (i + 0.08) * step, height - usual_height, 0.84 * step, usual_height),
            _bar("campaign", (i + 0.3) * step, height - my_height, 0.4 * step, my_height),
            Markup("</g>"),
        ]
        # If there are many bins, every third has room for its name.
        if len(labels) <= 12 or i % 3 == 0:
            found.append(
                Markup('<text x="{}" y="{}" text-anchor="middle">{}</text>').format(
                    _short((i + 0.5) * step), height + foot - 4, label
                )
            )
    return Markup('<svg class="rhythm" viewBox="0 0 {} {}" aria-hidden="true">{}</svg>').format(
        width, height + foot, Markup("").join(found)
    )


def gauge(value: float, full: float, kind: str, mark: float | None = None) -> Markup:
    """A bar of ``value`` on a scale that ends at ``full``, with a mark at another value."""
    found = [_bar(kind, 0, 0, 100 * min(value / full, 1), 10)]
    if mark is not None:
        found.append(_bar("mark", 100 * mark / full - 0.6, 0, 1.2, 10))
    return Markup(
        '<svg class="gauge" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">{}'
        "</svg>"
    ).format(Markup("").join(found))


def world_map(land: Markup, layers: Mapping[str, Sequence[Place]]) -> Markup:
    """Places on a plate carrée map, later layers (class of the dots to places) above earlier ones.

    The area of a dot is its share of the layer's largest.
    """
    dots = (dot for kind, places in layers.items() for dot in _dots(kind, places))
    return Markup('<svg class="map" viewBox="0 {} 360 {}" aria-hidden="true">{}{}</svg>').format(
        90 - _NORTH, _NORTH - _SOUTH, land, Markup("").join(dots)
    )


def _dots(kind: str, places: Sequence[Place]) -> Iterable[Markup]:
    largest = max((place.signins for place in places), default=1)
    # Small dots come last, so that they are drawn above the large ones.
    for place in sorted(places, key=lambda place: -place.signins):
        radius = max(_SMALLEST_DOT, _LARGEST_DOT * math.sqrt(place.signins / largest))
        x, y = place.longitude + 180, 90 - place.latitude
        yield _DOT.format(
            kind, *map(_short, (x, y, radius)), visible(place.name), f"{place.signins:,}"
        )


def _shares(counts: Sequence[int]) -> list[float]:
    total = sum(counts) or 1
    return [count / total for count in counts]


def _bar(kind: str, x: float, y: float, width: float, height: float) -> Markup:
    return _BAR.format(kind, *map(_short, (x, y, width, height)))


def _short(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")
