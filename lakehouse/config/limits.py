"""What a value may be beyond its kind: ranges, choices and shapes of the keys of `conf/base.toml` and `conf/identity.toml`."""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import date
from decimal import Decimal
from typing import Any

from lakehouse.config.keys import DECLARED, IN_WORDS
from lakehouse.config.overlay import wrong

PURPOSES = (
    "analytics",
    "personalization",
    "marketing",
)  # of consent: those that tables have a column for; consent.purposes has all
SURVIVORSHIP = ("verified", "source", "frequency", "recency")  # rules by which one of several told values survives
BUCKETS = 10_000  # of a layer of experiments
# A whole number is at least 1 unless it is listed here: (lowest, highest or None, in words).
_RANGES: Mapping[str, tuple[float, float | None, str]] = {
    "trigger_seconds": (0, None, "0 or more seconds"),
    "max_amount": (1, 1_000_000_000_000, "1 to a million millions"),
    "max_future_hours": (0, None, "0 or more hours"),
    "lapsed_days": (0, None, "0 or more days"),
    "bronze_days": (0, None, "0 or more days; 0 = for good"),
    "events_days": (0, None, "0 or more days; 0 = for good"),
    "quarantine_days": (0, None, "0 or more days; 0 = for good"),
    "decision_log_days": (0, None, "0 or more days; 0 = for good"),
    "seed": (0, None, "0 or more"),
    "search_trials": (0, None, "0 or more; 0 = the fixed settings alone"),
    "min_k": (2, None, "2 or more"),
    "max_k": (2, None, "2 or more"),
    "match_probability": (0.0, 1.0, "a probability from 0 to 1"),
    "review_probability": (0.0, 1.0, "a probability from 0 to 1"),
    "max_block": (2, None, "2 or more"),
    "likely_propensity": (0.0, 1.0, "a probability from 0 to 1"),
    "proxies": (0, None, "0 or more"),
    "key_per_second": (0, None, "0 or more"),
    "address_per_second": (0, None, "0 or more"),
    "spool_megabytes": (0, None, "0 or more megabytes"),
    "port": (0, 65535, "a port from 0 to 65535"),
    "decisions_port": (0, 65535, "a port from 0 to 65535"),
    "exports_port": (0, 65535, "a port from 0 to 65535"),
    "cores": (0, None, "0 or more"),
    "per_second": (0.001, None, "0.001 or more"),
    "backoff_seconds": (0.001, None, "0.001 or more seconds"),
    "backoff_max_seconds": (0.001, None, "0.001 or more seconds"),
    "timeout_seconds": (0.001, None, "0.001 or more seconds"),
    "explore": (0.001, 1.0, "a share from 0.001 to 1"),
    "margin": (0.0, 1.0, "a share from 0 to 1"),
    "max_calibration_error": (0.0, 1.0, "a share from 0 to 1"),
    "max_data_age_days": (0, None, "0 or more days"),
    "live_hours": (0, None, "0 or more hours"),
    "refresh_days": (0, None, "0 or more days"),
    "false_alarm_rate": (0.0001, 0.5, "a share from 0.0001 to 0.5"),
    "min_psi": (0.0001, None, "0.0001 or more"),
    "min_ks": (0.0001, 1.0, "a distance from 0.0001 to 1"),
    "min_calibration_error": (0.0001, 1.0, "a share from 0.0001 to 1"),
    "least_impact": (0.0, 1.0, "a share from 0 to 1"),
    "min_stability": (0.0, 1.0, "an index from 0 to 1"),
    "yearly_discount": (0.0, 1.0, "a share from 0 to 1"),
}

