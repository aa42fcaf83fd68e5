"""What gold.rfm must hold for `--source cdnow`: straight from the package's file with pandas, nothing of ours between."""

import io
import zipfile
from decimal import Decimal
from pathlib import Path

import pandas as pd


def expected_rfm(wheel: Path) -> pd.DataFrame:
    """One row per customer, by user_id: user_id (as printed), frequency, monetary (Decimal), last_order_on (date)."""
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read("lifetimes/datasets/CDNOW_master.txt")
    rows = pd.read_csv(io.BytesIO(text), sep=r"\s+", dtype=str)
    rows["dollar_value"] = rows["dollar_value"].map(Decimal)
    rows["date"] = pd.to_datetime(rows["date"], format="%Y%m%d").dt.date
    return (
        rows.groupby("customer_id")
        .agg(frequency=("date", "size"), monetary=("dollar_value", "sum"), last_order_on=("date", "max"))
        .reset_index(names="user_id")
    )
