"""What gold is about to say, judged by what its tables expect."""

import pyarrow as pa

from lakehouse.profiles.derivation import GoldRows, OnDriver, here_of
from lakehouse.quality.counts import counted, counted_here
from lakehouse.quality.data_quality import DataQuality


def judge(rows: GoldRows | OnDriver, quality: DataQuality) -> None:
    """Have the rows counted, where they are.

    Raises:
        QualityError: they must not be written.
    """
    for table, told in (here_of(rows) or rows).tables.items():
        if table.expectations:
            quality.took(table, counted_here(told, table) if isinstance(told, pa.Table) else counted(told, table))
