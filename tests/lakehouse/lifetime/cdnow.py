"""CDNOW's cohort as histories: the 1/10 sample that the papers fit, and all of it. One repeat per customer and day, as there."""

from functools import cache

import numpy as np
import pandas as pd

from lakehouse.demo.datasets.cdnow import REQUIREMENT, purchases
from lakehouse.demo.datasets.packages import read_from_wheel
from lakehouse.lifetime.histories import Histories

FIRST_DAY = pd.Timestamp("1997-01-01")
CALIBRATION_END = 272  # 1997-09-30, counted from FIRST_DAY
HOLDOUT_DAYS = 273  # 39 weeks, to 1998-06-30
SAMPLE = "lifetimes/datasets/CDNOW_sample.txt"


@cache
def days() -> pd.DataFrame:
    """One row per customer and day with an order: customer, day (from 0), dollars, cds, is_sampled; by customer and day."""
    rows = pd.DataFrame(purchases()).drop(columns="row")
    rows["day"] = (pd.to_datetime(rows["date"], format="%Y%m%d") - FIRST_DAY).dt.days
    rows["dollars"], rows["cds"] = rows["dollars"].astype(float), rows["cds"].astype(int)
    sampled = {
        line.split()[0] for line in read_from_wheel(REQUIREMENT, SAMPLE).decode("ascii").splitlines() if line.strip()
    }
    by_day = rows.groupby(["customer_id", "day"], as_index=False)[["dollars", "cds"]].sum()
    by_day = by_day.rename(columns={"customer_id": "customer"})
    return by_day.assign(is_sampled=by_day["customer"].isin(sampled))


def histories(rows: pd.DataFrame, end: int, unit_days: float = 1.0) -> tuple[np.ndarray, Histories]:
    """Customers and what is known of them at the end of day `end`. Times in `unit_days`."""
    by_customer = rows[rows["day"] <= end].groupby("customer")
    found = by_customer.agg(
        first=("day", "min"), last=("day", "max"), count=("day", "size"), dollars=("dollars", "sum")
    )
    return found.index.to_numpy(), Histories(
        repeats=found["count"].to_numpy(float) - 1,
        last=(found["last"] - found["first"]).to_numpy(float) / unit_days,
        age=(end - found["first"]).to_numpy(float) / unit_days,
        value=(found["dollars"] / found["count"]).to_numpy(float),
    )


def bought(rows: pd.DataFrame, customers: np.ndarray, after: int, within: int) -> np.ndarray:
    """Days with an order of each, from day after + 1 to after + within."""
    window = rows[(rows["day"] > after) & (rows["day"] <= after + within)]
    return window.groupby("customer").size().reindex(customers).fillna(0).to_numpy(float)
