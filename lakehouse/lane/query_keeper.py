"""Keeps the lane's query running, by the rules as they are now."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from pyspark.sql.streaming.query import StreamingQuery

from lakehouse.errors import StitchlakeError
from lakehouse.lane.query import LaneRules
from lakehouse.spark.streams import failure

LOOK_SECONDS = 1
log = logging.getLogger("stitchlake.lane")


@dataclass(kw_only=True)
class QueryKeeper:
    """One query, started anew whenever the rules change. `version`: tells cheaply whether they did.

    `read` raises StitchlakeError where the rules cannot be used: at the first start that ends the job, later the rules in
    force stay in force, since no rules at all would be worse.
    """

    version: Callable[[], str]
    read: Callable[[], LaneRules]
    start: Callable[[LaneRules], StreamingQuery]

    def __post_init__(self) -> None:
        self._seen = self.version()
        self._query = self.start(self.read())

    @property
    def query(self) -> StreamingQuery:
        """The one that runs now."""
        return self._query

    def look(self) -> bool:
        """Start again by new rules, if there are any; whether it did.

        The query is stopped before the next one starts: two cannot share a checkpoint. It resumes at the last checkpoint, so
        what was told since is told again; `decisions.max_age_seconds` bounds that, and consumers dedupe.
        """
        if (version := self.version()) == self._seen:
            return False
        self._seen = version
        try:
            rules = self.read()
        except StitchlakeError as error:
            log.error("%s. The rules in force stay in force", error)
            return False
        self._query.stop()
        self._query = self.start(rules)
        log.info("rules %s are in force: %d concern the lane", rules.version, len(rules.rules))
        return True

    def run(self) -> None:
        """Until the query ends.

        Raises:
            StitchlakeError: it failed.
        """
        while not self._ended():
            self.look()
        if self._query.exception() is not None:
            raise failure(self._query)

    def _ended(self) -> bool:
        if self._query.exception() is not None:
            return True
        return bool(self._query.awaitTermination(LOOK_SECONDS))
