"""Section: what customers are worth: RFM, next best action, segments."""

from collections.abc import Mapping, Sequence

from lakehouse.demo.report import charts, plots, words
from lakehouse.demo.report.charts import Bar
from lakehouse.demo.report.customer_facts import CustomerFacts, RfmCell, SegmentFacts
from lakehouse.demo.report.facts import PageFacts
from lakehouse.demo.report.html import columns, element, figure, figures, note, section, table, text
from lakehouse.demo.report.plots import Bubble
from lakehouse.demo.report.trainings import clusters, kind, silhouettes


def customers(facts: PageFacts) -> str:
    known, currency = facts.customers, facts.currency
    if not known.customers:
        return section("customers", "What they are worth", "No profile has an order yet: gold.rfm is empty.")
    as_of = f" Recency counts back from the newest event, {words.moment(known.as_of)}." if known.as_of else ""
    lead = (
        f"{words.plural(known.customers, 'profile')} ordered {words.plural(known.orders, 'time')} for "
        f"{words.money(known.revenue, currency)}, refunds taken off.{as_of}"
    )
    pairs = (
        (words.share(known.repeat_customers, known.customers), "ordered more than once", ""),
        (f"{known.orders / known.customers:.1f}", "orders per customer", ""),
        (words.money(float(known.revenue) / max(known.orders, 1), currency), "per order", ""),
    )
    drawn = figure("Recency by frequency", rfm_map(known.cells), _heat_caption(known))
    return section(
        "customers", "What they are worth", lead, figures(pairs), columns(drawn, _actions(known)), _segments(facts)
    )


def rfm_map(cells: Sequence[RfmCell]) -> str:
    shown = {(c.f, c.r): (float(c.profiles), words.short(c.profiles), words.short(c.mean_monetary)) for c in cells}
    title = "Customers by recency and frequency score"
    if not shown:
        return charts.empty("customers-rfm", title, "R, F and M scores come with the first segment model")
    return charts.heat("customers-rfm", title, shown, rows="F: more often", columns="R: more recent")


def _heat_caption(known: CustomerFacts) -> str:
    if not known.cells:
        return ""
    return "Upper figure: customers. Lower: what one of them spent, on average. Scores are quintiles, 5 the best."


def _actions(known: CustomerFacts) -> str:
    whole = sum(known.actions.values())
    rows = [Bar(words.plain(action), n, words.count(n), words.share(n, whole)) for action, n in known.actions.items()]
    drawn = charts.bars("customers-actions", "Profiles by next best action", rows)
    return figure("Next best action", drawn, "By rule, in gold.activation; none where marketing consent was denied.")


def _segments(facts: PageFacts) -> str:
    known, currency = facts.customers, facts.currency
    heading = element("h3", "Segments", class_="sub")
    if not known.segments:
        return heading + note("No segment yet: no segment model has been trained, or the stream has not picked it up.")
    revenue = float(sum(s.revenue for s in known.segments)) or 1
    people = sum(s.profiles for s in known.segments)
    versions = ", ".join(known.segment_versions) or "without a version"
    return (
        heading
        + columns(_segment_map(known.segments, currency), _segment_shares(known.segments, people, revenue))
        + _segment_table(known.segments, people, revenue, currency)
        + note(
            f"Groups by log recency, frequency and monetary; their kind and number by silhouette among those that are steady. Model version {versions}."
        )
        + _silhouettes(facts.run.trainings)
    )


def _segment_map(segments: Sequence[SegmentFacts], currency: str) -> str:
    points = [
        Bubble(s.recency_days, s.frequency, float(s.revenue), f"{words.plain(s.name)}: {in_words(s, currency)}")
        for s in segments
    ]
    axes = {"x_axis": "mean days since last order", "y_axis": "mean orders"}
    drawn = plots.bubbles("segments-map", "Segments by recency and frequency", points, **axes)
    return figure("How lately, how often", drawn, "Area: revenue. Numbers as in the table.")


def _segment_shares(segments: Sequence[SegmentFacts], people: int, revenue: float) -> str:
    rows = [
        Bar(
            f"{i}  {words.plain(s.name)}",
            100 * s.profiles / people,
            words.share(s.profiles, people),
            second=100 * float(s.revenue) / revenue,
            second_figure=words.share(float(s.revenue), revenue),
        )
        for i, s in enumerate(segments, 1)
    ]
    drawn = charts.pairs("segments-shares", "Segments by share", rows, ("of customers", "of revenue"))
    return figure("Share of customers, share of revenue", drawn)


def _segment_table(segments: Sequence[SegmentFacts], people: int, revenue: float, currency: str) -> str:
    rows = [
        [
            str(i),
            element("strong", text(words.plain(s.name)))
            + element("span", text(in_words(s, currency)), class_="meaning"),
            f"{words.count(s.profiles)} <small>{text(words.share(s.profiles, people))}</small>",
            words.count(s.recency_days),
            f"{s.frequency:.1f}",
            f"{s.monetary:,.2f}",
            text(words.share(float(s.revenue), revenue)),
        ]
        for i, s in enumerate(segments, 1)
    ]
    head = ["", "Segment", "Customers", "Days since", "Orders", currency, "Revenue"]
    return table(head, rows, numbers=(2, 3, 4, 5, 6), wide=(3, 4, 5), caption="Segments: size, means, share of revenue")


def in_words(segment: SegmentFacts, currency: str) -> str:
    """One sentence a merchandiser can repeat."""
    often = "once" if segment.frequency < 1.05 else f"{segment.frequency:.1f} times"
    lately = f"{words.count(segment.recency_days)} days ago" if segment.recency_days >= 1.5 else "within a day or two"
    return f"Ordered {often} on average, last {lately}, {words.money(segment.monetary, currency)} each."


def _silhouettes(trainings: Sequence[Mapping[str, object]]) -> str:
    """Why there are as many segments as there are."""
    training = next((one for one in trainings if silhouettes(one)), None)
    if training is None:
        return ""
    points = ", ".join(f"{k}: {value:.3f}" for k, value in silhouettes(training).items())
    return note(
        f"Silhouette by number of clusters of the kind that was taken, {kind(training)}: {points}. Of those that half of the customers would give, too, the best was taken, or fewer that are nearly as good: {clusters(training)}."
    )
