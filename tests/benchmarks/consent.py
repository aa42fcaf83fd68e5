"""Consent of many people who change their minds, merge and split, out of order and told twice: whether anything reaches anybody against their word.

    ./spark-submit.sh tests/benchmarks/consent.py [--people 100000] [--spark 20000]

Of each person: who is one by their identifiers and whose word holds, against a rule that looks backwards (tests/consent_oracle.py), also after a split;
then every exit, asked with a profile that the lake made of what came by some moment and with what the service alone heard since. `--spark`: of so many
people gold's own frame is asked, too. Exits with 1 when a word differs or something leaks.
"""

import argparse
import itertools
import json
import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pyspark.sql import SparkSession

from lakehouse.config import load
from lakehouse.config.limits import PURPOSES
from lakehouse.consent.defaults import Defaults
from lakehouse.consent.rulings import RULED, rulings
from lakehouse.consent.standing import Speaker, Statement, as_one, people
from lakehouse.decisions.circumstances import DecisionInputs, circumstances_of
from lakehouse.decisions.gate import Permitted, permit
from lakehouse.decisions.visitor import Visitor
from lakehouse.experiments.definitions import Experiments, Holdout
from lakehouse.job import run
from lakehouse.online.recent_behaviour import RecentBehaviour
from lakehouse.rules.book import RuleBook
from lakehouse.spark.session import get_session
from lakehouse.tables.contract import ALSO_SAID, CONSENT_WORDS
from tests import consent_oracle as oracle
from tests.benchmarks.machine import machine
from tests.online_people import person

SEED = 7
USES = ("offer", "products", "profile")
PLACES = ((), ("DE",), ("US",), ("US-CA", "US"))
DEFAULTS = Defaults(
    never_asked=False, by_jurisdiction={"US": ("analytics", "sale"), "US-CA": ()}, purposes=(*PURPOSES, "sale")
)
INPUTS = DecisionInputs(
    catalogue=None,
    book=RuleBook({}, {}, []),
    experiments=Experiments({}, Holdout()),
    unavailable=frozenset(),
    consent=DEFAULTS,
)
ANA = ("anonymous_id", "ana")
EPOCH, NOW = datetime.fromtimestamp(0, UTC), datetime(2026, 3, 1, tzinfo=UTC)
ALL = 10**6


