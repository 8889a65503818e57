"""Every plot is Markdown with a small, valid, reproducible PNG inside."""

import base64
import re
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable

import numpy as np
import pytest

from lowslow_assets.reports import plots

FEATURES = [f"feature{i}" for i in range(9)]
# Text that matplotlib would read as mathematics or fail on, and that a page would read as markup.
HOSTILE = ["$x$", r"$\undefined{$", "<b>bold</b>", "100 % _ ^ \\ {", "two\nlines"]
DAYS = [f"2026-{1 + i // 28:02}-{1 + i % 28:02}" for i in range(240)]
LONG_TITLE = "High: Possible low-and-slow password spray on 1,{} accounts, 3 possibly compromised"
RNG = np.random.default_rng(0)
COUNTS = [RNG.integers(0, 20, len(DAYS)).tolist() for _ in range(12)]

PLOTS: dict[str, Callable[[], str]] = {
    "weights": lambda: plots.hinton_weights(np.full(10, 0.1), np.full(10, 0.02)),
    "one weight": lambda: plots.hinton_weights(np.array([1.0]), np.array([0.0])),
    "weights of zero": lambda: plots.hinton_weights(np.array([1.0, 0, 0]), np.array([0.1, 0, 0])),
    "probabilities": lambda: plots.hinton_probabilities(
        np.linspace(0, 1, 90).reshape(9, 10), FEATURES
    ),
    "one component": lambda: plots.hinton_probabilities(np.ones((9, 1)), FEATURES),
    "probabilities of zero": lambda: plots.hinton_probabilities(np.zeros((9, 10)), FEATURES),
    "hostile features": lambda: plots.hinton_probabilities(np.full((5, 2), 0.5), HOSTILE),
    "one sweep": lambda: plots.elbo_trace(np.array([-5.0])),
    "flat trace": lambda: plots.elbo_trace(np.full(5, -5.0)),
    "long trace": lambda: plots.elbo_trace(-1e6 * np.exp(-np.arange(20_000) / 1_000)),
    "one day": lambda: plots.attempts_by_day(DAYS[:1], {"a": [3]}),
    "no attempts": lambda: plots.attempts_by_day(DAYS, {"a": [0] * 240}),
    "many incidents": lambda: plots.attempts_by_day(
        DAYS, {LONG_TITLE.format(100 + i): counts for i, counts in enumerate(COUNTS)}
    ),
    "hostile titles": lambda: plots.attempts_by_day(HOSTILE[1:2], {name: [1] for name in HOSTILE}),
}


def png_of(markdown: str) -> bytes:
    """The image of a Markdown image with a data URI; fails if there is anything else."""
    found = re.fullmatch(r"!\[[\w ]+\]\(data:image/png;base64,([A-Za-z0-9+/=]+)\)", markdown)
    assert found, markdown[:100]
    return base64.b64decode(found[1], validate=True)


def pixels_of(png: bytes) -> tuple[int, int, bytes]:
    """Width, height and decompressed data; fails on a broken signature, chunk or checksum."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    chunks: dict[bytes, bytes] = {}
    position, kind = 8, b""
    while position < len(png):
        (length,) = struct.unpack_from(">I", png, position)
        kind, data = png[position + 4 : position + 8], png[position + 8 : position + 8 + length]
        (checksum,) = struct.unpack_from(">I", png, position + 8 + length)
        assert checksum == zlib.crc32(kind + data)
        chunks[kind] = chunks.get(kind, b"") + data
        position += 12 + length
    assert kind == b"IEND"
    width, height = struct.unpack_from(">II", chunks[b"IHDR"])
    return width, height, zlib.decompress(chunks[b"IDAT"])


@pytest.mark.parametrize("draw", PLOTS.values(), ids=PLOTS)
def test_plot_is_a_small_valid_png_and_the_same_again(draw: Callable[[], str]) -> None:
    markdown = draw()
    assert len(markdown) < 100_000
    width, height, data = pixels_of(png_of(markdown))
    # A filter byte per row, four colour bytes per pixel, and more than one colour.
    assert len(data) == height * (1 + 4 * width)
    assert len(set(data)) > 10
    assert draw() == markdown


def test_what_is_drawn_depends_on_the_values() -> None:
    few, many = (
        plots.attempts_by_day(DAYS[:3], {"a": counts}) for counts in ([1, 2, 3], [3, 2, 1])
    )
    assert few != many
    light, heavy = (
        plots.hinton_probabilities(np.array([[value]]), ["city"]) for value in (0.1, 0.9)
    )
    assert light != heavy


def test_matplotlib_is_imported_to_draw_and_not_before() -> None:
    code = """
import sys
from lowslow_assets.reports import plots
assert "matplotlib" not in sys.modules
plots.attempts_by_day(["2026-06-30"], {"a": [3]})
assert "matplotlib" in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
