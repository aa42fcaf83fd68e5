"""Records of who was erased, held back from the `events` query: nothing is made of them, and where they lie is noted for bronze.

As long as nobody was erased a micro-batch pays for one look at a number.
"""

from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame

from lakehouse.events.erased import HoldBack, hold_back
from lakehouse.events.event_rows import Declarations
from lakehouse.lake.delta import Lake, arrow_schema
from lakehouse.tables.erasures import OPS_ERASED_RECORDS
from lakehouse.tables.people import PLACE


class HeldBack:
    """Of one lake, of the process that writes it. `renewals`: how often somebody was erased since it was made: what was read of the lake then is old."""

    def __init__(self, lake: Lake, declared: Declarations) -> None:
        self._lake, self._declared = lake, declared
        self.renewals = 0
        self._told: HoldBack = hold_back(lake, declared)

    def renew(self) -> None:
        """Somebody was erased."""
        self._told = hold_back(self._lake, self._declared)
        self.renewals += 1

    def left(self, answered: DataFrame | pa.Table) -> DataFrame | pa.Table:
        """The answered rows of lakehouse/events/dedupe.py that are nobody's who was erased; the others are noted. On the driver or not, as they come."""
        if not self._told:
            return answered
        if isinstance(answered, pa.Table):
            flags = self._told.flags(answered)
            self._note(answered.filter(flags).select(PLACE))
            return answered.filter(pc.invert(flags))
        flag = self._told.flag(answered)
        self._note(answered.where(flag).select(*PLACE).toArrow())
        return answered.where(~flag)

    def _note(self, places: pa.Table) -> None:
        if places.num_rows:
            schema = arrow_schema(OPS_ERASED_RECORDS)
            now = pa.repeat(pa.scalar(datetime.now(UTC), schema.field("held_at").type), places.num_rows)
            once = places.group_by(list(PLACE)).aggregate([]).select(list(PLACE))
            rows = once.append_column("held_at", now.slice(0, once.num_rows)).cast(schema)
            self._lake.upsert(rows, OPS_ERASED_RECORDS)
