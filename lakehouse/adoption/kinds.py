"""What a row of the files is, by stated evidence; and then the whole draft of that kind."""

from collections.abc import Callable
from datetime import datetime

from lakehouse.adoption import people
from lakehouse.adoption.column_names import folded
from lakehouse.adoption.draft import Draft, Facts, Question, percent
from lakehouse.adoption.event_names import name_events
from lakehouse.adoption.kept import keep
from lakehouse.adoption.money import number_field, numbers_of
from lakehouse.adoption.order_key import OrderKey, order_key
from lakehouse.adoption.orders import orders
from lakehouse.adoption.shapes import MOST_SPOILT
from lakehouse.adoption.table import Column
from lakehouse.adoption.times import event_time, person_time
from lakehouse.events import contracts

ORDERS, PEOPLE, EVENTS = "orders", "people", "events"
_MOST_NAMES = 200  # of events; a column of more is a text
_PERSONAL = ("first_name", "last_name", "name", "birthday", "gender", "street", "city", "postal_code", "consent")
_ENOUGH_TRAITS = 2


def drafted(facts: Facts, now: datetime) -> Draft:
    """The proposal for what the files hold, as far as it can be told. `now`: no event lies ahead of it."""
    draft = Draft(facts)
    if not draft.table.filled:
        draft.refused = "the file has no row that says anything"
        return draft
    kind = _kind(draft)
    if kind is None:
        return draft
    draft.kind = kind
    _KINDS[kind](draft, now)
    if draft.is_ready:
        keep(draft)
    return draft


def _kind(draft: Draft) -> str | None:
    persons = _persons(draft)
    if not persons:
        draft.refused = "no column names a person, so no event could be anybody's. Tables of products, shops or campaigns are not adopted"
        return None
    event = _event_column(draft)
    money = numbers_of([*draft.named("total"), *draft.named("unit_price"), *draft.named("price")])
    numbered = draft.named("order")
    if (why := _unread_amount(draft)) is not None:
        draft.refused = why
        return None
    unique = [column for column in persons if column.is_unique]
    traits = [role for role in _PERSONAL if draft.named(role)]
    if draft.facts.answers.get("kind") is not None:
        return _asked(draft, "")
    is_dated = bool(draft.named("time")) or any(column.times for column in draft.free())
    if event is not None:
        return _said(draft, EVENTS, f"{event.name} says in {event.distinct} words what happened")
    if numbered and money:
        return _said(draft, ORDERS, f"{numbered[0].name} numbers orders, and {money[0].name} holds amounts")
    if unique and not numbered and (not money or len(traits) >= _ENOUGH_TRAITS) and not draft.best("product"):
        told = f", {', '.join(traits)}" if traits else ""
        return _said(
            draft,
            PEOPLE,
            f"{unique[0].name} is another in each row, and no column numbers orders{told and f'; it has {told[2:]}'}",
        )
    if unique and money and len(draft.table.filled[unique[0].place].values) > 1:
        why = f"{unique[0].name} is another in each row, as in a file of people, and {money[0].name} holds amounts, as in one of orders"
        return _asked(draft, why)
    if money and is_dated:
        return _said(draft, ORDERS, f"{money[0].name} holds amounts, {persons[0].name} comes again, and rows are dated")
    if numbered:
        return _asked(draft, f"{numbered[0].name} numbers orders, and no column is named like an amount")
    if is_dated:
        return _one_event(draft)
    draft.refused = "a row names a person, but no time and nothing that is said of one: it joins two other tables, and joins are not adopted"
    return None


def _unread_amount(draft: Draft) -> str | None:
    """Why an amount cannot be read, by whose name a row would be an order: without it the row would pass for something else."""
    for column in [*draft.best("total"), *draft.named("unit_price")]:
        if column.numbers is None and column.times is None:
            return (
                f"{column.name}: named like an amount, and more than {percent(MOST_SPOILT)} of its cells are no numbers, or several currencies stand beside them. "
                "Take remarks out of it, give currencies a column of their own, or declare the source by hand"
            )
    return None


def _said(draft: Draft, kind: str, evidence: str) -> str:
    draft.kind_evidence = evidence
    return kind


def _asked(draft: Draft, why: str) -> str | None:
    answer = draft.ask(Question(id="kind", text="What is a row?", why=why, choices=tuple(_KINDS), is_needed=True))
    return None if answer is None else _said(draft, answer, "as was answered")


def _one_event(draft: Draft) -> str | None:
    """Rows that name somebody and a time, and do not say what happened, are events called like their file."""
    title = " ".join(folded(draft.facts.title).split("_")).title()
    if contracts.spelling(title) in contracts.spellings(draft.facts.config.events.names):
        draft.refused = f"its name would make every row '{title}', which needs more than its columns say. Name the source otherwise, with --name"
        return None
    draft.assumed.append(f"every row is an event '{title}', after the name of the source: no column says what happened")
    return _said(draft, EVENTS, "a row names a person and a time, and no amount")


