"""When what failed is started again, and when it is given up: of a query in a driver, and of a process beside others.

What never worked is a bad deployment: it has FIRST_TRIES. What has worked meets a fault that may pass, such as a disk that is full for
a minute: it has PATIENCE_SECONDS from its first failure on.
"""

from dataclasses import dataclass

FIRST_TRIES = 3
PATIENCE_SECONDS = 1800.0
LONGEST_PAUSE_SECONDS = 60.0


@dataclass
class Restarts:
    """Of one thing that is kept running. failing_since, failures: since it last worked. due: when it is started again; None = it runs."""

    has_worked: bool = False
    failures: int = 0
    failing_since: float = 0.0
    due: float | None = None

    def worked(self) -> None:
        """What failed before is over."""
        self.has_worked, self.failures = True, 0

    def fail(self, now: float) -> bool:
        """Whether another try may be of use; then it is `due`, after a pause that doubles."""
        if self.failures == 0:
            self.failing_since = now
        self.failures += 1
        self.due = now + min(LONGEST_PAUSE_SECONDS, 2.0 ** (self.failures - 1))
        if self.has_worked:
            return now - self.failing_since < PATIENCE_SECONDS
        return self.failures < FIRST_TRIES
