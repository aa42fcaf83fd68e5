"""Names of the JVM are asked for once, and mean what they meant."""

import pytest
from py4j.protocol import Py4JError
from pyspark.sql import SparkSession


@pytest.fixture
def asked(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The commands that the JVM was sent."""
    commands: list[str] = []
    client = spark._jvm._gateway_client
    send = client.send_command

    def noted(command: str, *rest: object, **named: object) -> object:
        commands.append(command)
        return send(command, *rest, **named)

    monkeypatch.setattr(client, "send_command", noted)
    return commands


def test_a_class_and_its_functions_are_asked_for_once(spark: SparkSession, asked: list[str]) -> None:
    made = [str(spark._jvm.functions.col("a")) for _ in range(3)]
    asked.clear()
    made += [str(spark._jvm.functions.col("a")) for _ in range(3)]
    assert made == ["a"] * 6
    assert [command for command in asked if command.startswith("r\n")] == []  # Py4J's word for a question about a name
    assert len(asked) >= 6


def test_a_package_is_asked_for_once_and_a_name_in_capitals_that_is_no_class_yet_again(
    spark: SparkSession, asked: list[str]
) -> None:
    names = [spark._jvm.java.util.concurrent.TimeUnit.DAYS.toHours(1) for _ in range(2)]
    assert names == [24, 24]
    asked.clear()
    assert spark._jvm.java.util.concurrent.TimeUnit.DAYS.toHours(2) == 48
    assert not [command for command in asked if command.startswith("r\nu\n")]
    for _ in range(2):
        _ = spark._jvm.java.util.LaterThere
    assert len([command for command in asked if "LaterThere" in command]) == 2


def test_a_value_is_asked_for_each_time(spark: SparkSession, asked: list[str]) -> None:
    limits = getattr(spark._jvm, "java.lang.Integer")
    assert [limits.MAX_VALUE, limits.MAX_VALUE] == [2**31 - 1] * 2
    assert len([command for command in asked if "MAX_VALUE" in command]) == 2


def test_packages_and_what_is_not_there_are_as_ever(spark: SparkSession) -> None:
    assert spark._jvm.java.lang.String("x") == "x"
    with pytest.raises(Py4JError, match="Nothing does not exist in the JVM"):
        _ = spark._jvm.java.lang.Integer.Nothing
