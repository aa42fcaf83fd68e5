"""Gradient-boosted trees as plain values: read from a fitted MLlib model, applied as one column expression.

A node is `{"leaf": value}` or `{"feature": name, "threshold": t, "left": node, "right": node}`; left is taken where
feature <= threshold, as in MLlib's ContinuousSplit.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.ml.classification import GBTClassificationModel
from pyspark.sql import Column
from pyspark.sql import functions as F

Node = Mapping[str, Any]


def boosted_trees(model: GBTClassificationModel, features: Sequence[str]) -> tuple[dict[str, Any], ...]:
    """Every tree of `model` with its weight: {"weight": w, "root": node}. `features`: names by vector position."""
    trees: Sequence[Any] = model.trees
    return tuple(
        {"weight": float(weight), "root": _node(tree._java_obj.rootNode(), features)}
        for weight, tree in zip(model.treeWeights, trees, strict=True)
    )


def _node(node: Any, features: Sequence[str]) -> dict[str, Any]:
    if node.subtreeDepth() == 0:
        return {"leaf": float(node.prediction())}
    split = node.split()
    return {
        "feature": features[split.featureIndex()],
        "threshold": float(split.threshold()),
        "left": _node(node.leftChild(), features),
        "right": _node(node.rightChild(), features),
    }


def boosted_logit(trees: Sequence[Mapping[str, Any]]) -> Column:
    """Log-odds of the positive class: twice the weighted sum of the trees (MLlib's log-loss is in -1/+1 labels).

    Written as one SQL text: as Column objects the three hundred nodes of 20 trees cost half a second of calls to the JVM.
    """
    terms = (f"{_number(2.0 * tree['weight'])} * {_sql(tree['root'])}" for tree in trees)
    return F.expr(" + ".join(terms) or "0D")


def _sql(node: Node) -> str:
    if "leaf" in node:
        return _number(node["leaf"])
    condition = f"{node['feature']} <= {_number(node['threshold'])}"
    return f"CASE WHEN {condition} THEN {_sql(node['left'])} ELSE {_sql(node['right'])} END"


def _number(value: float) -> str:
    return f"({float(value)!r}D)"
