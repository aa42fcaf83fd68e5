"""Charts of amounts: bars, paired bars, a divided bar, columns, the RFM heat map. Figures in, SVG text out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lakehouse.demo.report import words
from lakehouse.demo.report.svg import (
    WIDTH,
    amount,
    cut,
    drawing,
    element,
    label,
    spread,
    steps,
    text,
    ticks,
    tip,
    total,
)

EMPTY_HEIGHT = 60


@dataclass(frozen=True)
class Bar:
    """One amount. `note` stands after the figure; `second` is the other amount of a pair."""

    name: str
    value: float
    figure: str
    note: str = ""
    second: float | None = None
    second_figure: str = ""


def empty(name: str, title: str, why: str) -> str:
    """A chart of nothing, which says so."""
    return drawing(name, title, why, EMPTY_HEIGHT, label(WIDTH / 2, EMPTY_HEIGHT / 2 + 4, why, "t dim", "middle"))


def bars(name: str, title: str, rows: Sequence[Bar], *, nothing: str = "Nothing to show") -> str:
    """Horizontal bars, the label above each, so that names of any length fit a phone."""
    if not rows:
        return empty(name, title, nothing)
    most, pitch = max(row.value for row in rows) or 1, 34
    body = []
    for index, row in enumerate(rows):
        y = index * pitch
        width = max(row.value / most * WIDTH, 1.5 if row.value else 0)
        note = f"{row.figure}  {row.note}".strip()
        body.append(label(0, y + 14, cut(row.name, 44)) + amount(WIDTH, y + 14, row.figure, row.note))
        body.append(element("rect", x=0, y=y + 20, width=WIDTH, height=7, class_="track"))
        body.append(element("rect", tip(f"{row.name}: {note}"), x=0, y=y + 20, width=width, height=7, class_="a"))
    return drawing(name, title, _said(rows), len(rows) * pitch, "".join(body))


def pairs(name: str, title: str, rows: Sequence[Bar], legend: tuple[str, str]) -> str:
    """Two bars per row on one scale: `value` over `second`. A missing second leaves its place empty."""
    if not rows:
        return empty(name, title, "Nothing to show")
    most = max([row.value for row in rows] + [row.second or 0 for row in rows]) or 1
    room, top, pitch = WIDTH - 62, 26, 52
    body = [_key(0, 10, "a", legend[0]), _key(14 + 7.2 * len(legend[0]) + 16, 10, "b", legend[1])]
    for index, row in enumerate(rows):
        y = top + index * pitch
        body.append(label(0, y + 14, cut(row.name, 56)))
        shown = [(row.value, row.figure, "a", legend[0])]
        shown += [(row.second, row.second_figure, "b", legend[1])] if row.second is not None else []
        for line, (value, figure, colour, what) in enumerate(shown):
            at, width = y + 20 + line * 13, max(value / most * room, 1.5 if value else 0)
            said = tip(f"{row.name}, {what}: {figure}")
            body.append(element("rect", said, x=0, y=at, width=width, height=9, class_=colour))
            body.append(label(width + 6, at + 9, figure, "t small num"))
    return drawing(name, title, _said(rows), top + len(rows) * pitch, "".join(body))


def divided(name: str, title: str, parts: Sequence[Bar]) -> str:
    """One bar cut into its parts; a part too thin to see is drawn at 2 units. Legend below, one line per part."""
    whole, gap, pitch = total([part.value for part in parts]), 2, 22
    shown = [part for part in parts if part.value]
    room = WIDTH - gap * max(len(shown) - 1, 0) - 2 * len(shown)
    x, body = 0.0, [] if shown else [element("rect", x=0, y=0, width=WIDTH, height=22, class_="track")]
    for index, part in enumerate(parts):
        colour, y = "abcde"[index % 5], 44 + index * pitch
        body.append(_key(0, y, colour, part.name) + amount(WIDTH, y + 4, part.figure, part.note))
        if part.value:
            width = 2 + part.value / whole * room
            body.append(
                element("rect", tip(f"{part.name}: {part.figure}"), x=x, y=0, width=width, height=22, class_=colour)
            )
            x += width + gap
    return drawing(name, title, _said(parts), 36 + len(parts) * pitch, "".join(body))


def columns(
    name: str,
    title: str,
    points: Sequence[tuple[str, float]],
    *,
    axis: str,
    colour: str = "a",
    nothing: str = "Nothing to show",
) -> str:
    """Vertical columns in the order given. `axis`: what is counted, written above; a few labels stand below."""
    if not points:
        return empty(name, title, nothing)
    left, top, height = 36, 22, 128
    marks = ticks(max(value for _, value in points))
    scale, slot = height / marks[-1], (WIDTH - left) / len(points)
    body = [label(0, 10, axis, "t small dim"), _grid(marks, scale, left, top + height)]
    for index, (at, value) in enumerate(points):
        tall = max(value * scale, 1 if value else 0)
        x, width = left + index * slot, max(slot - min(2, slot * 0.25), 0.5)
        said = tip(f"{at}: {words.count(value)}")
        body.append(element("rect", said, x=x, y=top + height - tall, width=width, height=tall, class_=colour))
    names = [at for at, _ in points]
    is_long = max(map(len, names)) > 5
    for index in spread(len(points), 4) if is_long else steps(len(points), 10):
        body.append(_below(names[index], index, len(points), left, slot, top + height + 16, at_ends=is_long))
    highest = max(points, key=lambda point: point[1])
    said_all = f"{len(points)} columns, highest {words.count(highest[1])} at {highest[0]}"
    return drawing(name, title, said_all, top + height + 24, "".join(body))


def heat(
    name: str, title: str, cells: Mapping[tuple[int, int], tuple[float, str, str]], *, rows: str, columns: str
) -> str:
    """A 5 x 5 map. `cells[(row, column)]` with 1..5 each: weight for the shade, figure, second line. 5 is up and right."""
    left, size, tall = 40, (WIDTH - 40) / 5, 52
    most = max((weight for weight, _, _ in cells.values()), default=0) or 1
    body = []
    for row in range(5, 0, -1):
        y = (5 - row) * tall
        body.append(label(left - 10, y + tall / 2 + 4, row, "t num", "end"))
        for column in range(1, 6):
            x, (weight, figure, second) = left + (column - 1) * size, cells.get((row, column), (0, "", ""))
            shade = f"{0.1 + 0.5 * (weight / most) ** 0.5:.2f}" if weight else "0"
            said = tip(f"{rows} {row}, {columns} {column}: {figure or 'nobody'} {second}".strip())
            body.append(element("rect", x=x + 1, y=y + 1, width=size - 2, height=tall - 2, rx=2, class_="track"))
            body.append(
                element(
                    "rect",
                    said,
                    x=x + 1,
                    y=y + 1,
                    width=size - 2,
                    height=tall - 2,
                    rx=2,
                    class_="a",
                    fill_opacity=shade,
                )
            )
            body.append(label(x + size / 2, y + tall / 2 - 2, figure, "t num strong", "middle"))
            body.append(label(x + size / 2, y + tall / 2 + 14, second, "t small num", "middle"))
    base = 5 * tall
    body += [label(left + (column - 0.5) * size, base + 18, column, "t num", "middle") for column in range(1, 6)]
    body.append(label(WIDTH, base + 38, f"{columns} →", "t small dim", "end"))
    body.append(element("text", text(f"{rows} →"), class_="t small dim", transform=f"translate(11 {base}) rotate(-90)"))
    said = "; ".join(f"{rows} {r} {columns} {c}: {figure}" for (r, c), (_, figure, _) in sorted(cells.items()))
    return drawing(name, title, said or "No cell holds anybody", base + 44, "".join(body))


def _below(name: str, index: int, length: int, left: float, slot: float, y: float, *, at_ends: bool) -> str:
    """A label under a column; `at_ends` keeps those of the first and last of many inside the drawing."""
    if at_ends and length > 4 and index in (0, length - 1):
        return label(left if index == 0 else WIDTH, y, name, "t small dim", "start" if index == 0 else "end")
    return label(left + (index + 0.5) * slot, y, name, "t small dim", "middle")


def _key(x: float, y: float, colour: str, name: str) -> str:
    return element("rect", x=x, y=y - 5, width=9, height=9, class_=colour) + label(x + 15, y + 4, name)


def _grid(marks: Sequence[float], scale: float, left: float, base: float) -> str:
    lines = (
        element(
            "line",
            x1=left,
            x2=WIDTH,
            y1=base - mark * scale,
            y2=base - mark * scale,
            class_="base" if not mark else "grid",
        )
        + label(left - 6, base - mark * scale + 4, words.short(mark), "t small num dim", "end")
        for mark in marks
    )
    return "".join(lines)


def _said(rows: Sequence[Bar]) -> str:
    return "; ".join(
        f"{row.name}: {row.figure}" + (f" and {row.second_figure}" if row.second_figure else "") for row in rows
    )
