"""Figures as inline SVG: drawn by matplotlib, coloured by the page, so that they suit light and dark."""

import io
import re
from collections.abc import Callable
from typing import Any

WIDTH, HEIGHT = 3.7, 2.5  # inches, of 72 points
MARGINS = (0.14, 0.18, 0.98, 0.88)  # left, bottom, right, top, as shares
COLOURS = {  # what is drawn, and what the page makes of it; none of them occurs by chance
    "#010203": "currentColor",
    "#040506": "var(--line)",
    "#070809": "var(--blue)",
    "#0a0b0c": "var(--orange)",
    "#0d0e0f": "var(--dim)",
}
INK, LINE, BLUE, ORANGE, DIM = COLOURS
STYLE = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "tunekit",  # equal figures are equal bytes
    "font.size": 8,
    "text.parse_math": False,
    "text.color": INK,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.labelcolor": INK,
    "axes.edgecolor": LINE,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.labelcolor": INK,
}
UNTOLD = dict.fromkeys(("Creator", "Date", "Format", "Type"))  # metadata, of which the date differs each time


def figure(name: str, title: str, draw: Callable[[Any], None], *, height: float = HEIGHT) -> str:
    """The SVG of what `draw` draws on matplotlib axes; `name` keeps its ids apart from those of others."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with rc_context(STYLE):
        made = Figure(figsize=(WIDTH, height), frameon=False)
        made.subplots_adjust(*MARGINS)
        draw(made.add_subplot(facecolor="none"))
        file = io.StringIO()
        FigureCanvasSVG(made).print_svg(file, metadata=UNTOLD)  # what `savefig` does beside takes as long
    return inline(file.getvalue(), name, title)


def inline(svg: str, name: str, title: str) -> str:
    """An SVG file as a part of a page: no prologue, the page's colours and fonts, ids of its own."""
    from markupsafe import escape

    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r" font-family: [^;\"]*;?", "", svg)
    for drawn, shown in COLOURS.items():
        svg = svg.replace(drawn, shown)
    size = re.compile(r'<svg [^>]*?viewBox="([^"]*)"[^>]*>')
    head = f'<svg viewBox="\\1" role="img" aria-label="{escape(title)}">'
    return re.sub(r"\n\s*", "\n", size.sub(head, svg, count=1)).strip()
