"""Sections: what came in, and what was rejected."""

from collections.abc import Sequence
from datetime import date, timedelta

from lakehouse.demo.report import charts, words
from lakehouse.demo.report.charts import Bar
from lakehouse.demo.report.event_facts import Day, EventName
from lakehouse.demo.report.facts import PageFacts
from lakehouse.demo.report.html import columns, element, figure, note, paragraph, section, table, text
from lakehouse.profiles.gold.order_balance import COUNTED

MOST_COLUMNS = 60
SHOWN_NAMES = 12
_VERDICTS = {True: "good", False: "bad", None: "open"}


def arrived(facts: PageFacts) -> str:
    bronze, silver = facts.rows("bronze.events"), facts.rows("silver.events")
    lead = (
        f"{words.plural(facts.run.produced, 'record')} went to the topic and {words.count(bronze)} stand in bronze.events, "
        f"byte for byte. {words.count(silver)} of them kept their contract and stand in silver.events, once each."
    )
    rhythm, unit = buckets(facts.events.days)
    over_time = charts.columns(
        "arrived-time",
        f"Accepted events by {unit}",
        [(at, events) for at, events, _ in rhythm],
        axis="events",
        nothing="No event was accepted",
    )
    orders = charts.columns(
        "arrived-orders",
        f"Orders by {unit}",
        [(at, orders) for at, _, orders in rhythm],
        axis="orders",
        colour="b",
        nothing="No order was accepted",
    )
    kinds = charts.bars(
        "arrived-kinds", "Accepted events by kind", kind_bars(facts.events.names), nothing="No event was accepted"
    )
    when = figure(f"Events by {unit} of occurrence", over_time, "Client time, corrected for clock skew, UTC.")
    bought = figure(f"Orders by {unit}", orders, "Order Completed events.")
    return section(
        "arrived",
        "What came in",
        lead,
        balance(facts),
        columns(figure("By kind of event", kinds, _remarks(facts)), element("div", when + bought)),
    )


def balance(facts: PageFacts) -> str:
    """The line silver + quarantine + duplicates = bronze, and the verdict on it."""
    bronze, silver = facts.rows("bronze.events"), facts.rows("silver.events")
    quarantine = facts.rows("silver.events_quarantine")
    counted = facts.run.duplicates
    duplicates = max(bronze - silver - quarantine, 0) if counted is None else counted
    parts = [
        Bar("accepted in silver", silver, words.count(silver), words.share(silver, bronze)),
        Bar("quarantined", quarantine, words.count(quarantine), words.share(quarantine, bronze)),
        Bar("duplicates dropped", duplicates, words.count(duplicates), words.share(duplicates, bronze)),
    ]
    terms = (
        ("silver", silver, ""),
        ("quarantine", quarantine, "+"),
        ("duplicates", duplicates, "+"),
        ("bronze", bronze, "="),
    )
    line = "".join(
        (element("span", sign, class_="sign") if sign else "")
        + element("span", element("b", words.count(value)) + text(" " + name), class_="term")
        for name, value, sign in terms
    )
    drawn = charts.divided("arrived-balance", "Where every record of bronze went", parts)
    verdicts = "".join(element("li", text(said), class_=_VERDICTS[held]) for held, said in checks(facts))
    sums = element("p", line, class_="equation") + element("ul", verdicts, class_="verdicts")
    return element("div", element("div", sums) + drawn, class_="columns balance")


def checks(facts: PageFacts) -> list[tuple[bool | None, str]]:
    """What must hold of the counts: (does it, in words). None = it could not be checked."""
    return [_arrival(facts.run.produced, facts.rows("bronze.events")), _balance(facts)]


def _arrival(produced: int, bronze: int) -> tuple[bool, str]:
    if produced == bronze:
        return True, "Holds: bronze has every record produced."
    what = "missing" if bronze < produced else "more than produced"
    counts = f"{words.count(produced)} produced, {words.count(bronze)} in bronze"
    return False, f"Does not hold: {counts}; {words.count(abs(produced - bronze))} {what}."


def _balance(facts: PageFacts) -> tuple[bool | None, str]:
    off = facts.rows("silver.events") + facts.rows("silver.events_quarantine") - facts.rows("bronze.events")
    if facts.run.duplicates is None:
        return None, f"Not checked: duplicates were not counted; {words.count(-off)} is what is left of bronze."
    off += facts.run.duplicates
    if not off:
        return True, "Holds: every record of bronze is accounted for."
    return False, f"Does not hold: {words.plural(abs(off), 'record')} {'too many' if off > 0 else 'unaccounted for'}."


def buckets(days: Sequence[Day]) -> tuple[list[tuple[str, int, int]], str]:
    """Days, weeks or months, whichever gives at most MOST_COLUMNS; gaps are filled with 0. -> (label, events, orders), unit."""
    if not days:
        return [], "day"
    first, last = days[0].day, days[-1].day
    span = (last - first).days + 1
    unit = (
        "day" if span <= MOST_COLUMNS else "week" if span <= 7 * MOST_COLUMNS else "month" if span <= 1800 else "year"
    )
    sums: dict[date, list[int]] = {}
    for offset in range(span):
        sums.setdefault(_start(first + timedelta(days=offset), unit), [0, 0])
    for day in days:
        both = sums[_start(day.day, unit)]
        both[0] += day.events
        both[1] += day.orders
    style = {"month": "%Y-%m", "year": "%Y"}.get(unit, "%Y-%m-%d")
    return [(f"{at:{style}}", events, orders) for at, (events, orders) in sums.items()], unit


