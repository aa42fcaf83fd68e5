"""Configuration: what is in force, and the files an owner edits. Owns conf/; imports nothing of ours but `errors` and `machine`.

settings       the values in force, frozen; the one reader of files and environment
sections       the schema: every section of conf/base.toml
overlay        files and environment variables into one tree
limits         the range of every value
declarations   conf/*.yaml: lists of entries, checked, every fault told at once
keys           who may call the service: scopes, hashes
kafka_options  what a Kafka client may be told, in one vocabulary
paths          where these files lie
"""

from lakehouse.config.sections import (
    ActionsConfig,
    AudiencesConfig,
    ConsentConfig,
    ContactsConfig,
    DecisionLogConfig,
    DecisionsConfig,
    DriftConfig,
    EventsConfig,
    FairnessConfig,
    HouseholdsConfig,
    IdentifierRule,
    IdentityConfig,
    KafkaConfig,
    LakeConfig,
    LifetimeValueConfig,
    LogConfig,
    MailConfig,
    MatchingConfig,
    MlflowConfig,
    MomentsConfig,
    MoneyConfig,
    NextBestActionConfig,
    OnlineStoreConfig,
    PrivacyConfig,
    ProfilesConfig,
    QualityConfig,
    QueryConfig,
    RecommenderConfig,
    SchemaRegistryConfig,
    ScoresConfig,
    SegmentsConfig,
    ServingConfig,
    SparkConfig,
    TrainingConfig,
)
from lakehouse.config.settings import PROJECT, RULE_DEFAULTS, Config, load, schema

__all__ = [
    "PROJECT",
    "RULE_DEFAULTS",
    "ActionsConfig",
    "AudiencesConfig",
    "Config",
    "ConsentConfig",
    "ContactsConfig",
    "DecisionLogConfig",
    "DecisionsConfig",
    "DriftConfig",
    "EventsConfig",
    "FairnessConfig",
    "HouseholdsConfig",
    "IdentifierRule",
    "IdentityConfig",
    "KafkaConfig",
    "LakeConfig",
    "LifetimeValueConfig",
    "LogConfig",
    "MailConfig",
    "MatchingConfig",
    "MlflowConfig",
    "MomentsConfig",
    "MoneyConfig",
    "NextBestActionConfig",
    "OnlineStoreConfig",
    "PrivacyConfig",
    "ProfilesConfig",
    "QualityConfig",
    "QueryConfig",
    "RecommenderConfig",
    "SchemaRegistryConfig",
    "ScoresConfig",
    "SegmentsConfig",
    "ServingConfig",
    "SparkConfig",
    "TrainingConfig",
    "load",
    "schema",
]