def _persons(draft: Draft) -> list[Column]:
    named = [column for role in ("visitor", "loyalty") for column in draft.best(role)]
    return [*people.customers_of(draft), *named, *people.emails_of(draft.free())]


def _event_column(draft: Draft) -> Column | None:
    found = [
        column
        for column in draft.named("event")
        if column.distinct <= _MOST_NAMES
        and column.numbers is None
        and column.times is None
        and column.filled * 2 >= draft.table.rows
    ]
    return found[0] if found else None


def _orders(draft: Draft, now: datetime) -> None:
    draft.sections["type"] = "track"
    key = order_key(draft)
    is_named = people.identify(draft, of_people=False)
    time = event_time(draft, now)
    if key is None or draft.refused is not None:
        return
    is_known = orders(draft, key)
    if is_known and key.is_lines:
        _hold_to_one(draft, key)
    people.traits(draft, of_people=False)
    people.consent(draft)
    if is_named:
        _name_buyers_of_one(draft)
    _end(draft, time, is_known=is_known, is_named=is_named)


def _hold_to_one(draft: Draft, key: OrderKey) -> None:
    """Who bought, and when, is the same in all rows of an order, or rows are no lines of one."""
    assert key.column is not None
    varying = draft.facts.together.runs[key.column.place].varying
    for field in draft.fields.values():
        is_of_order = field.goes_to.startswith("identifiers.") or field.goes_to == "time"
        if is_of_order and (many := varying.get(field.column.place)):
            draft.assumed.append(
                f"{field.column.name} differs in rows of {many:,} orders; the first row of each counts"
            )


def _name_buyers_of_one(draft: Draft) -> None:
    """An order whose buyer is not named, or by nothing of use, is somebody's of this one order, so that it counts."""
    draft.sections["guest"] = f"concat('order-', {draft.sections['properties']['order_id']})"
    if nobody := draft.facts.together.nobody:
        draft.assumed.append(
            f"{nobody:,} rows name nobody: each such order is somebody's of this one order, so that it counts"
        )


def _people(draft: Draft, now: datetime) -> None:
    draft.sections["type"] = "identify"
    is_named = people.identify(draft, of_people=True)
    time = person_time(draft, now)
    people.traits(draft, of_people=True)
    people.consent(draft)
    _end(draft, time, is_known=True, is_named=is_named)


def _events(draft: Draft, now: datetime) -> None:
    draft.sections["type"] = "track"
    event = _event_column(draft)
    is_named = people.identify(draft, of_people=False)
    time = event_time(draft, now)
    if event is None:
        title = " ".join(folded(draft.facts.title).split("_")).title()
        draft.sections["name"] = f"'{title}'"
    else:
        draft.sections["name"] = draft.add("event", "text", event, "name", draft.kind_evidence)
    for role, goes_to in (("order", "order_id"), ("product", "product_id"), ("session", "session_id")):
        if len(columns := draft.best(role)) == 1:
            draft.put(
                "properties", goes_to, draft.add(role, "text", columns[0], f"properties.{goes_to}", "by its name")
            )
    _event_money(draft)
    if event is not None:
        name_events(draft, event)
    people.consent(draft)
    _end(draft, time, is_known=True, is_named=is_named)


def _event_money(draft: Draft) -> None:
    """Amounts of events; of an order's they are its revenue, and of any other its value."""
    amounts = numbers_of(draft.best("total"))
    question = "Which column is what an order is worth?"
    amount = draft.only_column("revenue", question, amounts, "several may be", is_needed=True)
    if (
        amount is not None
        and (made := number_field(draft, "total", amount, "properties.revenue", "by its name")) is not None
    ):
        draft.put("properties", "revenue", made)
    for role in ("price", "quantity"):
        columns = numbers_of(draft.best(role))
        if (
            len(columns) == 1
            and (made := number_field(draft, role, columns[0], f"properties.{role}", "by its name")) is not None
        ):
            draft.put("properties", role, made)


def _end(draft: Draft, time: str | None, *, is_known: bool, is_named: bool) -> None:
    """What is missing, if that is not asked already."""
    if time is not None:
        draft.sections["time"] = time
    if draft.refused is not None or any(question.is_needed for question in draft.questions):
        return
    lacking = [
        what
        for what, is_there in (("who", is_named), ("when", time is not None), ("how much", is_known))
        if not is_there
    ]
    if lacking:
        open_ = ", ".join(question.id for question in draft.questions)
        draft.refused = f"{' and '.join(lacking)}: no column says it for sure{f'; open: {open_}' if open_ else ''}"


_KINDS: dict[str, Callable[[Draft, datetime], None]] = {ORDERS: _orders, PEOPLE: _people, EVENTS: _events}
