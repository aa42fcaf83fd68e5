"""Contracts of what is known of decisions: the log they are judged by, what of it could not be read, and the verdicts."""

from lakehouse.tables.contract import KAFKA, Table, optional, required

SILVER_DECISION_LOG = Table(
    name="silver.decision_log",
    grain="one row per decision, exposure or outcome, once",
    key=("log_id",),
    owner="batch/decision_log.py",
    reads=(KAFKA,),
    columns=(
        required("log_id", "string", "hash of what the message tells; the same again is left out"),
        required("kind", "string", "decision, exposure or outcome"),
        required("decision_id", "string", "decision it is about"),
        required("unit", "string", "profile_id, or <identifier type>:<token> while there was no profile"),
        optional("experiment", "string", "of an exposure to an experiment; null = of the decision only"),
        optional("arm", "string", "arm of that experiment"),
        optional("metric", "string", "of an outcome, such as converted"),
        optional("value", "double", "of an outcome"),
        optional("propensity", "double", "of a decision: probability with which it was chosen"),
        required("action", "string", "offer, products comma-separated, or moment:<name>; none = nothing was said"),
        required("policy_version", "string", "policy that chose"),
        optional("context", "string", "of a decision: JSON of page, candidates, and whether a rule forced it"),
        required("occurred_at", "timestamp", "time of the decision, exposure or outcome"),
        required("logged_at", "timestamp", "time the broker took the message"),
    ),
)

SILVER_DECISION_LOG_QUARANTINE = Table(
    name="silver.decision_log_quarantine",
    grain="one row per message of the decision log that could not be read",
    key=("partition", "offset"),
    owner="batch/decision_log.py",
    reads=(KAFKA,),
    columns=(
        required("partition", "int", "Kafka partition"),
        required("offset", "bigint", "Kafka offset"),
        required("reason", "string", "no_json, missing_field or unknown_kind"),
        optional("value", "binary", "the message as it came"),
        required("logged_at", "timestamp", "time the broker took the message"),
    ),
)

GOLD_EXPERIMENT_RESULTS = Table(
    name="gold.experiment_results",
    grain="one row per experiment, metric and arm other than the baseline",
    key=("experiment", "metric", "arm"),
    owner="batch/experiments.py",
    reads=("silver.decision_log",),
    columns=(
        required("experiment", "string", "name in conf/experiments.yaml"),
        required("metric", "string", "name of the outcome"),
        required("arm", "string", "arm compared"),
        required("baseline", "string", "arm it is compared with"),
        required("units", "bigint", "units exposed to the arm"),
        required("baseline_units", "bigint", "units exposed to the baseline"),
        required("excluded_units", "bigint", "units seen in more than one arm, left out"),
        required("mean", "double", "of the arm: outcome values per unit, within window_days of its first exposure"),
        required("baseline_mean", "double", "of the baseline"),
        required("srm_p", "double", "probability of arms as uneven as these by chance"),
        required("is_blocked", "boolean", "srm_p is below 0.001: assignment or logging is broken, the rest is null"),
        optional("difference", "double", "arm less baseline"),
        optional("relative", "double", "difference over the baseline's mean; null = that is 0"),
        optional("p_fixed", "double", "two-sided, to be looked at once"),
        optional("p_adjusted", "double", "p_fixed after Holm over the experiment's comparisons"),
        optional("p_sequential", "double", "always valid: may be looked at at any time"),
        optional("interval_low", "double", "always-valid 95 % interval of the difference"),
        optional("interval_high", "double", "always-valid 95 % interval of the difference"),
        optional("probability_better", "double", "Bayesian, flat prior"),
        optional("expected_loss", "double", "of choosing the arm, in the metric's unit"),
        required("is_guardrail", "boolean", "the metric is only held not to get worse"),
        required("is_harm", "boolean", "a guardrail that may be worse than its margin allows"),
        required("computed_at", "timestamp", "time of the run"),
    ),
)
