"""Contracts of what is known of decisions: the log they are judged by, what of it could not be read, and the verdicts."""

from lakehouse.tables.contract import KAFKA, Table, optional, required
from lakehouse.tables.people import By, by

SILVER_DECISION_LOG = Table(
    name="silver.decision_log",
    grain="one row per decision, exposure or outcome, once",
    people=(by("unit", By.UNIT),),
    key=("log_id",),
    owner="batch/decision_log.py",
    reads=(KAFKA,),
    ages=("logged_at", "decision_log_days"),
    columns=(
        required("log_id", "string", "hash of what the message tells; the same again is left out"),
        required("kind", "string", "decision, exposure or outcome"),
        required("decision_id", "string", "decision it is about"),
        required(
            "unit",
            "string",
            "as whom they were counted first: profile_id, or <identifier type>:<token> while there was no profile",
        ),
        optional("experiment", "string", "of an exposure to an experiment; null = of the decision only"),
        optional("arm", "string", "arm of that experiment"),
        optional("metric", "string", "of an outcome, such as converted"),
        optional("value", "double", "of an outcome"),
        optional("propensity", "double", "of a decision: probability with which it was chosen"),
        required("action", "string", "offer, products comma-separated, or moment:<name>; none = nothing was said"),
        required("policy_version", "string", "policy that chose"),
        optional(
            "context",
            "string",
            "JSON; of a decision: page, candidates, rule, arms by experiment, and whether it was forced; of an exposure: what a policy learns; of an outcome: whether it came late",
        ),
        required("occurred_at", "timestamp", "time of the decision, exposure or outcome"),
        required("logged_at", "timestamp", "time the broker took the message"),
    ),
)

SILVER_DECISION_LOG_QUARANTINE = Table(
    name="silver.decision_log_quarantine",
    grain="one row per message of the decision log that could not be read",
    people=(by("value", By.BYTES),),
    key=("partition", "offset"),
    holds_personal_data=True,
    owner="batch/decision_log.py",
    reads=(KAFKA,),
    ages=("logged_at", "decision_log_days"),
    columns=(
        required("partition", "int", "Kafka partition"),
        required("offset", "bigint", "Kafka offset"),
        required("reason", "string", "no_json, missing_field or unknown_kind"),
        optional("value", "binary", "the message as it came"),
        required("logged_at", "timestamp", "time the broker took the message"),
    ),
)
