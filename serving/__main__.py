"""./spark-submit.sh serve: the process of collector, decision API and live page, until stopped.

Prints one line with the address once it answers.
"""

import logging
import os
import socket
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from lakehouse.config import Config, load
from lakehouse.config.keys import Keyring
from lakehouse.config.paths import EXPERIMENTS, FEATURES, OFFERS, RULES, SOURCES, serving_folder
from lakehouse.decisions.offers import Catalogue, read_catalogue
from lakehouse.errors import ConfigError, StitchlakeError
from lakehouse.events.reader import Reader
from lakehouse.experiments.definitions import Experiments
from lakehouse.feature_book.book import declared_features
from lakehouse.feature_book.rule_words import rule_words
from lakehouse.features.definition import NO_FEATURES, Features
from lakehouse.job import end_with, run
from lakehouse.kafka.admin import hold_to_options
from lakehouse.kafka.broker import cluster
from lakehouse.online.engines import open_kept_store, open_store, store_url
from lakehouse.online.recent_entries import KEPT_MS, MOST_ENTRIES
from lakehouse.online.store import OnlineStore
from lakehouse.recommend.files import CURRENT
from lakehouse.recommend.recommender import Recommender
from lakehouse.rules.book import RuleBook, read_rules
from serving import workers
from serving.app import create_app
from serving.kafka.outbox import Outbox
from serving.kafka.producer import KafkaOut
from serving.kafka.spool import Spool
from serving.lifespan import lifespan_of
from serving.service import Service
from serving.state.last_answers import LastAnswers
from serving.state.learned_policy import LearnedPolicy
from serving.state.meters import Meters, shared_by
from serving.state.page_tokens import PageTokens
from serving.state.pressure import Pressure
from serving.state.profile_reads import ProfileReads, reads_folder
from serving.state.provider_keys import fetched as fetched_keys
from serving.state.rates import Rates
from serving.state.reloadable import Reloadable
from serving.state.running_experiments import Starts, read_running
from serving.state.sns_certificates import SnsCertificates, fetched
from serving.state.sockets import Sockets
from serving.state.stock import Stock
from serving.state.tokens import Tokens
from serving.state.webhook_doors import webhook_doors
from serving.telemetry import carrier, spans
from serving.visitors.pending import Pending
from serving.visitors.profile_changes import Changes
from serving.visitors.visitors import Visitors

_DEV_KEY = "dev"  # everybody knows it
_EVENTS_LINGER_MS = 2  # events of many senders go together: a third of what each alone costs the broker
_LOG_LINGER_MS = 50  # nobody waits for the decision log


def utc_now() -> datetime:
    return datetime.now(UTC)


def make_service(config: Config, *, clock: Callable[[], datetime] = utc_now, shared: Path | None = None) -> Service:
    """Everything an answer is made from; nothing of it is connected yet but the online store.

    `shared`: a folder of all processes of the service, for what Prometheus is told; None = there is one.

    Raises:
        ConfigError: nobody could be let in, for there are no keys; or a source that a topic is bound to has faults.
        StoreError: the online store cannot be opened.
    """
    store = open_store(store_url(config), timeout_ms=config.serving.deadline_ms)
    kept = open_kept_store(config) if store.is_embedded else store
    pending = Pending(store, keep=MOST_ENTRIES, keep_ms=KEPT_MS)
    facts = pending if kept is store else Pending(kept, keep=MOST_ENTRIES, keep_ms=KEPT_MS)
    visitors = Visitors(pending, facts, config)
    recommender_base = serving_folder(config) / "recommender"
    files = _files(config, kept, clock)
    headers = carrier if config.serving.spans else list
    out = KafkaOut(cluster(config), headers)
    return Service(
        config=config,
        clock=clock,
        store=store,
        kept=kept,
        pending=pending,
        facts=facts,
        reader=Reader(config),
        visitors=visitors,
        rules=files.rules,
        catalogue=files.offers,
        features=files.features,
        recommender=Reloadable(recommender_base / CURRENT, lambda _: Recommender.load_current(recommender_base)),
        experiments=files.experiments,
        starts=Starts(files.experiments, kept, out, config.kafka.events_topic, clock),
        stock=Stock(kept),
        changes=Changes(),
        policy=LearnedPolicy(config.serving, kept),
        out=out,
        outbox=Outbox(KafkaOut(cluster(config), headers, linger_ms=_EVENTS_LINGER_MS), spool_of(config)),
        log=KafkaOut(cluster(config), headers, linger_ms=_LOG_LINGER_MS),
        sockets=Sockets(),
        pressure=Pressure(config.serving.max_at_once),
        last_answers=LastAnswers(),
        span=spans("stitchlake-serving", is_on=config.serving.spans),
        keys=keyring(config),
        tokens=Tokens(config.oauth, fetched_keys),
        page_tokens=PageTokens(config.privacy.hmac_key),
        key_rates=Rates(config.serving.key_per_second),
        address_rates=Rates(config.serving.address_per_second),
        meters=Meters(shared),
        reads=ProfileReads(config, reads_folder(config)),
        sns_certificates=SnsCertificates(fetched),
        webhooks=webhook_doors(config, SOURCES, os.environ),
    )


