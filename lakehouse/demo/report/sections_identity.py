"""Section: how events became people."""

from collections.abc import Mapping, Sequence

from lakehouse.demo.report import charts, identity_graph, words
from lakehouse.demo.report.charts import Bar
from lakehouse.demo.report.facts import PageFacts
from lakehouse.demo.report.html import columns, element, figure, figures, note, paragraph, section, table, text
from lakehouse.demo.report.identity_examples import GraphExample
from lakehouse.demo.report.identity_facts import SIZE_CAP, IdentifierType

SIZE_BANDS = ((1, 1), (2, 2), (3, 3), (4, 4), (5, 9), (10, 19), (20, SIZE_CAP - 1), (SIZE_CAP, SIZE_CAP))
CHANGES = {
    "create": "actors that started a profile",
    "attach": "actors that joined a profile",
    "merge": "actors moved because profiles became one",
    "split": "actors moved because a profile came apart",
}
EXAMPLES = {
    "person": "One person, several ways in",
    "merge": "Two profiles that became one",
    "shared": "Shared, yet kept apart",
    "crowd": "Too many hands to mean anybody",
}
LINES = (
    ("linking", "carried by several actors of one profile"),
    ("between", "carried by actors of several profiles: joins nobody"),
    ("single", "carried by one actor"),
)


def identity(facts: PageFacts) -> str:
    known = facts.identity
    if not known.actors:
        return section("identity", "Who it was", "No actor yet: silver.identity_map is empty.")
    lead = (
        "An actor is the exact bundle of identifiers one event carries. "
        f"{words.plural(known.actors, 'actor')} resolve to {words.plural(known.profiles, 'profile')}."
    )
    profile_sizes = charts.columns(
        "identity-sizes", "Profiles by actors", size_bands(known.profile_sizes), axis="profiles"
    )
    component_sizes = charts.columns(
        "identity-components", "Components by actors", size_bands(known.component_sizes), axis="components", colour="b"
    )
    sizes = columns(
        figure(
            "Profiles by number of actors",
            profile_sizes,
            f"The largest profile has {words.plural(known.largest_profile, 'actor')}.",
        ),
        figure(
            "Components by number of actors",
            component_sizes,
            "A component is everything any identifier reaches, before limits. The difference is what limits kept apart.",
        ),
    )
    return section(
        "identity", "Who it was", lead, _truth(facts), sizes, _why(facts), _types(known.types), _examples(facts)
    )


def size_bands(sizes: Mapping[int, int]) -> list[tuple[str, float]]:
    """Counts by band of actors, up to the last band that holds anything."""
    names = [f"{low}" if low == high else f"{low}-{high}" for low, high in SIZE_BANDS[:-1]] + [f"{SIZE_CAP}+"]
    counts = [float(sum(n for size, n in sizes.items() if low <= size <= high)) for low, high in SIZE_BANDS]
    last = max((i for i, n in enumerate(counts) if n), default=-1)
    return list(zip(names, counts, strict=True))[: max(last + 1, 4) if last >= 0 else 0]


def _truth(facts: PageFacts) -> str:
    truth = facts.run.truth
    if truth is None:
        return note("This source carries no truth about its people, so precision and recall cannot be measured.")
    pairs = (
        (f"{truth.precision:.4f}", "precision", "of the pairs joined, the share that is one person"),
        (f"{truth.recall:.4f}", "recall", "of the pairs that are one person, the share joined"),
        (
            f"{truth.reachable_recall:.4f}",
            "recall of what can be told",
            "of such pairs that unshared identifiers connect",
        ),
    )
    return figures(pairs) + note(f"Measured over {truth.scope}.")


def _why(facts: PageFacts) -> str:
    known = facts.identity
    ties = [
        Bar(cause or "none: it names its profile", n, words.count(n), words.share(n, known.actors))
        for cause, n in known.causes.items()
    ]
    order = [*CHANGES, *sorted(set(known.changes) - set(CHANGES))]
    changes = [
        Bar(CHANGES.get(kind, words.plain(kind)), known.changes.get(kind, 0), words.count(known.changes.get(kind, 0)))
        for kind in order
    ]
    return columns(
        figure(
            "What ties an actor to its profile",
            charts.bars("identity-causes", "Actors by the strongest identifier that ties them", ties),
        ),
        figure(
            "Changes of the graph",
            charts.bars("identity-changes", "Rows of silver.identity_log by type", changes),
            "Each is a row of silver.identity_log, with its cause.",
        ),
    )


def _types(types: Sequence[IdentifierType]) -> str:
    rows = [
        [
            element("code", text(t.type)),
            words.count(t.distinct),
            f"{words.count(t.shared)} <small>{text(words.share(t.shared, t.distinct))}</small>",
            words.count(t.across_profiles),
        ]
        for t in types
    ]
    head = ["Identifier type", "Distinct", "On several actors", "On several profiles"]
    return table(head, rows, numbers=(1, 2, 3), caption="Identifiers by type")


def _examples(facts: PageFacts) -> str:
    if not facts.identity.examples:
        return note("No two actors share an identifier yet, so there is no graph to draw.")
    drawn = [
        figure(
            EXAMPLES[example.kind],
            identity_graph.draw(f"graph-{example.kind}", EXAMPLES[example.kind], example),
            caption(example),
        )
        for example in facts.identity.examples
    ]
    legend = "".join(element("li", element("span", class_=f"line {kind}") + text(said)) for kind, said in LINES)
    return (
        element("h3", "Four places in the graph" if len(drawn) == 4 else "Places in the graph", class_="sub")
        + paragraph(
            "Left, identifiers: a type and the start of a digest made for this page; no value is shown. Right, actors, framed by "
            "profile. The filled actor is the oldest; its id is the profile's."
        )
        + element("ul", legend, class_="legend")
        + columns(*drawn)
    )


def caption(example: GraphExample) -> str:
    """What a reader sees in the drawing, in figures, and how to find it in the tables."""
    profile_of = {actor.actor: actor.profile for actor in example.actors}
    identifiers = sorted({(edge.type, edge.digest) for edge in example.edges if edge.actor in profile_of})
    roles = {i: identity_graph.role(i, example.edges, profile_of) for i in identifiers}
    linking, between = (sorted({i[0] for i, r in roles.items() if r == kind}) for kind in ("linking", "between"))
    said = f"{words.plural(len(example.actors), 'actor')}, {words.plural(len(set(profile_of.values())), 'profile')}"
    if example.component_actors > len(example.actors):
        said += f", out of {words.count(example.component_actors)} actors in {words.plural(example.component_profiles, 'profile')}"
    said += f"; held together by {_and(linking)}" if linking else ""
    said += f"; {_and(between)} seen on several profiles and joining none" if between else ""
    return f"{said}. component_id {identity_graph.short_id(example.component)}…"


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
