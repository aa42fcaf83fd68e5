"""consent show: what holds of every purpose for whoever has an identifier, now or at a moment, and by which statement and rule.

./spark-submit.sh consent show email jane@example.com
./spark-submit.sh consent show user_id u-17 --at 2026-03-01T12:00:00Z
"""

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.commands.whois import identifier_of
from lakehouse.config import load
from lakehouse.consent.defaults import Defaults
from lakehouse.consent.proof import Actor, Row, Verdict, verdicts
from lakehouse.errors import StitchlakeError
from lakehouse.job import run
from lakehouse.lake import audit
from lakehouse.lake.delta import Lake
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION, word_in_row
from lakehouse.profiles.silver.activity_daily import SILVER_ACTIVITY_DAILY
from lakehouse.spark.session import get_session
from lakehouse.tables.consent import SILVER_CONSENT
from lakehouse.tables.identity import MATCH, SILVER_IDENTITY_EDGES, SILVER_IDENTITY_HISTORY, SILVER_IDENTITY_MAP

_EPOCH = datetime.fromtimestamp(0, UTC)
_MICROSECOND = timedelta(microseconds=1)
_READ = (
    *(SILVER_CONSENT, SILVER_IDENTITY_EDGES, SILVER_IDENTITY_MAP, SILVER_IDENTITY_HISTORY),
    *(SILVER_ACTIVITY_DAILY, GOLD_ACTIVATION),
)
_RULES = {
    "said": "their latest word",
    "most restrictive": "the most restrictive word of those who became one person, who have not spoken since",
    "left out": "they were asked, and their answer said nothing of it",
    "never asked": "nobody asked them",
}


def show(lake: Lake, type_: str, value: str, at: datetime | None = None) -> str:
    """A text for a person. `at`: UTC; None = now, and what gold says of it.

    Raises:
        StitchlakeError: unknown identifier type, a blocked value, or an identifier never seen.
    """
    lake.require(_READ)
    type_, token = identifier_of(lake.config, type_, value, command="consent show")
    is_asked = (F.col("identifier_type") == type_) & (F.col("identifier_token") == token)
    asked = lake.read(SILVER_IDENTITY_EDGES).where(is_asked).select("actor_id")
    for placed in (*([] if at is None else [_placed_at(lake, at)]), _placed_now(lake)):
        carriers = asked.join(placed, on="actor_id").collect()
        if carriers:
            break
    else:
        raise StitchlakeError(
            f"consent show {type_}: never seen, got a value no event carried. Check spelling and type"
        )
    texts = []
    for profile in sorted({row["profile_id"] for row in carriers}):
        named = {row["actor_id"] for row in carriers if row["profile_id"] == profile}
        texts.append(_of_profile(lake, profile, placed.where(F.col("profile_id") == profile), named, at))
    return "\n\n".join(texts)


def _placed_now(lake: Lake) -> DataFrame:
    return lake.read(SILVER_IDENTITY_MAP).select("actor_id", "profile_id")


def _placed_at(lake: Lake, at: datetime) -> DataFrame:
    """Who was whom by what the lake knew at that moment; of an identifier it had not heard of by then nobody is there, and who it is now is asked."""
    held = lake.read(SILVER_IDENTITY_HISTORY).where(
        (F.col("valid_from") <= F.lit(at)) & (F.col("valid_to").isNull() | (F.col("valid_to") > F.lit(at)))
    )
    return held.select("actor_id", "profile_id")


