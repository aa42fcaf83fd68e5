"""What gold is about to say, judged by what its tables expect."""

from lakehouse.profiles.derivation import GoldRows
from lakehouse.quality.counts import counted, counted_here
from lakehouse.quality.data_quality import DataQuality


def judge(rows: GoldRows, quality: DataQuality) -> None:
    """Have the rows counted, where they are.

    Raises:
        QualityError: they must not be written.
    """
    if rows.here is None:
        for table, frame in rows.tables.items():
            if table.expectations:
                quality.took(table, counted(frame, table))
    else:
        for table, here in rows.here.tables.items():
            if table.expectations:
                quality.took(table, counted_here(here, table))
