"""identity: overrule the graph, with who and why, and take it back.

./spark-submit.sh identity link user_id u-17 loyalty_id 4711 --by ann --why "showed both cards at the till"
./spark-submit.sh identity unlink user_id u-17 phone +15550100 --by ann --why "her mother's phone"
./spark-submit.sh identity block device_id kiosk-3 --by ann --why "in the shop window"
./spark-submit.sh identity undo 3f2a9c01d4e5 --by bob --why "it was the right phone after all"
./spark-submit.sh identity list [--all]

A command only asks, whoever holds the lake: the `events` query takes it in with its next micro-batch, see
lakehouse/identity/override_store.py. What contradicts an override in force, or one that waits, is refused here. Write no personal
data into --why: it is kept as it is.
"""

import dataclasses
import difflib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from lakehouse import machine
from lakehouse.config import Config, load
from lakehouse.errors import LakeError, StitchlakeError
from lakehouse.events.identifiers import Resolver
from lakehouse.identity import override_store
from lakehouse.identity.contradictions import plainly
from lakehouse.identity.override_requests import Known, Refusal, Request, Undo, asked_at, decide, take, unknown_type
from lakehouse.identity.override_store import Store
from lakehouse.identity.overrides import ACTIONS, NamedIdentifier, Override
from lakehouse.job import run
from lakehouse.lake import audit
from lakehouse.lake.delta import Lake
from lakehouse.lake.lock import STAMP, open_lake
from lakehouse.spark.session import get_session

_WORDS = (*ACTIONS, "undo", "list")
_TICK = timedelta(microseconds=1)
_CLOCKS_APART = timedelta(days=1)
_SEE = "See ./spark-submit.sh help"


def command(config: Config, argv: list[str], now: datetime) -> str:
    """What `identity` prints.

    Raises:
        StitchlakeError: words that are no command, an identifier that cannot be used, a contradiction, or no lake.
    """
    words, options = _options(argv)
    action, *rest = words or [""]
    if action not in _WORDS:
        nearest = difflib.get_close_matches(action, _WORDS, n=1, cutoff=0.0)[0]
        raise StitchlakeError(f"identity: no such action, got '{action}'; did you mean '{nearest}'? {_SEE}")
    if action == "list":
        _expect(action, rest, 0, "no further words but --all")
        return listing(open_store(config), config, everything="all" in options)
    by, why = (_said(action, options, name) for name in ("by", "why"))
    if action == "undo":
        _expect(action, rest, 1, "one override id")
        return request(open_store(config), config, Undo(override_id=rest[0], by=by, reason=why, at=now), {})
    count = ACTIONS[action]
    _expect(action, rest, 2 * count, f"{count} times <identifier type> <value>")
    typed = _identifiers(action, rest, config)
    if len(typed) < count:
        raise StitchlakeError(
            f"identity {action}: the same identifier twice, got {' '.join(rest)}. Name different ones"
        )
    asked = Override(action=action, identifiers=tuple(sorted(typed)), created_by=by, reason=why, created_at=now)
    return request(open_store(config), config, asked, typed)


def request(store: Store, config: Config, asked: Request, typed: Mapping[NamedIdentifier, str]) -> str:
    """Leave the request where the lake's writer finds it, unless what is in force or waits speaks against it.

    Args:
        store: of the lake.
        config: in force.
        asked: the request; its time is moved behind that of all it follows, whatever the clocks of two machines say.
        typed: identifiers as they were typed, to say no in the same words.
    """
    _, known, times = _known(store, config)
    asked = _after(asked, times)
    outcome = decide(asked, known, config.identity.rules, lambda one: typed.get(one, plainly(one)))
    if isinstance(outcome, Refusal):
        if outcome.is_there:
            return outcome.reason
        raise StitchlakeError(f"identity {outcome.reason}")
    override_store.ask(store, asked)
    _note(config, asked)
    what = f"undo of {outcome.override_id}" if isinstance(asked, Undo) else f"{outcome.action} {outcome.override_id}"
    return f"{what} waits for the next micro-batch of the events query"


def _note(config: Config, asked: Request) -> None:
    """In the audit log, without whom it is about."""
    if isinstance(asked, Undo):
        by, detail = asked.by, {"action": "undo", "override_id": asked.override_id}
    else:
        by, detail = asked.created_by, {"action": asked.action, "override_id": asked.override_id}
    audit.note(config, "override", by=by, detail=detail, now=asked_at(asked))


