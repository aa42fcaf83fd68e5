"""What BG/NBD and Gamma-Gamma know of a customer: orders after the first, time from first to last order, time since the first, mean value.

Fader, Hardie and Lee (2005) call them x, t_x and T. They say all that the model uses of when somebody bought.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lakehouse.errors import ModelError

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Histories:
    """One place per customer with an order, in one order. Times in one unit of whoever made them.

    repeats: orders after the first, 0 or more. last: from the first order to the last, 0 where there was no repeat. age: from the first order to now,
    not below `last`. value: mean value of an order.

    Raises:
        ModelError: lengths that differ, or a figure that no history can have.
    """

    repeats: Array
    last: Array
    age: Array
    value: Array

    def __post_init__(self) -> None:
        lengths = {len(column) for column in (self.repeats, self.last, self.age, self.value)}
        if len(lengths) != 1:
            raise ModelError(
                f"histories: columns of different lengths, got {sorted(lengths)}, expected one. Give a place to each customer"
            )
        faults = {
            "repeats below 0 or not whole": (self.repeats < 0) | (self.repeats != np.floor(self.repeats)),
            "a time or value that is no finite number": ~np.isfinite(self.last + self.age + self.value),
            "last before the first order": self.last < 0,
            "an age below last": self.age < self.last,
            "no repeat and last above 0": (self.repeats == 0) & (self.last > 0),
        }
        found = {what: int(rows.sum()) for what, rows in faults.items() if rows.any()}
        if found:
            raise ModelError(
                f"histories: figures no customer can have, got {found} by customers, expected none. Mend what makes them"
            )

    def __len__(self) -> int:
        return len(self.repeats)

    def at(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> "Histories":
        """Those customers, in that order."""
        return Histories(repeats=self.repeats[rows], last=self.last[rows], age=self.age[rows], value=self.value[rows])
