"""The broker, looked for before anything waits for it."""

import dataclasses

from lakehouse.config import Config
from lakehouse.errors import BrokerError
from lakehouse.kafka import broker


def reachable(config: Config) -> Config:
    """The configuration with the address of the lake's own broker where that runs, or else the configured one.

    Raises:
        BrokerError: it does not answer.
    """
    servers = broker.bootstrap_servers(config)
    if not broker.answers(servers):
        raise BrokerError(
            f"kafka at {servers}: no answer, expected a broker. Start one with ./spark-submit.sh kafka start, or set "
            "STITCHLAKE__KAFKA__BOOTSTRAP_SERVERS"
        )
    return dataclasses.replace(config, kafka=dataclasses.replace(config.kafka, bootstrap_servers=servers))
