"""A change of who may be known, reached and let in is in the audit log, and nothing else of the configuration."""

import dataclasses
import json
from datetime import UTC, datetime
from pathlib import Path

from deltalake import DeltaTable

from lakehouse.config import Config
from lakehouse.config.keys import make
from lakehouse.lake.audit import verify
from lakehouse.lake.audited_settings import note_settings, settings
from lakehouse.lake.lock import open_lake

AT = datetime(2026, 5, 3, tzinfo=UTC)


def test_whatever_changes_is_noted_once_without_a_secret(config: Config) -> None:
    open_lake(config)
    text, key = make("shop-web", ["ingest"])
    consent = dataclasses.replace(config.consent, gpc=("analytics", "marketing"))
    rekeyed = dataclasses.replace(config, privacy=dataclasses.replace(config.privacy, hmac_key_id="k9"))
    opened = dataclasses.replace(config, serving=dataclasses.replace(config.serving, keys=(key.declared,)))
    quieter = dataclasses.replace(config, metrics=dataclasses.replace(config.metrics, port=9))
    for one in (config, quieter, config, dataclasses.replace(config, consent=consent), rekeyed, opened):
        note_settings(one, now=AT)
    path = Path(config.lake.root, "ops", "audit")
    rows = DeltaTable(path).to_pyarrow_table().sort_by("number").to_pylist()
    assert [row["kind"] for row in rows] == ["settings", "access", "settings", "settings", "settings", "access"]
    told = [json.loads(row["detail"]) for row in rows]
    changed = [{name for name in told[0] if told[0][name] != told[number][name]} for number in (2, 3, 4)]
    assert changed == [{"consent"}, {"privacy"}, set()]
    assert [(one["name"], one["scopes"]) for one in told[5]["keys"]] == [("shop-web", ["ingest"])]
    everything = json.dumps(told)
    assert text not in everything
    assert key.digest.hex() not in everything
    assert config.privacy.hmac_key not in everything
    assert verify(config).faults == ()


def test_the_key_of_the_lake_is_in_no_digest(config: Config) -> None:
    other = dataclasses.replace(config, privacy=dataclasses.replace(config.privacy, hmac_key="x" * 40))
    assert settings(other) == settings(config)
