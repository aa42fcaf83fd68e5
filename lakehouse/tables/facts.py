"""Contracts of the facts of no person: silver.product_availability, silver.experiment_starts."""

from lakehouse.tables.contract import KAFKA, Table, required
from lakehouse.tables.people import Nobody

_OWNER = "streaming/events.py"

SILVER_PRODUCT_AVAILABILITY = Table(
    name="silver.product_availability",
    grain="one row per product of which it was told whether it can be bought",
    people=Nobody("of products"),
    key=("product_id",),
    owner=_OWNER,
    reads=(KAFKA,),
    columns=(
        required("product_id", "string", "product"),
        required("is_available", "boolean", "latest word; of two at one time the one that it is not"),
        required("stated_at", "timestamp", "time it was told to POST /api/products, by the service's clock"),
    ),
)

SILVER_EXPERIMENT_STARTS = Table(
    name="silver.experiment_starts",
    grain="one row per experiment that ever ran",
    people=Nobody("of experiments"),
    key=("experiment",),
    owner=_OWNER,
    reads=(KAFKA,),
    columns=(
        required("experiment", "string", "experiment"),
        required("started_at", "timestamp", "time the service first saw it run"),
        required("fingerprint", "string", "digest of the columns that follow; another one while it runs is refused"),
        required("layer", "string", "layer whose buckets it owns"),
        required("buckets", "array<int>", "its buckets of the layer: the first, and one past the last"),
        required("salt", "string", "salt of its arms; may be empty"),
        required("arms", "array<struct<name:string,weight:double>>", "its arms in order, weights in any unit"),
    ),
)
