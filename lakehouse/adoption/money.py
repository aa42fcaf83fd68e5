"""What a row says of money: which column is what somebody paid, by which mark its numbers are written, and in which currency."""

from collections import Counter

from lakehouse.adoption.column_names import folded
from lakehouse.adoption.draft import Draft, Question
from lakehouse.adoption.shapes import Numbers
from lakehouse.adoption.table import Column
from lakehouse.events.currencies import CURRENCIES, SIGNS

_NAMED = {"eur": "EUR", "euro": "EUR", "euros": "EUR", "usd": "USD", "gbp": "GBP", "chf": "CHF"}
_MARKS = {".": "point", ",": "comma"}


def numbers_of(columns: list[Column]) -> list[Column]:
    return [column for column in columns if column.numbers is not None]


def number_field(
    draft: Draft,
    name: str,
    column: Column,
    goes_to: str,
    evidence: str,
    *,
    in_line: bool = False,
    take: str | None = None,
) -> str | None:
    """A field of the column's numbers; None where nobody can tell how they are written."""
    numbers = column.numbers
    assert numbers is not None
    read = _as_written(draft, column, numbers)
    if read is None:
        return None
    decimal, told = read
    if numbers.unit is not None:
        told += f"; {numbers.unit} stands beside them"
    if numbers.negative:
        draft.assumed.append(
            f"{column.name}: {numbers.negative:,} cells are below zero; an order below zero goes to quarantine"
        )
    written = {"decimal": decimal, "unit": numbers.unit, "take": take}
    return draft.add(name, "number", column, goes_to, f"{evidence}; {told}", in_line=in_line, **written)


def _as_written(draft: Draft, column: Column, numbers: Numbers) -> tuple[str | None, str] | None:
    """The mark before the fraction, None = there is none; and how that is known. None where nobody can tell."""
    if numbers.unsure is None:
        is_whole = numbers.is_whole
        return (
            numbers.decimal,
            "whole numbers"
            if is_whole
            else f"a {_MARKS[numbers.decimal or '.']} before the fraction, as its own numbers show",
        )
    decimal, told = _by_the_others(draft, numbers)
    if decimal is not None:
        return decimal, told
    id_ = f"decimal.{folded(column.name)}"
    question = Question(
        id=id_,
        text=f"{column.name}: which mark stands before the fraction?",
        why=numbers.unsure,
        choices=(".", ","),
        is_needed=True,
    )
    answer = draft.ask(question)
    if answer is None:
        draft.fates[column.place] = f"unsure: {id_}"
        return None
    return answer, "as was answered"


def _by_the_others(draft: Draft, numbers: Numbers) -> tuple[str | None, str]:
    """The mark that the other columns of the file prove, if they agree."""
    proven = Counter(
        found.decimal
        for column in draft.table.filled.values()
        if (found := column.numbers) is not None and found.decimal is not None
    )
    if len(proven) != 1 or "some a comma" in (numbers.unsure or ""):
        return None, ""
    mark = next(iter(proven))
    return mark, f"a {_MARKS[mark or '.']} before the fraction, as {proven.total()} other columns show"


def currency(draft: Draft, amounts: list[Column]) -> None:
    """The currency, by a column of ISO 4217 codes or by the name of an amount; else nobody says it."""
    columns = [
        column for column in draft.best("currency") if column.share(lambda text: text.upper() in CURRENCIES) == 1
    ]
    if len(columns) == 1:
        name = draft.add(
            "currency", "text", columns[0], "properties.currency", "by its name, and every value is an ISO 4217 code"
        )
        draft.put("properties", "currency", f"upper({name})")
        return
    units = {column.numbers.unit for column in amounts if column.numbers is not None} - {None}
    for said, where in (
        ({code for column in amounts if (code := _code_in_name(column)) is not None}, "the name of its column says"),
        ({SIGNS.get(unit, unit) for unit in units if unit is not None}, "stands beside it"),
    ):
        if len(said) == 1 and (code := next(iter(said))) is not None:
            draft.put("properties", "currency", f"'{code}'")
            draft.assumed.append(f"every amount is in {code}, as {where}")
            return
    default = draft.facts.config.events.default_currency
    signs = ", ".join(sorted(filter(None, units)))
    why = f"{signs} may be of several" if signs else "no column holds ISO 4217 codes"
    question = Question(
        id="currency",
        text="In which currency are the amounts?",
        why=f"{why}; without an answer {default} holds",
        expected="a code such as EUR",
    )
    answer = draft.ask(question)
    if answer is not None:
        draft.put("properties", "currency", f"'{answer.upper()}'" if answer.upper() in CURRENCIES else "''")
        if answer.upper() not in CURRENCIES:
            draft.refused = f"answer 'currency': got '{answer[:20]}', expected an ISO 4217 code such as EUR"


def _code_in_name(column: Column) -> str | None:
    return next((code for word in folded(column.name).split("_") if (code := _NAMED.get(word))), None)
