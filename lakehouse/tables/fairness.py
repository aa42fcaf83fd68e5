"""Contract of ops.fairness: who is chosen by offers and scores, by group."""

from lakehouse.tables.contract import Table, optional, required, write_time
from lakehouse.tables.people import Nobody

OPS_FAIRNESS = Table(
    name="ops.fairness",
    grain="one row per subject, attribute, group and day it was looked at; the group (all) has what compares them",
    people=Nobody("of groups of profiles"),
    key=("kind", "subject", "attribute", "group", "looked_at_day"),
    owner="ml/fairness.py",
    reads=(
        "silver.activity_daily",
        "silver.orders",
        "silver.identity_edges",
        "silver.identity_map",
        "silver.decision_log",
        "gold.activation",
        "gold.contacts",
        "gold.features",
    ),
    columns=(
        required("kind", "string", "score or offer"),
        required("subject", "string", "name of the score or offer; any offer = all of them together"),
        required("attribute", "string", "table and column by which people are told apart, one of fairness.groups"),
        required("group", "string", "value of it; unknown = none is known; (all) = everybody"),
        required("looked_at_day", "date", "of a score, the day it was said; of an offer, the newest decision, UTC"),
        optional("model_version", "string", "champion that gave the score; null = of an offer"),
        required("row_count", "bigint", "profiles"),
        optional("is_compared", "boolean", "whether there are fairness.least_rows of them or more; null = (all)"),
        required("selection_rate", "double", "share that is chosen, 0 to 1"),
        optional("true_positive_rate", "double", "of those with the outcome, the share chosen; null = no outcome is known"),
        optional("false_positive_rate", "double", "of those without it, the share chosen; null = no outcome is known"),
        optional("mean_predicted", "double", "mean of the score; null = of an offer"),
        optional("mean_observed", "double", "share with the outcome; null = no outcome is known"),
        optional("demographic_parity_difference", "double", "of (all): largest selection rate less the smallest; null = fewer than two groups compared"),
        optional("disparate_impact", "double", "of (all): smallest selection rate over the largest; below 0.8 is the four-fifths rule"),
        optional("equalized_odds_difference", "double", "of (all): the larger spread of true and of false positive rates"),
        optional("correction_accuracy_change", "double", "of (all): what a correction would change in accuracy, on people it was not learned from; null = not asked for"),
        optional("corrected_difference", "double", "of (all): demographic parity difference that it would leave"),
        optional("corrected_threshold", "double", "score from which it would choose the group; null = not asked for"),
        write_time("looked_at", "when the row was written"),
    ),
)  # fmt: skip
