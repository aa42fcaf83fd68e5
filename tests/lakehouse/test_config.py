import re
import shutil
from pathlib import Path

import pytest

from lakehouse.config import PROJECT, Config, IdentifierRule, load
from lakehouse.errors import ConfigError

SECRETS = {"KAFKA_BOOTSTRAP_SERVERS": "broker-1:9092", "STITCHLAKE_HMAC_KEY": "s3cret", "STITCHLAKE_HMAC_KEY_ID": "k1"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A conf folder of the test's own: the real base.toml and an overlay named `mine` to write."""
    shutil.copy(PROJECT / "conf" / "base.toml", tmp_path)
    (tmp_path / "mine.toml").write_text("")
    return tmp_path


def faults(folder: Path = PROJECT / "conf", env: str = "dev", **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(env, environ=environ, folder=folder)
    return str(caught.value).splitlines()


@pytest.mark.parametrize("env", sorted(path.stem for path in (PROJECT / "conf").glob("*.toml")))
def test_every_file_in_conf_loads(env: str) -> None:
    assert isinstance(load(env, environ=SECRETS), Config)


def test_every_key_of_base_has_a_comment_on_its_line_or_the_one_before_its_kind() -> None:
    lines = (PROJECT / "conf" / "base.toml").read_text().splitlines()
    commented = {line.split("=")[0].strip() for line in lines if "=" in line and "#" in line}
    commented |= {"priority", "limit", "max_actors", "seed"}  # said once above the sections, or plain
    assert {line.split("=")[0].strip() for line in lines if re.match(r"\w+ *=", line)} <= commented


def test_overlay_and_then_environment_take_the_place_of_base(folder: Path) -> None:
    (folder / "mine.toml").write_text('[kafka]\nevents_topic = "clicks"\npartitions = 4\n')
    kafka = load("mine", environ={"STITCHLAKE__KAFKA__PARTITIONS": "8"}, folder=folder).kafka
    assert (kafka.events_topic, kafka.partitions, kafka.retention_hours) == ("clicks", 8, 168)


def test_environment_names_the_overlay() -> None:
    assert load(environ=SECRETS | {"STITCHLAKE_ENV": "prod"}).spark.state_store == "rocksdb"
    assert load(environ={"STITCHLAKE_ENV": ""}).spark.state_store == "memory"


def test_a_new_identifier_type_from_the_environment_takes_numbers_and_the_weakest_defaults() -> None:
    rules = load(environ={"STITCHLAKE__IDENTITY__CRM_ID__PRIORITY": "3"}).identity.rules
    assert rules["crm_id"] == IdentifierRule(priority=3, limit=5, max_actors=100)
    assert rules["email"] == IdentifierRule(priority=2, limit=5, max_actors=200)


def test_a_currency_rate_keeps_every_digit_and_its_code_in_capitals(folder: Path) -> None:
    assert load(environ={"STITCHLAKE__MONEY__RATES__EUR": "1.10"}).money.rates == {"EUR": "1.10"}
    (folder / "mine.toml").write_text("[money.rates]\neur = 1.1\nGBP = 1\n")
    environ = {"STITCHLAKE__MONEY__RATES__GBP": "1.3"}
    assert load("mine", environ=environ, folder=folder).money.rates == {"EUR": "1.1", "GBP": "1.3"}


def test_a_list_from_the_environment_is_split_at_commas() -> None:
    identity = load(environ={"STITCHLAKE__IDENTITY__BLOCKED_VALUES": "null, n/a"}).identity
    assert identity.blocked_values == ("null", "n/a")


def test_a_secret_comes_from_the_environment_and_is_not_shown() -> None:
    config = load("prod", environ=SECRETS)
    assert config.privacy.hmac_key == "s3cret"
    assert "s3cret" not in repr(config)


def test_a_reference_inside_a_text_is_resolved(folder: Path) -> None:
    (folder / "mine.toml").write_text('[kafka]\nbootstrap_servers = "${HOST}:9092"\n')
    assert load("mine", environ={"HOST": "kafka"}, folder=folder).kafka.bootstrap_servers == "kafka:9092"


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("STITCHLAKE__LAEK__ROOT", "x", "unknown section 'laek'; did you mean 'lake'?"),
        ("STITCHLAKE__KAFKA__TOPCS", "x", "[kafka] unknown key 'topcs'; did you mean 'events_topic'?"),
        (
            "STITCHLAKE__IDENTITY__BLOCKED_VALEUS",
            "x",
            "[identity] unknown key 'blocked_valeus'; did you mean 'blocked_values'?",
        ),
        (
            "STITCHLAKE__IDENTITY__CRM_ID__PRIORTY",
            "3",
            "[identity.crm_id] unknown key 'priorty'; did you mean 'priority'?",
        ),
        ("STITCHLAKE__LAKE", "x", "[lake]: got 'x', expected a section"),
        ("STITCHLAKE__LAKE__ROOT__X", "x", "STITCHLAKE__LAKE__ROOT__X: names a key inside a key"),
        ("STITCHLAKE__KAFKA__PARTITIONS", "two", "STITCHLAKE__KAFKA__PARTITIONS: got 'two', expected a whole number"),
        ("STITCHLAKE__KAFKA__PARTITIONS", "0", "[kafka] partitions: got 0, expected 1 or more"),
        ("STITCHLAKE__EVENTS__MAX_BYTES", "-1", "[events] max_bytes: got -1, expected 1 or more"),
        (
            "STITCHLAKE__PROFILES__TRIGGER_SECONDS",
            "-1",
            "[profiles] trigger_seconds: got -1, expected 0 or more seconds",
        ),
        ("STITCHLAKE__IDENTITY__CRM_ID__LIMIT", "0", "[identity.crm_id] limit: got 0, expected 1 or more"),
        (
            "STITCHLAKE__NEXT_BEST_ACTION__LIKELY_PROPENSITY",
            "1.1",
            "likely_propensity: got 1.1, expected a probability",
        ),
        (
            "STITCHLAKE__NEXT_BEST_ACTION__LIKELY_PROPENSITY",
            "nan",
            "likely_propensity: got nan, expected a probability",
        ),
        ("STITCHLAKE__SEGMENTS__MIN_K", "9", "[segments] max_k: got 8, expected at least min_k = 9"),
        ("STITCHLAKE__SPARK__STATE_STORE", "redis", "[spark] state_store: got 'redis', expected memory or rocksdb"),
        ("STITCHLAKE__MONEY__RATES__EUR", "NaN", "STITCHLAKE__MONEY__RATES__EUR: got 'NaN', expected a decimal number"),
        ("STITCHLAKE__MONEY__RATES__EUR", "-1", "[money.rates] eur: got '-1', expected a number above 0"),
        ("STITCHLAKE__MONEY__RATES__POUND", "1", "[money.rates] pound: not a currency"),
        (
            "STITCHLAKE__KAFKA__BOOTSTRAP_SERVERS",
            "localhost",
            "[kafka] bootstrap_servers: got 'localhost', expected host:port",
        ),
        ("STITCHLAKE__KAFKA__EVENTS_TOPIC", "a b", "[kafka] events_topic: got 'a b', expected letters"),
        (
            "STITCHLAKE__EVENTS__DEFAULT_CURRENCY",
            "usd",
            "[events] default_currency: got 'usd', expected an ISO 4217 code",
        ),
    ],
)
def test_one_wrong_variable_is_one_fault_that_names_it(name: str, text: str, expected: str) -> None:
    (fault,) = faults(**{name: text})
    assert expected in fault


