"""HTML in small pieces. Strings that come from data pass through `text`; what these functions return is markup."""

from collections.abc import Iterable, Sequence

from lakehouse.demo.report.svg import element, text

__all__ = [
    "code_block",
    "columns",
    "element",
    "figure",
    "figures",
    "note",
    "paragraph",
    "section",
    "table",
    "text",
]


def paragraph(words: str, class_: str | None = None) -> str:
    """A paragraph of plain words."""
    return element("p", text(words), class_=class_)


def note(words: str) -> str:
    return paragraph(words, "note")


def section(name: str, heading: str, lead: str, *body: str) -> str:
    """A section with its heading and the sentence that says what it shows."""
    head = element("h2", text(heading), id=f"{name}-heading") + paragraph(lead, "lead")
    return element("section", head + "".join(body), id=name, aria_labelledby=f"{name}-heading")


def figure(heading: str, drawing: str, caption: str = "") -> str:
    """A drawing under its heading, with an optional line below."""
    below = element("figcaption", text(caption)) if caption else ""
    return element("figure", element("h3", text(heading)) + drawing + below)


def columns(*parts: str) -> str:
    """Parts side by side where there is room, one below the other on a phone."""
    return element("div", "".join(parts), class_="columns")


def figures(pairs: Iterable[tuple[str, str, str]]) -> str:
    """Key figures: figure, what it is, a remark (may be empty)."""
    cells = (
        element(
            "div",
            element("dt", text(what))
            + element("dd", text(value), class_="figure")
            + (element("dd", text(remark), class_="remark") if remark else ""),
        )
        for value, what, remark in pairs
    )
    return element("dl", "".join(cells), class_="figures")


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numbers: Sequence[int] = (),
    wide: Sequence[int] = (),
    caption: str = "",
) -> str:
    """A table of markup cells: callers escape. `numbers`: columns set to the right; `wide`: left out on a phone."""

    def cells(tag: str, row: Sequence[str]) -> str:
        kinds = [" ".join(["num"] * (i in numbers) + ["wide"] * (i in wide)) or None for i in range(len(row))]
        scope = "col" if tag == "th" else None
        return "".join(element(tag, cell, class_=kind, scope=scope) for cell, kind in zip(row, kinds, strict=True))

    above = element("caption", text(caption)) if caption else ""
    body = "".join(element("tr", cells("td", row)) for row in rows)
    top = element("thead", element("tr", cells("th", [text(name) for name in head])))
    said = caption or "Table: " + ", ".join(head)
    return element(
        "div",
        element("table", above + top + element("tbody", body)),
        class_="scroll",
        tabindex=0,
        role="region",
        aria_label=said,
    )


def code_block(code: str) -> str:
    return element("pre", element("code", text(code)), tabindex=0)
