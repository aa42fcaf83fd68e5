"""Columns of a frame of any kind, as numbers and as names. What cannot be read is told by column and row."""

import difflib
from collections.abc import Sequence

import numpy as np
import pandas as pd

from lakehouse.errors import SourceError

_TRUTH = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0, "t": 1.0, "f": 0.0}


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
    if (
        isinstance(column.dtype, np.dtype) and column.dtype.kind in "bf"
    ):  # as they are: by way of text takes a hundred times as long
        values, wrong = column.astype(float), column.isin([np.inf, -np.inf])
    else:
        as_text = column.astype("string").str.strip().str.lower()
        read = pd.to_numeric(as_text.replace({word: str(value) for word, value in _TRUTH.items()}), errors="coerce")
        values = read.astype(float)
        wrong = (values.isna() & column.notna() & (as_text != "")) | values.isin([np.inf, -np.inf])
    if wrong.any():
        first = column[wrong]
        raise SourceError(
            f"column '{column.name}', row {first.index[0] + 1}: got '{str(first.iloc[0])[:40]}', "
            "expected numbers, true/false or nothing"
        )
    return values


def names_of(column: pd.Series) -> pd.Series:
    """Of arms, units, levels: as text; null = none. A whole number that passed through a float is one again."""
    texts = column.astype("string").str.strip().str.replace(r"^([0-9]+)[.]0+$", r"\1", regex=True)
    return texts.mask(texts == "")
