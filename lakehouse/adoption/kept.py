"""What no field of the event takes goes on under its own name: as a property, as a trait of a person, as a property of a line."""

from lakehouse.adoption.column_names import folded, rank
from lakehouse.adoption.draft import Draft
from lakehouse.adoption.people import holds_names
from lakehouse.adoption.table import Column
from lakehouse.events.contracts import spelling
from lakehouse.events.schema import AMOUNTS, TEXTS

MOST_FIELDS = 300  # of a source, which may have 400
_SHARE_OF_MESSAGE = 0.7  # that the lines of the longest order may fill
_LINE_BYTES = 90  # what a line's own fields take, about
# Names under which the parse would look for something of its own: a column nobody could tell is not to be taken for it.
_READ = {spelling(place.rpartition(".")[2]) for field in TEXTS.values() for place in field.places} | {
    spelling(name)
    for name in (
        *AMOUNTS,
        "products",
        "tax",
        "shipping",
        "discount",
        "transaction_id",
        "order_number",
        "address",
        "id",
        "amount",
    )
}


def keep(draft: Draft) -> None:
    """Put every column that is left into the draft, as its text; those that cannot be are told."""
    longest, varying = _lines(draft)
    room = draft.facts.config.events.max_bytes * _SHARE_OF_MESSAGE
    used: float = longest * _LINE_BYTES
    section = "traits" if draft.sections["type"] == "identify" else "properties"
    for column in sorted(draft.free(), key=lambda one: -one.filled):
        if (why := _why_not(draft, column)) is not None:
            draft.fates.setdefault(column.place, why)
        elif column.place in varying:
            used += longest * (_length(column) + len(column.name) + 6)
            if used > room:
                draft.fates.setdefault(
                    column.place, "in bronze only: the longest order would be too large for one message"
                )
                continue
            name = draft.add(column.name, "text", column, "", "kept as it is", in_line=True)
            draft.sections["lines"][_own(draft, "lines", column)] = name
        else:
            _put(draft, section, column)


def _put(draft: Draft, section: str, column: Column) -> None:
    own = _own(draft, section, column)
    unsure = draft.fates.pop(column.place, None)
    name = draft.add(column.name, "text", column, f"{section}.{own}", unsure or "kept as it is")
    draft.put(section, own, name)


def _own(draft: Draft, section: str, column: Column) -> str:
    """Its name, that no other has, and under which the parse does not look for something else."""
    wanted = folded(column.name)[:60] or "column"
    if rank("customer", column.name) is not None and holds_names(column):
        wanted = "customer_name"  # under which it is hidden as personal
    wanted = (
        f"sent_{wanted}"
        if spelling(wanted) in _READ or (section == "traits" and wanted in ("email", "phone"))
        else wanted
    )
    taken = {path.partition(".")[0] for path in draft.sections.get(section, {})}
    made, number = wanted, 1
    while made in taken:
        number += 1
        made = f"{wanted}_{number}"
    return made


def _lines(draft: Draft) -> tuple[int, set[str]]:
    """Rows of the longest order, and the columns that differ in rows of one."""
    number = next((one.column.place for one in draft.fields.values() if one.goes_to == "properties.order_id"), None)
    runs = draft.facts.together.runs.get(number or "")
    if "group" not in draft.sections or runs is None or not runs.several:
        return 0, set()
    return runs.longest, set(runs.varying)


def _why_not(draft: Draft, column: Column) -> str | None:
    if column.lists:
        return "in bronze only: it holds lists, which are not looked into"
    if len(column.place) > 400 or "`" in column.name:
        return "in bronze only: its name cannot be written as a place"
    if len(draft.fields) + len(draft.line_fields) >= MOST_FIELDS:
        return f"in bronze only: a source keeps {MOST_FIELDS} fields, the fullest columns first"
    return None


def _length(column: Column) -> float:
    known = sum(column.values.values())
    return sum(len(text) * count for text, count in column.values.items()) / known if known else 0.0