@pytest.mark.parametrize(
    ("toml", "expected"),
    [
        ("[kafka]\ntopcs = 1", "conf/mine.toml: [kafka] unknown key 'topcs'; did you mean 'events_topic'?"),
        ("[kafak]\npartitions = 1", "conf/mine.toml: unknown section 'kafak'; did you mean 'kafka'?"),
        ('[kafka]\npartitions = "2"', "[kafka] partitions: got '2', expected a whole number"),
        ("[kafka]\npartitions = true", "[kafka] partitions: got True, expected a whole number"),
        ("[kafka]\npartitions = 2.0", "[kafka] partitions: got 2.0, expected a whole number"),
        ("kafka = 2", "[kafka]: got 2, expected a section"),
        ("[lake]\nroot = [1]", "[lake] root: got [1], expected text"),
        ('[identity]\nblocked_values = ["a", 1]', "[identity] blocked_values: got ['a', 1], expected a list of text"),
        ("[identity]\nblocked = 3", "[identity] unknown key 'blocked'; did you mean 'blocked_values'?"),
        ('[money.rates]\nEUR = "much"', "[money.rates] EUR: got 'much', expected a decimal number"),
        ("[privacy]\nhmac_key = 1234", "[privacy] hmac_key: got (hidden), expected text"),
        ('[lake]\nroot = " "', "[lake] root: got ' ', expected a folder or URI"),
        ("[lake\n", "conf/mine.toml: not TOML"),
    ],
)
def test_one_wrong_line_is_one_fault_that_names_it(folder: Path, toml: str, expected: str) -> None:
    (folder / "mine.toml").write_text(toml)
    (fault,) = faults(folder, "mine")
    assert expected in fault


def test_all_faults_are_told_at_once(folder: Path) -> None:
    (folder / "mine.toml").write_text('[kafka]\ntopcs = 1\npartitions = -2\n[privacy]\nhmac_key = "${NO_SUCH}"\n')
    told = faults(folder, "mine", STITCHLAKE__SPARK__STATE_STORE="disk")
    assert [
        next(word for word in ("topcs", "partitions", "NO_SUCH", "state_store") if word in fault) for fault in told
    ] == [
        "topcs",
        "NO_SUCH",
        "partitions",
        "state_store",
    ]


def test_a_key_missing_from_base_is_named(folder: Path) -> None:
    text = (folder / "base.toml").read_text()
    (folder / "base.toml").write_text(text.replace("max_depth = 32", ""))
    (fault,) = faults(folder, "mine")
    assert "[events] max_depth: missing, expected a whole number" in fault


def test_an_unset_secret_is_one_fault_that_says_what_to_export() -> None:
    told = faults(env="prod", KAFKA_BOOTSTRAP_SERVERS="broker:9092", STITCHLAKE_HMAC_KEY_ID="k1")
    assert told == [
        "conf: ${STITCHLAKE_HMAC_KEY}: not set in the environment. Export STITCHLAKE_HMAC_KEY before starting"
    ]


def test_an_unknown_environment_names_those_there_are() -> None:
    (fault,) = faults(env="production")
    assert "conf/production.toml: not found" in fault
    assert "'dev', 'prod'" in fault
