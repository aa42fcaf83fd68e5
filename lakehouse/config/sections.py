"""The sections of the configuration, as frozen values: a key is known when it is a field here. See lakehouse/config/settings.py."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class LakeConfig:
    root: str
    keep_hours: int


@dataclass(frozen=True, kw_only=True)
class MaintenanceConfig:
    pause_megabytes: int
    beside_streams: bool


@dataclass(frozen=True, kw_only=True)
class RetentionConfig:
    """Days after which rows of a table go, 0 = never. Each field is named by the tables it is of: `Table.ages`."""

    bronze_days: int
    events_days: int
    quarantine_days: int
    decision_log_days: int


@dataclass(frozen=True, kw_only=True)
class KafkaConfig:
    """`options`: see lakehouse/config/kafka_options.py."""

    bootstrap_servers: str
    events_topic: str
    events_also_from: tuple[str, ...]
    events_pattern: str
    sources: Mapping[str, str]
    partitions: int
    retention_hours: int
    options: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)  # passwords are among them


@dataclass(frozen=True, kw_only=True)
class ImportsConfig:
    beside_stream: int


@dataclass(frozen=True, kw_only=True)
class SchemaRegistryConfig:
    """`url`: empty = there is none. `ca_location`: empty = the authorities that Python's requests trusts. `is_gone`: only what the lake keeps is known."""

    url: str
    username: str
    password: str = dataclasses.field(repr=False)
    token: str = dataclasses.field(repr=False)
    ca_location: str
    timeout_seconds: float
    is_gone: bool


@dataclass(frozen=True, kw_only=True)
class EventsConfig:
    max_bytes: int
    max_depth: int
    max_future_hours: int
    dedupe_days: int
    oldest: str
    max_amount: int
    default_currency: str
    default_region: str
    bot_user_agents: str
    own_contact_events: tuple[str, ...]
    order_scope: str
    names: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class PrivacyConfig:
    hmac_key: str = dataclasses.field(repr=False)  # never into a log or a traceback
    hmac_key_id: str
    personal_fields: tuple[str, ...] = ()
    plain_fields: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class EnrichmentConfig:
    user_agents: bool
    traffic: bool
    sessions: bool
    own_domains: tuple[str, ...]
    ip_database: str


@dataclass(frozen=True, kw_only=True)
class MoneyConfig:
    rates: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class IdentifierRule:
    """What one identifier type may do, and which values of it identify nobody; see conf/identity.toml.

    `keeps_oldest`: over `max_actors` the oldest actors stay linked. `blocked_values` are trimmed and in lower case. A pattern is a regular expression that Java and Python read alike;
    empty = none.
    """

    priority: int
    limit: int
    max_actors: int
    keeps_oldest: bool = False
    blocked_values: tuple[str, ...] = ()
    blocked_pattern: str = ""
    reserved_pattern: str = ""


@dataclass(frozen=True, kw_only=True)
class IdentityConfig:
    blocked_values: tuple[str, ...]
    blocked_pattern: str
    function_mailboxes: tuple[str, ...]
    guest_sources: tuple[str, ...]
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
    changes_days: int
    live_hours: int


@dataclass(frozen=True, kw_only=True)
class SegmentsConfig:
    min_k: int
    max_k: int
    sample_profiles: int
    min_stability: float
    seed: int


@dataclass(frozen=True, kw_only=True)
class ScoresConfig:
    horizon_days: int
    churn_horizon_days: int
    min_profiles: int
    search_trials: int
    seed: int


@dataclass(frozen=True, kw_only=True)
class GateConfig:
    """What a score model must keep to become champion."""

    promotes: bool
    max_calibration_error: float
    max_data_age_days: int
    max_latency_ms: int
    margin: float
    refresh_days: int


@dataclass(frozen=True, kw_only=True)
class LifetimeValueConfig:
    horizon_days: int
    yearly_discount: float
    max_profiles: int
    seed: int


@dataclass(frozen=True, kw_only=True)
class RecommenderConfig:
    half_life_days: int
    rank: int
    new_days: int
    gone_days: int
    again_days: int
    margin: float
    max_profiles: int
    seed: int


@dataclass(frozen=True, kw_only=True)
class DriftConfig:
    reference_days: int
    min_rows: int
    max_profiles: int
    false_alarm_rate: float
    min_psi: float
    min_ks: float
    min_calibration_error: float
    seed: int


