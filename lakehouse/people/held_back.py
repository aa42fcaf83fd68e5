"""Records of who was erased, held back from the `events` query: nothing is made of them.

As long as nobody was erased a micro-batch pays for one look at a number.
"""

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame

from lakehouse.events.erased import HoldBack, hold_back
from lakehouse.events.event_rows import Declarations
from lakehouse.lake.delta import Lake


class HeldBack:
    """Of one lake, of the process that writes it. `renewals`: how often somebody was erased since it was made: what was read of the lake then is old."""

    def __init__(self, lake: Lake, declared: Declarations) -> None:
        self._lake, self._declared = lake, declared
        self.renewals = 0
        self._told: HoldBack = hold_back(lake, declared)

    @property
    def told(self) -> HoldBack:
        """As of the last renewal."""
        return self._told

    def renew(self) -> None:
        """Somebody was erased."""
        self._told = hold_back(self._lake, self._declared)
        self.renewals += 1

    def left(self, answered: DataFrame | pa.Table) -> DataFrame | pa.Table:
        """The answered rows of lakehouse/events/dedupe.py that are nobody's who was erased. On the driver or not, as they come."""
        if not self._told:
            return answered
        if isinstance(answered, pa.Table):
            return answered.filter(pc.invert(self._told.flags(answered)))
        return self._told.left(answered)
