"""What one order is: a row, or the rows that have its number and stand together."""

from dataclasses import dataclass

from lakehouse.adoption.draft import Draft, Question
from lakehouse.adoption.table import Column


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
        if not _is_so(draft, question, "rows repeat an order, and are none of its lines: declare the source by hand"):
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
        if not _is_so(draft, question, "rows are lines of orders that no column names: nobody can put them together"):
            return None
    numbers = [column for column in draft.named("number") if column.place in draft.facts.together.runs]
    if len(numbers) == 1:
        return OrderKey(
            column=numbers[0],
            is_lines=False,
            evidence=f"{numbers[0].name} is another in each row, and a row is an order",
        )
    return OrderKey(
        column=None, is_lines=False, evidence="no column numbers orders, and none names a product: each row is one"
    )


def _is_so(draft: Draft, question: Question, refused: str) -> bool:
    """Whether yes was answered. `refused`: what a no means; without an answer the question stays open."""
    answer = draft.ask(question)
    if answer != "yes":
        draft.refused = None if answer is None else refused
    return answer == "yes"


def varies(draft: Draft, key: OrderKey, column: Column) -> bool:
    """Whether it says different things in rows of one order."""
    return key.column is not None and column.place in draft.facts.together.runs[key.column.place].varying
