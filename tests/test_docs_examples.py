"""Every example of README.md and docs/ works: Python runs on a small lake, commands are taken by their parsers, JSON and YAML are read.

What needs a broker, a cluster or minutes is not started: its file must exist, and its arguments must be ones it knows.
"""

import argparse
import ast
import dataclasses
import importlib
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from pydantic import BaseModel, TypeAdapter
from pyspark.sql import SparkSession

from lakehouse.actions.destinations import read_destinations
from lakehouse.audiences.book import read_audiences
from lakehouse.commands import identity, key, launcher
from lakehouse.config import PROJECT, LakeConfig, load
from lakehouse.config.paths import FEATURES
from lakehouse.decisions.offers import read_catalogue
from lakehouse.errors import LakeError, StitchlakeError
from lakehouse.events.declared_properties import read_declared
from lakehouse.events.tracking_plan import read_plan
from lakehouse.experiments.definitions import read_experiments
from lakehouse.exports.declaration import read_exports
from lakehouse.feature_book.book import read_features
from lakehouse.moments.definitions import read_moments
from lakehouse.rules.book import read_rules
from lakehouse.rules.evaluate import compile_predicate
from lakehouse.rules.vocabulary import prepared
from lakehouse.sources.imputation import Imputations
from lakehouse.sources.source import Source
from lakehouse.sources.webhook import Webhook
from serving.messages import collector
from serving.messages import request_models as requests
from tests import small_lake
from tests.documents import PAGES, Example, examples, prose

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SUBMIT = "./spark-submit.sh"
WORDS: Mapping[str, list[list[str]]] = {
    **{command: [[]] for command in ("help", "up", "down", "serve")},
    "kafka": [["start"], ["stop"], ["status"]],
    "plan": [[], ["--write"], ["check"], ["check", "--against", "origin/main"]],
    "rules": [["check"], ["test"]],
    "features": [["check"]],
    "audiences": [["check"], ["preview"]],
    "schedule": [[], ["--airflow"], ["--databricks"]],
    "adopt": [
        ["orders-2024.csv", "--import"],
        ["orders-2024.csv", "orders-2025.csv"],
        ["orders-2024.csv", "--no-input", "--answer", "zone=Europe/Berlin", "--import"],
    ],
    "sources": [["list"], ["check"], ["check", "crm", "contacts.csv"]],
    "audit": [["verify"]],
    "model": [
        ["list"],
        ["show", "scores", "3", "--page", "card.html"],
        ["promote", "scores", "3", "--by", "ann", "--why", "better since the sale"],
        ["rollback", "scores", "--by", "ann", "--why", "too many offers"],
    ],
}
BODIES: Mapping[str, type[BaseModel]] = {
    "/api/personalized-recommendations": requests.RecommendationRequest,
    "/api/decide": requests.DecisionRequest,
    "/api/exposures": requests.ExposureRequest,
    "/api/outcomes": requests.OutcomeRequest,
    "/api/products": requests.AvailabilityRequest,
    "/api/suppressions": requests.SuppressionRequest,
}
DECLARED: Mapping[str, Callable[[Path], object]] = {
    "rules": read_rules,
    "features": lambda path: read_features(path, ()),
    "audiences": lambda path: read_audiences(path, read_features(FEATURES, ())),
    "offers": read_catalogue,
    "moments": read_moments,
    "destinations": lambda path: read_destinations(
        path, {"CRM_TOKEN": "t0ken", "CRM_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
    ),
    "experiments": read_experiments,
    "exports": read_exports,
    "source": lambda path: Source.read(path, load("dev", environ={})),
    "webhook": lambda path: Webhook.model_validate(yaml.safe_load(path.read_text())["webhook"]),
    "impute": lambda path: TypeAdapter(Imputations).validate_python(yaml.safe_load(path.read_text())["impute"]),
    "metrics": read_experiments,
    "properties": lambda path: read_declared(path, load("dev", environ={}).privacy),
    "events": read_plan,
}


class Parsed(Exception):
    """A job's parser took its arguments; nothing of the job itself was begun."""


def commands(code: str) -> Iterator[list[str]]:
    """The commands of a shell block as words; one may go on over lines, by a backslash or an open quote."""
    waiting = ""
    for line in code.splitlines():
        waiting += line.removesuffix("\\") + ("" if line.endswith("\\") else "\n")
        try:
            words = shlex.split(waiting, comments=True)
        except ValueError:  # a quote is open
            continue
        if line.endswith("\\"):
            continue
        waiting = ""
        if words:
            yield words
    assert not waiting.strip(), f"never ends: {waiting}"


def check_command(words: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Take the words of one command as its program would, without doing anything."""
    match words:
        case ["export", *settings]:
            assert all(re.fullmatch(r"[A-Z][A-Z0-9_]*=.+", setting) for setting in settings)
        case ["curl", *arguments]:
            check_request(arguments)
        case [program, *arguments] if program == SUBMIT:
            check_submit(arguments, monkeypatch, tmp_path)
        case _:
            pytest.fail(f"no test knows how to check: {shlex.join(words)}")


def check_submit(argv: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    word, *rest = argv
    if word in WORDS:
        assert rest in WORDS[word], shlex.join(argv)
    elif word == "whois":
        type_, _ = rest
        assert type_ in load("dev", environ={}).identity.rules
    elif word == "identity":
        check_identity(rest, tmp_path)
    elif word == "key":
        key.main(rest)
    elif word != "test":
        check_job(launcher.parse(argv), monkeypatch)


def check_identity(argv: list[str], tmp_path: Path) -> None:
    """Everything about the words is judged before the lake is opened, which is not there."""
    config = dataclasses.replace(load("dev", environ={}), lake=LakeConfig(root=str(tmp_path / "none"), keep_hours=1))
    with pytest.raises(LakeError, match="no lake"):
        identity.command(config, argv, NOW)


def check_job(job: launcher.Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job's own parser takes its arguments; one without a parser names them in its text."""
    name = str(job.script.relative_to(PROJECT).with_suffix("")).replace("/", ".")
    source = job.script.read_text(encoding="utf-8")
    if "argparse" not in source:
        runner = (PROJECT / "lakehouse/queries/driver.py").read_text(encoding="utf-8") if "driver" in source else ""
        assert [word for word in job.arguments if f'"{word}"' not in source + runner] == []
        return
    parse = argparse.ArgumentParser.parse_known_args  # by which each way of parsing goes

    def parse_only(self: argparse.ArgumentParser, *arguments: Any) -> None:
        _, unknown = parse(self, *arguments)
        assert unknown == []
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_known_args", parse_only)
    with pytest.raises(Parsed):
        importlib.import_module(name).main(list(job.arguments))


def check_request(arguments: list[str]) -> None:
    """The body is what the route reads."""
    url = arguments[-1]
    body = arguments[arguments.index("-d") + 1]
    path = re.fullmatch(r"http://127\.0\.0\.1:8080(/\S+)", url)
    assert path is not None, url
    if path[1].startswith("/v1/"):
        call = path[1].removeprefix("/v1/")
        (record,), refused = collector.read(call, body.encode()).records(NOW)
        assert (record.event["type"], refused) == (call, {})
    else:
        BODIES[path[1]].model_validate_json(body)


@pytest.mark.parametrize("example", examples("sh"), ids=str)
def test_every_command_of_a_shell_example_is_taken(
    example: Example, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for words in commands(example.code):
        with monkeypatch.context() as patched:
            check_command(words, patched, tmp_path)


@pytest.mark.parametrize("page", PAGES)
def test_every_command_named_in_a_sentence_or_table_is_taken(
    page: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for code in re.findall(r"`(?:time )?(\./spark-submit\.sh [^`]+)`", prose(page)):
        _, *argv = shlex.split(code)
        named = [word for word in argv if not re.search(r"[<\[|]", word)]
        if len(named) == 1 and not named[0].endswith(".py"):
            assert named[0] in launcher.COMMANDS, code
            continue
        if named == ["ml/evaluate_identity.py"]:  # named without the data it needs
            continue
        with monkeypatch.context() as patched:
            check_submit(argv, patched, tmp_path)


def test_every_route_the_pages_name_is_one_of_the_service() -> None:
    application = "".join(path.read_text(encoding="utf-8") for path in sorted((PROJECT / "serving").rglob("*.py")))
    routes = {path.partition("{")[0].rstrip("/") for path in re.findall(r'@app\.\w+\(\s*"(/\w[^"]*)"', application)}
    named = {
        path.rstrip("/") for page in PAGES for path in re.findall(r"[` ](/(?:api|v1|ws|healthz)\b[\w/-]*)", prose(page))
    }
    assert named
    assert {path for path in named if path not in routes and path.rpartition("/")[0] not in routes} == set()


@pytest.mark.parametrize("example", examples("yaml"), ids=str)
def test_every_yaml_example_is_read_as_its_file_would_be(example: Example, tmp_path: Path) -> None:
    keys = set(yaml.safe_load(example.code)) - {"tests", "holdout"}
    (kind,) = {"source"} if "fields" in keys else keys
    path = tmp_path / f"{kind}.yaml"
    path.write_text(example.code, encoding="utf-8")
    DECLARED[kind](path)
    if kind == "rules":
        offers = read_catalogue(PROJECT / "conf/offers.yaml").offers
        book = read_rules(path, offers)
        for tried in book.examples:
            assert (compile_predicate(book.expressions[tried.rule])(prepared(tried.given)) is True) == tried.expect


@pytest.mark.parametrize("example", examples("python"), ids=str)
def test_every_python_example_shows_rows_of_a_lake(
    example: Example, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Path(small_lake.shared(spark).root)
    assert lake.name == "lake"
    monkeypatch.chdir(lake.parent)
    *steps, last = ast.parse(example.code).body
    assert isinstance(last, ast.Expr), "the last line of an example shows something"
    names: dict[str, Any] = {}
    exec(compile(ast.Module(steps, []), str(example), "exec"), names)
    shown = eval(compile(ast.Expression(last.value), str(example), "eval"), names)
    assert shown.height if isinstance(shown, pl.DataFrame) else shown.fetchall()


def test_commands_are_cut_where_a_shell_cuts_them() -> None:
    code = "a b  # not this\n\ncurl -d '{\"x\":\n 1}' \\\n  url\nexport A=1 B=2\n"
    assert list(commands(code)) == [["a", "b"], ["curl", "-d", '{"x":\n 1}', "url"], ["export", "A=1", "B=2"]]


@pytest.mark.parametrize(
    "words",
    [
        ["plan", "--wrte"],
        ["kafka", "restart"],
        ["batch/rebiuld.py"],
        ["batch/rebuild.py", "--chek"],
        ["batch/online_store.py", "--chek"],
        ["streaming", "--available"],
        ["identity", "link", "user_id", "u-17", "--by", "ann", "--why", "x"],
    ],
    ids=" ".join,
)
def test_a_command_that_would_be_refused_is_not_taken(
    words: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises((StitchlakeError, AssertionError, SystemExit)):
        check_submit(words, monkeypatch, tmp_path)


def test_there_are_examples_of_every_kind() -> None:
    assert {example.language for example in examples()} >= {"python", "sh", "yaml"}
