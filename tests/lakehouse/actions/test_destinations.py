import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from lakehouse.actions.destinations import (
    Folder,
    Mail,
    Postgres,
    Webhook,
    declared_names,
    read_destinations,
    read_place,
)
from lakehouse.errors import ConfigError

HOOK = {"name": "crm", "kind": "webhook", "url": "https://crm.example.com/x"}
MAIL = {
    **{"name": "letters", "kind": "email", "host": "smtp.example.com", "port": 587, "security": "starttls"},
    "sender": "Shop <shop@example.com>",
}


def write(tmp_path: Path, *entries: dict[str, Any]) -> Path:
    path = tmp_path / "destinations.yaml"
    path.write_text(yaml.safe_dump({"destinations": list(entries)}))
    return path


def test_secrets_come_from_the_environment_and_are_never_shown(tmp_path: Path) -> None:
    path = write(tmp_path, HOOK | {"headers": {"Authorization": "Bearer ${CRM_TOKEN}"}}, MAIL)
    found = read_destinations(path, {"CRM_TOKEN": "s3cret"})
    hook, mail = found["crm"], found["letters"]
    assert isinstance(hook, Webhook)
    assert isinstance(mail, Mail)
    assert hook.headers["Authorization"].get_secret_value() == "Bearer s3cret"
    assert "s3cret" not in repr(found)
    assert (hook.retries_unknown, mail.retries_unknown) == (True, False)


def test_secrets_of_signatures_come_from_the_environment_too(tmp_path: Path) -> None:
    path = write(tmp_path, HOOK | {"signing_secrets": ["${NEW}", "${OLD}"]})
    secrets = {name: "whsec_" + base64.b64encode(name.encode() * 8).decode() for name in ("NEW", "OLD")}
    hook = read_destinations(path, secrets)["crm"]
    assert isinstance(hook, Webhook)
    assert [secret.get_secret_value() for secret in hook.signing_secrets] == [*secrets.values()]
    with pytest.raises(ConfigError, match=r"signing_secrets\[1\]: \$\{OLD\}"):
        read_destinations(path, {"NEW": secrets["NEW"]})


def test_a_missing_secret_is_a_fault_unless_the_destination_is_disabled(tmp_path: Path) -> None:
    entry = HOOK | {"headers": {"Authorization": "Bearer ${CRM_TOKEN}"}}
    with pytest.raises(ConfigError, match="CRM_TOKEN"):
        read_destinations(write(tmp_path, entry), {})
    assert read_destinations(write(tmp_path, entry | {"is_enabled": False}), {}) == {}


DATABASE = {
    **{"name": "warehouse", "kind": "postgres", "host": "db.example.com", "database": "shop", "user": "${DB_USER}"},
    "password": "${DB_PASSWORD}",
}
FOLDER = {"name": "files", "kind": "folder", "path": "exports"}


def test_actions_know_nothing_of_databases_and_folders_and_exports_ask_for_one_destinations_secrets(
    tmp_path: Path,
) -> None:
    path = write(tmp_path, HOOK | {"headers": {"Authorization": "Bearer ${CRM_TOKEN}"}}, MAIL, DATABASE, FOLDER)
    assert set(read_destinations(path, {"CRM_TOKEN": "t"})) == {"crm", "letters"}
    assert declared_names(path) == ["crm", "letters"]
    database = read_place(path, {"DB_USER": "shop", "DB_PASSWORD": "s3cret"}, "warehouse")
    assert isinstance(database, Postgres)
    assert (database.port, database.security) == (5432, "verify-full")
    assert "s3cret" not in repr(database)
    assert isinstance(read_place(path, {}, "files"), Folder)
    with pytest.raises(ConfigError, match="CRM_TOKEN"):
        read_place(path, {}, "crm")
    for name, got in (("letters", "kind email"), ("nobody", "one that is not there")):
        with pytest.raises(ConfigError, match=f"destination '{name}': got {got}"):
            read_place(path, {}, name)
    with pytest.raises(ConfigError, match="security: disable is only for a private network"):
        read_place(
            write(tmp_path, DATABASE | {"security": "disable"}), {"DB_USER": "a", "DB_PASSWORD": "b"}, "warehouse"
        )


@pytest.mark.parametrize(
    ("entry", "place"),
    [
        (HOOK | {"url": "http://crm.example.com/x"}, "url"),
        (HOOK | {"signing_secrets": ["short"]}, "signing_secrets: expected whsec_"),
        (HOOK | {"headers": {"Webhook-Signature": "v1,mine"}}, "cannot be set"),
        (HOOK | {"url": "ftp://crm.example.com/x"}, "url"),
        (HOOK | {"url": "https://user:pw@crm.example.com/x"}, "url"),
        (HOOK | {"headers": {"Idempotency-Key": "mine"}}, "headers"),
        (HOOK | {"headers": {"X": "a\r\nY: b"}}, "headers"),
        (HOOK | {"per_second": 0}, "per_second"),
        (MAIL | {"security": "none"}, "security"),
        (MAIL | {"user": "only"}, "user"),
        (MAIL | {"sender": "a@example.com\nBcc: x@example.com"}, "sender"),
        (HOOK | {"kind": "pigeon"}, "destination"),
        (HOOK | {"urll": "x"}, "urll"),
    ],
)
def test_what_is_unsafe_is_refused(tmp_path: Path, entry: dict[str, Any], place: str) -> None:
    with pytest.raises(ConfigError, match=place):
        read_destinations(write(tmp_path, entry), {})
