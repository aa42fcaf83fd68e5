"""Configuration: what is in force, as frozen values.

`conf/base.toml` and `conf/identity.toml` name every key; `conf/<STITCHLAKE_ENV>.toml` overlays them, then
`STITCHLAKE__<SECTION>__<KEY>`.
Everything else receives the frozen `Config` as an argument. The classes below are the schema: a section or key is
known when it is a field here. Reading and overlaying is `overlay.py`, ranges are `limits.py`.
"""

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from lakehouse.config import kafka_options, limits, overlay
from lakehouse.config.overlay import ANY, Spec
from lakehouse.config.sections import (
    ActionsConfig,
    AudiencesConfig,
    ConsentConfig,
    ContactsConfig,
    DecisionLogConfig,
    DecisionsConfig,
    DriftConfig,
    EnrichmentConfig,
    EventsConfig,
    ExportsConfig,
    FairnessConfig,
    GateConfig,
    HouseholdsConfig,
    IdentifierRule,
    IdentityConfig,
    ImportsConfig,
    KafkaConfig,
    LakeConfig,
    LifetimeValueConfig,
    LogConfig,
    MailConfig,
    MaintenanceConfig,
    MatchingConfig,
    MetricsConfig,
    MlflowConfig,
    MomentsConfig,
    MoneyConfig,
    NextBestActionConfig,
    OauthConfig,
    OnlineStoreConfig,
    PrivacyConfig,
    ProfilesConfig,
    QualityConfig,
    QueryConfig,
    RecommenderConfig,
    RetentionConfig,
    SchemaRegistryConfig,
    ScoresConfig,
    SegmentsConfig,
    ServingConfig,
    SparkConfig,
    SqlServerConfig,
    TrainingConfig,
)
from lakehouse.errors import ConfigError

OPEN_ENV = "dev"  # the only environment whose service may be open to whoever has no key
PROJECT = Path(__file__).resolve().parent.parent.parent

# What a new [identity.<type>] section need not say: the weakest type, with middling limits.
RULE_DEFAULTS: Mapping[str, int] = {"priority": 100, "limit": 5, "max_actors": 100}


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything in force. One field per section of conf/base.toml, and `identity`."""

    lake: LakeConfig
    maintenance: MaintenanceConfig
    retention: RetentionConfig
    kafka: KafkaConfig
    imports: ImportsConfig
    schema_registry: SchemaRegistryConfig
    events: EventsConfig
    privacy: PrivacyConfig
    enrichment: EnrichmentConfig
    money: MoneyConfig
    identity: IdentityConfig
    matching: MatchingConfig
    bronze_events: QueryConfig
    profiles: ProfilesConfig
    segments: SegmentsConfig
    scores: ScoresConfig
    gate: GateConfig
    lifetime_value: LifetimeValueConfig
    recommender: RecommenderConfig
    drift: DriftConfig
    fairness: FairnessConfig
    training: TrainingConfig
    next_best_action: NextBestActionConfig
    households: HouseholdsConfig
    contacts: ContactsConfig
    audiences: AudiencesConfig
    spark: SparkConfig
    quality: QualityConfig
    metrics: MetricsConfig
    sql_server: SqlServerConfig
    log: LogConfig
    mlflow: MlflowConfig
    online_store: OnlineStoreConfig
    serving: ServingConfig
    oauth: OauthConfig
    consent: ConsentConfig
    decisions: DecisionsConfig
    moments: MomentsConfig
    actions: ActionsConfig
    exports: ExportsConfig
    mail: MailConfig
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
    for name in (*overlay.REFERENCE, env):
        file = f"conf/{name}.toml"
        layer = kafka_options.read(overlay.read(folder / f"{name}.toml"), file, faults, is_file=True)
        faults += overlay.in_file(layer, file)
        values = overlay.overlay(values, layer, spec, file, faults)
    layer = kafka_options.read(overlay.from_environment(spec, environ, faults), "environment", faults, is_file=False)
    values = overlay.overlay(values, layer, spec, "environment", faults)
    values = overlay.resolve_secrets(values, environ, faults, layer)
    for name in values.get("identity", {}):
        if name not in spec["identity"]:
            values["identity"][name] = RULE_DEFAULTS | values["identity"][name]
    faults += overlay.missing(values, spec)
    faults += limits.faults(values)
    faults += kafka_options.faults(values.get("kafka", {}).get("options", {}))
    if env != OPEN_ENV and values.get("serving", {}).get("is_open"):
        faults.append(f"conf/{env}.toml: {overlay.wrong('serving', 'is_open', True, f'false outside {OPEN_ENV}')}")
    if faults:
        raise ConfigError("\n".join(faults))
    return _build(values)


def schema() -> Spec:
    """Every known section and key with its kind; `ANY` stands for a name the user may add."""
    spec: dict[str, Any] = {section.name: _kinds(section.type) for section in dataclasses.fields(Config)}
    spec["kafka"] |= {"options": {ANY: str}, "sources": {ANY: str}}
    spec["money"] = {"rates": {ANY: Decimal}}
    spec["events"]["names"] = {ANY: str}
    spec["consent"] |= {"purposes": list, "gpc": list}
    spec["consent"] |= {"categories": {ANY: str}, "jurisdictions": {ANY: list}, "tcf": {ANY: list}}
    spec["matching"]["traits"] = {ANY: str}
    keys = {name: kind for name, kind in _kinds(IdentityConfig).items() if name != "rules"}
    spec["identity"] = keys | {ANY: _kinds(IdentifierRule)}
    return spec


def _kinds(section: Any) -> dict[str, Any]:
    return {field.name: field.type for field in dataclasses.fields(section)}


def _build(values: dict[str, Any]) -> Config:
    identity = {key: _frozen(value) for key, value in values["identity"].items()}
    kafka = {"options": {}} | values["kafka"]
    sections: dict[str, Any] = {
        "kafka": KafkaConfig(**kafka | {"options": kafka_options.sealed(kafka["options"])}),
        "consent": _consent(values["consent"]),
        "money": MoneyConfig(rates={name.upper(): str(rate) for name, rate in values["money"]["rates"].items()}),
        "identity": IdentityConfig(
            **{key: value for key, value in identity.items() if not isinstance(value, dict)},
            rules={name: IdentifierRule(**rule) for name, rule in identity.items() if isinstance(rule, dict)},
        ),
    }
    for field in dataclasses.fields(Config):
        if field.name not in sections:
            assert isinstance(field.type, type)
            sections[field.name] = field.type(**{key: _hashable(value) for key, value in values[field.name].items()})
    return Config(**sections)


def _consent(values: dict[str, Any]) -> ConsentConfig:
    return ConsentConfig(
        never_asked=values["never_asked"],
        purposes=tuple(values["purposes"]),
        gpc=tuple(values["gpc"]),
        categories={name.lower(): purpose for name, purpose in values["categories"].items()},
        jurisdictions={name.upper(): tuple(allowed) for name, allowed in values["jurisdictions"].items()},
        tcf={name: tuple(map(int, numbers)) for name, numbers in values["tcf"].items()},
        storage=values["storage"],
        storage_keeps_orders=values["storage_keeps_orders"],
    )


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _frozen(value: Any) -> Any:
    """Lists of text as tuples of it, blanks around and capitals taken off: blocked values are compared so."""
    if isinstance(value, dict):
        return {key: _frozen(inner) for key, inner in value.items()}
    return tuple(item.strip().lower() for item in value) if isinstance(value, list) else value
