"""What gold is about to say, judged by what its tables expect."""

from collections.abc import Collection

import pyarrow as pa

from lakehouse.profiles.declaration import ProfileTable
from lakehouse.profiles.derivation import GoldRows, OnDriver, here_of
from lakehouse.quality.counts import counted, counted_here
from lakehouse.quality.data_quality import DataQuality


def judge(rows: GoldRows | OnDriver, tables: Collection[ProfileTable], quality: DataQuality) -> None:
    """Have the rows of these tables counted, where they are.

    Raises:
        QualityError: they must not be written.
    """
    said = (here_of(rows) or rows).tables
    for table in tables:
        told = said[table]
        if table.expectations:
            quality.took(table, counted_here(told, table) if isinstance(told, pa.Table) else counted(told, table))
