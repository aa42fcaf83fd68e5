"""A dossier as one page of HTML that a person can read: no script, nothing from elsewhere. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

import orjson

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: #1c1c1c; background: #fff }
table { border-collapse: collapse; font-size: 14px } th, td { border: 1px solid #ccc; padding: .25rem .5rem; text-align: left; vertical-align: top }
th { background: #f3f3f3 } td { overflow-wrap: anywhere; max-width: 28rem } .wide { overflow-x: auto }
summary { cursor: pointer; font-weight: 600; margin: .75rem 0 } .quiet { color: #666 }
"""


def page(told: Mapping[str, Any]) -> str:
    """`told`: as lakehouse/people/dossier.py makes it."""
    person, tables = told["person"], told["tables"]
    count = sum(len(table["rows"]) for table in tables.values())
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8"><title>What is held about you</title>',
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head><body>',
        "<h1>What is held about you</h1>",
        f"<p>As of {escape(told['exported_at'])}: {count} rows in {len(tables)} tables. The same is in <code>person.json</code>.</p>",
        "<h2>How you are known</h2>",
        "<p>A value that would name you directly is kept as a code made with a secret key; what you told us yourself is below as you told it.</p>",
        *_table(("type", "value"), [(one["type"], one["value"]) for one in person["identifiers"]]),
    ]
    if person["shared_with_others"]:
        shared = ", ".join(escape(f"{one['type']} {one['value']}") for one in person["shared_with_others"])
        parts.append(f'<p class="quiet">Used by others, too: {shared}.</p>')
    parts.append("<h2>What is stored</h2>")
    for name, table in tables.items():
        parts += _section(name, table["grain"], table["columns"], table["rows"])
    parts.append("<h2>What decisions are made by</h2>")
    parts += _table(("key", "content"), [(key, _text(value)) for key, value in told["online"].items()])
    return "\n".join([*parts, "</body></html>", ""])


def _section(name: str, grain: str, columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Columns in which nothing stands are left out."""
    shown = [column for column in columns if any(row.get(column) is not None for row in rows)]
    yield f"<details><summary>{escape(name)} ({len(rows)})</summary>"
    yield f'<p class="quiet">{escape(grain[:1].upper() + grain[1:])}.</p>'
    head = [f'<th title="{escape(columns[column])}">{escape(column)}</th>' for column in shown]
    yield from _table((), [[_text(row.get(column)) for column in shown] for row in rows], head="".join(head))
    yield "</details>"


def _table(names: Sequence[str], rows: Sequence[Sequence[str]], *, head: str = "") -> Iterator[str]:
    head = head or "".join(f"<th>{escape(name)}</th>" for name in names)
    yield f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>'
    for row in rows:
        yield "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
    yield "</tbody></table></div>"


def _text(value: Any) -> str:
    """As a cell says it.

    >>> _text(None), _text("a"), _text(True), _text([1])
    ('', 'a', 'yes', '[1]')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else orjson.dumps(value).decode()