def _of_profile(lake: Lake, profile: str, placed: DataFrame, named: set[str], at: datetime | None) -> str:
    members = F.broadcast(placed.select("actor_id"))
    until = None if at is None else (at - _EPOCH) // _MICROSECOND
    days = lake.read(SILVER_ACTIVITY_DAILY).join(members, on="actor_id")
    if at is not None:
        days = days.where(F.col("activity_date") <= F.lit(at.date()))
    places = days.select(F.explode("jurisdictions").alias("place")).distinct().collect()
    jurisdictions = sorted(row["place"] for row in places)
    defaults = Defaults.of(lake.config.consent)
    found = verdicts(
        _actors(lake, members), _rows(lake, members), named, defaults, jurisdictions=jurisdictions, until=until
    )
    when = "now" if at is None else f"at {at:%Y-%m-%d %H:%M:%S} UTC"
    lines = [f"profile {profile}, {when}", f"  jurisdiction {', '.join(jurisdictions) or 'not known'}"]
    for verdict in found:
        lines += [f"  {line}" for line in _in_words(verdict)]
    return "\n".join([*lines, *(_gold(lake, profile, found) if at is None else ())])


def _actors(lake: Lake, members: DataFrame) -> list[Actor]:
    edges = lake.read(SILVER_IDENTITY_EDGES).join(members, on="actor_id")
    named = F.when(F.col("identifier_type") != MATCH, F.concat_ws(":", "identifier_type", "identifier_token"))
    rows = edges.groupBy("actor_id").agg(
        F.unix_micros(F.min("first_seen_at")).alias("first_at"), F.collect_list(named).alias("identifiers")
    )
    return [Actor(row["actor_id"], row["first_at"], row["identifiers"]) for row in rows.collect()]


def _rows(lake: Lake, members: DataFrame) -> list[Row]:
    rows = lake.read(SILVER_CONSENT).join(members, on="actor_id").withColumn("said_at", F.unix_micros("said_at"))
    return [Row(*row) for row in rows.select(*Row._fields).collect()]


def _in_words(verdict: Verdict) -> list[str]:
    head = f"{verdict.purpose}: {'allowed' if verdict.is_allowed else 'not allowed'}, {_RULES[verdict.rule]}"
    basis = [] if verdict.basis is None else [f"  {_statement(verdict.basis)}"]
    return [head, *basis, *(f"  holds over {_statement(row)}" for row in verdict.over)]


def _statement(row: Row) -> str:
    at = _EPOCH + row.said_at * _MICROSECOND
    told = f"{row.status} {at:%Y-%m-%d %H:%M:%S} UTC, message {row.message_id}, actor {row.actor_id}"
    beside = (("source", row.source), ("told by", row.told_by), ("text", row.text_version), ("in", row.jurisdiction))
    return ", ".join([told, *(f"{name} {value}" for name, value in beside if value is not None)])


def _gold(lake: Lake, profile: str, found: Sequence[Verdict]) -> list[str]:
    """What decisions, exports and training read of it, held against the ledger."""
    words = [word_in_row(verdict.purpose).alias(verdict.purpose) for verdict in found]
    row = lake.read(GOLD_ACTIVATION).where(F.col("profile_id") == profile).select("is_suppressed", *words).first()
    if row is None:
        return ["  gold.activation: no row yet, so what is assumed holds"]
    other = [
        one.purpose for one in found if row[one.purpose] != (None if one.rule == "never asked" else one.is_allowed)
    ]
    silence = ["  to be left alone: nothing reaches them, whatever they allowed"] if row["is_suppressed"] else []
    agrees = f"says otherwise of {', '.join(other)}: run batch/rebuild.py --check" if other else "says the same"
    return [*silence, f"  gold.activation {agrees}"]


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="consent", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    shown = verbs.add_parser("show", help="what holds of every purpose, and why")
    shown.add_argument("type", help="identifier type, such as email")
    shown.add_argument("value")
    shown.add_argument("--at", type=_moment, help="ISO 8601; without a zone UTC")
    arguments = parser.parse_args(argv)
    config = load()
    lake = Lake(get_session(config, "consent"), config)
    told = show(lake, arguments.type, arguments.value, arguments.at)
    audit.note_read(config, "consent show", {"identifier_type": arguments.type})
    print(told)


def _moment(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise StitchlakeError(f"--at: got '{text[:60]}', expected a time such as 2026-03-01T12:00:00Z") from error
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


if __name__ == "__main__":
    run(main)
