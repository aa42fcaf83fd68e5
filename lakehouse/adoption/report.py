"""What became of every column of adopted files, why, and what stays open: in words and counts, never a value."""

from collections.abc import Iterator
from decimal import Decimal

from lakehouse.adoption.adopt import Looked
from lakehouse.adoption.draft import Draft, Field
from lakehouse.adoption.known_sources import Known
from lakehouse.adoption.table import Column
from lakehouse.sources.fields import number_of
from lakehouse.sources.place import place

_MOST_SHOWN = 120  # columns; a file may have ten thousand


def of_known(looked: Looked, known: Known) -> Iterator[str]:
    """What a declared source makes of the files' columns."""
    yield from _head(looked)
    yield f"  read by the source {known.source.name}: {known.evidence}"
    reads = known.source.mapping.reads
    fates = {
        column: "read by the source" if reads(place(column).head) else "in bronze only"
        for column in looked.table.columns
    }
    yield from _columns(looked, fates, {})


def of_draft(looked: Looked, draft: Draft) -> Iterator[str]:
    """What the draft makes of them; of one that makes no source, what is missing."""
    yield from _head(looked)
    yield from (f"  {told}" for told in looked.layout.evidence)
    if draft.kind:
        yield f"  a row is one of {draft.kind}: {draft.kind_evidence}"
    yield from _figures(looked, draft)
    fields = {one.column.place: one for one in (*draft.fields.values(), *draft.line_fields.values())}
    fates = (
        {place: fields[place].goes_to or f"lines.{fields[place].name}" for place in fields} if draft.is_ready else {}
    )
    unsure = {place: told for place, told in draft.fates.items() if place not in fates}
    yield from _columns(looked, fates | unsure, fields)
    if draft.assumed:
        yield from ("", "assumed, for the files do not say", *(f"  {told}" for told in draft.assumed))
    for question in draft.questions:
        among = f" one of: {', '.join(question.choices[:20])}" if question.choices else f" {question.expected}"
        yield ""
        yield f"unsure: {question.text} ({question.why})"
        needed = "nothing is adopted without an answer" if question.is_needed else "left as it is"
        yield f"  {needed}; --answer '{question.id}=...',{among}"
    if draft.refused is not None:
        yield from ("", f"not adopted: {draft.refused}")
    elif not draft.is_ready:
        yield from ("", "not adopted: answer what is unsure above")


def money(looked: Looked, draft: Draft) -> Decimal | None:
    """What all rows of the file say of revenue together; None where that is no sum of one column's cells, or a cell cannot be read."""
    field = _revenue(draft)
    if field is None or not looked.table.is_whole or field.column.others or _is_of_order(draft, field):
        return None
    decimal = field.declared.get("decimal")
    total = Decimal(0)
    for text, count in field.column.values.items():
        if (value := number_of(text, decimal)) is None:
            return None
        total += value * count
    return total


def _revenue(draft: Draft) -> Field | None:
    return next((one for one in draft.fields.values() if one.goes_to == "properties.revenue"), None)


def _is_of_order(draft: Draft, field: Field) -> bool:
    """Whether rows of one order repeat it."""
    return "group" in draft.sections and field.declared.get("take") != "sum"


def _head(looked: Looked) -> Iterator[str]:
    table = looked.table
    so_far = "" if table.is_whole else ", looked at so far"
    yield f"{', '.join(file.name for file in looked.files)}: {table.rows:,} rows{so_far}, {len(table.columns):,} columns"
    for fault, count in table.faults.most_common(5):
        yield f"  {count:,} rows cannot be read: {fault}"


def _figures(looked: Looked, draft: Draft) -> Iterator[str]:
    number = next((one for one in draft.fields.values() if one.goes_to == "properties.order_id"), None)
    if draft.kind == "orders" and draft.is_ready:
        runs = None if number is None else looked.together.runs.get(number.column.place)
        worth = money(looked, draft)
        orders = looked.table.rows if runs is None else runs.keys
        yield f"  {orders:,} orders{'' if worth is None else f', {worth:,.2f} together'}"


def _columns(looked: Looked, fates: dict[str, str], fields: dict[str, Field]) -> Iterator[str]:
    yield ""
    yield f"{'column':<30}{'filled':>12}  {'is':<24}{'became':<34}why"
    for column in list(looked.table.columns.values())[:_MOST_SHOWN]:
        fate = fates.get(column.place, "nothing" if column.filled else "nothing: it is empty")
        why = fields[column.place].evidence if column.place in fields else ""
        yield f"{column.name[:29]:<30}{column.filled:>12,}  {_shape(column)[:23]:<24}{fate[:60]:<34}{why}".rstrip()
    if (more := len(looked.table.columns) - _MOST_SHOWN) > 0:
        kept = sum(column.place in fates for column in list(looked.table.columns.values())[_MOST_SHOWN:])
        yield f"and {more:,} more, of which {kept:,} become something"


def _shape(column: Column) -> str:
    """What stands in a column, in words."""
    if column.lists:
        return "lists"
    if (times := column.times) is not None and not times.is_number:
        return "times"
    if (numbers := column.numbers) is not None:
        return "whole numbers" if numbers.is_whole else "numbers"
    unique = ", each once" if column.is_unique and column.filled > 1 else ""
    return f"text, {column.distinct:,}{'+' if column.others else ''} values{unique}" if column.filled else "empty"
