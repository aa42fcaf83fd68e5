"""gold.contacts: who survives, against a plain Python model over histories that hypothesis makes."""

import dataclasses
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from lakehouse.config import Config, load
from lakehouse.profiles.gold.contacts import FIELDS, GOLD_CONTACTS, transform
from lakehouse.profiles.leaf import leaf, with_day
from lakehouse.profiles.silver import personal_traits
from tests.accepted import actor, at, event, events

START = at("2026-01-01 00:00")
Telling = tuple[str, str, dict[str, str | None], int, str | None]
"""profile, actor, traits, hour, source."""


def config(**rules: tuple[str, ...]) -> Config:
    base = load("dev", environ={})
    return dataclasses.replace(base, contacts=dataclasses.replace(base.contacts, **rules))


def contacts(spark: SparkSession, tellings: list[Telling], by: Config) -> dict[str, dict[str, Any]]:
    rows = [
        event(
            f"m{n}", f"{START + timedelta(hours=hour):%Y-%m-%d %H:%M}", anonymous_id=who, traits=traits, source=source
        )
        for n, (_, who, traits, hour, source) in enumerate(tellings)
    ]
    people = {actor(anonymous_id=who): profile for profile, who, *_ in tellings}
    traits = personal_traits.transform(leaf(with_day(events(spark, rows)), rates={}))
    identity_map = spark.createDataFrame(list(people.items()), "actor_id string, profile_id string")
    found = {row["profile_id"]: row.asDict() for row in transform(identity_map, traits, config=by).collect()}
    assert all(set(row) == set(GOLD_CONTACTS.given_columns) for row in found.values())
    return found


def model(tellings: list[Telling], by: Config) -> dict[str, dict[str, Any]]:
    """The same, slowly: the latest of each trait by actor, and then field by field."""
    stored: dict[tuple[str, str, str], tuple[datetime, str, str, str | None]] = {}
    for profile, who, traits, hour, source in tellings:
        for trait, value in traits.items():
            new = (START + timedelta(hours=hour), value or "", source or "", value)
            key = (profile, who, trait)
            stored[key] = max(stored.get(key, new), new, key=lambda one: one[:3])
    taken_back: dict[tuple[str, str], datetime] = {}
    for (profile, _, trait), (seen, _, _, value) in stored.items():
        if value is None:
            taken_back[profile, trait] = max(seen, taken_back.get((profile, trait), seen))
    told: dict[tuple[str, str], dict[str, tuple[datetime, str, str]]] = defaultdict(dict)
    for (profile, who, trait), (seen, _, source, value) in stored.items():
        since = taken_back.get((profile, trait))
        if value is not None and (since is None or seen > since):
            told[profile, who][trait] = (seen, source, value)
    answer: dict[str, dict[str, Any]] = {}
    for profile in sorted({profile for profile, _ in told}):
        bundles = [one for (owner, _), one in told.items() if owner == profile]
        row = {field: _survivor(field, bundles, by) for field in FIELDS}
        if any(row.values()):
            answer[profile] = row
    return answer


def _survivor(field: str, bundles: list[dict[str, tuple[datetime, str, str]]], by: Config) -> Any:
    candidates = []
    for bundle in bundles:
        found = [
            next((bundle[trait] for trait in traits if trait in bundle), None) for traits in FIELDS[field].values()
        ]
        if not any(found):
            continue
        seen, source = max((one[0], one[1]) for one in found if one is not None)
        parts = [None if one is None else one[2] for one in found]
        is_verified = bundle.get(f"{field}_verified", (None, None, ""))[2].lower() in ("true", "1", "yes")
        candidates.append((parts, seen, source, is_verified))
    spelled = ["\x01".join((part or "").strip().lower() for part in parts) for parts, *_ in candidates]
    if field == "phone":
        spelled = ["".join(letter for letter in text if letter in "0123456789") for text in spelled]
    sources = [one.lower() for one in by.contacts.sources]

    def rank(number: int) -> Any:
        parts, seen, source, is_verified = candidates[number]
        trust = -sources.index(source.lower()) if source.lower() in sources else -len(sources)
        measures = {
            "verified": is_verified,
            "source": trust,
            "recency": seen,
            "frequency": spelled.count(spelled[number]),
        }
        rules = getattr(by.contacts, field)
        return [measures[rule] for rule in rules], seen, [(part is not None, part or "") for part in parts], source

    if not candidates:
        return None
    parts, seen, source, _ = candidates[max(range(len(candidates)), key=rank)]
    return parts, source or None, seen.replace(tzinfo=None)