def _start(day: date, unit: str) -> date:
    if unit == "week":
        return day - timedelta(days=day.weekday())
    return day if unit == "day" else day.replace(day=1) if unit == "month" else day.replace(month=1, day=1)


def kind_bars(names: Sequence[EventName]) -> list[Bar]:
    """The most frequent kinds, the others summed in one bar."""
    whole = sum(name.count for name in names)
    shown = [(name.event or words.plain(name.type), name.count) for name in names[:SHOWN_NAMES]]
    rest = names[SHOWN_NAMES:]
    if rest:
        shown.append((f"{words.plural(len(rest), 'other kind')}", sum(name.count for name in rest)))
    return [Bar(name, count, words.count(count), words.share(count, whole)) for name, count in shown]


def _remarks(facts: PageFacts) -> str:
    parts = []
    if facts.events.bots:
        parts.append(
            f"{words.plural(facts.events.bots, 'event')} came from bots: kept in silver, kept out of profiles."
        )
    if facts.events.clamped:
        parts.append(f"{words.plural(facts.events.clamped, 'event')} lay ahead of arrival and were set to it.")
    return " ".join(parts)


def rejected(facts: PageFacts) -> str:
    rejections, bronze = facts.events.rejections, facts.rows("bronze.events")
    count = sum(rejection.count for rejection in rejections)
    if not rejections:
        return section(
            "rejected",
            "What was rejected",
            "No record broke its contract: silver.events_quarantine is empty.",
            _left_empty(facts),
            _order_outcomes(facts),
        )
    lead = (
        f"{words.plural(count, 'record')}, {words.share(count, bronze)} of bronze, broke a contract. They stand whole in "
        "silver.events_quarantine, with the reason, and can be sent again once mended."
    )
    most = rejections[0].count
    rows = [
        [
            element("code", text(r.reason))
            + element("span", text(words.meaning(r.reason)), class_="meaning")
            + (element("span", text(f"for example: {r.example}"[:180]), class_="example") if r.example else ""),
            text(words.count(r.count)) + meter(r.count, most),
            text(words.share(r.count, count)),
        ]
        for r in rejections
    ]
    return section(
        "rejected",
        "What was rejected, and why",
        lead,
        table(["Reason", "Records", "Share"], rows, numbers=(1, 2), caption="Quarantined records by reason"),
        note("Examples name the field and what was expected. They never repeat what a person sent."),
        paragraph(
            "A record sent twice is no fault: the second is dropped. The same message_id with other content is a conflict, and quarantined."
        ),
        _left_empty(facts),
        _order_outcomes(facts),
    )


def _left_empty(facts: PageFacts) -> str:
    """Fields of accepted events that could not be read, by source; nothing where there are none."""
    if not facts.events.left_empty:
        return ""
    rows = [
        [
            text(fault.source or "not told"),
            element("code", text(fault.field)),
            element("code", text(fault.reason)) + element("span", text(words.meaning(fault.reason)), class_="meaning"),
            text(words.count(fault.count)),
        ]
        for fault in facts.events.left_empty
    ]
    return paragraph(
        "An event is lost only for what makes it meaningless. These were taken with a field left empty; each is a row of "
        "silver.event_faults."
    ) + table(["Source", "Field", "Reason", "Events"], rows, numbers=(3,), caption="Fields left empty, by source")


def _order_outcomes(facts: PageFacts) -> str:
    """Where every order message went; nothing where none was sent."""
    outcomes = facts.events.order_outcomes
    if not outcomes:
        return ""
    rows = [
        [
            element("code", text(one.outcome))
            + ("" if one.reason is None else element("span", text(words.meaning(one.reason)), class_="meaning")),
            text(words.count(one.messages)),
            text(words.count(one.orders)),
        ]
        for one in outcomes
    ]
    sent = sum(one.messages for one in outcomes)
    counted = sum(one.messages for one in outcomes if one.outcome == COUNTED)
    return paragraph(
        f"{words.plural(sent, 'message')} completed an order, or would have: {words.count(counted)} are counted, each other one is "
        "explained. gold.order_balance holds the same, once batch/order_balance.py has run."
    ) + table(["Outcome", "Messages", "Orders"], rows, numbers=(1, 2), caption="Where the orders went")


def meter(value: float, most: float) -> str:
    """A bar as wide as its cell."""
    return element(
        "svg",
        element("rect", x=0, y=0, width=100, height=4, class_="track")
        + element("rect", x=0, y=0, width=max(100 * value / (most or 1), 1.0), height=4, class_="a"),
        viewBox="0 0 100 4",
        preserveAspectRatio="none",
        class_="meter",
        aria_hidden="true",
    )
