"""What an order is worth, and what its lines say: a total of the order, amounts of its lines added up, or price times quantity."""

import re
from dataclasses import replace

from lakehouse.adoption.column_names import folded, rank
from lakehouse.adoption.draft import Draft, Question
from lakehouse.adoption.money import currency, number_field, numbers_of
from lakehouse.adoption.order_key import OrderKey, varies
from lakehouse.adoption.table import Column
from lakehouse.sources.place import place
from lakehouse.sources.record import ROWS

OF_PIECE, OF_LINE, OF_ORDER = "one piece", "the whole line", "the whole order"
_FEW = 5  # orders of several rows, below which what is the same in all of them may be so by chance
_OF_AN_ORDER = re.compile("grand|order|invoice|purchase|basket|bestell|rechnungs|gesamt")
_PLACE = {True: "lines", False: "properties"}
_VOTES, _SHARE = 20, 0.8  # pairs of lines, and their share, that settle what a price is of


def worth(draft: Draft, key: OrderKey) -> bool:
    """Revenue: of the order where a column says it; else the lines' amounts together; else what price and quantity make."""
    quantity = _quantity(draft)
    amounts = numbers_of(draft.named("total"))
    of_order = [one for one in amounts if not varies(draft, key, one)]
    column = _amount(draft, key, of_order)
    if draft.questions and any(one.id == "revenue" for one in draft.questions):
        return False
    if column is not None and _is_of_line(draft, key, column):
        return _worth_of_lines(draft, key, quantity, [column])
    if any(one.id == "revenue.level" for one in draft.questions):
        return False
    if column is not None:
        _refunds(draft)
        why = "the same in all rows of an order" if key.is_lines else "one amount a row"
        made = number_field(draft, "total", column, "properties.revenue", f"by its name; {why}")
        if made is None:
            return False
        draft.put("properties", "revenue", made)
        currency(draft, [column])
        return _lines(draft, key, quantity, _price(draft, quantity, is_needed=False))
    return _worth_of_lines(draft, key, quantity, [one for one in amounts if one not in of_order])


def _amount(draft: Draft, key: OrderKey, columns: list[Column]) -> Column | None:
    """The one amount of an order; several that may be it are asked about."""
    if draft.facts.answers.get("revenue") is not None:
        chosen = draft.ask_column("revenue", "", numbers_of(draft.free()), "")
        return None if chosen is None or varies(draft, key, chosen) else chosen
    best = [one for one in columns if rank("total", one.name) == rank("total", columns[0].name)]
    if len(best) < 2:
        return best[0] if best else None
    return draft.ask_column(
        "revenue", "Which column is what the order is worth?", best, "several may be", is_needed=True
    )


def _is_of_line(draft: Draft, key: OrderKey, column: Column) -> bool:
    """Whether somebody says so of an amount that is the same in the rows of too few orders to tell; a name of an order's is enough."""
    if not key.is_lines or key.column is None or _OF_AN_ORDER.match(folded(column.name)):
        return False
    several = draft.facts.together.runs[key.column.place].several
    if several >= _FEW:
        return False
    question = Question(
        id="revenue.level",
        text=f"{column.name}: is it of the whole order or of a line?",
        why=f"only {several:,} orders have several rows, and it is the same in each of them",
        choices=(OF_ORDER, OF_LINE),
        is_needed=True,
    )
    return draft.ask(question) == OF_LINE


def _refunds(draft: Draft) -> None:
    """Money that was given back may be in the total or not: nobody can tell from the numbers."""
    for column in numbers_of(draft.named("refund")):
        if any(text.strip("0.,-+") for text in column.values):
            question = Question(
                id="refund",
                text=f"{column.name}: is it taken off the total already?",
                why="some orders have one, and the total may be before or after it",
                choices=("yes", "no"),
                is_needed=True,
            )
            answer = draft.ask(question)
            draft.fates[column.place] = (
                "unsure: refund" if answer is None else "kept: taken off the total already, as was answered"
            )
            if answer == "no":
                draft.refused = (
                    f"{column.name}: refunds that are in no total need a source of your own. Declare it by hand"
                )


def _worth_of_lines(draft: Draft, key: OrderKey, quantity: Column | None, amounts: list[Column]) -> bool:
    line_amounts = [one for one in amounts if rank("total", one.name) == rank("total", amounts[0].name)]
    if draft.facts.answers.get("revenue") is not None:
        line_amounts = numbers_of(draft.free())
    if len(line_amounts) > 1 or draft.facts.answers.get("revenue") is not None:
        chosen = draft.ask_column(
            "revenue", "Which column is what a line is worth?", line_amounts, "several may be", is_needed=True
        )
        line_amounts = [] if chosen is None else [chosen]
        if chosen is None:
            return False
    if line_amounts:
        return _sum_of_amounts(draft, key, quantity, line_amounts[0])
    price = _price(draft, quantity, is_needed=True)
    if price is None:
        if draft.refused is None and not any(question.is_needed for question in draft.questions):
            draft.ask_column(
                "revenue", "Which column is what was paid?", numbers_of(draft.free()), "no name says", is_needed=True
            )
        return False
    currency(draft, [price])
    return _lines(draft, key, quantity, price)


