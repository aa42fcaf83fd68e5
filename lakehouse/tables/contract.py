"""What a contract is: a table's grain, key, columns, owner and sources. Types are Spark SQL type names."""

from dataclasses import dataclass

from lakehouse.errors import ContractError

MONEY = "decimal(18,2)"
PRODUCT_LINE = f"struct<product_id:string,name:string,quantity:int,price:{MONEY}>"
ORDER_FACT = (
    "struct<ordered_at:timestamp,message_id:string,actor_id:string,"
    f"revenue:{MONEY},currency:string,lines:array<{PRODUCT_LINE}>>"
)
REFUND_FACT = f"struct<refunded_at:timestamp,message_id:string,amount:{MONEY}>"
CONSENT = "struct<at:timestamp,message_id:string,analytics:boolean,personalization:boolean,marketing:boolean>"


KAFKA = "kafka"


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column: `type` is a Spark SQL type, `comment` says meaning, unit and what null means."""

    name: str
    type: str
    comment: str
    nullable: bool = True


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table. `grain` is the sentence "one row per ..."; `reads` names the tables it is made from.

    time_column: never null, and its files follow it: rows whose stored value of it is known are set without reading the others.
    """

    name: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    owner: str
    reads: tuple[str, ...] = ()
    time_column: str | None = None

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        missing = [key for key in self.key if key not in names]
        if missing or len(set(names)) != len(names):
            raise ContractError(
                f"{self.name}: key columns {missing} missing or a column named twice, got {names}. "
                "Mend lakehouse/catalog.py"
            )

    @property
    def layer(self) -> str:
        return self.name.split(".")[0]

    @property
    def column_names(self) -> list[str]:
        return [column.name for column in self.columns]

    @property
    def ddl(self) -> str:
        """Schema as Spark DDL, in contract order, with nullability."""
        return ", ".join(f"{c.name} {c.type}{'' if c.nullable else ' NOT NULL'}" for c in self.columns)


def required(name: str, type: str, comment: str) -> Column:
    return Column(name=name, type=type, comment=comment, nullable=False)


def optional(name: str, type: str, comment: str) -> Column:
    return Column(name=name, type=type, comment=comment)