def told_again(chance: random.Random, world: Sequence[Speaker]) -> list[Speaker]:
    """In another order, some statements twice."""
    again = [(one, [*one.statements, *chance.choices(one.statements, k=len(one.statements) // 2)]) for one in world]
    mixed = [one._replace(statements=chance.sample(said, len(said))) for one, said in again]
    return chance.sample(mixed, len(mixed))


def leaks(chance: random.Random, world: Sequence[Speaker]) -> tuple[int, int]:
    """Asked at every exit, and let through against what holds of all that was said. Whoever turns up is known to the lake by then."""
    asked = leaked = 0
    since = max(one.first_at for one in world)
    for members, holds in oracle.model(world, ALL).items():
        own = [one for one in world if one.actor_id in members]
        heard = since + chance.randint(0, 12)
        known = [one._replace(statements=[said for said in one.statements if said.at <= heard]) for one in own]
        in_lake = {purpose: held.is_allowed for purpose, held in as_one(people(known)).items()}
        said = sorted((word for one in own for word in one.statements), key=lambda word: (word.at, word.message_id))
        places = chance.choice(PLACES)
        visitor = Visitor(identifier=ANA, profile=_profile(in_lake, said, heard, places), recent=_recent(said))
        circumstances = circumstances_of(visitor, INPUTS, now=NOW)
        for purpose, use in itertools.product(DEFAULTS.purposes, USES):
            word = holds.get(purpose, False if said else DEFAULTS.allows(purpose, places))
            asked += 1
            passed = isinstance(permit("it", circumstances, purpose, use), Permitted)
            leaked += passed != word
    return asked, leaked


def _profile(words: dict[str, bool], said: Sequence[Statement], heard: int, places: Sequence[str]) -> Any:
    by_then = [word.at for word in said if word.at <= heard]
    left_out = False if by_then else None
    own = {f"consent_{purpose}": words.get(purpose, left_out) for purpose in PURPOSES}
    sale = words.get("sale", left_out)
    return person(
        "p",
        [ANA],
        **own,
        also_allowed=["sale"] if sale else None,
        also_refused=["sale"] if sale is False else None,
        jurisdictions=list(places) or None,
        consent_said_at=EPOCH + timedelta(milliseconds=max(by_then)) if by_then else None,
    )


def _recent(said: Sequence[Statement]) -> RecentBehaviour:
    """Of the last word on each purpose, whether or not the lake knows it."""
    last = {word.purpose: word for word in said}
    return RecentBehaviour(
        consent={purpose: word.is_allowed for purpose, word in last.items()},
        consent_ms={purpose: word.at for purpose, word in last.items()},
        asked_ms=max((word.at for word in said), default=None),
        exposures={},
    )


def of_spark(session: SparkSession, worlds: Sequence[Sequence[Speaker]]) -> tuple[int, int]:
    """Profiles that contradict themselves, and of how many Spark says something else."""
    days, edges = [], []
    expected: dict[str, dict[str, bool]] = {}
    for number, world in enumerate(worlds):
        name = f"p{number}"
        for one in world:
            actor = f"{name}-{one.actor_id}"
            latest = {
                word.purpose: word for word in sorted(one.statements, key=lambda word: (word.at, word.message_id))
            }
            told = {purpose: (_at(word.at), word.message_id, word.is_allowed) for purpose, word in latest.items()}
            others = [("sale", *told["sale"])] if "sale" in told else None
            days.append((name, actor, _at(one.first_at), (None, *(told.get(purpose) for purpose in PURPOSES)), others))
            edges += [(actor, *f"{identifier}@{name}".split(":", 1)) for identifier in one.identifiers]
        expected[name] = {purpose: held.is_allowed for purpose, held in as_one(people(world)).items()}
    schema = f"profile_id string, actor_id string, first_at timestamp, consent {CONSENT_WORDS}, also_said {ALSO_SAID}"
    activity = session.createDataFrame(days, schema)
    carried = session.createDataFrame(edges, "actor_id string, identifier_type string, identifier_token string")
    found = {row["profile_id"]: row[RULED] for row in rulings(activity, carried).collect()}
    return len(found), sum(expected[name] != ruled for name, ruled in found.items())


def _at(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="consent", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--spark", type=int, default=20_000)
    options = parser.parse_args(argv)
    config, worlds = load(), []
    figures = dict.fromkeys(("actors", "statements", "persons", "differences", "asked", "leaks"), 0)
    seconds = 0.0
    for number in range(options.people):
        chance = random.Random(f"{SEED}-{number}")
        world = oracle.people(chance, chance.choice((1, 2, 2, 3, 4, 6)))
        again = told_again(chance, world)
        split = chance.sample(world, len(world) // 2)
        started = time.process_time()
        now, apart = oracle.told(people(again)), oracle.told(people(split))
        seconds += time.process_time() - started
        asked, leaked = leaks(chance, world)
        figures["actors"] += len(world)
        figures["statements"] += sum(len(one.statements) for one in world)
        figures["persons"] += len(now)
        figures["differences"] += (now != oracle.model(world, ALL)) + (apart != oracle.model(split, ALL))
        figures["asked"] += asked
        figures["leaks"] += leaked
        if number < options.spark:
            worlds.append(world)
    if worlds:
        session = get_session(config, "consent")
        figures["torn_profiles"], figures["spark_differences"] = of_spark(session, worlds)
    microseconds = round(seconds / options.people * 1e6)
    print(
        json.dumps(
            {
                "benchmark": "consent",
                "people": options.people,
                **figures,
                "rule_microseconds_a_person": microseconds,
                **machine(config),
            }
        )
    )
    return int(bool(figures["differences"] or figures["leaks"] or figures.get("spark_differences")))


if __name__ == "__main__":
    run(main)