@dataclass(frozen=True, kw_only=True)
class FairnessConfig:
    """`groups`: see lakehouse/training/fairness_audit.py. `corrects`: see lakehouse/profiles/gold/scores.py."""

    groups: tuple[str, ...]
    least_rows: int
    corrects: str
    least_impact: float
    seed: int


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """The purpose that somebody must have consented to, for each model to learn from them."""

    segments: str
    scores: str
    lifetime_value: str
    recommender: str
    drift: str
    identity: str
    uplift: str


@dataclass(frozen=True, kw_only=True)
class NextBestActionConfig:
    lapsed_days: int
    likely_propensity: float


@dataclass(frozen=True, kw_only=True)
class HouseholdsConfig:
    max_members: int
    group_prefix: str


@dataclass(frozen=True, kw_only=True)
class ContactsConfig:
    """sources: those believed first. The others: which rules decide, in this order, see lakehouse/profiles/gold/contacts.py."""

    sources: tuple[str, ...]
    email: tuple[str, ...]
    phone: tuple[str, ...]
    name: tuple[str, ...]
    address: tuple[str, ...]
    language: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class AudiencesConfig:
    """`topic`: empty = nobody is told."""

    topic: str


@dataclass(frozen=True, kw_only=True)
class SparkConfig:
    shuffle_partitions: int
    state_store: str


@dataclass(frozen=True, kw_only=True)
class LogConfig:
    format: str
    level: str


@dataclass(frozen=True, kw_only=True)
class MetricsConfig:
    port: int
    decisions_port: int
    exports_port: int


@dataclass(frozen=True, kw_only=True)
class SqlServerConfig:
    port: int
    refresh_seconds: int


@dataclass(frozen=True, kw_only=True)
class QualityConfig:
    window_seconds: int
    keep_days: int
    may_stop: bool


@dataclass(frozen=True, kw_only=True)
class MlflowConfig:
    tracking_uri: str


@dataclass(frozen=True, kw_only=True)
class OnlineStoreConfig:
    """`url`: empty = in the lake; see lakehouse.online.store.store_url."""

    url: str
    publish_changes: bool
    changes_topic: str


@dataclass(frozen=True, kw_only=True)
class ServingConfig:
    """`keys`: see lakehouse/config/keys.py. `is_open`: a scope of no key is open; only in `dev`. `public_url`: empty = as asked.

    `tls_certificate`, `tls_key`: PEM files; empty = HTTP.
    """

    host: str
    port: int
    tls_certificate: str
    tls_key: str
    workers: int
    public_url: str
    hosts: tuple[str, ...]
    origins: tuple[str, ...]
    proxies: int
    keys: tuple[str, ...] = dataclasses.field(repr=False)
    is_open: bool
    key_per_second: float
    address_per_second: float
    spool_megabytes: int
    deadline_ms: int
    max_at_once: int
    policy: str
    explore: float
    reward_metric: str
    reward_direction: str
    exposure_days: int
    spans: bool


@dataclass(frozen=True, kw_only=True)
class OauthConfig:
    """`issuer`: empty = no tokens are taken. `jwks`: an address or a file."""

    issuer: str
    audience: str
    jwks: str
    algorithms: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class DecisionLogConfig:
    topic: str


@dataclass(frozen=True, kw_only=True)
class ConsentConfig:
    """purposes: all that are declared. gpc: those that Global Privacy Control refuses. categories: names of consent tools, in lower case, by purpose.

    jurisdictions: by ISO 3166 code in capitals the purposes that are allowed there while nobody was asked. tcf: by purpose the numbers of the TCF's that it takes.
    storage: purpose whose refusal keeps events from being stored at all; "" = storing has another basis.
    """

    never_asked: str
    purposes: tuple[str, ...]
    gpc: tuple[str, ...]
    categories: Mapping[str, str]
    jurisdictions: Mapping[str, tuple[str, ...]]
    tcf: Mapping[str, tuple[int, ...]]
    storage: str
    storage_keeps_orders: bool

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
class ExportsConfig:
    keep_days: int


@dataclass(frozen=True, kw_only=True)
class MailConfig:
    """`unsubscribe_keys`: the first makes links, all read them; empty = no letter may leave to the world."""

    unsubscribe_keys: tuple[str, ...] = dataclasses.field(repr=False)


@dataclass(frozen=True, kw_only=True)
class ActionsConfig:
    topic: str
    dead_topic: str
    per_second: float
    max_attempts: int
    backoff_seconds: float
    backoff_max_seconds: float
    timeout_seconds: float
    quiet_from: str
    quiet_to: str
    time_zone: str
