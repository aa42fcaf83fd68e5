"""Records -> block keys, and the pairs of actors that share one.

A blocking rule names atoms (lakehouse/matching/records.py); its key is an HMAC of their values. A key that more than
`max_block` records have pairs nobody: the rule was too weak for this value. Whether it does depends on the whole lake,
not on who came first.
"""

from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.config import PrivacyConfig
from lakehouse.errors import ModelError
from lakehouse.events.tokens import token_of

_DIGITS = 16  # of the token: 64 bits


def block_keys(
    rules: Sequence[Sequence[str]], atoms: Mapping[str, tuple[int, Column]], privacy: PrivacyConfig
) -> Column:
    """array<string>, distinct: the keys of one record; rules whose atoms it lacks give none.

    Raises:
        ModelError: a rule names an atom there is none of.
    """
    for name in (name for rule in rules for name in rule if name not in atoms):
        raise ModelError(
            f"identity model: blocking rules, got {name!r}, expected some of {sorted(atoms)}. "
            "Run ./spark-submit.sh ml/train_identity.py"
        )
    keys = [_key(rule, atoms, privacy) for rule in rules]
    return F.array_distinct(F.array_compact(F.array(*keys))) if keys else F.array().cast("array<string>")


def _key(rule: Sequence[str], atoms: Mapping[str, tuple[int, Column]], privacy: PrivacyConfig) -> Column:
    first, *others = (atoms[name][1] for name in rule)
    together = F.concat(first, *(part for other in others for part in (F.lit("|"), other)))  # null if one is null
    key_id = len(privacy.hmac_key_id) + 2
    return F.substring(token_of(privacy, f"block {'+'.join(rule)}", together), key_id, _DIGITS)


def candidates(asking: DataFrame, members: DataFrame, sizes: DataFrame, *, max_block: int) -> DataFrame:
    """Pairs to compare: actor_l < actor_r, distinct.

    Args:
        asking: actor_id, block_key of the records that look for partners.
        members: actor_id, block_key of all records, at least those with a key of `asking`; these among them.
        sizes: block_key, records: how many have it in the whole lake.
        max_block: a key of more records pairs nobody.
    """
    small = sizes.where(F.col("records") <= max_block).select("block_key")
    met = asking.join(small, on="block_key").withColumnRenamed("actor_id", "asking_id").join(members, on="block_key")
    pair = [F.least("asking_id", "actor_id").alias("actor_l"), F.greatest("asking_id", "actor_id").alias("actor_r")]
    return met.where(F.col("asking_id") != F.col("actor_id")).select(*pair).distinct()
