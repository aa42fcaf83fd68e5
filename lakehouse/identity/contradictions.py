"""Which overrides cannot all be meant: found before one takes effect, named in words."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from lakehouse.config import IdentifierRule
from lakehouse.identity.overrides import NamedIdentifier, Override

Name = Callable[[NamedIdentifier], str]


class InForce:
    """The overrides in force, by the identifiers they name: what a new one is held against is what it is near to.

    So a thousand asked for at once are decided on in a thousand looks, not a million.
    """

    def __init__(self, overrides: Iterable[Override] = ()) -> None:
        self._naming: dict[NamedIdentifier, dict[str, Override]] = {}
        self._order: dict[str, int] = {}
        for override in overrides:
            self.set(override)

    def set(self, override: Override) -> None:
        """Take it in, or out when it is not active."""
        override_id = override.override_id
        self._order.setdefault(override_id, len(self._order))
        for identifier in override.identifiers:
            naming = self._naming.setdefault(identifier, {})
            if override.is_active:
                naming[override_id] = override
            else:
                naming.pop(override_id, None)

    def naming(self, action: str, identifiers: Iterable[NamedIdentifier]) -> list[Override]:
        """Those of the action that name one of the identifiers, each once, in the order they came."""
        found = {o.override_id: o for one in identifiers for o in self._naming.get(one, {}).values()}
        named = [override for override in found.values() if override.action == action]
        return sorted(named, key=lambda override: self._order[override.override_id])


class Tied:
    """Every identifier that links tie to `start`, and the links on a shortest way there. `new`: a link not yet in force."""

    def __init__(self, in_force: InForce, start: NamedIdentifier, new: Override | None = None) -> None:
        self._way: dict[NamedIdentifier, tuple[NamedIdentifier, str] | None] = {start: None}
        reached = [start]
        for identifier in reached:
            own = [new] if new is not None and identifier in new.identifiers else []
            for link in [*own, *in_force.naming("link", [identifier])]:
                one, other = link.identifiers
                beside = other if identifier == one else one
                if beside not in self._way:
                    self._way[beside] = (identifier, link.override_id)
                    reached.append(beside)
        self.identifiers = reached

    def through(self, identifier: NamedIdentifier) -> list[str]:
        """The ids of the links that lead to it, from `start` on; none when it is not tied."""
        links: list[str] = []
        step = self._way.get(identifier)
        while step is not None:
            identifier, link_id = step
            links.append(link_id)
            step = self._way[identifier]
        return links[::-1]


def plainly(identifier: NamedIdentifier) -> str:
    return " ".join(identifier)


def same(new: Override, in_force: InForce) -> Override | None:
    """The active override that says the same of the same identifiers already."""
    near = in_force.naming(new.action, new.identifiers)
    return next((override for override in near if override.identifiers == new.identifiers), None)


def contradiction(
    new: Override, in_force: InForce, rules: Mapping[str, IdentifierRule], name: Name = plainly
) -> str | None:
    """Why `new` cannot be in force beside the others, in one line; None when it can.

    A pair is both linked, directly or through other links, and unlinked; a linked identifier is blocked; or identifiers
    that links tie together are more values of a type than a profile may hold.

    Args:
        new: the override asked for.
        in_force: the others.
        rules: by identifier type.
        name: how to write an identifier in the answer.
    """
    what = f"{new.action} {' '.join(map(name, new.identifiers))}"
    if new.action == "block":
        links = [override.override_id for override in in_force.naming("link", new.identifiers)]
        return f"{what}: a link names it, got link {links[0]}. {_undo(links[:1])}" if links else None
    if new.action == "unlink":
        through = Tied(in_force, new.identifiers[0]).through(new.identifiers[1])
        return f"{what}: links tie them together, got {_links(through)}. {_undo(through)}" if through else None
    return _against_link(what, new, in_force, rules, name)


def _against_link(
    what: str, new: Override, in_force: InForce, rules: Mapping[str, IdentifierRule], name: Name
) -> str | None:
    for block in in_force.naming("block", new.identifiers):
        ids = [block.override_id]
        return f"{what}: {name(block.identifiers[0])} is blocked, got block {ids[0]}. {_undo(ids)}"
    tied = Tied(in_force, new.identifiers[0], new)
    joined = set(tied.identifiers)
    for other in in_force.naming("unlink", joined):
        if joined.issuperset(other.identifiers):
            pair = " and ".join(map(name, other.identifiers))
            through = [link for i in other.identifiers for link in tied.through(i) if link != new.override_id]
            also = f", beside {_links(through)}" if through else ""
            return f"{what}: it would join {pair}, got unlink {other.override_id}{also}. {_undo([other.override_id])}"
    for type_ in sorted({identifier.type for identifier in joined}):
        values = sorted(identifier for identifier in joined if identifier.type == type_)
        limit = rules[type_].limit if type_ in rules else len(values)
        if len(values) > limit:
            listed = ", ".join(map(name, values))
            return (
                f"{what}: it would join {len(values)} values of {type_}, got {listed}, expected at most {limit} in one "
                f"profile. See [identity.{type_}] in the configuration"
            )
    return None


def _links(ids: Iterable[str]) -> str:
    return ", ".join(f"link {link_id}" for link_id in dict.fromkeys(ids))


def _undo(ids: Sequence[str]) -> str:
    return f"Undo {' or '.join(ids)} first"