class _Files(NamedTuple):
    """What an owner edits, each read again when it changes, and when one that it relies on does."""

    features: Reloadable[Features]
    offers: Reloadable[Catalogue]
    rules: Reloadable[RuleBook]
    experiments: Reloadable[Experiments]


def _files(config: Config, kept: OnlineStore, clock: Callable[[], datetime]) -> _Files:
    """`kept`: experiments are held against what of them has begun there."""
    features = Reloadable(FEATURES, lambda path: declared_features(config, path))

    def read_offers(path: Path) -> Catalogue:
        return read_catalogue(path, rule_words(features.current or NO_FEATURES), config.consent.purposes)

    offers = Reloadable(OFFERS, read_offers, relies_on=[features])

    def read_rule_book(path: Path) -> RuleBook:
        catalogue = offers.current
        words = rule_words(features.current or NO_FEATURES)
        return read_rules(path, None if catalogue is None else catalogue.offers, words=words)

    return _Files(
        features=features,
        offers=offers,
        rules=Reloadable(RULES, read_rule_book, relies_on=[offers]),
        experiments=Reloadable(EXPERIMENTS, lambda path: read_running(path, kept, clock())),
    )


def spool_of(config: Config) -> Spool | None:
    """Where records wait while Kafka is away, an equal share of its bytes for each process; None = they do not."""
    most_bytes = config.serving.spool_megabytes * 1_000_000 // config.serving.workers
    return Spool(serving_folder(config) / "spool", most_bytes) if most_bytes else None


def keyring(config: Config) -> Keyring:
    """Who may call.

    Raises:
        ConfigError: nobody, for there are no keys.
    """
    keys = Keyring(config.serving.keys, is_open=config.serving.is_open)
    if not keys and not config.oauth.issuer:
        raise ConfigError(
            "serving.keys: empty, expected the keys of those who may call. Make one with ./spark-submit.sh key NAME SCOPE, and "
            "set STITCHLAKE__SERVING__KEYS to the entries it prints, with commas between them"
        )
    return keys


def hold_to_address(config: Config) -> None:
    """See that nobody listens to the world without keys, or where keys could be read on their way.

    Raises:
        ConfigError: the address is another than this machine's own, and something of this is missing.
    """
    serving = config.serving
    if _is_loopback(serving.host):
        return
    told = f"serving.host: got '{serving.host}'"
    if serving.is_open or Keyring(serving.keys, is_open=False).holder(_DEV_KEY) is not None:
        raise ConfigError(
            f"{told} with what everybody may do or the key of dev, expected 127.0.0.1. Set STITCHLAKE_ENV=prod and keys of its own"
        )
    is_behind_tls = serving.public_url.startswith("https://") and serving.proxies > 0
    if not serving.tls_certificate and not is_behind_tls:
        raise ConfigError(
            f"{told} without TLS, expected serving.tls_certificate and serving.tls_key, or a proxy that has TLS: serving.proxies and a "
            "serving.public_url of https. Keys would be read on their way"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def main(argv: list[str]) -> int:
    match argv:
        case []:
            return _serve()
        case ["--worker", folder, *files] if all(map(str.isdecimal, files)) and len(files) == 2:
            listening, lifeline = map(int, files)
            end_with(lifeline)
            _work(load(), socket.socket(fileno=listening), Path(folder))
            return 0
    raise StitchlakeError(
        f"serve: got '{' '.join(argv)}', expected no argument. Settings are in conf/base.toml: [serving]"
    )


def _serve() -> int:
    """One process, or several at one port; when one of several ends, all do."""
    config = load()
    keyring(config)  # before anybody could connect
    hold_to_address(config)
    hold_to_options(cluster(config))
    serving = config.serving
    listening = workers.listen(serving.host, serving.port, serving.workers)
    scheme = "https" if serving.tls_certificate else "http"
    print(f"serving at {scheme}://{serving.host}:{listening[0].getsockname()[1]}", flush=True)
    if len(listening) == 1:
        _work(config, listening[0])
        return 0
    with TemporaryDirectory(prefix="stitchlake-metrics-") as folder:
        command = [sys.executable, "-m", "serving", "--worker", folder]
        return workers.run_together(command, listening, shared_by(folder))


def _work(config: Config, listening: socket.socket, shared: Path | None = None) -> None:
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # an absent broker is told once, by us
    service = make_service(config, shared=shared)

    def end_streams() -> None:
        service.changes.end()
        service.sockets.end()

    serving = config.serving
    tls = workers.Tls(serving.tls_certificate, serving.tls_key) if serving.tls_certificate else None
    workers.serve(create_app(service, lifespan_of(service)), listening, end_streams, tls)


if __name__ == "__main__":
    run(main)
