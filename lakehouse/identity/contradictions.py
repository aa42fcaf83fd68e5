"""Which overrides cannot all be meant: found before one takes effect, named in words."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from lakehouse.config import IdentifierRule
from lakehouse.identity.overrides import Identifier, Override

Name = Callable[[Identifier], str]
Chain = dict[Identifier, tuple[str, ...]]  # identifier -> the links that lead to it


def plainly(identifier: Identifier) -> str:
    return " ".join(identifier)


def same(new: Override, active: Iterable[Override]) -> Override | None:
    """The active override that says the same of the same identifiers already."""
    return next((o for o in active if (o.action, o.identifiers) == (new.action, new.identifiers)), None)


def contradiction(
    new: Override, active: Sequence[Override], rules: Mapping[str, IdentifierRule], name: Name = plainly
) -> str | None:
    """Why `new` cannot be in force beside the `active` ones, in one line; None when it can.

    A pair is both linked, directly or through other links, and unlinked; a linked identifier is blocked; or identifiers
    that links tie together are more values of a type than a profile may hold.

    Args:
        new: the override asked for.
        active: those in force.
        rules: by identifier type.
        name: how to write an identifier in the answer.
    """
    what = f"{new.action} {' '.join(map(name, new.identifiers))}"
    if new.action == "block":
        links = [o.override_id for o in active if o.action == "link" and new.identifiers[0] in o.identifiers]
        return f"{what}: a link names it, got link {links[0]}. {_undo(links[:1])}" if links else None
    if new.action == "unlink":
        tied = _tied([o for o in active if o.action == "link"], new.identifiers[0])
        through = tied.get(new.identifiers[1])
        return f"{what}: links tie them together, got {_links(through)}. {_undo(through)}" if through else None
    return _against_link(what, new, active, rules, name)


def _against_link(
    what: str, new: Override, active: Sequence[Override], rules: Mapping[str, IdentifierRule], name: Name
) -> str | None:
    for other in active:
        if other.action == "block" and (blocked := set(other.identifiers) & set(new.identifiers)):
            ids = [other.override_id]
            return f"{what}: {name(blocked.pop())} is blocked, got block {ids[0]}. {_undo(ids)}"
    tied = _tied([new, *(o for o in active if o.action == "link")], new.identifiers[0])
    for other in active:
        if other.action == "unlink" and set(other.identifiers) <= tied.keys():
            pair = " and ".join(map(name, other.identifiers))
            through = [link for i in other.identifiers for link in tied[i] if link != new.override_id]
            also = f", beside {_links(through)}" if through else ""
            return f"{what}: it would join {pair}, got unlink {other.override_id}{also}. {_undo([other.override_id])}"
    for type_ in sorted({identifier.type for identifier in tied}):
        values = sorted(identifier for identifier in tied if identifier.type == type_)
        limit = rules[type_].limit if type_ in rules else len(values)
        if len(values) > limit:
            listed = ", ".join(map(name, values))
            return (
                f"{what}: it would join {len(values)} values of {type_}, got {listed}, expected at most {limit} in one "
                f"profile. See [identity.{type_}] in the configuration"
            )
    return None


def _tied(links: Iterable[Override], start: Identifier) -> Chain:
    """Every identifier that the links tie to `start`, with the ids of the links on a shortest way there."""
    beside: dict[Identifier, list[tuple[str, Identifier]]] = {}
    for link in links:
        one, other = link.identifiers
        beside.setdefault(one, []).append((link.override_id, other))
        beside.setdefault(other, []).append((link.override_id, one))
    chain: Chain = {start: ()}
    reached = [start]
    for identifier in reached:
        for link_id, other in beside.get(identifier, ()):
            if other not in chain:
                chain[other] = (*chain[identifier], link_id)
                reached.append(other)
    return chain


def _links(ids: Iterable[str]) -> str:
    return ", ".join(f"link {link_id}" for link_id in dict.fromkeys(ids))


def _undo(ids: Sequence[str]) -> str:
    return f"Undo {' or '.join(ids)} first"