_SURVIVORSHIP = ("|".join(SURVIVORSHIP), " or ".join(SURVIVORSHIP))
_THREE = f"{', '.join(PURPOSES)} among them"
_PURPOSE_NAME = r"[a-z][a-z0-9_]{0,62}"
_JURISDICTION = r"(?i)[a-z]{2}(-[a-z0-9]{1,3})?"
_TCF_PURPOSES = tuple(str(number) for number in range(1, 12))
# (section, key) -> (pattern the whole text must match, in words).
_SHAPES: Mapping[tuple[str, str], tuple[str, str]] = {
    ("lake", "root"): (r"(?s).*\S.*", "a folder or URI"),
    ("kafka", "bootstrap_servers"): (r"[^\s,:]+:\d{1,5}(,[^\s,:]+:\d{1,5})*", "host:port[,host:port]"),
    ("kafka", "events_topic"): (r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}", "letters, digits, dot, underscore or dash"),
    ("kafka", "events_also_from"): (r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}", "letters, digits, dot, underscore or dash"),
    ("schema_registry", "url"): (
        r"|https?://[^\s/?#@]+(/[^\s?#]*)?",
        "an address such as https://registry.example.com, without a password in it, or nothing",
    ),
    ("events", "order_scope"): (r"[A-Za-z_]{0,40}", "the name of a property, or nothing"),
    ("events", "default_currency"): (r"[A-Z]{3}", "an ISO 4217 code such as USD"),
    ("events", "default_region"): (r"[A-Z]{2}", "an ISO 3166 code such as US"),
    ("privacy", "hmac_key"): (r"(?s).+", "a key that is not empty"),
    ("privacy", "hmac_key_id"): (r"\S+", "a short name without blanks"),
    ("enrichment", "own_domains"): (r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", "a domain such as example.com"),
    ("identity", "email_tags"): (r"all|known", "all or known"),
    ("serving", "host"): (r"[A-Za-z0-9._:-]+", "an address of this machine, such as 127.0.0.1"),
    ("oauth", "issuer"): (
        r"|https?://[^\s?#]+",
        "an address such as https://login.example.com/realms/shop, or nothing",
    ),
    ("oauth", "jwks"): (
        r"|https://[^\s#@]+|http://(127\.0\.0\.1|localhost)(:\d+)?/[^\s#@]*|[^\s:]+",
        "an https address, a file, or nothing",
    ),
    ("oauth", "algorithms"): (r"(RS|PS|ES)(256|384|512)|EdDSA", "signatures by a key pair, such as RS256 or ES256"),
    ("serving", "public_url"): (
        r"|https?://[^\s/?#]+(/[^\s?#]*)?",
        "an address such as https://events.example.com, or nothing",
    ),
    ("serving", "origins"): (r"\*|https?://[^\s/?#*]+", "origins such as https://shop.example.com, or *"),
    ("serving", "hosts"): (
        r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]",
        "host names without a port, such as events.example.com",
    ),
    ("serving", "keys"): (DECLARED, IN_WORDS),
    ("serving", "policy"): (r"thompson|linucb|greedy|uplift", "thompson, linucb, greedy or uplift"),
    ("serving", "reward_metric"): (r"[a-z][a-z0-9_]{0,63}", "the metric of an outcome, such as converted"),
    ("serving", "reward_direction"): (r"higher|lower", "higher or lower"),
    **{("contacts", field): _SURVIVORSHIP for field in ("email", "phone", "name", "address", "language")},
    ("fairness", "groups"): (r"[a-z_]+\.[a-z_]+\.[a-z][a-z0-9_]*", "columns such as gold.contacts.country"),
    ("fairness", "corrects"): (
        r"|gold\.contacts\.[a-z][a-z0-9_]*",
        "a column such as gold.contacts.country, or nothing",
    ),
    ("consent", "never_asked"): (r"granted|denied", "granted or denied"),
    ("decisions", "topic"): (r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}", "letters, digits, dot, underscore or dash"),
    ("decisions", "mode"): (r"real_time|micro_batch", "real_time or micro_batch"),
    ("actions", "topic"): (r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}", "letters, digits, dot, underscore or dash"),
    ("actions", "dead_topic"): (r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}", "letters, digits, dot, underscore or dash"),
    ("actions", "quiet_from"): (r"([01]\d|2[0-3]):[0-5]\d", "a time of day such as 21:00"),
    ("actions", "quiet_to"): (r"([01]\d|2[0-3]):[0-5]\d", "a time of day such as 08:00"),
    ("mail", "unsubscribe_keys"): (r"\S{32,}", "keys of 32 random letters or more"),
    ("log", "format"): (r"text|json", "text or json"),
    ("log", "level"): (r"debug|info|warning|error", "debug, info, warning or error"),
    ("spark", "state_store"): (r"memory|rocksdb", "memory or rocksdb"),
    ("audiences", "topic"): (
        r"|(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}",
        "letters, digits, dot, underscore or dash, or nothing",
    ),
    ("online_store", "changes_topic"): (
        r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}",
        "letters, digits, dot, underscore or dash",
    ),
    ("online_store", "url"): (
        r"|(lmdb|rediss?(\+(sentinel|cluster))?)://.+",
        "lmdb://folder, redis://host:port, redis+sentinel://host:port/name, redis+cluster://host:port, or nothing",
    ),
}


