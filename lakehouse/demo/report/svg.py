"""The grammar of the charts: escaped SVG elements, axes and ticks. Colours are CSS classes, so they follow the theme."""

import html
import math
from collections.abc import Sequence

WIDTH = 440  # units of every chart; a phone shows them at 0.8, a desktop at 1.1


def text(value: object) -> str:
    """Anything, escaped for element content and quoted attributes."""
    return html.escape(str(value), quote=True)


def element(name: str, body: str = "", **attributes: object) -> str:
    """One element. `body` is markup already; attributes are escaped; None is left out. `class_` is `class`, `_` in names is `-`.

    >>> element("rect", x=1.25, y=2.0, class_="a", stroke_width=1)
    '<rect x="1.25" y="2" class="a" stroke-width="1"></rect>'
    """
    pairs = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(_number(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{pairs}>{body}</{name}>"


def _number(value: object) -> object:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value


def label(x: float, y: float, value: object, class_: str = "t", anchor: str = "start") -> str:
    return element("text", text(value), x=x, y=y, class_=class_, text_anchor=anchor)


def amount(x: float, y: float, figure: str, note: str = "") -> str:
    """A figure set to the right, a dim note after it."""
    after = element("tspan", text(note), dx=8, class_="dim") if note else ""
    return element("text", text(figure) + after, x=x, y=y, class_="t num", text_anchor="end")


def tip(value: str) -> str:
    """What a mark says when pointed at, and to a screen reader."""
    return element("title", text(value))


def drawing(name: str, title: str, description: str, height: float, body: str) -> str:
    """A whole SVG. `name` is unique on the page; `title` and `description` are what a screen reader says."""
    head = element("title", text(title), id=f"{name}-title") + element("desc", text(description), id=f"{name}-desc")
    return element(
        "svg",
        head + body,
        viewBox=f"0 0 {WIDTH} {math.ceil(height)}",
        role="img",
        aria_labelledby=f"{name}-title {name}-desc",
        class_="chart",
    )


def ticks(top: float, most: int = 4) -> list[float]:
    """Round values from 0 to the first at or above `top`: steps of 1, 2, 2.5 or 5 times a power of ten.

    >>> ticks(87), ticks(3), ticks(0), ticks(0.7)
    ([0.0, 25.0, 50.0, 75.0, 100.0], [0.0, 1.0, 2.0, 3.0], [0.0, 1.0], [0.0, 0.2, 0.4, 0.6, 0.8])
    """
    if top < 1e-9:  # zero, or too small to tell from it
        return [0.0, 1.0]
    rough = top / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * 0.999)
    return [round(i * step, 10) for i in range(math.ceil(top / step * 0.999) + 1)]


def spread(length: int, most: int) -> list[int]:
    """At most `most` positions of a sequence, evenly apart, first and last among them.

    >>> spread(10, 4), spread(2, 4), spread(0, 4)
    ([0, 3, 6, 9], [0, 1], [])
    """
    if length <= most:
        return list(range(length))
    return [round(i * (length - 1) / (most - 1)) for i in range(most)]


def steps(length: int, most: int) -> list[int]:
    """At most `most` positions of a sequence, one step apart, from the first.

    >>> steps(20, 10)[:3], steps(5, 10)
    ([0, 2, 4], [0, 1, 2, 3, 4])
    """
    return list(range(0, length, max(math.ceil(length / most), 1)))


def cut(value: str, most: int) -> str:
    """Text of at most so many characters, with an ellipsis where it was longer.

    >>> cut("Products Searched", 9), cut("Order", 9)
    ('Products…', 'Order')
    """
    return value if len(value) <= most else value[: most - 1].rstrip() + "…"


def total(values: Sequence[float]) -> float:
    """Never 0, so that it can divide."""
    return sum(values) or 1
