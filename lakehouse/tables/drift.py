"""Contract of ops.drift: what comes in, what models say and how true it is, held against before."""

from lakehouse.tables.contract import Table, optional, required, write_time
from lakehouse.tables.people import Nobody

OPS_DRIFT = Table(
    name="ops.drift",
    grain="one row per subject of a kind and day it was looked at",
    people=Nobody("of counts of profiles"),
    key=("kind", "subject", "looked_at_day"),
    owner="ml/drift.py",
    reads=("silver.activity_daily", "silver.orders", "silver.identity_map", "gold.activation", "gold.segments"),
    columns=(
        required("kind", "string", "feature, score, segment_sizes or calibration"),
        required("subject", "string", "name of the feature or score; of segment_sizes, segments"),
        required("looked_at_day", "date", "last whole UTC day of the lake's events; of calibration, the day predictions were made for"),
        optional("reference_day", "date", "day it was held against; of calibration null: the predictions are what outcomes are held against"),
        optional("model_version", "string", "champion that gave it; null = it is no model's"),
        required("reference_rows", "bigint", "profiles on the reference day; of calibration, those predicted for"),
        required("current_rows", "bigint", "profiles on the day; of calibration, those whose outcome is known"),
        optional("psi", "double", "population stability index; null = too few rows, or calibration"),
        optional("ks", "double", "Kolmogorov-Smirnov distance, 0 to 1; null = too few rows, or nothing that has an order"),
        optional("calibration_error", "double", "mean distance of predicted and observed share over tenths; null = another kind, or too few rows"),
        optional("p_value", "double", "chance of so much if nothing had changed, by permutation; null = too few rows"),
        optional("p_adjusted", "double", "the same for all subjects of the day together, after Benjamini and Hochberg; null = too few rows"),
        optional("is_drifted", "boolean", "p_adjusted at most drift.false_alarm_rate, and an effect that matters; null = too few rows to say"),
        optional("asks_for", "string", "jobs that are to train a challenger, with blanks between; null = none"),
        write_time("looked_at", "when the row was written"),
    ),
)  # fmt: skip