def _sum_of_amounts(draft: Draft, key: OrderKey, quantity: Column | None, amount: Column) -> bool:
    together = draft.facts.together
    votes = together.per_piece + together.per_line
    evidence = "by its name; it differs in rows of one order, so an order is worth their sum"
    if votes >= _VOTES:
        share = together.per_line / votes
        if share < _SHARE:
            question = Question(
                id="revenue.of",
                text=f"{amount.name}: is it of one piece or of the whole line?",
                why=f"it grows with the quantity in {together.per_line:,} of {votes:,} pairs of lines of one product",
                choices=(OF_PIECE, OF_LINE),
                is_needed=True,
            )
            if (answer := draft.ask(question)) != OF_LINE:
                if answer == OF_PIECE:
                    currency(draft, [amount])
                    return _lines(draft, key, quantity, amount)
                return False
        else:
            evidence += (
                f"; it grows with the quantity in {together.per_line:,} of {votes:,} pairs of lines of one product"
            )
    inner = f"{ROWS}[].{amount.place}" if key.is_lines else amount.place
    made = number_field(draft, "revenue", amount, "properties.revenue", evidence, take="sum" if key.is_lines else None)
    if made is None:
        return False
    field = draft.fields[made]
    draft.fields[made] = replace(field, declared={**field.declared, "path": inner})
    draft.put("properties", "revenue", made)
    currency(draft, [amount])
    return _lines(draft, key, quantity, None, amount)


def _quantity(draft: Draft) -> Column | None:
    columns = numbers_of(draft.best("quantity"))
    if len(columns) > 1:
        return draft.ask_column("quantity", "Which column is the number of pieces?", columns, "several may be")
    return columns[0] if columns else None


def _price(draft: Draft, quantity: Column | None, *, is_needed: bool) -> Column | None:
    """The price of one piece: by its name, or by what lines of one product say; None where it is of the line, or nobody can tell."""
    sure = numbers_of(draft.best("unit_price"))
    if len(sure) == 1:
        return sure[0]
    found = sure or numbers_of(draft.best("price"))
    if len(found) != 1:
        if found:
            return draft.ask_column(
                "price", "Which column is the price of one piece?", found, "several may be", is_needed=is_needed
            )
        return None
    together = draft.facts.together
    votes = together.per_piece + together.per_line
    if (
        quantity is None
        or set(quantity.values) <= {"1", "1.0"}
        or (votes >= _VOTES and together.per_piece >= _SHARE * votes)
    ):
        return found[0]
    question = Question(
        id="price.of",
        text=f"{found[0].name}: is it of one piece or of the whole line?",
        why="its name says neither",
        choices=(OF_PIECE, OF_LINE),
        is_needed=is_needed,
    )
    answer = draft.ask(question)
    if answer == OF_LINE and is_needed:
        draft.refused = f"{found[0].name}: answer revenue={found[0].name}, too, for it is what a line is worth"
    return found[0] if answer == OF_PIECE else None


def _lines(
    draft: Draft, key: OrderKey, quantity: Column | None, price: Column | None, amount: Column | None = None
) -> bool:
    """What the lines of an order say; of a row without an order's number, the row. Whether all of it can be read."""
    is_grouped = key.column is not None
    put: dict[str, str] = {}
    for role, name in (
        ("product", "product_id"),
        ("product_name", "name"),
        ("category", "category"),
        ("brand", "brand"),
    ):
        columns = draft.best(role)
        if len(columns) == 1:
            put[name] = draft.add(
                f"line_{role}", "text", columns[0], f"{_PLACE[is_grouped]}.{name}", "by its name", in_line=is_grouped
            )
    for column, name in ((quantity, "quantity"), (price, "price")):
        if column is not None:
            made = number_field(
                draft, f"line_{name}", column, f"{_PLACE[is_grouped]}.{name}", "by its name", in_line=is_grouped
            )
            if made is None:
                return False
            put[name] = made
    if amount is not None and is_grouped and "quantity" in put:
        put |= _of_amount(draft, amount, put["quantity"])
    if not is_grouped:
        for name, expression in put.items():
            draft.put("properties", name, expression)
        if "revenue" not in draft.sections["properties"]:
            draft.put(
                "properties",
                "revenue",
                f"{put['price']} * coalesce({put['quantity']}, 1)" if "quantity" in put else put["price"],
            )
    elif put or key.is_lines:
        assert key.column is not None
        number = place(key.column.place)
        if number.names != (number.head,):
            draft.refused = f"{key.column.name}: it lies inside an object, and rows are put together by a column of their own. Declare the source by hand"
            return False
        draft.sections["group"] = number.head
        draft.sections["lines"] = put
    return True


def _of_amount(draft: Draft, amount: Column, quantity: str) -> dict[str, str]:
    """Price and amount of a line, whose column the sum over the order reads already."""
    worth = draft.unused("line_amount")
    read = next((one.declared for one in draft.fields.values() if one.column is amount), {})
    written = {key: read[key] for key in ("decimal", "unit") if key in read}
    declared = {"type": "number", "path": amount.place, **written}
    draft.sections["line_extras"] = {worth: declared}
    return {"price": f"CASE WHEN {quantity} > 0 THEN {worth} / {quantity} ELSE {worth} END", "amount": worth}
