"""A log of any experiment, read from CSV or Parquet: who was in which arm, and the metrics. Bad input is told in words."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse.errors import SourceError
from lakehouse.experiments.readout import one_arm_each, per_unit
from lakehouse.targeting.columns import has_columns, names_of, numbers

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
_MISSING = ["", "NA", "N/A", "n/a", "#N/A", "<NA>", "nan", "NaN", "null", "NULL", "None"]  # of a number


def read_log(path: Path, *, names: Sequence[str] = ()) -> pd.DataFrame:
    """Every column as it stands. `names`: columns of names, such as unit and arm: text, character by character.

    Raises:
        SourceError: the file is not there, not CSV or Parquet, or empty.
    """
    try:
        frame = _read_parquet(path, names) if path.suffix in (".parquet", ".pq") else _read_csv(path, names)
    except (OSError, ValueError, UnicodeDecodeError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SourceError(f"{path.name}: cannot be read ({first}), expected CSV or Parquet with a header") from error
    if frame.empty:
        raise SourceError(f"{path.name}: no rows, expected one for each unit or event")
    frame.columns = frame.columns.map(str)
    return frame


def _read_csv(path: Path, names: Sequence[str]) -> pd.DataFrame:
    """Delimited by whatever makes most columns of its header."""
    headers = {delimiter: pd.read_csv(path, sep=delimiter, nrows=0).columns for delimiter in DELIMITERS}
    delimiter = max(DELIMITERS, key=lambda delimiter: len(headers[delimiter]))
    missing = {column: [""] if column in names else _MISSING for column in headers[delimiter]}
    return pd.read_csv(
        path,
        sep=delimiter,
        low_memory=False,
        dtype=dict.fromkeys(names, str),
        na_values=missing,
        keep_default_na=False,
    )


def _read_parquet(path: Path, names: Sequence[str]) -> pd.DataFrame:
    table = pq.read_table(path)
    for place, field in enumerate(table.schema):
        if field.name in names:  # before pandas, which makes floats of whole numbers where one is missing
            table = table.set_column(place, field.name, table[field.name].cast(pa.string()))
    frame: pd.DataFrame = table.to_pandas(ignore_metadata=True)
    return frame


def units_of(
    frame: pd.DataFrame,
    *,
    unit: str | None,
    arm: str,
    metrics: Sequence[str],
    covariates: Sequence[str] = (),
    declared: Sequence[str] = (),
) -> tuple[pd.DataFrame, int, int]:
    """One row per unit: unit, arm, metrics, covariates; how many units were in several arms; how many rows named no arm.

    `unit` None: every row is one. Several rows of a unit are summed. `declared`: arms that there are, whoever is in them. Raises
    SourceError for what cannot be used.
    """
    has_columns(frame, [*([unit] if unit else []), arm, *metrics, *covariates])
    every = pd.DataFrame({"arm": names_of(frame[arm])})
    every["unit"] = names_of(frame[unit]) if unit else np.arange(len(frame)).astype(str)
    named = every["arm"].notna() & every["unit"].notna()
    kept = frame[named]
    rows = every.loc[named, ["unit", "arm"]].astype(str)
    for column in [*metrics, *covariates]:
        rows[column] = numbers(kept[column])
    rows, several = one_arm_each(rows)
    if len({*rows["arm"].unique(), *declared}) < 2:
        arms = ", ".join(sorted(rows["arm"].unique())) or "none"
        raise SourceError(f"column '{arm}': got one arm ({arms}), expected at least two")
    return per_unit(rows, metrics, covariates), several, int((~named).sum())


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


def expected_shares(asked: Sequence[str], arms: Sequence[str] = ()) -> Mapping[str, float] | None:
    """From ARM=SHARE words, any unit; None when none was given: even. `arms`: those somebody is in.

    Raises:
        SourceError: as `by_arm`; a share of 0 or less, or an arm left out.
    """
    shares = by_arm("--expected", asked, "ARM=SHARE such as control=0.5")
    for name, share in shares.items():
        if share <= 0:
            raise SourceError(f"--expected: got '{name}={share:g}', expected a share above 0 of an arm")
    missing = [arm for arm in arms if arm not in shares]
    if shares and missing:
        raise SourceError(f"--expected: no share of {', '.join(missing)}, expected one for every arm")
    return shares or None


def by_arm(flag: str, words: Sequence[str], expected: str) -> dict[str, float]:
    """From ARM=NUMBER words. `expected`: such a word, told where one is of another shape.

    Raises:
        SourceError: a word of another shape, or an arm named twice.
    """
    numbers_by_arm: dict[str, float] = {}
    for word in words:
        name, _, text = word.rpartition("=")
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if not name or not np.isfinite(number):
            raise SourceError(f"{flag}: got '{word}', expected {expected}")
        if name in numbers_by_arm:
            raise SourceError(f"{flag}: got '{name}' twice, expected it once. Leave one out")
        numbers_by_arm[name] = number
    return numbers_by_arm
