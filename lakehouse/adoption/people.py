"""Who a row speaks of: identifiers and how strong each of them is, traits, consent."""

import re

from lakehouse.adoption.column_names import folded, rank
from lakehouse.adoption.draft import Draft, Question, percent
from lakehouse.adoption.table import Column
from lakehouse.events import countries, emails, phone
from lakehouse.events.blocked_values import blocked
from lakehouse.events.consent_answers import permission, yes_or_no

ROLES = ("customer", "visitor", "loyalty", "email", "phone")  # that name somebody
_SURE = 0.95  # share of a column's values that are read as what it is taken for
_MOST = 0.5  # the same where its name says so, too: what is none there is told, and left out
_ONE_EACH = 0.95  # share of ids that go with one address, from which an id is one person's
_OFTEN = 0.2  # share of the rows from which a value is nobody's own
_NAMES = 0.1  # share of values with a blank, from which they are names
_ENOUGH = 50  # rows, from which shares say something
_TRAITS = {
    "first_name": "first_name", "last_name": "last_name", "name": "name", "birthday": "birthday", "gender": "gender", "company": "company",
    "tier": "loyalty_tier", "street": "address.street", "city": "address.city", "region": "address.region",
    "postal_code": "address.postal_code", "country": "address.country",
}  # fmt: skip
_CONSENTS = {
    "marketing": re.compile(r"newsletter|marketing|werb|e_?mail|sms|accepts"),
    "analytics": re.compile(r"analytics|statisti"),
}
_REFUSALS = re.compile(r"opt(?:ed)?_?out|unsub|do_not|abgemeldet")
_NO_DATE = "0000-00-00"  # MySQL's, where nobody wrote one


def emails_of(columns: list[Column]) -> list[Column]:
    """Columns of e-mail addresses: told by what stands in them, whatever their name."""
    return [
        column for column in columns if _addresses(column) >= (_SURE if rank("email", column.name) is None else _MOST)
    ]


def _addresses(column: Column) -> float:
    return column.share(lambda text: "@" in text and emails.normalise(text) is not None)


def phones_of(columns: list[Column], region: str) -> list[Column]:
    """Columns of telephone numbers: by name and content, or by numbers that all begin with +; any other run of digits might be one."""
    return [column for column in columns if _is_phone(column, region)]


def _is_phone(column: Column, region: str) -> bool:
    def reads(text: str) -> bool:
        return phone.normalise(text, region) is not None

    is_named = rank("phone", column.name) is not None
    return column.share(reads if is_named else lambda text: text.startswith("+") and reads(text)) >= _SURE


def holds_names(column: Column) -> bool:
    """Whether a column called after customers holds their names: nobody's number has blanks in it."""
    return column.share(lambda text: " " in text) > _NAMES


def customers_of(draft: Draft) -> list[Column]:
    """Columns of customers' numbers, by their names."""
    return [column for column in draft.best("customer") if not holds_names(column)]


def identify(draft: Draft, *, of_people: bool) -> bool:
    """Put the identifiers into the draft; whether there is any. `of_people`: a row is a person, and not what one did."""
    _email(draft)
    _phone(draft)
    _customer(draft, of_people=of_people)
    for role, type_ in (("visitor", "anonymous_id"), ("loyalty", "loyalty_id")):
        column = draft.only_column(role, f"Which column is the {role}'s?", draft.best(role), "several may")
        if column is not None:
            draft.put("identifiers", type_, draft.add(role, "text", column, f"identifiers.{type_}", "by its name"))
    return bool(draft.sections.get("identifiers"))


def _email(draft: Draft) -> None:
    columns = emails_of(draft.free())
    own = [(column, why) for column in columns if (why := _whose(draft, column)) is not None]
    best = [one for one in own if rank("email", one[0].name) == 0] or own
    chosen, why = best[0] if len(best) == 1 else (None, "")
    if chosen is None and columns:
        told = (
            "several columns hold addresses"
            if len(columns) > 1
            else "it holds addresses, and its name does not say whose"
        )
        chosen, why = (
            draft.ask_column("email", "Which column is the person's own address?", columns, told),
            "as was answered",
        )
    if chosen is not None:
        share = percent(_addresses(chosen))
        name = draft.add(
            "email", "text", chosen, "identifiers.email", f"{share} of its values are e-mail addresses; {why}"
        )
        draft.put("identifiers", "email", name)


