"""[kafka.options] in each client's words, held to the clients themselves: what they know, how they read it back."""

import dataclasses
import ssl
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka import KafkaConsumer, KafkaProducer
from pyspark.sql import SparkSession

from lakehouse.config import KafkaConfig, load
from lakehouse.config.kafka_options import PASSED_ON, Secret
from lakehouse.errors import ConfigError
from lakehouse.kafka import clients
from tests import secured_kafka

HOSTILE = 'p"; required x="\\" \\n \\\\ \r\n\t ${A} {a,b} #!=;\' ä€😀 end\\'
PASSWORDS = st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1) | st.text(
    alphabet='"\\;\n\r =', min_size=1
)


def cluster(**options: str) -> KafkaConfig:
    """`options` with underscores for dots."""
    named = {name.replace("_", "."): value for name, value in options.items()}
    return dataclasses.replace(load("dev", environ={}).kafka, bootstrap_servers="a:1,b:2", options=named)


def scram(password: str = HOSTILE, **more: str) -> KafkaConfig:
    return cluster(
        security_protocol="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username="shop",
        sasl_password=Secret(password),
        **more,
    )


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pems")
    secured_kafka.authority(folder)
    return folder


@pytest.fixture
def mutual(pems: Path) -> KafkaConfig:
    return cluster(
        security_protocol="SSL",
        ssl_ca_location=str(pems / "ca.pem"),
        ssl_certificate_location=str(pems / "client.pem"),
        ssl_key_location=str(pems / "client.key"),
        ssl_key_password=secured_kafka.KEY_PASSWORD,
    )


def test_an_open_broker_is_its_address_and_nothing_else() -> None:
    assert clients.spark(cluster()) == {"kafka.bootstrap.servers": "a:1,b:2"}
    assert clients.librdkafka(cluster()) == {"bootstrap.servers": "a:1,b:2"}
    assert clients.python_consumer(cluster()) == clients.python_producer(cluster()) == {"bootstrap_servers": "a:1,b:2"}


def test_a_user_and_a_password_in_each_clients_words() -> None:
    assert clients.spark(scram("pa55")) == {
        "kafka.bootstrap.servers": "a:1,b:2",
        "kafka.security.protocol": "SASL_SSL",
        "kafka.sasl.mechanism": "SCRAM-SHA-512",
        "kafka.sasl.jaas.config": 'org.apache.kafka.common.security.scram.ScramLoginModule required username="shop" password="pa55";',
    }
    assert clients.librdkafka(scram("pa55")) == {
        "bootstrap.servers": "a:1,b:2",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "shop",
        "sasl.password": "pa55",
    }
    assert clients.python_producer(scram("pa55")) == {
        "bootstrap_servers": "a:1,b:2",
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "shop",
        "sasl_plain_password": "pa55",
    }


def test_tokens_in_each_clients_words() -> None:
    options = {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "OAUTHBEARER",
        "sasl.oauthbearer.token.endpoint.url": "https://login.example.com/token",
        "sasl.oauthbearer.client.id": "us",
        "sasl.oauthbearer.client.secret": "s3cret",
        "sasl.oauthbearer.scope": "kafka read",
    }
    tokens = dataclasses.replace(cluster(), options=options)
    java = clients.java(tokens)
    assert java["sasl.jaas.config"] == (
        "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required "
        'clientId="us" clientSecret="s3cret" scope="kafka read";'
    )
    assert java["sasl.oauthbearer.token.endpoint.url"] == "https://login.example.com/token"
    assert java["sasl.login.callback.handler.class"].endswith(".OAuthBearerLoginCallbackHandler")
    assert clients.librdkafka(tokens) == {
        "bootstrap.servers": "a:1,b:2",
        **options,
        "sasl.oauthbearer.method": "oidc",
    }
    provider = clients.python_consumer(tokens)["sasl_oauth_token_provider"]
    assert (provider.url, provider.client_id, provider.scope) == ("https://login.example.com/token", "us", "kafka read")
    assert "s3cret" not in repr(provider)


def test_whose_certificate_it_is_may_be_left_unasked() -> None:
    unasked = scram("pa55", ssl_endpoint_identification_algorithm="none")
    assert clients.java(unasked)["ssl.endpoint.identification.algorithm"] == ""
    assert clients.librdkafka(unasked)["ssl.endpoint.identification.algorithm"] == "none"
    assert clients.python_consumer(unasked)["ssl_check_hostname"] is False
    asked = scram("pa55", ssl_endpoint_identification_algorithm="https")
    assert clients.java(asked)["ssl.endpoint.identification.algorithm"] == "https"
    assert "ssl_check_hostname" not in clients.python_consumer(asked)


