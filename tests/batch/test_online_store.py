"""The job on a small lake: fills an empty store, finds what was tampered with, mends it, replaces files that are no store."""

from pathlib import Path

import pytest

from batch import online_store as job
from lakehouse.errors import LakeError, StoreError
from lakehouse.lake.delta import Lake
from lakehouse.online.online_profile import by_id, find
from lakehouse.online.store import Document
from lakehouse.tables.identity import SILVER_IDENTITY_LOG
from tests import small_lake


def test_fill_check_and_mend(lake: Lake) -> None:
    small_lake.build(lake)
    lake.clear(SILVER_IDENTITY_LOG)  # all at one instant: no history can be told from it twice
    store = job.opened(lake.config, anew=False)
    said = job.check(lake, store)
    assert (said["missing"], said["is_equal"]) == (3, False)
    assert job.rebuild(lake, store) == {"profiles": 3, "facts": 0}
    assert job.check(lake, store) == {
        "profiles": 3, "missing": 0, "different": 0, "strangers": 0, "identifiers": 8, "wrong_identifiers": 0, "is_equal": True,
    }  # fmt: skip
    ann = find(store, [("email", "tok-ann")], lake.config.identity)
    assert ann is not None
    assert (ann.profile_id, ann.figures["segment"], ann.figures["purchase_propensity"]) == (
        "ann-phone",
        "champions",
        0.62,
    )
    assert find(store, [("device_id", "tv-1")], lake.config.identity) is None, (
        "Ann's and Bob's: nobody is shown the other"
    )
    store.put([Document("i:email:tok-ann", 2**52, b'"bob-web"'), Document("p:cat-web", 2**52, None)])
    said = job.check(lake, store)
    assert (said["missing"], said["wrong_identifiers"], said["is_equal"]) == (1, 1, False)
    store.close()
    # Files that cannot be read are replaced, by a rebuild only.
    (data,) = Path(lake.root, "_online").glob("*/data.mdb")
    data.write_bytes(b"no store" * 10_000)
    with pytest.raises(StoreError, match="Rebuild"):
        job.opened(lake.config, anew=False)
    store = job.opened(lake.config, anew=True)
    job.rebuild(lake, store)
    assert by_id(store, "bob-web") is not None
    store.close()


def test_a_lake_without_profiles_is_refused(lake: Lake) -> None:
    with pytest.raises(LakeError, match=r"gold\.activation"):
        lake.require(job._NEEDED)
