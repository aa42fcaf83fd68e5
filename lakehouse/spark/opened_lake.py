"""A lake that is to be written: its lock, a session, its stamp."""

from collections.abc import Iterator
from contextlib import contextmanager

from lakehouse.config import Config
from lakehouse.lake.delta import Lake
from lakehouse.lake.lock import writer
from lakehouse.spark.session import get_session


@contextmanager
def opened(
    config: Config, job: str, *, part: str | None = None, rebuilds: bool = False, refills: bool = False
) -> Iterator[Lake]:
    """The lake in a session that is named after the job, with this process as its only writer; the arguments are those of `writer`.

    The lock comes first, so that whoever is refused has started no JVM. A remote lake has none, and its stamp is read by the session.

    Raises:
        BusyError: another process writes; it is named.
        LakeError: the lake is not ours to write.
    """
    with writer(config, part=part, rebuilds=rebuilds, refills=refills):
        lake = Lake(get_session(config, job), config)
        with writer(config, lake.spark, part=part, rebuilds=rebuilds, refills=refills):
            yield lake
