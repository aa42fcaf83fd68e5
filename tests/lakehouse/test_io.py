from pathlib import Path

import pandas as pd
import pytest

from lakehouse.config import Config, LakeConfig
from lakehouse.contracts.gold import GOLD_SEGMENTS
from lakehouse.contracts.profiles import SILVER_PERSONAL_TRAITS
from lakehouse.errors import ContractError
from lakehouse.io import Lake, conform


def traits(lake: Lake, *rows: tuple[str, str, str, str]):  # type: ignore[no-untyped-def]
    frame = pd.DataFrame(rows, columns=["actor_id", "trait", "value", "seen_at"])
    return lake.frame(frame.assign(seen_at=pd.to_datetime(frame["seen_at"])), SILVER_PERSONAL_TRAITS)


def stored(lake: Lake) -> list[tuple[str, str]]:
    rows = lake.read(SILVER_PERSONAL_TRAITS).orderBy("actor_id", "value").collect()
    return [(row["actor_id"], row["value"]) for row in rows]


def test_a_relative_root_is_a_folder_not_a_table_name(
    spark, config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lake = Lake(spark, Config(**{**vars(config), "lake": LakeConfig(root="lake")}))
    lake.create(GOLD_SEGMENTS)
    assert (tmp_path / "lake" / "gold" / "segments" / "_delta_log").is_dir()


def test_the_same_batch_is_appended_once(lake: Lake) -> None:
    lake.create(SILVER_PERSONAL_TRAITS)
    ann = traits(lake, ("ann", "email", "a@x.org", "2026-01-31"))
    for batch_id in (3, 3, 4):
        lake.append(ann, SILVER_PERSONAL_TRAITS, application="test", batch_id=batch_id)
    assert stored(lake) == [("ann", "a@x.org")] * 2


def test_an_upsert_sets_inserts_and_deletes_by_key(lake: Lake) -> None:
    lake.create(SILVER_PERSONAL_TRAITS)
    first = traits(lake, ("ann", "email", "old", "2026-01-01"), ("bob", "email", "gone", "2026-01-01"))
    lake.overwrite(first, SILVER_PERSONAL_TRAITS)
    new = traits(
        lake,
        ("ann", "email", "new", "2026-01-02"),
        ("bob", "email", "any", "2026-01-02"),
        ("cat", "email", "never", "2026-01-02"),
        ("dan", "email", "added", "2026-01-02"),
    )
    lake.upsert(new.selectExpr("*", "actor_id IN ('bob', 'cat') AS is_deleted"), SILVER_PERSONAL_TRAITS, deletes=True)
    assert stored(lake) == [("ann", "new"), ("dan", "added")]


def test_a_missing_column_is_named(lake: Lake) -> None:
    frame = traits(lake, ("ann", "email", "a@x.org", "2026-01-31")).drop("value")
    with pytest.raises(ContractError, match=r"silver\.personal_traits.*'value'"):
        conform(frame, SILVER_PERSONAL_TRAITS)
