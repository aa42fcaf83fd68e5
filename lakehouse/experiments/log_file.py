"""A log of any experiment, read from CSV or Parquet: who was in which arm, and the metrics. Bad input is told in words."""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from lakehouse.errors import SourceError
from lakehouse.experiments.readout import one_arm_each, per_unit

BASELINES = (
    "control",
    "baseline",
    "none",
    "no e-mail",
    "no email",
    "no_email",
    "placebo",
    "a",
    "0",
    "off",
    "false",
)
DELIMITERS = (",", ";", "\t", "|")
_TRUTH = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0, "t": 1.0, "f": 0.0}


def read_log(path: Path) -> pd.DataFrame:
    """Every column as it stands.

    Raises:
        SourceError: the file is not there, not CSV or Parquet, or empty.
    """
    try:
        frame = pd.read_parquet(path) if path.suffix in (".parquet", ".pq") else _read_csv(path)
    except (OSError, ValueError, UnicodeDecodeError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SourceError(f"{path.name}: cannot be read ({first}), expected CSV or Parquet with a header") from error
    if frame.empty:
        raise SourceError(f"{path.name}: no rows, expected one for each unit or event")
    frame.columns = frame.columns.map(str)
    return frame


def _read_csv(path: Path) -> pd.DataFrame:
    """Delimited by whatever makes most columns of its header."""
    delimiter = max(DELIMITERS, key=lambda delimiter: len(pd.read_csv(path, sep=delimiter, nrows=0).columns))
    return pd.read_csv(path, sep=delimiter, low_memory=False)


def units_of(
    frame: pd.DataFrame,
    *,
    unit: str | None,
    arm: str,
    metrics: Sequence[str],
    covariates: Sequence[str] = (),
) -> tuple[pd.DataFrame, int, int]:
    """One row per unit: unit, arm, metrics, covariates; how many units were in several arms; how many rows named no arm.

    `unit` None: every row is one. Several rows of a unit are summed. Raises SourceError for what cannot be used.
    """
    has_columns(frame, [*([unit] if unit else []), arm, *metrics, *covariates])
    named = frame[arm].notna() & (frame[unit].notna() if unit else True)
    kept = frame[named]
    rows = pd.DataFrame(
        {"unit": kept[unit].astype(str) if unit else np.arange(len(kept)), "arm": kept[arm].map(_arm_name)}
    )
    for column in [*metrics, *covariates]:
        rows[column] = numbers(kept[column])
    rows, several = one_arm_each(rows)
    if rows["arm"].nunique() < 2:
        arms = ", ".join(sorted(rows["arm"].unique())) or "none"
        raise SourceError(f"column '{arm}': got one arm ({arms}), expected at least two")
    return per_unit(rows, metrics, covariates), several, int((~named).sum())


def has_columns(frame: pd.DataFrame, columns: Sequence[str]) -> None:
    """Raises SourceError for the first that is not there, with the nearest that is."""
    for column in columns:
        if column not in frame.columns:
            nearest = difflib.get_close_matches(column, list(frame.columns), n=1, cutoff=0.0)
            raise SourceError(
                f"no column '{column}'; did you mean '{nearest[0]}'? There are {', '.join(frame.columns)}"
            )


def numbers(column: pd.Series) -> pd.Series:
    """As floats; true and false, yes and no are 1 and 0, what is missing stays so.

    Raises:
        SourceError: something that is no number, or endless.
    """
    if column.dtype == bool:
        return column.astype(float)
    as_text = column.astype("string").str.strip().str.lower()
    values = pd.to_numeric(as_text.replace({word: str(value) for word, value in _TRUTH.items()}), errors="coerce")
    values = values.astype(float)
    wrong = (values.isna() & column.notna() & (as_text != "")) | values.isin([np.inf, -np.inf])
    if wrong.any():
        first = column[wrong]
        raise SourceError(
            f"column '{column.name}', row {first.index[0] + 1}: got '{str(first.iloc[0])[:40]}', "
            "expected numbers, true/false or nothing"
        )
    return values


def baseline_of(arms: Sequence[str], asked: str | None) -> str:
    """The arm others are compared with: the one asked for, else the only one with such a name, else the first in order.

    Raises:
        SourceError: the one asked for is not there.
    """
    if asked is not None:
        if asked not in arms:
            raise SourceError(f"--baseline: no arm '{asked}', expected one of {', '.join(arms)}")
        return asked
    named = [arm for arm in sorted(arms) if arm.strip().lower() in BASELINES]
    return named[0] if len(named) == 1 else sorted(arms)[0]


def expected_shares(asked: Sequence[str], arms: Sequence[str]) -> Mapping[str, float] | None:
    """From ARM=SHARE words, any unit; None when none was given: even.

    Raises:
        SourceError: a word of another shape, an unknown arm, or an arm left out.
    """
    shares: dict[str, float] = {}
    for word in asked:
        name, _, share = word.rpartition("=")
        try:
            shares[name] = float(share)
        except ValueError as error:
            raise SourceError(f"--expected: got '{word}', expected ARM=SHARE such as control=0.5") from error
        if name not in arms or not 0 < shares[name] < float("inf"):
            raise SourceError(f"--expected: got '{word}', expected a share above 0 of one of {', '.join(arms)}")
    missing = [arm for arm in arms if arm not in shares]
    if shares and missing:
        raise SourceError(f"--expected: no share of {', '.join(missing)}, expected one for every arm")
    return shares or None


def _arm_name(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()
