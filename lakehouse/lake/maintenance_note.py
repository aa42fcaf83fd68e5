"""What a commit says of itself that changed no row: which version its rows are of.

So what follows a table (an index, the online store) stays current when files are put together or deleted. The note names the version
it was made on, too, and holds only where nothing came in between.
"""

import re
from collections.abc import Mapping
from typing import Any

_NOTE = re.compile(r"maintenance of version (\d+), rows of version (\d+)")
_LAST_OF_TWO = "VACUUM END"  # a vacuum makes two commits


def note(version: int, rows_of: int) -> str:
    """`version`: the table's, as it is maintained. `rows_of`: the version whose rows these are."""
    return f"maintenance of version {version}, rows of version {rows_of}"


def rows_of(commit: Mapping[str, Any], version: int) -> int:
    """The version that last changed a row, by the newest commit, which made `version`.

    commit: `operation` and `userMetadata` as Delta's history tells them.
    """
    said = _NOTE.fullmatch(commit.get("userMetadata") or "")
    if said is None:
        return version
    made_on, rows = int(said[1]), int(said[2])
    follows = version - made_on <= (2 if commit.get("operation") == _LAST_OF_TWO else 1)
    return rows if follows else version
