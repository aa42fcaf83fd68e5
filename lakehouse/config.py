"""Configuration: what is in force, as frozen values.

`conf/base.toml` and `conf/identity.toml` name every key; `conf/<STITCHLAKE_ENV>.toml` overlays them, then
`STITCHLAKE__<SECTION>__<KEY>`.
Everything else receives the frozen `Config` as an argument. The classes below are the schema: a section or key is
known when it is a field here. Reading and overlaying is `config_files.py`, ranges are `config_limits.py`.
"""

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from lakehouse import config_files, config_limits
from lakehouse.config_files import ANY, Spec
from lakehouse.errors import ConfigError

PROJECT = Path(__file__).resolve().parent.parent

# What a new [identity.<type>] section need not say: the weakest type, with middling limits.
RULE_DEFAULTS: Mapping[str, int] = {"priority": 100, "limit": 5, "max_actors": 100}


@dataclass(frozen=True, kw_only=True)
class LakeConfig:
    root: str
    keep_hours: int


@dataclass(frozen=True, kw_only=True)
class KafkaConfig:
    bootstrap_servers: str
    events_topic: str
    partitions: int
    retention_hours: int


@dataclass(frozen=True, kw_only=True)
class EventsConfig:
    max_bytes: int
    max_depth: int
    max_future_hours: int
    dedupe_days: int
    default_currency: str
    default_region: str
    bot_user_agents: str


@dataclass(frozen=True, kw_only=True)
class PrivacyConfig:
    hmac_key: str = dataclasses.field(repr=False)  # never into a log or a traceback
    hmac_key_id: str


@dataclass(frozen=True, kw_only=True)
class MoneyConfig:
    rates: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class IdentifierRule:
    """What one identifier type may do, and which values of it identify nobody; see conf/identity.toml.

    `blocked_values` are trimmed and in lower case. A pattern is a regular expression that Java and Python read alike;
    empty = none.
    """

    priority: int
    limit: int
    max_actors: int
    blocked_values: tuple[str, ...] = ()
    blocked_pattern: str = ""
    reserved_pattern: str = ""


@dataclass(frozen=True, kw_only=True)
class IdentityConfig:
    blocked_values: tuple[str, ...]
    blocked_pattern: str
    rules: Mapping[str, IdentifierRule]
    email_tags: str = "all"


@dataclass(frozen=True, kw_only=True)
class MatchingConfig:
    """`traits`: by name, its kind (lakehouse/matching/fields.py)."""

    match_probability: float
    review_probability: float
    max_block: int
    max_rules: int
    sample_records: int
    seed: int
    traits: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class QueryConfig:
    trigger_seconds: int
    max_offsets_per_trigger: int


@dataclass(frozen=True, kw_only=True)
class ProfilesConfig:
    trigger_seconds: int
    max_offsets_per_trigger: int
    watermark_days: int


@dataclass(frozen=True, kw_only=True)
class SegmentsConfig:
    min_k: int
    max_k: int
    sample_profiles: int
    seed: int


@dataclass(frozen=True, kw_only=True)
class ScoresConfig:
    horizon_days: int
    min_profiles: int
    seed: int


@dataclass(frozen=True, kw_only=True)
class RecommenderConfig:
    half_life_days: int
    rank: int
    new_days: int
    gone_days: int
    max_profiles: int
    seed: int


@dataclass(frozen=True, kw_only=True)
class NextBestActionConfig:
    lapsed_days: int
    likely_propensity: float


@dataclass(frozen=True, kw_only=True)
class HouseholdsConfig:
    max_members: int
    group_prefix: str


@dataclass(frozen=True, kw_only=True)
class SparkConfig:
    shuffle_partitions: int
    state_store: str


@dataclass(frozen=True, kw_only=True)
class MlflowConfig:
    tracking_uri: str


@dataclass(frozen=True, kw_only=True)
class OnlineStoreConfig:
    """`url`: empty = in the lake; see lakehouse.online_store.store_url."""

    url: str
    publish_changes: bool
    changes_topic: str


@dataclass(frozen=True, kw_only=True)
class ServingConfig:
    """`write_key`, `api_key`: empty = the collector takes nothing, the API asks for no key."""

    port: int
    workers: int
    write_key: str = dataclasses.field(repr=False)
    api_key: str = dataclasses.field(repr=False)
    deadline_ms: int
    max_at_once: int
    policy: str
    explore: float
    exposure_days: int
    spans: bool


@dataclass(frozen=True, kw_only=True)
class DecisionLogConfig:
    topic: str