def as_model(row: dict[str, Any]) -> dict[str, Any]:
    said = {}
    for field, parts in FIELDS.items():
        is_there = row[f"{field}_told_at"] is not None
        said[field] = (
            ([row[name] for name in parts], row[f"{field}_source"], row[f"{field}_told_at"]) if is_there else None
        )
    return said


def test_who_is_believed_comes_first_then_the_latest(spark: SparkSession) -> None:
    tellings: list[Telling] = [
        ("ann", "web", {"email": "new@example.com", "first_name": "Anne", "city": "Rome"}, 9, "shop"),
        ("ann", "desk", {"email": "old@example.com", "first_name": "Ann", "last_name": "Lee", "city": "Oslo", "street": "1 Way"}, 1, "CRM"),
        ("bob", "b", {"email": "bob@example.com"}, 1, None),
        ("cat", "c", {"email": None, "language": "de"}, 5, None),
        ("cat", "d", {"email": "cat@example.com", "phone": "123"}, 4, None),
    ]  # fmt: skip
    found = contacts(spark, tellings, config(sources=("crm",)))
    ann, bob, cat = found["ann"], found["bob"], found["cat"]
    assert (ann["email"], ann["email_source"]) == ("old@example.com", "CRM")
    assert (ann["first_name"], ann["last_name"], ann["city"], ann["street"]) == ("Ann", "Lee", "Oslo", "1 Way")
    assert bob["email_told_at"] == (START + timedelta(hours=1)).replace(tzinfo=None)
    assert (cat["email"], cat["phone"], cat["language"]) == (None, "123", "de"), (
        "what was taken back nobody told before"
    )
    assert contacts(spark, tellings, config())["ann"]["email"] == "new@example.com"


_values = {
    "email": st.sampled_from(["a@example.com", "A@example.com ", "b@example.com", None]),
    "phone": st.sampled_from(["+1 650", "+1650", "777", None]),
    "first_name": st.sampled_from(["Ann", "Anna", None]),
    "last_name": st.sampled_from(["Lee", None]),
    "name": st.just("Ann Lee"),
    "city": st.sampled_from(["Rome", "rome", "Oslo"]),
    "street": st.sampled_from(["1 Way", None]),
    "locale": st.sampled_from(["en", "de"]),
    "language": st.just("fr"),
    "email_verified": st.sampled_from(["true", "false"]),
    "phone_verified": st.sampled_from(["Yes", "no"]),
    "shoe_size": st.just("41"),
}
_tellings = st.tuples(
    st.sampled_from([f"p{number}" for number in range(12)]),
    st.sampled_from("abcd"),
    st.fixed_dictionaries({}, optional=_values).filter(bool),
    st.integers(0, 60),
    st.sampled_from(["crm", "Shop", "app", None]),
)
_rules = st.permutations(["verified", "source", "frequency", "recency"]).flatmap(
    lambda order: st.integers(1, 4).map(lambda count: tuple(order[:count]))
)


@settings(
    max_examples=3,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.large_base_example],
)
@given(
    tellings=st.lists(_tellings, min_size=40, max_size=120),
    rules=st.fixed_dictionaries(dict.fromkeys(FIELDS, _rules)),
    sources=st.permutations(["crm", "shop"]).map(tuple),
)
def test_it_is_what_a_plain_model_says(
    spark: SparkSession, tellings: list[Telling], rules: dict[str, tuple[str, ...]], sources: tuple[str, ...]
) -> None:
    # An actor belongs to one profile.
    owned = [(profile, f"{profile}{who}", *rest) for profile, who, *rest in tellings]
    by = config(**rules, sources=sources)
    found = {profile: as_model(row) for profile, row in contacts(spark, owned, by).items()}
    assert found == model(owned, by)
