import re
import shutil
from pathlib import Path

import pytest

from lakehouse.config import PROJECT, Config, IdentifierRule, load
from lakehouse.config.overlay import REFERENCE
from lakehouse.errors import ConfigError

SECRETS = {"KAFKA_BOOTSTRAP_SERVERS": "broker-1:9092", "STITCHLAKE_HMAC_KEY": "s3cret", "STITCHLAKE_HMAC_KEY_ID": "k1"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A conf folder of the test's own: the real base.toml and identity.toml, and an overlay named `mine` to write."""
    for name in REFERENCE:
        shutil.copy(PROJECT / "conf" / f"{name}.toml", tmp_path)
    (tmp_path / "mine.toml").write_text("")
    return tmp_path


def faults(folder: Path = PROJECT / "conf", env: str = "dev", **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(env, environ=environ, folder=folder)
    return str(caught.value).splitlines()


@pytest.mark.parametrize("env", sorted(path.stem for path in (PROJECT / "conf").glob("*.toml")))
def test_every_file_in_conf_loads(env: str) -> None:
    assert isinstance(load(env, environ=SECRETS), Config)


@pytest.mark.parametrize("name", REFERENCE)
def test_every_key_of_the_reference_has_a_comment_on_its_line_or_on_its_section(name: str) -> None:
    lines = (PROJECT / "conf" / f"{name}.toml").read_text().splitlines()
    said_above = {words[0].rstrip(",") for line in lines if line.startswith("#   ") and (words := line[1:].split())}
    bare, is_said_of_section = set(), False
    for line in lines:
        is_said_of_section = "#" in line if line.startswith("[") else is_said_of_section
        if re.match(r"\w+ *=", line) and "#" not in line and not is_said_of_section:
            bare.add(line.split("=")[0].strip())
    assert bare <= said_above | {"seed", "trigger_seconds", "max_offsets_per_trigger"}


def test_all_identity_rules_are_in_one_file_and_nothing_else_is() -> None:
    base, identity = ((PROJECT / "conf" / f"{name}.toml").read_text() for name in REFERENCE)
    sections = re.compile(r"^\[([a-z_]+)", re.MULTILINE)
    assert "identity" not in sections.findall(base)
    assert set(sections.findall(identity)) == {"identity"}
    assert "identity.toml" in base


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
    assert (rules["email"].priority, rules["email"].limit, rules["email"].max_actors) == (2, 5, 200)


def test_a_type_may_block_values_of_its_own(folder: Path) -> None:
    (folder / "mine.toml").write_text(
        '[identity.email]\nblocked_values = [" Desk@Shop.com"]\n[identity.card]\nblocked_pattern = "^t"\n'
    )
    environ = {"STITCHLAKE__IDENTITY__CARD__BLOCKED_VALUES": "Kiosk,till"}
    rules = load("mine", environ=environ, folder=folder).identity.rules
    assert rules["email"].blocked_values == ("desk@shop.com",)
    assert rules["email"].blocked_pattern == load(environ={}).identity.rules["email"].blocked_pattern != ""
    assert (rules["card"].blocked_values, rules["card"].blocked_pattern) == (("kiosk", "till"), "^t")
    assert (rules["guest_id"].blocked_values, rules["guest_id"].reserved_pattern) == ((), "")


def test_what_is_set_aside_for_examples_is_let_in_by_dev_alone() -> None:
    dev, prod = load("dev", environ={}).identity, load("prod", environ=SECRETS).identity
    assert [name for name, rule in prod.rules.items() if rule.reserved_pattern] == ["email", "phone"]
    assert not any(rule.reserved_pattern for rule in dev.rules.values())
    assert dev.rules["email"].blocked_pattern == prod.rules["email"].blocked_pattern


def test_only_a_user_id_is_unique() -> None:
    rules = load(environ={}).identity.rules
    assert [name for name, rule in rules.items() if rule.limit == 1] == ["user_id"]


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
        ("STITCHLAKE__KAFKA__EVENT_TOPC", "x", "[kafka] unknown key 'event_topc'; did you mean 'events_topic'?"),
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
        (
            "STITCHLAKE__EVENTS__OLDEST",
            "2000-02-31",
            "[events] oldest: got '2000-02-31', expected a day such as 2000-01-01",
        ),
        (
            "STITCHLAKE__EVENTS__BOT_USER_AGENTS",
            "(",
            "[events] bot_user_agents: got '(', expected a regular expression",
        ),
        ("STITCHLAKE__EVENTS__ORDER_SCOPE", "a.b", "[events] order_scope: got 'a.b', expected the name of a property"),
        ("STITCHLAKE__IDENTITY__EMAIL_TAGS", "some", "[identity] email_tags: got 'some', expected all or known"),
        (
            "STITCHLAKE__IDENTITY__BLOCKED_PATTERN",
            "(",
            "[identity] blocked_pattern: got '(', expected a regular expression",
        ),
        (
            "STITCHLAKE__IDENTITY__PHONE__RESERVED_PATTERN",
            "[",
            "[identity.phone] reserved_pattern: got '[', expected a regular expression",
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
        ("[kafka]\nevent_topc = 1", "conf/mine.toml: [kafka] unknown key 'event_topc'; did you mean 'events_topic'?"),
        ("[kafak]\npartitions = 1", "conf/mine.toml: unknown section 'kafak'; did you mean 'kafka'?"),
        ('[kafka]\npartitions = "2"', "[kafka] partitions: got '2', expected a whole number"),
        ("[kafka]\npartitions = true", "[kafka] partitions: got True, expected a whole number"),
        ("[kafka]\npartitions = 2.0", "[kafka] partitions: got 2.0, expected a whole number"),
        ("kafka = 2", "[kafka]: got 2, expected a section"),
        ("[lake]\nroot = [1]", "[lake] root: got [1], expected text"),
        ('[identity]\nblocked_values = ["a", 1]', "[identity] blocked_values: got ['a', 1], expected a list of text"),
        (
            "[identity.email]\nblocked_values = 'x'",
            "conf/mine.toml: [identity.email] blocked_values: got 'x', expected a list of text",
        ),
        ("[identity.email]\nblocked = 3", "[identity.email] unknown key 'blocked'; did you mean 'blocked_values'?"),
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


@pytest.mark.parametrize(
    ("name", "line", "expected"),
    [
        ("base", "max_depth = 32", "conf/base.toml: [events] max_depth: missing, expected a whole number"),
        ("identity", 'email_tags = "all"', "conf/identity.toml: [identity] email_tags: missing, expected text"),
    ],
)
def test_a_key_missing_from_the_reference_is_named_with_its_file(
    folder: Path, name: str, line: str, expected: str
) -> None:
    text = (folder / f"{name}.toml").read_text()
    assert line in text
    (folder / f"{name}.toml").write_text(text.replace(line, ""))
    (fault,) = faults(folder, "mine")
    assert expected in fault


def test_a_wrong_line_of_the_identity_rules_names_their_file(folder: Path) -> None:
    text = (folder / "identity.toml").read_text()
    (folder / "identity.toml").write_text(text.replace("max_actors = 200", "max_actor = 200"))
    told = faults(folder, "mine")
    assert "conf/identity.toml: [identity.email] unknown key 'max_actor'; did you mean 'max_actors'?" in told


@pytest.mark.parametrize("name", REFERENCE)
def test_without_its_reference_there_is_no_configuration(folder: Path, name: str) -> None:
    (folder / f"{name}.toml").unlink()
    assert faults(folder, "mine") == [
        f"conf/{name}.toml: not found, expected beside the other files of conf/. Restore it"
    ]


def test_an_unset_secret_is_one_fault_that_says_what_to_export() -> None:
    told = faults(env="prod", KAFKA_BOOTSTRAP_SERVERS="broker:9092", STITCHLAKE_HMAC_KEY_ID="k1")
    assert told == [
        "conf: ${STITCHLAKE_HMAC_KEY}: not set in the environment. Export STITCHLAKE_HMAC_KEY before starting"
    ]


def test_an_unknown_environment_names_those_there_are() -> None:
    (fault,) = faults(env="production")
    assert "conf/production.toml: not found" in fault
    assert "['dev', 'prod']" in fault


def test_the_registry_has_its_secrets_from_the_environment_alone(folder: Path) -> None:
    (folder / "mine.toml").write_text('[schema_registry]\npassword = "geheim"\nusername = "shop"\n')
    (fault,) = faults(folder, "mine")
    assert fault == (
        "conf/mine.toml: [schema_registry] password: a secret stands in the file, expected it in the environment. Set "
        "STITCHLAKE__SCHEMA_REGISTRY__PASSWORD, and take it out of the file"
    )
    (folder / "mine.toml").write_text('[schema_registry]\npassword = "${OURS}"\nusername = "shop"\n')
    made = load("mine", environ={"OURS": "geheim"}, folder=folder)
    assert made.schema_registry.password == "geheim"
    assert "geheim" not in repr(made)
    named = {"STITCHLAKE__SCHEMA_REGISTRY__TOKEN": "geheim", "STITCHLAKE__SCHEMA_REGISTRY__URL": "https://a:geheim@b"}
    told = faults(env="dev", STITCHLAKE__SCHEMA_REGISTRY__PASSWORD="geheim", **named)
    assert [line.partition(",")[0] for line in told] == [
        "conf: [schema_registry] url: got 'https://a:(hidden)@b'",
        "conf: [schema_registry] password: got no username beside it",
    ]
    (both,) = faults(
        env="dev", STITCHLAKE__SCHEMA_REGISTRY__TOKEN="geheim", STITCHLAKE__SCHEMA_REGISTRY__USERNAME="shop"
    )
    assert "token: got username beside it" in both


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        ("CONSENT__PURPOSES", "analytics,marketing", "[consent] purposes"),
        ("CONSENT__PURPOSES", "analytics,personalization,marketing,Sale!", "[consent] purposes"),
        ("CONSENT__PURPOSES", "analytics,personalization,marketing,marketing", "[consent] purposes"),
        ("CONSENT__GPC", "sale", "[consent] gpc"),
        ("CONSENT__CATEGORIES__OURS", "sale", "[consent.categories] ours"),
        ("CONSENT__JURISDICTIONS__US", "analytics,sale", "[consent.jurisdictions] us"),
        ("CONSENT__JURISDICTIONS__USA", "analytics", "[consent] jurisdictions"),
        ("CONSENT__TCF__SALE", "1", "[consent.tcf] sale"),
        ("CONSENT__TCF__MARKETING", "1,12", "[consent.tcf] marketing"),
        ("TRAINING__SCORES", "sale", "[training] scores"),
    ],
)
def test_whatever_names_a_purpose_names_one_that_is_declared(setting: str, value: str, told: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"conf: {told}: got ")):
        load("dev", environ={f"STITCHLAKE__{setting}": value})


def test_purposes_jurisdictions_and_the_framework_are_declared() -> None:
    named = {"PURPOSES": "analytics,personalization,marketing,sale", "GPC": "sale", "TCF__SALE": "1,3"}
    environ = {f"STITCHLAKE__CONSENT__{key}": value for key, value in named.items()}
    consent = load("dev", environ=environ | {"STITCHLAKE__CONSENT__JURISDICTIONS__US": "analytics,sale"}).consent
    assert consent.purposes[-1] == "sale"
    assert (consent.gpc, consent.tcf["sale"], consent.jurisdictions) == (
        ("sale",),
        (1, 3),
        {"US": ("analytics", "sale")},
    )
