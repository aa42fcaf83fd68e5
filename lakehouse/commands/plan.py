"""./spark-submit.sh plan [--write]: what would run and with which settings; with --write the generated pages of docs/. Needs no Spark."""

from lakehouse.catalog import TABLES
from lakehouse.commands import reference_pages
from lakehouse.config import PROJECT, load
from lakehouse.config.kafka_options import told
from lakehouse.errors import StitchlakeError
from lakehouse.tables import lineage

WRITE = "--write"


def main(argv: list[str]) -> None:
    """Print the plan, or write the pages and print which of them changed.

    Raises:
        StitchlakeError: an argument other than --write; nothing is printed or written then.
        ConfigError, ContractError: a fault of the configuration, or of the tables.
    """
    match argv:
        case []:
            config = load()
            print(lineage.plan(config, TABLES))
            for line in told(config.kafka.options):
                print(line)
        case [word] if word == WRITE:
            for page, is_changed in reference_pages.write(PROJECT).items():
                print(f"{page}: {'written' if is_changed else 'unchanged'}")
        case _:
            raise StitchlakeError(
                f"plan: got '{' '.join(argv)}', expected no argument or {WRITE}. See ./spark-submit.sh help"
            )