# (section, key): topics that Stitchlake writes itself, and that hold no events.
_NO_EVENTS = (
    ("decisions", "topic"),
    ("decision_log", "topic"),
    ("online_store", "changes_topic"),
    ("audiences", "topic"),
    ("actions", "topic"),
    ("actions", "dead_topic"),
)


_OF_CONSENT = ("consent.categories", "consent.jurisdictions", "consent.tcf", "training")  # see _of_purposes


def faults(values: Mapping[str, Any]) -> Iterator[str]:
    """One text for every value of the merged tree that is out of its range or shape."""
    for section, keys in values.items():
        yield from _of_section(section, keys)
    yield from _of_event_topics(values)
    yield from _of_registry(values.get("schema_registry", {}))
    yield from _of_door(values.get("serving", {}), values.get("oauth", {}))
    yield from _of_purposes(values.get("consent", {}), values.get("training", {}))
    for field, rules in values.get("contacts", {}).items():
        if len(set(rules)) != len(rules):
            yield f"conf: {wrong('contacts', field, rules, 'each once')}"
    segments = values.get("segments", {})
    least, most = segments.get("min_k"), segments.get("max_k")
    if least is not None and most is not None and least > most:
        yield f"conf: {wrong('segments', 'max_k', most, f'at least min_k = {least}')}"


def _of_door(serving: Mapping[str, Any], oauth: Mapping[str, Any]) -> Iterator[str]:
    if bool(serving.get("tls_certificate")) != bool(serving.get("tls_key")):
        yield f"conf: {wrong('serving', 'tls_key', serving.get('tls_key'), 'a file each for tls_certificate and tls_key, or neither')}"
    if oauth.get("issuer"):
        for key in ("audience", "jwks", "algorithms"):
            if not oauth.get(key):
                yield f"conf: {wrong('oauth', key, oauth.get(key), 'something, for oauth.issuer is set')}"


