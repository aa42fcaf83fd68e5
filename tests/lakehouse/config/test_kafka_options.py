"""[kafka.options]: one vocabulary, however it is written; what is wrong is told by its name, and no secret with it."""

import copy
import shutil
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lakehouse.catalog import TABLES
from lakehouse.config import PROJECT, kafka_options, load
from lakehouse.config.kafka_options import PASSED_ON, SECRETS, SECURITY, Secret
from lakehouse.errors import ConfigError
from lakehouse.tables import lineage

V = "STITCHLAKE__KAFKA__OPTIONS__"
SCRAM = {
    f"{V}SECURITY_PROTOCOL": "SASL_SSL",
    f"{V}SASL_MECHANISM": "SCRAM-SHA-512",
    f"{V}SASL_USERNAME": "shop",
    f"{V}SASL_PASSWORD": "pa55",
    f"{V}SSL_CA_LOCATION": "/etc/kafka/ca.pem",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("base", "identity", "dev"):
        shutil.copy(PROJECT / "conf" / f"{name}.toml", tmp_path)
    return tmp_path


def told(environ: dict[str, str]) -> str:
    with pytest.raises(ConfigError) as caught:
        load(environ=environ)
    return str(caught.value)


def test_variables_give_options_under_their_names() -> None:
    assert load(environ=SCRAM).kafka.options == {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "shop",
        "sasl.password": "pa55",
        "ssl.ca.location": "/etc/kafka/ca.pem",
    }
    assert load(environ={}).kafka.options == {}


def test_a_file_says_them_in_quotes_or_not_and_a_variable_comes_after_it(folder: Path) -> None:
    (folder / "mine.toml").write_text(
        '[kafka.options]\n"security.protocol" = "SSL"\nssl.ca.location = "ca.pem"\nclient_id = "file"\nrequest.timeout.ms = 20000\n'
    )
    options = load("mine", environ={f"{V}CLIENT_ID": "variable"}, folder=folder).kafka.options
    assert options == {
        "security.protocol": "SSL",
        "ssl.ca.location": "ca.pem",
        "client.id": "variable",
        "request.timeout.ms": "20000",
    }


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("value", ["pa55", "pa55${X}", "${X} "])
def test_a_secret_in_a_file_is_refused_and_not_repeated(folder: Path, secret: str, value: str) -> None:
    (folder / "mine.toml").write_text(f'[kafka.options]\n{secret} = "{value}"\n')
    with pytest.raises(ConfigError) as caught:
        load("mine", environ={"X": "x"}, folder=folder)
    variable = V + secret.replace(".", "_").upper()
    (fault,) = [line for line in str(caught.value).splitlines() if "stands in the file" in line]
    assert fault.startswith(f"conf/mine.toml: [kafka.options] {secret}: a secret stands in the file")
    assert f"Set {variable}" in fault
    assert "pa55" not in str(caught.value)


def test_a_list_is_no_option(folder: Path) -> None:
    (folder / "mine.toml").write_text('[kafka.options]\nsasl.username = ["shop"]\n')
    with pytest.raises(
        ConfigError, match=r"^conf/mine\.toml: \[kafka\.options\] sasl\.username: got \['shop'\], expected text"
    ):
        load("mine", environ={}, folder=folder)


def test_a_file_may_name_the_variable_of_a_secret(folder: Path) -> None:
    (folder / "mine.toml").write_text('[kafka.options]\nsasl.password = "${BROKER_PASSWORD}"\n')
    environ = {name: value for name, value in SCRAM.items() if "PASSWORD" not in name}
    config = load("mine", environ=environ | {"BROKER_PASSWORD": "pa${55}"}, folder=folder)
    assert config.kafka.options["sasl.password"] == "pa${55}"


@settings(max_examples=30)
@example("${HOME} ${NO_SUCH}")
@given(st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_a_secret_of_a_variable_is_taken_to_the_letter_and_nothing_prints_it(password: str) -> None:
    config = load(environ=SCRAM | {f"{V}SASL_PASSWORD": password})
    kept = config.kafka.options["sasl.password"]
    assert kept == password
    assert isinstance(copy.deepcopy(kept), Secret)
    assert repr(kept) == f"{[kept]}"[1:-1] == "'(hidden)'"
    assert "sasl.password': '(hidden)'" in repr(config.kafka.options)
    assert "options" not in repr(config)


def test_the_plan_shows_files_and_hides_secrets() -> None:
    key = {f"{V}SSL_CERTIFICATE_LOCATION": "c.pem", f"{V}SSL_KEY_LOCATION": "k.pem", f"{V}SSL_KEY_PASSWORD": "sesame"}
    plan = lineage.plan(load(environ=SCRAM | key), TABLES)
    assert "  kafka.options.sasl.password = (hidden)" in plan
    assert "  kafka.options.ssl.key.password = (hidden)" in plan
    assert "  kafka.options.ssl.key.location = 'k.pem'" in plan
    assert "pa55" not in plan
    assert "sesame" not in plan


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("SASL_PASWORD", "pa55", "[kafka.options] unknown key 'sasl_pasword', no client is given it; did you mean 'sasl.password'?"),
        ("SASL_JAAS_CONFIG", "pa55", "'sasl_jaas_config' is not how it is said here; write sasl.username and sasl.password"),
        ("SSL_TRUSTSTORE_LOCATION", "x.jks", "write ssl.ca.location, a PEM file"),
        ("SSL_KEYSTORE_PASSWORD", "pa55", "write ssl.certificate.location and ssl.key.location"),
        ("BOOTSTRAP_SERVERS", "x:1", "write kafka.bootstrap_servers"),
        ("SECURITY_PROTOCOL", "TLS", "security.protocol: got 'TLS', expected PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"),
        ("SASL_MECHANISM", "GSSAPI", "sasl.mechanism: got 'GSSAPI', expected PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER"),
        ("SASL_PASSWORD", "", "sasl.password: got (hidden), expected text"),
        ("CLIENT_ID", "a b", "client.id: got 'a b', expected letters"),
        ("RETRY_BACKOFF_MS", "soon", "retry.backoff.ms: got 'soon', expected a whole number"),
        ("SSL_ENDPOINT_IDENTIFICATION_ALGORITHM", "", "got '', expected https or none"),
        ("SSL_KEY_LOCATION", "k.pem", "ssl.certificate.location: missing, expected beside ssl.key.location. Set " + V),
        ("SECURITY_PROTOCOL", "SASL_PLAINTEXT", "ssl.ca.location: of no use with security.protocol = SASL_PLAINTEXT"),
        ("SECURITY_PROTOCOL", "SSL", "sasl.mechanism: of no use with security.protocol = SSL"),
    ],
)  # fmt: skip
def test_a_wrong_option_is_one_fault_that_names_it(name: str, value: str, expected: str) -> None:
    fault = told(SCRAM | {V + name: value})
    assert expected in fault
    assert "\n" not in fault
    assert "pa55" not in fault


