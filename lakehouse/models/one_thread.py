"""scikit-learn by one thread: of so few rows more wait for each other, the longer the more the machine has to do, and sums depend on how many there are.

Twenty times the time was measured for K-means of two thousand rows on two busy cores.
"""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_thread() -> Iterator[None]:
    """As long as it lasts."""
    import sklearn  # noqa: F401 # brings OpenMP along: what is not loaded yet is not limited
    from threadpoolctl import threadpool_limits  # scikit-learn brings it along, too

    with threadpool_limits(limits=1):
        yield