def _of_section(section: str, keys: Mapping[str, Any]) -> Iterator[str]:
    for key, value in keys.items():
        if section == "money.rates":
            yield from _of_rate(key, value)
        elif section == "kafka.sources":
            yield from _of_topic_source(key, value)
        elif section in _OF_CONSENT:
            continue
        elif isinstance(value, Mapping):
            yield from _of_section(f"{section}.{key}", value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            low, high, words = _RANGES.get(key, (1, None, "1 or more"))
            if not low <= value <= (float("inf") if high is None else high):
                yield f"conf: {wrong(section, key, value, words)}"
        elif section == "events" and key == "oldest" and not _is_day(value):
            yield f"conf: {wrong(section, key, value, 'a day such as 2000-01-01')}"
        elif isinstance(value, str) and (key.endswith("_pattern") or key == "bot_user_agents"):
            yield from _of_pattern(section, key, value)
        elif (section, key) in _SHAPES:
            pattern, words = _SHAPES[section, key]
            for text in [value] if isinstance(value, str) else value:
                if "${" not in text and not re.fullmatch(pattern, text):
                    yield f"conf: {wrong(section, key, text, words)}"


def _of_purposes(consent: Mapping[str, Any], training: Mapping[str, Any]) -> Iterator[str]:
    """Whatever names a purpose of consent names one that is declared."""
    purposes = consent.get("purposes", PURPOSES)
    if any(not re.fullmatch(_PURPOSE_NAME, name) for name in purposes) or len(set(purposes)) < len(purposes):
        yield f"conf: {wrong('consent', 'purposes', purposes, 'names of small letters, digits and underscores, each once')}"
    if not set(PURPOSES) <= set(purposes):
        yield f"conf: {wrong('consent', 'purposes', purposes, _THREE)}"
    words = " or ".join(purposes)
    told = [("training", name, [purpose]) for name, purpose in training.items()]
    told += [("consent", "gpc", consent.get("gpc", ()))]
    told += [("consent", "storage", [consent["storage"]])] if consent.get("storage") else []
    told += [("consent.categories", name, [purpose]) for name, purpose in consent.get("categories", {}).items()]
    told += [("consent.jurisdictions", name, allowed) for name, allowed in consent.get("jurisdictions", {}).items()]
    told += [("consent.tcf", name, [name]) for name in consent.get("tcf", {})]
    for section, key, named in told:
        for purpose in named:
            if purpose not in purposes:
                yield f"conf: {wrong(section, key, purpose, words)}"
    for name in consent.get("jurisdictions", {}):
        if not re.fullmatch(_JURISDICTION, name):
            yield f"conf: {wrong('consent', 'jurisdictions', name, 'ISO 3166 codes as keys, such as DE or US-CA')}"
    for name, numbers in consent.get("tcf", {}).items():
        if not numbers or not set(numbers) <= {*_TCF_PURPOSES}:
            yield f"conf: {wrong('consent.tcf', name, numbers, 'numbers of purposes of the TCF, 1 to 11')}"


def _of_event_topics(values: Mapping[str, Any]) -> Iterator[str]:
    """Reading what we write would never end."""
    kafka = values.get("kafka", {})
    pattern, names = kafka.get("events_pattern", ""), kafka.get("events_also_from", ())
    sources, documents = kafka.get("sources", {}), kafka.get("events_topic")
    if documents in sources:
        words = "a topic beside kafka.events_topic, which holds event documents"
        yield f"conf: {wrong('kafka.sources', documents, sources[documents], words)}"
    for section, key in _NO_EVENTS:
        topic = values.get(section, {}).get(key)
        words = f"topics of events alone: {section}.{key} is {topic!r}"
        if topic in names:
            yield f"conf: {wrong('kafka', 'events_also_from', topic, words)}"
        if topic in sources:
            yield f"conf: {wrong('kafka.sources', topic, sources[topic], words)}"
        with suppress(re.error):  # told as what it is
            if topic is not None and pattern and re.fullmatch(pattern, topic):
                yield f"conf: {wrong('kafka', 'events_pattern', pattern, words)}"


def _of_registry(keys: Mapping[str, Any]) -> Iterator[str]:
    if keys.get("token") and keys.get("username"):
        yield "conf: [schema_registry] token: got username beside it, expected one of them. Leave one out"
    if keys.get("password") and not keys.get("username"):
        yield "conf: [schema_registry] password: got no username beside it, expected whose it is. Set username"


def _is_day(text: Any) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == str(text)
    except (TypeError, ValueError):
        return False


def _of_pattern(section: str, key: str, pattern: str) -> Iterator[str]:
    try:
        re.compile(pattern)
    except re.error as error:
        yield f"conf: {wrong(section, key, pattern, f'a regular expression ({error})')}"


def _of_topic_source(topic: str, source: Any) -> Iterator[str]:
    pattern, words = _SHAPES["kafka", "events_topic"]
    if not re.fullmatch(pattern, topic):
        yield f"conf: {wrong('kafka.sources', topic, source, f'a topic named by {words}')}"


def _of_rate(currency: str, rate: Any) -> Iterator[str]:
    if not re.fullmatch(r"[A-Za-z]{3}", currency):
        yield f"conf: [money.rates] {currency}: not a currency, expected an ISO 4217 code such as EUR. Mend the name"
    if Decimal(str(rate)) <= 0:
        yield f"conf: {wrong('money.rates', currency, rate, 'a number above 0')}"
