"""The errors of Stitchlake: one base, one named kind per thing that can go wrong.

Every message reads `<where>: <what is wrong>, got <x>, expected <y>. <what to do>`.
"""

from typing import ClassVar


class StitchlakeError(Exception):
    """Anything a person can mend: printed as one line, without a stack trace.

    may_pass: whether another try may go well without anybody's doing. Exit code 75 then, else 2.
    """

    may_pass: ClassVar[bool] = False


class ConfigError(StitchlakeError):
    """A configuration file or environment variable that cannot be used."""


class ContractError(StitchlakeError):
    """A frame or table that is not what `lakehouse/catalog.py` promises."""


class QualityError(StitchlakeError):
    """Rows that are so far from what their table expects that they may not be written."""


class LakeError(StitchlakeError):
    """A lake that cannot be opened: locked, missing, or written by another version."""


class BusyError(LakeError):
    """A lake, or a part of it, that another process writes now."""


class BrokerError(StitchlakeError):
    """The local Kafka broker cannot be started, reached or stopped."""

    may_pass = True


class QueryError(StitchlakeError):
    """A streaming query failed of something that may pass."""

    may_pass = True


class SourceError(StitchlakeError):
    """A demo source that cannot be fetched or read."""


class ModelError(StitchlakeError):
    """A model that cannot be trained, loaded or applied."""


class StoreError(StitchlakeError):
    """An online store that cannot answer: not there, too slow, or written by another version."""

    may_pass = True


class RegistryError(StitchlakeError):
    """A schema registry that does not answer: down, refusing us, or something else at its address."""

    may_pass = True


class RuleError(StitchlakeError):
    """A rule, or another file an owner edits, that cannot be used."""


class ActionError(StitchlakeError):
    """An action that cannot be done: not readable, or of a template or destination that is not there."""


class ExportError(StitchlakeError):
    """An export that cannot be done as it is declared, or a destination that is not what it was."""


class DestinationAwayError(ExportError):
    """A destination of an export that does not answer now."""

    may_pass = True