@pytest.mark.parametrize(
    ("without", "expected"),
    [
        ("SASL_MECHANISM", "sasl.mechanism: missing, expected beside security.protocol = SASL_SSL"),
        ("SASL_USERNAME", "sasl.username: missing, expected beside sasl.mechanism = SCRAM-SHA-512"),
        ("SASL_PASSWORD", f"sasl.password: missing, expected beside sasl.mechanism = SCRAM-SHA-512. Set {V}SASL_PASSWORD"),
        ("SECURITY_PROTOCOL", "sasl.mechanism: of no use with security.protocol = PLAINTEXT, expected SASL_SSL"),
    ],
)  # fmt: skip
def test_what_is_missing_is_named_with_its_variable(without: str, expected: str) -> None:
    assert expected in told({name: value for name, value in SCRAM.items() if name != V + without})


def test_tokens_need_an_address_and_a_client() -> None:
    faults = told({f"{V}SECURITY_PROTOCOL": "SASL_SSL", f"{V}SASL_MECHANISM": "OAUTHBEARER"}).splitlines()
    assert [fault.split(": ")[1] for fault in faults] == [
        "[kafka.options] sasl.oauthbearer.token.endpoint.url",
        "[kafka.options] sasl.oauthbearer.client.id",
        "[kafka.options] sasl.oauthbearer.client.secret",
    ]


def test_an_option_that_some_clients_lack_is_told() -> None:
    assert kafka_options.told({"retry.backoff.max.ms": "1", "client.id": "x", "sasl.username": "u"}) == [
        "kafka.options.retry.backoff.max.ms: not given to kafka-python's consumers and kafka-python's producers, which have no such option"
    ]


def test_the_how_to_page_names_every_option() -> None:
    page = (PROJECT / "docs" / "how-to" / "connect-a-secured-broker.md").read_text(encoding="utf-8")
    assert [name for name in (*SECURITY, *PASSED_ON) if f"`{name}`" not in page] == []
