"""What a contract is: a table's grain, key, columns, owner and sources. Types are Spark SQL type names."""

from dataclasses import dataclass

from lakehouse.errors import ContractError
from lakehouse.tables.expectation import Action, Expectation, Volume
from lakehouse.tables.people import Nobody, Way, columns_of

MONEY = "decimal(18,2)"
PRICE = "decimal(20,8)"  # of one piece
QUANTITY = "decimal(18,6)"
RATE = "decimal(18,8)"
PRODUCT_LINE = f"struct<product_id:string,name:string,quantity:{QUANTITY},price:{PRICE}>"
PRODUCT_TOUCH = "struct<product_id:string,kind:string,occurred_at:timestamp>"
ORDER_STATEMENT = (
    "struct<stated_at:timestamp,message_id:string,kind:string,actor_id:string,"
    f"amount:{MONEY},currency:string,rate:{RATE},lines:array<{PRODUCT_LINE}>>"
)
REFUND_STATEMENT = (
    "struct<stated_at:timestamp,message_id:string,"
    f"amount:{MONEY},currency:string,rate:{RATE},lines:array<{PRODUCT_LINE}>>"
)
CONSENT = "struct<at:timestamp,message_id:string,analytics:boolean,personalization:boolean,marketing:boolean>"
CONSENT_BASIS = (
    "struct<source:string,jurisdiction:string,text_version:string,others:array<struct<purpose:string,is_allowed:boolean>>,"
    "told_by:string>"
)
_WORD = "struct<at:timestamp,message_id:string,is_allowed:boolean>"
CONSENT_WORDS = f"struct<answered_at:timestamp,analytics:{_WORD},personalization:{_WORD},marketing:{_WORD}>"
ALSO_SAID = "array<struct<purpose:string,at:timestamp,message_id:string,is_allowed:boolean>>"
SAID_LAST = "array<struct<purpose:string,at:timestamp>>"
SUPPRESSION = "struct<at:timestamp,message_id:string,is_suppressed:boolean>"
LOYALTY_TIER = "struct<at:timestamp,tier:string>"

TRAFFIC = "struct<channel:string,source:string,medium:string,campaign:string,click_id:string,is_campaign:boolean>"
LOCATION = "struct<country:string,region:string>"
AGENT = "struct<device_class:string,os:string,browser:string>"


KAFKA = "kafka"
PUTS_ASIDE = "silver.events"  # the table beside which there is a quarantine


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column: `type` is a Spark SQL type, `comment` says meaning, unit and what null means.

    is_write_time: when the row was written, set by whoever writes it and never compared. term: under which group rules may
    read it, see lakehouse/rules/vocabulary.py; None = they may not. is_online: the profile in the online store has it, as it has
    every column that rules may read.
    """

    name: str
    type: str
    comment: str
    nullable: bool = True
    is_write_time: bool = False
    term: str | None = None
    is_online: bool = False


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table. `grain` is the sentence "one row per ..."; `reads` names the tables it is made from.

    time_column: never null, and its files follow it: rows whose stored value of it is known are set without reading the others.
    has_change_feed: Delta notes with each commit which rows it set and removed, see lakehouse/lake/change_feed.py.
    expectations, volume: what is expected of many rows, see lakehouse/tables/expectation.py; None = any number may come.
    holds_personal_data: as people or senders told it, no token in its place: for those alone whose work it is.
    people: how rows of a person are found, each way for itself; or why there are none. None is for tables of tests: see lakehouse/people.
    ages: a column that says how old a row is, and the key of [retention] that says after how many days it goes; None = for good. What is made of such
    rows stays: see lakehouse/profiles/kept_rows.py.
    """

    name: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    owner: str
    reads: tuple[str, ...] = ()
    time_column: str | None = None
    has_change_feed: bool = False
    expectations: tuple[Expectation, ...] = ()
    volume: Volume | None = None
    holds_personal_data: bool = False
    people: tuple[Way, ...] | Nobody | None = None
    ages: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        missing = [key for key in self.key if key not in names]
        if missing or len(set(names)) != len(names):
            raise ContractError(
                f"{self.name}: key columns {missing} missing or a column named twice, got {names}. Mend its declaration"
            )
        unknown = [name for way in self.ways for name in columns_of(way) if name not in names]
        if unknown:
            raise ContractError(f"{self.name}: people: got {unknown}, expected columns of it. Mend its declaration")
        expected = [expectation.name for expectation in self.expectations]
        if len(set(expected)) != len(expected):
            raise ContractError(f"{self.name}: expectations {expected}, expected each name once. Mend its declaration")
        aside = [e.name for e in self.expectations if e.action is Action.QUARANTINE]
        if aside and self.name != PUTS_ASIDE:
            raise ContractError(
                f"{self.name}: expectations {aside} of action quarantine, expected them only of {PUTS_ASIDE}"
            )

    @property
    def ways(self) -> tuple[Way, ...]:
        """How rows of a person are found; () = it holds nobody."""
        return self.people if isinstance(self.people, tuple) else ()

    @property
    def layer(self) -> str:
        return self.name.split(".")[0]

    @property
    def parameter(self) -> str:
        """The name under which a transform is handed the table: `gold_rfm` for gold.rfm."""
        return self.name.replace(".", "_")

    @property
    def column_names(self) -> list[str]:
        return [column.name for column in self.columns]

    @property
    def content(self) -> list[str]:
        """Columns that say something: neither key nor time of the write nor validity."""
        kept = (column.name for column in self.columns if not column.is_write_time and column.name not in self.key)
        return [name for name in kept if name not in VALIDITY]

    @property
    def has_history(self) -> bool:
        """Whether a row says from when to when it held."""
        return {*VALIDITY} <= {*self.column_names}

    @property
    def ddl(self) -> str:
        """Schema as Spark DDL, in contract order, with nullability."""
        return ", ".join(f"{c.name} {c.type}{'' if c.nullable else ' NOT NULL'}" for c in self.columns)


VALIDITY = ("valid_from", "valid_to")


def required(name: str, type: str, comment: str, *, term: str | None = None, is_online: bool = False) -> Column:
    is_online = is_online or term is not None
    return Column(name=name, type=type, comment=comment, nullable=False, term=term, is_online=is_online)


def optional(name: str, type: str, comment: str, *, term: str | None = None, is_online: bool = False) -> Column:
    return Column(name=name, type=type, comment=comment, term=term, is_online=is_online or term is not None)


def write_time(name: str, comment: str, *, is_online: bool = False) -> Column:
    return Column(name=name, type="timestamp", comment=comment, nullable=False, is_write_time=True, is_online=is_online)