def listing(store: Store, config: Config, *, everything: bool) -> str:
    """The overrides in force and those that wait, oldest first; with `everything` also undone and rejected ones."""
    stored, known, _ = _known(store, config)
    lines = []
    for override_id, override in known.items():
        state = _state(stored.get(override_id), override)
        if state == "undone" and not everything:
            continue
        named = " ".join(map(plainly, override.identifiers))
        lines.append(f"{override_id}  {state:12} {override.action:6} {named}")
        lines.append(f"    {override.created_at:%Y-%m-%d %H:%M} UTC by {override.created_by}: {override.reason}")
        if override.undone_at is not None:
            lines.append(
                f"    undone {override.undone_at:%Y-%m-%d %H:%M} UTC by {override.undone_by}: {override.undone_reason}"
            )
    rejected = override_store.rejected(store)
    if everything:
        lines += [f"{file}  rejected: {reason}" for file, reason in rejected]
    elif rejected:
        lines.append(f"{len(rejected)} rejected when they were taken in, see ./spark-submit.sh identity list --all")
    return "\n".join(lines) or "no overrides"


def open_store(config: Config) -> Store:
    """Starts Spark only where the lake cannot be read without.

    Raises:
        LakeError: no lake there, or one written with another key, whose tokens are not ours.
    """
    folder = machine.local_folder(config.lake.root)
    if folder is not None and "%" not in str(folder):
        spark, store = None, Store(root=str(folder), spark=None)
    else:
        spark = get_session(config, "identity")
        store = override_store.store_of(Lake(spark, config))
    if store.folder("").read(STAMP) is None:
        raise LakeError(
            f"{store.root}: no lake, got no {STAMP}, expected one that streaming has filled. Set STITCHLAKE__LAKE__ROOT"
        )
    open_lake(config, spark)
    return store


def _known(store: Store, config: Config) -> tuple[Known, Known, list[datetime]]:
    """Overrides by id as stored, as they will be when what waits is taken in, and all times people said something."""
    waiting = override_store.waiting(store)  # before the table: what is taken in meanwhile must be seen in one of them
    stored = override_store.read(store)
    known, _, _ = take(waiting, stored, config.identity.rules)
    times = [asked_at(one) for _, one in waiting if not isinstance(one, Refusal)]
    times += [time for one in known.values() for time in (one.created_at, one.undone_at) if time is not None]
    return stored, known, times


def _after(asked: Request, times: Iterable[datetime]) -> Request:
    """Moved behind the newest of `times`, but for those that no two clocks can be apart."""
    now = asked_at(asked)
    at = max([now, *(time + _TICK for time in times if time - now < _CLOCKS_APART)])
    if isinstance(asked, Undo):
        return dataclasses.replace(asked, at=at)
    return dataclasses.replace(asked, created_at=at)


def _state(stored: Override | None, then: Override) -> str:
    if stored is not None and not stored.is_active:
        return "undone"
    if not then.is_active:
        return "undo waiting"
    return "waiting" if stored is None else "active"


def _identifiers(action: str, words: list[str], config: Config) -> dict[NamedIdentifier, str]:
    typed, resolver = {}, Resolver(config)
    for type_, value in zip(words[::2], words[1::2], strict=True):
        if (fault := unknown_type(type_, config.identity.rules)) is not None:
            raise StitchlakeError(f"identity {action}: {fault}")
        identifier = resolver.resolve(type_, value)
        if identifier is None:
            raise StitchlakeError(
                f"identity {action}: a blocked or malformed {type_}, got '{value}', expected one that can identify "
                "somebody. See [identity] in the configuration"
            )
        typed[NamedIdentifier(*identifier)] = f"{type_} {value}"
    return typed


def _options(argv: Iterable[str]) -> tuple[list[str], dict[str, str]]:
    """Words, and options with their values."""
    words: list[str] = []
    options: dict[str, str] = {}
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        name, has_value, value = word.removeprefix("--").partition("=")
        if not word.startswith("--"):
            words.append(word)
        elif name == "all":
            options[name] = ""
        elif name in ("by", "why") and (has_value or rest):
            options[name] = value if has_value else rest.pop(0)
        else:
            raise StitchlakeError(f"identity: got {word}, expected --by WHO, --why TEXT or --all. {_SEE}")
    return words, options


def _said(action: str, options: Mapping[str, str], name: str) -> str:
    text = " ".join(options.get(name, "").split())
    if not text:
        raise StitchlakeError(
            f"identity {action}: --{name} missing, expected --by WHO --why TEXT. Say it: an override is kept with both"
        )
    return text


def _expect(action: str, words: list[str], count: int, expected: str) -> None:
    if len(words) != count:
        raise StitchlakeError(f"identity {action}: got {len(words)} words after it, expected {expected}. {_SEE}")


def main(argv: list[str]) -> None:
    print(command(load(), argv, datetime.now(UTC)))


if __name__ == "__main__":
    run(main)
