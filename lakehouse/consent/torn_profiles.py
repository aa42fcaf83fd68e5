"""Whose actors contradict each other, of few rows on the driver: who has to be asked about in lakehouse/consent/rulings.py. Mostly nobody."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.config.limits import PURPOSES

Codes = npt.NDArray[np.int64]


def torn_actors(activity_daily: pa.Table, profile_of: Mapping[str, str]) -> list[str]:
    """The actors of profiles of which somebody allowed some purpose and somebody refused it. Rows of silver.activity_daily; `profile_of`: by actor."""
    rows = activity_daily.select(["actor_id", "consent", "also_said"])
    profiles = pa.array(map(profile_of.get, rows["actor_id"].to_pylist()), pa.string()).dictionary_encode()
    codes: Codes = np.asarray(profiles.indices, np.int64)
    torn = np.zeros(len(profiles.dictionary), np.bool_)
    for purpose in PURPOSES:
        words = pc.struct_field(rows["consent"].combine_chunks(), [purpose, "is_allowed"])
        torn |= _both(words, codes, len(torn))
    others = rows["also_said"].combine_chunks()
    if pc.any(pc.greater(pc.list_value_length(others), 0)).as_py():
        said, of_row = pc.list_flatten(others), np.asarray(pc.list_parent_indices(others))
        purposes, words = pc.struct_field(said, "purpose"), pc.struct_field(said, "is_allowed")
        for purpose in pc.unique(purposes).to_pylist():
            is_it = pc.equal(purposes, purpose)
            torn |= _both(words.filter(is_it), codes[of_row[np.asarray(is_it)]], len(torn))
    names = {name for name, is_torn in zip(profiles.dictionary.to_pylist(), torn.tolist(), strict=True) if is_torn}
    return sorted(actor for actor, profile in profile_of.items() if profile in names)


def _both(words: pa.Array, codes: Codes, many: int) -> npt.NDArray[np.bool_]:
    """Of each profile, whether there are a yes and a no among the words of its rows."""
    found = []
    for word in (True, False):
        is_so = np.asarray(pc.fill_null(pc.equal(words, word), False))
        found.append(np.bincount(codes[is_so], minlength=many) > 0)
    return found[0] & found[1]