def test_files_go_to_java_as_text_with_the_key_open(mutual: KafkaConfig, pems: Path) -> None:
    java = clients.java(mutual)
    assert java["ssl.truststore.certificates"] == (pems / "ca.pem").read_text()
    assert java["ssl.keystore.certificate.chain"] == (pems / "client.pem").read_text()
    assert java["ssl.keystore.key"].startswith("-----BEGIN PRIVATE KEY-----")
    assert java["ssl.truststore.type"] == java["ssl.keystore.type"] == "PEM"
    assert repr(java["ssl.keystore.key"]) == "'(hidden)'"
    python = clients.python_consumer(mutual)
    context = ssl.create_default_context(cafile=python["ssl_cafile"])
    context.load_cert_chain(python["ssl_certfile"], python["ssl_keyfile"], python["ssl_password"])


@pytest.mark.parametrize("translated", [clients.spark, clients.librdkafka, clients.python_consumer])
@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("ssl.ca.location", "gone.pem", r"no such file or directory, expected a PEM file"),
        ("ssl.ca.location", "client.key", r"no certificate in it"),
        ("ssl.key.location", "ca.pem", r"no private key that ssl\.key\.password opens"),
        ("ssl.key.password", "wrong", r"no private key that ssl\.key\.password opens"),
    ],
)
def test_a_file_that_will_not_do_is_named_whichever_client_asks(
    mutual: KafkaConfig, pems: Path, translated: Any, option: str, value: str, expected: str
) -> None:
    given = value if option.endswith("password") else str(pems / value)
    wrong = dataclasses.replace(mutual, options={**mutual.options, option: given})
    named = option.replace("password", "location")
    with pytest.raises(ConfigError, match=rf"^kafka\.options\.{named}: got '.*', {expected}") as caught:
        translated(wrong)
    assert "wrong" not in str(caught.value)


def test_an_option_is_passed_on_to_those_that_have_it() -> None:
    values = {name: "use_all_dns_ips" if name == "client.dns.lookup" else "1000" for name in PASSED_ON}
    everything = dataclasses.replace(cluster(), options=values)
    assert set(clients.python_consumer(everything)) <= set(KafkaConsumer.DEFAULT_CONFIG)
    assert set(clients.python_producer(everything)) <= set(KafkaProducer.DEFAULT_CONFIG)
    lacking = {name: KafkaProducer.DEFAULT_CONFIG for name, one in PASSED_ON.items() if one.python_producer is None}
    lacking |= {name: KafkaConsumer.DEFAULT_CONFIG for name, one in PASSED_ON.items() if one.python_consumer is None}
    assert [name for name, known in lacking.items() if name.replace(".", "_") in known] == [], "it is known by now"
    assert clients.python_consumer(everything)["request_timeout_ms"] == 1000
    Producer({**clients.librdkafka(everything), "log_level": 0})  # it refuses what it does not know


@pytest.fixture(scope="module")
def known_to_java(_session: SparkSession) -> set[str]:
    consumer = _session._jvm.org.apache.kafka.clients.consumer.ConsumerConfig.configNames()  # type: ignore[union-attr]
    producer = _session._jvm.org.apache.kafka.clients.producer.ProducerConfig.configNames()  # type: ignore[union-attr]
    return set(consumer) | set(producer)


def test_java_knows_every_name_it_is_told(known_to_java: set[str], mutual: KafkaConfig) -> None:
    everything = dict.fromkeys(PASSED_ON, "1000")
    told = [clients.java(dataclasses.replace(mutual, options={**mutual.options, **everything})), clients.java(scram())]
    assert set().union(*told) <= known_to_java


@pytest.fixture(scope="module")
def read_back(_session: SparkSession) -> Any:
    """What Kafka's own parser makes of a line: the options of its one login module."""
    jvm: Any = _session._jvm
    password = jvm.org.apache.kafka.common.config.types.Password

    def read(line: str) -> dict[str, str]:
        settings = jvm.java.util.HashMap()
        settings.put("sasl.jaas.config", password(line))
        context = jvm.org.apache.kafka.common.security.JaasContext.loadClientContext(settings)
        (entry,) = context.configurationEntries()
        return dict(entry.getOptions())

    return read


@settings(max_examples=40)
@given(password=PASSWORDS, username=PASSWORDS)
def test_kafka_reads_back_the_very_password(read_back: Any, password: str, username: str) -> None:
    options = {"sasl.username": username, "sasl.password": password}
    assert read_back(clients.jaas("SCRAM-SHA-256", options)) == {"username": username, "password": password}


def test_kafka_reads_back_a_hostile_password(read_back: Any) -> None:
    options = {"sasl.username": "shop", "sasl.password": HOSTILE}
    assert read_back(clients.jaas("PLAIN", options)) == {"username": "shop", "password": HOSTILE}


def test_spark_shows_no_password_in_a_plan(spark: SparkSession, capsys: pytest.CaptureFixture[str]) -> None:
    stream = (
        spark.readStream.format("kafka").options(**clients.spark(scram("pa55word"))).option("subscribe", "t").load()
    )
    stream.explain("extended")
    shown = capsys.readouterr().out
    assert "kafka" in shown.lower()
    assert "pa55word" not in shown