def _whose(draft: Draft, column: Column) -> str | None:
    """Why an address is that of the person a row speaks of, and not a clerk's or a friend's; None = nothing says so."""
    if rank("email", column.name) is not None:
        return "by its name"
    if column.is_unique and column.filled >= _ENOUGH:
        return f"another in each of {column.filled:,} rows"
    for customer in draft.named("customer"):
        pair = draft.facts.together.company.get((customer.place, column.place))
        back = draft.facts.together.company.get((column.place, customer.place))
        if pair and back and pair.seen and pair.alone >= _ONE_EACH and back.alone >= _ONE_EACH:
            return f"one each with {customer.name}"
    return None


def _phone(draft: Draft) -> None:
    region = draft.facts.config.events.default_region
    columns = phones_of(draft.free(), region)
    best = [column for column in columns if rank("phone", column.name) == 0] or columns
    column = best[0] if len(best) == 1 else None
    if column is None and best:
        column = draft.ask_column("phone", "Which column is the person's own telephone?", best, "several hold numbers")
    if column is not None:
        name = draft.add(
            "phone", "text", column, "identifiers.phone", f"its values are telephone numbers, as read in {region}"
        )
        draft.put("identifiers", "phone", name)


def _customer(draft: Draft, *, of_people: bool) -> None:
    columns = customers_of(draft)
    if (answer := draft.facts.answers.get("customer")) is not None or len(columns) > 1:
        columns = draft.free() if answer is not None else columns
        chosen = draft.ask_column("customer", "Which column is the customer's number?", columns, "several may")
        columns = [] if chosen is None else [chosen]
    if not columns:
        return
    column = columns[0]
    if (why := _is_of_many(draft, column)) is not None:
        question = Question(
            id="customer.common", text=f"{column.name}: is every value one customer's?", why=why, choices=("yes", "no")
        )
        if (said := draft.ask(question)) != "yes":
            draft.fates[column.place] = (
                "left out: not every value is one customer's" if said else "unsure: customer.common"
            )
            return
    type_, evidence = _strength(draft, column, of_people=of_people)
    name = draft.add("customer", "text", column, f"identifiers.{type_}", evidence)
    draft.put("identifiers", type_, name)


def _is_of_many(draft: Draft, column: Column) -> str | None:
    """Why one value seems to stand for many people; None = none does. What identifies nobody anyway is not counted."""
    is_junk = blocked("user_id", draft.facts.config.identity).holds
    most = max((count for value, count in column.values.items() if not is_junk(value)), default=0)
    if column.filled < _ENOUGH or column.distinct < 5 or most < _OFTEN * column.filled:
        return None
    return f"one value stands in {percent(most / column.filled)} of the rows"


def _strength(draft: Draft, column: Column, *, of_people: bool) -> tuple[str, str]:
    """Identifier type and evidence: a user_id tells two people apart, a guest_id only ties together what has it."""
    seen = f"{column.distinct:,} values in {column.filled:,} rows"
    company = draft.facts.together.company
    for other in draft.fields.values():
        if other.goes_to != "identifiers.email" or (column.place, other.column.place) not in company:
            continue
        of_id, of_email = company[column.place, other.column.place], company[other.column.place, column.place]
        if not of_id.seen:
            continue
        if of_id.alone >= _ONE_EACH and of_email.alone >= _ONE_EACH:
            return (
                "user_id",
                f"named like a customer's number; {seen}; {percent(of_id.alone)} go with one e-mail address, and it with them",
            )
        evidence = f"weak: {seen}; {percent(of_email.alone)} of the e-mail addresses have one of them, {percent(of_id.alone)} of them one address"
        draft.assumed.append(
            f"{column.name} ties rows together and tells nobody apart: it and the e-mail address do not go together one by one"
        )
        return "guest_id", evidence
    if of_people and column.is_unique:
        return "user_id", f"named like a customer's number; another in each of the {column.filled:,} rows"
    if _is_of_one_order(draft, column):
        draft.assumed.append(
            f"{column.name} tells nobody apart: no value of it has two orders, so it may be made anew for each"
        )
        return "guest_id", f"weak: named like a customer's number; {seen}, and none in two orders"
    if column.distinct < column.filled:
        return "user_id", f"named like a customer's number; {seen}, so it comes again"
    draft.assumed.append(
        f"{column.name} tells nobody apart: another in each row, and nothing beside it says that it is a person's"
    )
    return "guest_id", f"weak: named like a customer's number, but another in each of the {column.filled:,} rows"


