"""Charts of places and times: the segment map, the freshness timeline, the seconds by stage. Figures in, SVG text out."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lakehouse.demo.report import words
from lakehouse.demo.report.charts import empty
from lakehouse.demo.report.svg import WIDTH, amount, drawing, element, label, steps, ticks, tip, total


@dataclass(frozen=True)
class Bubble:
    """`x`, `y` in their axes' units, `weight` becomes the area, `said` is the tip. Drawn under its number, from 1."""

    x: float
    y: float
    weight: float
    said: str


@dataclass(frozen=True)
class Span:
    """A low and a high value at one position of a timeline; None = unknown, nothing drawn there."""

    low: float | None
    high: float | None
    said: str


def bubbles(name: str, title: str, points: Sequence[Bubble], *, x_axis: str, y_axis: str) -> str:
    """Numbered bubbles; x grows to the left, so that the recent stand on the right. Largest drawn first."""
    if not points:
        return empty(name, title, "No segment yet")
    left, top, height, largest = 36, 24, 220, 26
    x_marks, y_marks = ticks(max(p.x for p in points) * 1.1), ticks(max(p.y for p in points) * 1.15)
    right, base, most = WIDTH - largest - 2, top + height, max(p.weight for p in points) or 1
    x_scale, y_scale = (right - left) / x_marks[-1], height / y_marks[-1]
    body = [label(0, 10, y_axis, "t small dim"), label(WIDTH, base + 46, f"{x_axis} →", "t small dim", "end")]
    for mark in y_marks:
        y = base - mark * y_scale
        body.append(element("line", x1=left, x2=WIDTH, y1=y, y2=y, class_="grid" if mark else "base"))
        body.append(label(left - 6, y + 4, words.short(mark), "t small num dim", "end"))
    # Below where a bubble on the axis ends.
    body += [
        label(right - mark * x_scale, base + 28, words.short(mark), "t small num dim", "middle") for mark in x_marks
    ]
    for index, p in sorted(enumerate(points, 1), key=lambda pair: -pair[1].weight):
        radius = max(largest * math.sqrt(max(p.weight, 0) / most), 9)
        x, y = right - p.x * x_scale, base - p.y * y_scale
        body.append(element("circle", tip(p.said), cx=x, cy=y, r=radius, class_="bubble"))
        body.append(label(x, y + 4.5, index, "t num strong", "middle"))
    return drawing(name, title, "; ".join(f"{i}: {p.said}" for i, p in enumerate(points, 1)), base + 52, "".join(body))


def reliability(name: str, title: str, bins: Sequence[tuple[int, float, float]]) -> str:
    """Observed over predicted share, one dot per bin of (count, predicted, observed), and the diagonal."""
    if not bins:
        return empty(name, title, "The model was not judged")
    left, top, side = 40, 24, 240
    marks = ticks(max(max(predicted, observed) for _, predicted, observed in bins))
    base, scale = top + side, side / marks[-1]
    across = (WIDTH - left - 10) / marks[-1]
    body = [label(0, 10, "observed", "t small dim"), label(WIDTH, base + 36, "predicted →", "t small dim", "end")]
    for mark in marks:
        y, shown = base - mark * scale, f"{100 * mark:.3g}%"
        body.append(element("line", x1=left, x2=WIDTH, y1=y, y2=y, class_="grid" if mark else "base"))
        body.append(label(left - 6, y + 4, shown, "t small num dim", "end"))
        body.append(label(left + mark * across, base + 18, shown, "t small num dim", "middle"))
    body.append(element("line", x1=left, y1=base, x2=left + marks[-1] * across, y2=top, class_="diagonal"))
    for count, predicted, observed in bins:
        said = f"{words.plural(count, 'profile')}: predicted {predicted:.1%}, observed {observed:.1%}"
        dot = element("circle", tip(said), cx=left + predicted * across, cy=base - observed * scale, r=5, class_="dot")
        body.append(dot)
    said_all = "; ".join(f"predicted {predicted:.1%}, observed {observed:.1%}" for _, predicted, observed in bins)
    return drawing(name, title, said_all, base + 42, "".join(body))


def timeline(name: str, title: str, spans: Sequence[Span], *, axis: str, x_axis: str) -> str:
    """One upright span per position: a dot at the low value, a bar to the high one. Positions are numbered from 1."""
    known = [span.high for span in spans if span.high is not None]
    if not known:
        return empty(name, title, "No micro-batch was timed")
    left, top, height = 36, 24, 150
    marks, slot, base = ticks(max(known)), (WIDTH - left) / len(spans), top + height
    scale, thick = height / marks[-1], min(6, slot * 0.5)
    body = [label(0, 10, axis, "t small dim"), label(WIDTH, base + 34, f"{x_axis} →", "t small dim", "end")]
    for mark in marks:
        y = base - mark * scale
        body.append(element("line", x1=left, x2=WIDTH, y1=y, y2=y, class_="grid" if mark else "base"))
        body.append(label(left - 6, y + 4, words.short(mark), "t small num dim", "end"))
    for index, span in enumerate(spans):
        if span.low is None or span.high is None:
            continue
        x, low, high = left + (index + 0.5) * slot, base - span.low * scale, base - span.high * scale
        said = tip(span.said)
        body.append(
            element(
                "rect",
                said,
                x=x - thick / 2,
                y=high,
                width=thick,
                height=max(low - high, 1),
                rx=thick / 2,
                class_="soft",
            )
        )
        body.append(element("circle", tip(span.said), cx=x, cy=low, r=min(max(thick * 0.6, 1.5), 4), class_="a"))
    for index in steps(len(spans), 10):
        body.append(label(left + (index + 0.5) * slot, base + 18, index + 1, "t small num dim", "middle"))
    return drawing(
        name, title, f"{len(spans)} positions, highest {words.seconds(max(known))}", base + 40, "".join(body)
    )


def stages(name: str, title: str, means: Mapping[str, float]) -> str:
    """Seconds laid end to end, one line per stage in the order given: where the time goes, as a waterfall."""
    if not means:
        return empty(name, title, "No stage was timed")
    whole, pitch, x, body = total(list(means.values())), 34, 0.0, []
    for index, (stage, taken) in enumerate(means.items()):
        y, width = index * pitch, taken / whole * WIDTH
        figure, part = words.seconds(taken), words.share(taken, whole)
        body.append(label(0, y + 14, words.plain(stage)) + amount(WIDTH, y + 14, figure, part))
        body.append(element("rect", x=0, y=y + 20, width=WIDTH, height=7, class_="track"))
        said = tip(f"{words.plain(stage)}: {figure}, {part}")
        body.append(element("rect", said, x=min(x, WIDTH - 1.5), y=y + 20, width=max(width, 1.5), height=7, class_="a"))
        x += width
    said_all = "; ".join(f"{stage}: {words.seconds(taken)}" for stage, taken in means.items())
    return drawing(name, title, said_all, len(means) * pitch, "".join(body))
