"""One component of the identity graph as a drawing: identifiers on the left, actors on the right, boxed by profile.

Deterministic: profiles and actors stand oldest first, an identifier stands at the mean height of its actors (the
barycentre rule of layered drawings, Sugiyama, Tagawa and Toda 1981), ties broken by type and digest.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from lakehouse.demo.report.identity_examples import GraphActor, GraphEdge, GraphExample
from lakehouse.demo.report.svg import WIDTH, drawing, element, label, tip

Identifier = tuple[str, str]  # type, digest
MOST_IDENTIFIERS = 14
PILL_WIDTH, PILL_HEIGHT, PILL_PITCH = 190, 24, 32
ACTOR_X, ACTOR_PITCH, BOX_X, BOX_HEAD, BOX_GAP = 318, 30, 296, 26, 14
# Strongest first, as in conf/identity.toml; other types follow by name.
TYPES = ("user_id", "email", "phone", "loyalty_id", "device_id", "anonymous_id")


@dataclass(frozen=True, kw_only=True)
class Box:
    """A profile's frame: top and height, and the middle of each of its actors, in drawing units."""

    profile: str
    top: float
    height: float
    actors: dict[str, float]


def short_id(value: str) -> str:
    """The first eight characters: enough to find the row, too few to fill the drawing."""
    return value[:8]


def role(identifier: Identifier, edges: Sequence[GraphEdge], profile_of: dict[str, str]) -> str:
    """`between`: on actors of several profiles; `linking`: on several actors of one; `single`: on one actor."""
    actors = {edge.actor for edge in edges if (edge.type, edge.digest) == identifier}
    if len({profile_of[actor] for actor in actors}) > 1:
        return "between"
    return "linking" if len(actors) > 1 else "single"


def boxes(actors: Sequence[GraphActor]) -> list[Box]:
    """Profiles from top to bottom, the one seen first at the top; so are the actors inside."""
    groups: dict[str, list[GraphActor]] = {}
    for actor in sorted(actors, key=lambda a: (a.first_seen, a.actor)):
        groups.setdefault(actor.profile, []).append(actor)
    placed, top = [], 0.0
    for profile, members in groups.items():
        middles = {m.actor: top + BOX_HEAD + (i + 0.5) * ACTOR_PITCH for i, m in enumerate(members)}
        height = BOX_HEAD + len(members) * ACTOR_PITCH + 4
        placed.append(Box(profile=profile, top=top, height=height, actors=middles))
        top += height + BOX_GAP
    return placed


def identifier_order(edges: Sequence[GraphEdge], height_of: dict[str, float]) -> list[Identifier]:
    """Identifiers from top to bottom; if there are too many, those on most actors stay."""
    carried: dict[Identifier, list[float]] = {}
    for edge in edges:
        if edge.actor in height_of:
            carried.setdefault((edge.type, edge.digest), []).append(height_of[edge.actor])
    kept = sorted(carried, key=lambda i: (-len(carried[i]), _rank(i)))[:MOST_IDENTIFIERS]
    return sorted(kept, key=lambda i: (sum(carried[i]) / len(carried[i]), _rank(i)))


def _rank(identifier: Identifier) -> tuple[int, str, str]:
    kind, digest = identifier
    return (TYPES.index(kind) if kind in TYPES else len(TYPES), kind, digest)


def draw(name: str, title: str, example: GraphExample) -> str:
    """The whole drawing of one example."""
    frames = boxes(example.actors)
    height_of = {actor: y for frame in frames for actor, y in frame.actors.items()}
    identifiers = identifier_order(example.edges, height_of)
    right = max((frame.top + frame.height for frame in frames), default=0.0)
    left = len(identifiers) * PILL_PITCH
    height, shift = max(right, left), max(right - left, 0) / 2
    drop = max(left - right, 0) / 2
    frames = [
        Box(profile=f.profile, top=f.top + drop, height=f.height, actors={a: y + drop for a, y in f.actors.items()})
        for f in frames
    ]
    pills = {identifier: shift + (i + 0.5) * PILL_PITCH for i, identifier in enumerate(identifiers)}
    profile_of = {actor.actor: actor.profile for actor in example.actors}
    roles = {identifier: role(identifier, example.edges, profile_of) for identifier in identifiers}
    body = "".join(_frame(frame) for frame in frames)
    body += _lines(example.edges, pills, {a: y for f in frames for a, y in f.actors.items()}, roles)
    body += "".join(_pill(identifier, y, roles[identifier]) for identifier, y in pills.items())
    body += "".join(_actor(actor, y, actor == frame.profile) for frame in frames for actor, y in frame.actors.items())
    return drawing(name, title, _said(example, roles), height + 2, element("g", body, transform="translate(0 1)"))


def _frame(frame: Box) -> str:
    box = element("rect", x=BOX_X, y=frame.top, width=WIDTH - BOX_X - 1, height=frame.height, rx=6, class_="frame")
    return (
        box
        + label(BOX_X + 10, frame.top + 18, "profile", "t small dim")
        + label(WIDTH - 10, frame.top + 18, short_id(frame.profile), "t mono small", "end")
    )


def _lines(
    edges: Sequence[GraphEdge], pills: dict[Identifier, float], actors: dict[str, float], roles: dict[Identifier, str]
) -> str:
    """Curves from identifier to actor; those that set people apart are drawn last, on top."""
    order = ("single", "linking", "between")
    shown = sorted(
        {
            (order.index(roles[i]), pills[i], actors[e.actor], roles[i])
            for e in edges
            if (i := (e.type, e.digest)) in pills
        }
    )
    middle, end = (PILL_WIDTH + ACTOR_X) / 2, ACTOR_X - 7
    return "".join(
        element(
            "path",
            d=f"M{PILL_WIDTH} {y:.1f}C{middle:g} {y:.1f} {middle:g} {to:.1f} {end} {to:.1f}",
            class_=f"edge {kind}",
        )
        for _, y, to, kind in shown
    )


def _pill(identifier: Identifier, y: float, kind: str) -> str:
    type_, digest = identifier
    box = element(
        "rect", x=0.75, y=y - PILL_HEIGHT / 2, width=PILL_WIDTH - 1.5, height=PILL_HEIGHT, rx=12, class_=f"pill {kind}"
    )
    said = tip(f"{type_} {digest[:6]}")
    return element(
        "g", said + box + label(14, y + 4.5, type_) + label(PILL_WIDTH - 14, y + 4.5, digest[:6], "t mono small", "end")
    )


def _actor(actor: str, y: float, is_oldest: bool) -> str:
    dot = element("circle", cx=ACTOR_X, cy=y, r=7, class_="actor oldest" if is_oldest else "actor")
    return element(
        "g", tip(f"actor {short_id(actor)}") + dot + label(ACTOR_X + 16, y + 4.5, short_id(actor), "t mono small")
    )


def _said(example: GraphExample, roles: dict[Identifier, str]) -> str:
    counts = {kind: sum(1 for role_ in roles.values() if role_ == kind) for kind in ("linking", "between", "single")}
    return (
        f"{len(example.actors)} actors in {len({a.profile for a in example.actors})} profiles; identifiers on several "
        f"actors of one profile: {counts['linking']}, on actors of several profiles: {counts['between']}, "
        f"on one actor: {counts['single']}"
    )
