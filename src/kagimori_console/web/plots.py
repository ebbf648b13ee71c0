"""Plots as SVG: pictures of numbers that the page shows in a table as well.

A page shows them as images, in which no script runs; they have none anyway.

Source: SVG 2, section 2.2.1, secure static mode.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Final
from xml.etree.ElementTree import Element, tostring

import pygal
from pygal.graph.graph import Graph
from pygal.style import Style
from starlette.responses import Response

# pygal's importer of plugins has an older form, of which Python complains at each import that
# follows; no plugin is used.
sys.meta_path[:] = [one for one in sys.meta_path if type(one).__module__ != "pygal"]

LABEL_LENGTH_MAX: Final = 48
SERIES_MAX: Final = 8
_WIDTH: Final = 900
_BAR_HEIGHT: Final = 34
_FRAME_HEIGHT: Final = 90
_STACKED_HEIGHT: Final = 340
_LABELS_MAX: Final = 10
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
_FONT: Final = "system-ui, sans-serif"
# (text, lines, bars), light and dark, as in the style sheet
_COLOURS: Final = {
    "light": (
        "#1b2322",
        "#d8d5cc",
        ("#1f4e4a", "#b3541e", "#1a5480", "#7a4d00", "#6b3fa0", "#1d6b39", "#9c1c1c", "#55605e"),
    ),
    "dark": (
        "#e7ecea",
        "#364142",
        ("#7fd1c7", "#f0a56b", "#8fc7f3", "#f2c14e", "#c3a6f0", "#7fd79b", "#ff9d97", "#a7b3b0"),
    ),
}


def bars(theme: str, names: Sequence[str], series: Sequence[tuple[str, Sequence[float]]]) -> bytes:
    """Return a bar chart: a bar for each name, from top to bottom, of each series."""
    height = _FRAME_HEIGHT + _BAR_HEIGHT * max(1, len(names)) * max(1, len(series))
    chart = pygal.HorizontalBar(
        js=[],
        style=_style(theme),
        width=_WIDTH,
        height=height,
        show_legend=len(series) > 1,
        legend_at_bottom=True,
        truncate_label=LABEL_LENGTH_MAX,
        print_values=False,
        no_data_text="0",
    )
    # The chart begins at the bottom.
    chart.x_labels = [_short(name) for name in reversed(names)]
    for name, values in series:
        chart.add(name, list(reversed(values)))
    return _drawn(chart)


def stacked(theme: str, labels: Sequence[str], series: Mapping[str, Sequence[float]]) -> bytes:
    """Return stacked bars, one for each label, of at most `SERIES_MAX` series."""
    chart = pygal.StackedBar(
        js=[],
        style=_style(theme),
        width=_WIDTH,
        height=_STACKED_HEIGHT,
        legend_at_bottom=True,
        legend_at_bottom_columns=2,
        truncate_legend=LABEL_LENGTH_MAX,
        truncate_label=-1,
        show_minor_x_labels=False,
        print_values=False,
        no_data_text="0",
    )
    chart.x_labels = list(labels)
    chart.x_labels_major = list(labels)[:: max(1, -(-len(labels) // _LABELS_MAX))]
    for name, values in series.items():
        chart.add(_short(name), list(values))
    return _drawn(chart)


def answer(picture: bytes) -> Response:
    """Return the answer with a picture, under a policy of its own: style, and nothing else."""
    headers = {"content-security-policy": _POLICY}
    return Response(picture, media_type="image/svg+xml", headers=headers)


def _drawn(chart: Graph) -> bytes:
    """Return the picture of a chart, without its script."""
    tree: Element = chart.render_tree()
    for parent in list(tree.iter()):
        for child in [one for one in parent if str(one.tag).endswith("script")]:
            parent.remove(child)
    drawn: bytes = tostring(tree, encoding="utf-8")
    return drawn


def _short(name: str) -> str:
    """Return a name for an axis; of a long one the end, in which ARNs differ."""
    return name if len(name) <= LABEL_LENGTH_MAX else "…" + name[1 - LABEL_LENGTH_MAX :]


def _style(theme: str) -> Style:
    text, lines, colours = _COLOURS.get(theme, _COLOURS["light"])
    return Style(
        background="transparent",
        plot_background="transparent",
        foreground=text,
        foreground_strong=text,
        foreground_subtle=lines,
        guide_stroke_color=lines,
        major_guide_stroke_color=lines,
        colors=colours,
        opacity="1",
        transition="0ms",
        font_family=_FONT,
        label_font_size=13,
        major_label_font_size=13,
        legend_font_size=13,
    )
