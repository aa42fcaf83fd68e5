"""`render(facts)`: the whole page as one string. No network, no script, no other file; same facts, same bytes."""

from importlib import resources
from string import Template

from lakehouse.demo.report import words
from lakehouse.demo.report.facts import PageFacts
from lakehouse.demo.report.html import element, figures, text
from lakehouse.demo.report.sections_customers import customers
from lakehouse.demo.report.sections_events import arrived, checks, rejected
from lakehouse.demo.report.sections_identity import identity
from lakehouse.demo.report.sections_run import freshness, onward
from lakehouse.demo.report.sections_scores import scores

CONTENTS = (
    ("arrived", "Arrived"),
    ("rejected", "Rejected"),
    ("identity", "Identity"),
    ("customers", "Customers"),
    ("scores", "Scores"),
    ("freshness", "Freshness"),
    ("onward", "Next"),
)


def render(facts: PageFacts) -> str:
    """A complete HTML document."""
    folder = resources.files("lakehouse.demo.report")
    template = Template(folder.joinpath("page.html").read_text(encoding="utf-8"))
    parts = (arrived, rejected, identity, customers, scores, freshness, onward)
    return template.substitute(
        title=text(f"Stitchlake: {facts.run.source}, {facts.run.finished_at:%Y-%m-%d %H:%M} UTC"),
        style=folder.joinpath("page.css").read_text(encoding="utf-8"),
        contents="".join(element("a", text(name), href=f"#{id_}") for id_, name in CONTENTS),
        header=header(facts),
        body="\n".join(part(facts) for part in parts),
        footer=element("p", text(f"Made from {facts.root}, {words.moment(facts.run.finished_at)}.")),
    )


def header(facts: PageFacts) -> str:
    """What happened, in one sentence, and the figures to remember."""
    run, known = facts.run, facts.identity
    said = f"{words.plural(run.produced, 'record')} became {words.plural(known.profiles, 'profile')}"
    took = words.seconds((run.finished_at - run.started_at).total_seconds())
    meta = f"Source {run.source}. {words.moment(run.started_at)}, {took}. Lake {facts.root}"
    kicker = element("p", "Stitchlake run", class_="kicker")
    return kicker + element("h1", text(said)) + element("p", text(meta), class_="meta") + figures(_key_figures(facts))


def _key_figures(facts: PageFacts) -> list[tuple[str, str, str]]:
    known, customers_ = facts.identity, facts.customers
    bronze = facts.rows("bronze.events")
    verdicts = {held for held, _ in checks(facts)}
    remark = "see the balance below" if False in verdicts else "" if None in verdicts else "every one accounted for"
    figures_ = [
        (words.count(bronze), "records in bronze", remark),
        (words.count(facts.rows("silver.events")), "accepted events", words.share(facts.rows("silver.events"), bronze)),
        (words.count(known.profiles), "profiles", f"from {words.plural(known.actors, 'actor')}"),
        (words.count(customers_.customers), "customers", words.money(customers_.revenue, facts.currency)),
        (words.count(len(customers_.segments)), "segments", ""),
    ]
    timed = sorted(b.p50_seconds for b in facts.run.batches if b.p50_seconds is not None)
    if timed:
        figures_.append((words.seconds(timed[len(timed) // 2]), "produced to gold", "median micro-batch, p50"))
    return figures_
