"""gold.rfm: when, how often and for how much a profile bought. Profiles without orders are not in it.

Days since the last order are computed at read: stored, they would change without events. Quintiles are the segments model's. r_score falls as time passes: it is that of
`as_of` of gold.activation, and `due_at` says when it is made again.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.profiles import rollup
from lakehouse.profiles.declaration import ChampionModels, ProfileTable
from lakehouse.tables.contract import MONEY, optional, required, write_time
from lakehouse.tables.expectation import Expectation, unique

QUINTILES = ("r_score", "f_score", "m_score")


def transform(
    silver_identity_map: DataFrame, silver_orders: DataFrame, *, profiles: DataFrame, champions: ChampionModels
) -> DataFrame:
    bought = rollup.rfm(rollup.profile_orders(silver_orders, silver_identity_map))
    model = champions.segments
    if model is None:
        absent = {name: F.lit(None).cast("int") for name in QUINTILES}
        return bought.withColumns({**absent, "due_at": F.lit(None).cast("timestamp")})
    dated = bought.join(profiles.select("profile_id", "as_of"), on="profile_id")
    return dated.withColumns({**model.quintiles(), "due_at": model.quintiles_due_at()})


GOLD_RFM = ProfileTable(
    name="gold.rfm",
    grain="one row per profile with orders",
    key=("profile_id",),
    transform=transform,
    columns=(
        required("profile_id", "string", "profile"),
        required("first_order_at", "timestamp", "earliest order"),
        required("last_order_at", "timestamp", "latest order; days since are computed at read"),
        required("frequency", "bigint", "distinct orders"),
        required("monetary", MONEY, "net revenue of those orders, refunds taken off, default_currency"),
        optional("r_score", "int", "quintile of the days since last_order_at, 5 = latest; null = no segment model yet"),
        optional("f_score", "int", "quintile of frequency, 5 = most; null = no segment model yet"),
        optional("m_score", "int", "quintile of monetary, 5 = most; null = no segment model yet"),
        write_time("computed_at", "time of the micro-batch that last changed the row"),
        optional(
            "due_at", "timestamp", "when r_score is another though nothing happens; null = never, or no model yet"
        ),
    ),
    expectations=(
        unique("profile_id"),
        Expectation(name="profiles_have_orders", text="one order or more", breaks="frequency < 1"),
        Expectation(
            name="orders_follow_each_other",
            text="a last order not before the first",
            breaks="last_order_at < first_order_at",
        ),
        Expectation(name="money_is_not_owed", text="monetary of nothing or more", breaks="monetary < 0", most=0.01),
    ),
)
