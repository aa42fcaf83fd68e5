"""Rows that are orders, or lines of orders: what an order is, what it is worth, and what its lines say."""

from dataclasses import dataclass, replace

from lakehouse.adoption.column_names import rank
from lakehouse.adoption.draft import Draft, Question
from lakehouse.adoption.money import currency, number_field, numbers_of
from lakehouse.adoption.table import Column
from lakehouse.sources.record import ROWS

OF_PIECE, OF_LINE, OF_ORDER = "one piece", "the whole line", "the whole order"
_FEW = 5  # orders of several rows, below which what is the same in all of them may be so by chance
_PLACE = {True: "lines", False: "properties"}
_VOTES, _SHARE = 20, 0.8  # pairs of lines, and their share, that settle what a price is of
_CANCELLED = ("cancelled", "canceled", "storniert", "voided", "void", "cancelado", "annulé", "annule")
_OPEN = (
    "refunded",
    "returned",
    "failed",
    "pending",
    "draft",
    "expired",
    "offen",
    "retourniert",
    "erstattet",
    "abgebrochen",
    "on-hold",
    "unpaid",
)


@dataclass(frozen=True, kw_only=True)
class OrderKey:
    """What one order is. column: of its number; None = each row is an order of its own. is_lines: an order has several rows."""

    column: Column | None
    is_lines: bool
    evidence: str


def order_key(draft: Draft) -> OrderKey | None:
    """What one order is; None where nobody can tell, and the draft says what is asked."""
    column = _column(draft)
    products = draft.named("product") + draft.named("product_name")
    if column is None:
        if draft.questions and any(one.id == "order" for one in draft.questions):
            return None
        return _row_is_order(draft, products)
    runs = draft.facts.together.runs[column.place]
    if runs.apart:
        draft.refused = f"{column.name}: {runs.apart:,} times rows of one order do not stand together. Sort the file by it and adopt that, or declare the source by hand"
        return None
    if not runs.several:
        return OrderKey(
            column=column,
            is_lines=False,
            evidence=f"{column.name} is another in each of the {column.filled:,} rows that have one",
        )
    evidence = (
        f"rows that have one {column.name} stand together: {runs.keys:,} orders, up to {runs.longest:,} rows each"
    )
    varying = [name for name in runs.varying if name in draft.table.columns]
    if varying and not products:
        question = Question(
            id="rows",
            text=f"Are rows with one {column.name} the lines of one order?",
            why="they differ, and no column names a product",
            choices=("yes", "no"),
            is_needed=True,
        )
        answer = draft.ask(question)
        if answer != "yes":
            draft.refused = (
                None
                if answer is None
                else "rows repeat an order, and are none of its lines: declare the source by hand"
            )
            return None
    return OrderKey(column=column, is_lines=True, evidence=evidence)


def _column(draft: Draft) -> Column | None:
    if draft.facts.answers.get("order") is not None:
        return draft.ask_column(
            "order", "", [one for one in draft.free() if one.place in draft.facts.together.runs], ""
        )
    best = [column for column in draft.best("order") if column.place in draft.facts.together.runs]
    if len(best) < 2:
        return best[0] if best else None
    company = draft.facts.together.company
    first, *others = best
    if all(company[first.place, other.place].alone == company[other.place, first.place].alone == 1 for other in others):
        return first
    return draft.ask_column("order", "Which column is the order's number?", best, "several may", is_needed=True)


def _row_is_order(draft: Draft, products: list[Column]) -> OrderKey | None:
    if products:
        question = Question(
            id="rows",
            text="Is each row an order of its own?",
            why="a column names products, so a row may be a line, and no column says of which order",
            choices=("yes", "no"),
            is_needed=True,
        )
        answer = draft.ask(question)
        if answer != "yes":
            draft.refused = (
                None
                if answer is None
                else "rows are lines of orders that no column names: nobody can put them together"
            )
            return None
    return OrderKey(
        column=None, is_lines=False, evidence="no column numbers orders, and none names a product: each row is one"
    )