def _is_of_one_order(draft: Draft, column: Column) -> bool:
    """Whether it comes again only in rows of the order it is of."""
    orders = [draft.facts.together.company.get((column.place, key)) for key in draft.facts.together.runs]
    return any(found is not None and found.seen and found.alone == 1 for found in orders)


def traits(draft: Draft, *, of_people: bool) -> None:
    """What is said of the person, by name; of an order only the buyer's name and country."""
    for role, place in _TRAITS.items():
        if not of_people and role not in ("first_name", "last_name", "country"):
            continue
        columns = draft.best(role)
        if role == "country":
            columns = [column for column in columns if column.share(countries.region_of) >= _SURE]
        if len(columns) > 1 and not of_people:
            continue
        question = f"Which column is the person's {role.replace('_', ' ')}?"
        if (column := draft.only_column(role, question, columns, "several may")) is not None:
            evidence = "by its name" if role != "country" else "by its name, and its values are countries"
            draft.put("traits", place, draft.add(role, "text", column, f"traits.{place}", evidence))


def consent(draft: Draft) -> None:
    """Columns of consent, by their names. What a yes was given for is not guessed; what refuses is heard, however it is written."""
    for column in draft.named("consent"):
        if _REFUSALS.search(folded(column.name)):
            _refusal(draft, column)
        else:
            _permission(draft, column)


def _refusal(draft: Draft, column: Column) -> None:
    """Named by what it forbids: a yes refuses, and so does a cell that says when, or why."""
    says_when = column.share(lambda text: yes_or_no(text) is not None) < 1
    evidence = "by its name, and every value is a yes or a no"
    if says_when:
        evidence = "by its name: whoever has something there, as when or why it was, refused"
    key = "opt_out" if "opt_out" not in draft.sections.get("consent", {}) else f"opt_out_{folded(column.name)}"
    name = draft.add(f"consent_{key}", "text", column, f"consent.{key}", evidence)
    draft.put("consent", key, f"CASE WHEN NOT startswith({name}, '{_NO_DATE}') THEN true END" if says_when else name)


def _permission(draft: Draft, column: Column) -> None:
    """Of words that are known in part, whoever said another gave nothing: nobody is reached against a word that was not understood."""
    strange = 1 - column.share(lambda text: yes_or_no(text) is not None)
    is_heard = column.share(lambda text: permission(text) is not None) > 0
    if strange and not is_heard:
        draft.fates[column.place] = f"unsure: consent, for {percent(strange)} of its values are neither a yes nor a no"
        return
    category = _category(draft, column)
    if category is None:
        return
    if category in draft.sections.get("consent", {}):
        draft.fates[column.place] = f"unsure: another column says {category} already"
        return
    evidence = "by its name, and every value is a yes or a no"
    if strange:
        evidence = f"by its name; {percent(strange)} of its values are no plain yes or no, and count as a no"
        draft.assumed.append(f"{column.name}: {evidence.partition('; ')[2]}")
    draft.put("consent", category, draft.add(f"consent_{category}", "text", column, f"consent.{category}", evidence))


def _category(draft: Draft, column: Column) -> str | None:
    said = folded(column.name)
    found = [category for category, pattern in _CONSENTS.items() if pattern.search(said)]
    if len(found) == 1:
        return found[0]
    id_ = f"consent.{said}"
    choices = ("marketing", "analytics", "personalization", "none")
    answer = draft.ask(
        Question(id=id_, text=f"{column.name}: consent to what?", why="its name does not say", choices=choices)
    )
    if answer is None:
        draft.fates[column.place] = f"unsure: {id_}"
    return None if answer == "none" else answer