@dataclass(frozen=True, kw_only=True)
class ConsentConfig:
    never_asked: str

    @property
    def assumed(self) -> bool:
        """What holds for a purpose nobody has been asked about."""
        return self.never_asked == "granted"


@dataclass(frozen=True, kw_only=True)
class DecisionsConfig:
    topic: str
    mode: str
    checkpoint_minutes: int
    cores: int
    max_age_seconds: int


@dataclass(frozen=True, kw_only=True)
class MomentsConfig:
    shards: int


@dataclass(frozen=True, kw_only=True)
class ActionsConfig:
    topic: str
    dead_topic: str
    per_second: float
    max_attempts: int
    backoff_seconds: float
    backoff_max_seconds: float
    timeout_seconds: float
    expire_hours: int
    quiet_from: str
    quiet_to: str
    time_zone: str


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything in force. One field per section of conf/base.toml, and `identity`."""

    lake: LakeConfig
    kafka: KafkaConfig
    events: EventsConfig
    privacy: PrivacyConfig
    money: MoneyConfig
    identity: IdentityConfig
    matching: MatchingConfig
    bronze_events: QueryConfig
    silver_events: QueryConfig
    profiles: ProfilesConfig
    segments: SegmentsConfig
    scores: ScoresConfig
    recommender: RecommenderConfig
    next_best_action: NextBestActionConfig
    households: HouseholdsConfig
    spark: SparkConfig
    mlflow: MlflowConfig
    online_store: OnlineStoreConfig
    serving: ServingConfig
    consent: ConsentConfig
    decisions: DecisionsConfig
    moments: MomentsConfig
    actions: ActionsConfig
    decision_log: DecisionLogConfig


def load(
    env: str | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    folder: Path = PROJECT / "conf",
) -> Config:
    """Read, overlay and check the configuration.

    Raises:
        ConfigError: one line for every fault found: unknown section or key (with the nearest known one), wrong type,
            value out of range, key missing from base.toml or identity.toml, secret not in the environment.
    """
    environ = os.environ if environ is None else environ
    env = env or environ.get("STITCHLAKE_ENV") or "dev"
    spec = schema()
    faults: list[str] = []
    values: dict[str, Any] = {}
    for name in (*config_files.REFERENCE, env):
        layer = config_files.read(folder / f"{name}.toml")
        values = config_files.overlay(values, layer, spec, f"conf/{name}.toml", faults)
    layer = config_files.from_environment(spec, environ, faults)
    values = config_files.overlay(values, layer, spec, "environment", faults)
    values = config_files.resolve_secrets(values, environ, faults)
    for name in values.get("identity", {}):
        if name not in spec["identity"]:
            values["identity"][name] = RULE_DEFAULTS | values["identity"][name]
    faults += config_files.missing(values, spec)
    faults += config_limits.faults(values)
    if faults:
        raise ConfigError("\n".join(faults))
    return _build(values)


def schema() -> Spec:
    """Every known section and key with its kind; `ANY` stands for a name the user may add."""
    spec: dict[str, Any] = {section.name: _kinds(section.type) for section in dataclasses.fields(Config)}
    spec["money"] = {"rates": {ANY: Decimal}}
    spec["matching"]["traits"] = {ANY: str}
    keys = {name: kind for name, kind in _kinds(IdentityConfig).items() if name != "rules"}
    spec["identity"] = keys | {ANY: _kinds(IdentifierRule)}
    return spec


def _kinds(section: Any) -> dict[str, Any]:
    return {field.name: field.type for field in dataclasses.fields(section)}


def _build(values: dict[str, Any]) -> Config:
    identity = {key: _frozen(value) for key, value in values["identity"].items()}
    sections: dict[str, Any] = {
        "money": MoneyConfig(rates={name.upper(): str(rate) for name, rate in values["money"]["rates"].items()}),
        "identity": IdentityConfig(
            **{key: value for key, value in identity.items() if not isinstance(value, dict)},
            rules={name: IdentifierRule(**rule) for name, rule in identity.items() if isinstance(rule, dict)},
        ),
    }
    for field in dataclasses.fields(Config):
        if field.name not in sections:
            assert isinstance(field.type, type)
            sections[field.name] = field.type(**values[field.name])
    return Config(**sections)


def _frozen(value: Any) -> Any:
    """Lists of text as tuples of it, blanks around and capitals taken off: blocked values are compared so."""
    if isinstance(value, dict):
        return {key: _frozen(inner) for key, inner in value.items()}
    return tuple(item.strip().lower() for item in value) if isinstance(value, list) else value