def orders(draft: Draft, key: OrderKey) -> bool:
    """Put order number, money and lines into the draft; whether what an order is worth is known."""
    if key.column is None:
        draft.put("properties", "order_id", "record_id")
        draft.assumed.append(
            "each row is an order of its own, under a number made of what it says: no column numbers orders"
        )
    else:
        draft.put(
            "properties", "order_id", draft.add("order_number", "text", key.column, "properties.order_id", key.evidence)
        )
    is_known = _worth(draft, key)
    for role, goes_to in (("tax", "tax"), ("shipping", "shipping"), ("discount", "discount")):
        columns = [one for one in numbers_of(draft.best(role)) if not _varies(draft, key, one)]
        if (
            len(columns) == 1
            and (made := number_field(draft, role, columns[0], f"properties.{goes_to}", "by its name")) is not None
        ):
            draft.put("properties", goes_to, made)
    coupons = [one for one in draft.best("coupon") if not _varies(draft, key, one)]
    if len(coupons) == 1:
        draft.put("properties", "coupon", draft.add("coupon", "text", coupons[0], "properties.coupon", "by its name"))
    draft.sections["name"] = _name(draft)
    return is_known


def _varies(draft: Draft, key: OrderKey, column: Column) -> bool:
    """Whether it says different things in rows of one order."""
    return key.column is not None and column.place in draft.facts.together.runs[key.column.place].varying


def _worth(draft: Draft, key: OrderKey) -> bool:
    """Revenue: of the order where a column says it; else the lines' amounts together; else what price and quantity make."""
    quantity = _quantity(draft)
    amounts = numbers_of(draft.named("total"))
    of_order = [one for one in amounts if not _varies(draft, key, one)]
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
        return None if chosen is None or _varies(draft, key, chosen) else chosen
    best = [one for one in columns if rank("total", one.name) == rank("total", columns[0].name)]
    if len(best) < 2:
        return best[0] if best else None
    return draft.ask_column(
        "revenue", "Which column is what the order is worth?", best, "several may be", is_needed=True
    )


def _is_of_line(draft: Draft, key: OrderKey, column: Column) -> bool:
    """Whether somebody says so of an amount that is the same in the rows of too few orders to tell; a name of an order's is enough."""
    if not key.is_lines or key.column is None or rank("total", column.name) == 0:
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
    made = number_field(
        draft, "revenue", amount, "properties.revenue", evidence, **({"take": "sum"} if key.is_lines else {})
    )
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
        draft.sections["group"] = key.column.name
        draft.sections["lines"] = put
    return True


def _of_amount(draft: Draft, amount: Column, quantity: str) -> dict[str, str]:
    """Price and amount of a line, whose column the sum over the order reads already."""
    worth = draft.unused("line_amount")
    decimal = next((one.declared.get("decimal") for one in draft.fields.values() if one.column is amount), None)
    declared = {"type": "number", "path": amount.place, **({"decimal": decimal} if decimal else {})}
    draft.sections["line_extras"] = {worth: declared}
    return {"price": f"CASE WHEN {quantity} > 0 THEN {worth} / {quantity} ELSE {worth} END", "amount": worth}


def _name(draft: Draft) -> str:
    """The event: an order, unless its row says that it was called off."""
    conditions = []
    columns = [one for one in draft.named("cancelled") if one.times is not None]
    if len(columns) == 1 and columns[0].times is not None and columns[0].times.unsure is None:
        name = draft.add(
            "cancelled_at",
            "text",
            columns[0],
            "name",
            "by its name, and it holds times: an order that has one was called off",
        )
        conditions.append(f"{name} IS NOT NULL")
    for column in draft.named("status"):
        said = {text.lower() for text in column.values}
        known = sorted(said & set(_CANCELLED))
        if (strange := sorted(said & set(_OPEN))) and not _all_count(draft, column, strange):
            continue
        if known:
            words = ", ".join(f"'{word}'" for word in known)
            name = draft.add("status", "text", column, "name", f"it says {', '.join(known)} in some rows")
            conditions.append(f"lower({name}) IN ({words})")
    if not conditions:
        return "'Order Completed'"
    return f"CASE WHEN {' OR '.join(conditions)} THEN 'Order Cancelled' ELSE 'Order Completed' END"


def _all_count(draft: Draft, column: Column, words: list[str]) -> bool:
    """Whether somebody said that rows of these words are orders as any other."""
    question = Question(
        id="status",
        text=f"{column.name}: are rows that say {', '.join(words)} orders that count?",
        why="nobody can tell what they are worth",
        choices=("yes", "no"),
        is_needed=True,
    )
    answer = draft.ask(question)
    if answer == "no":
        draft.refused = f"{column.name}: orders that do not count need a source of your own. Declare it by hand"
    return answer == "yes"
