"""Contract of ops.model_verdicts: what the gate said of every score model that was trained."""

from lakehouse.tables.contract import Table, optional, required
from lakehouse.tables.people import Nobody

OPS_MODEL_VERDICTS = Table(
    name="ops.model_verdicts",
    grain="one row per model and version that a training registered",
    people=Nobody("of models: nobody is in it"),
    key=("model", "version"),
    owner="ml/train_scores.py",
    reads=("silver.activity_daily", "silver.orders", "silver.identity_map", "gold.activation"),
    columns=(
        required("model", "string", "name in the registry"),
        required("version", "string", "version that was judged"),
        optional("champion", "string", "version it was held to; null = there was none that could be judged, and it was held to a baseline"),
        required("kind", "string", "what was chosen: logistic, network, forest or boosted"),
        required("has_passed", "boolean", "whether the gate let it through"),
        required("is_champion", "boolean", "whether it was made champion: false where scores.promotes leaves that to a person"),
        optional("reasons", "string", "why it was rejected; null = it was not"),
        required("checks", "string", "JSON: every check, whether it was met and what was found"),
        required("data_until", "date", "newest day of the data it was made of, UTC"),
        required("judged_at", "timestamp", "when"),
    ),
)  # fmt: skip
