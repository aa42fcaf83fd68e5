"""The rules of identity as one text that tells whether they changed; and stored identifiers that are blocked by now."""

import dataclasses
import json
from hashlib import blake2b

import pandas as pd

from lakehouse.config import Config
from lakehouse.events.identifiers import Resolver

_NORMAL_FORMS = ("email", "phone")
_NEVER = r"(?!)"


def rules_text(config: Config) -> str:
    """Everything of the configuration that the map follows from, as JSON."""
    rules = vars(config.identity) | {"match_probability": config.matching.match_probability}
    return json.dumps(rules, sort_keys=True, default=vars)


def fingerprint(config: Config) -> str:
    """32 hex digits; other ones for other rules."""
    return blake2b(rules_text(config).encode(), digest_size=16).hexdigest()


def is_blocked(edges: pd.DataFrame, config: Config) -> "pd.Series[bool]":
    """Whether each edge's identifier would be blocked today: it was stored when it was not.

    A token cannot be tested against a pattern: of e-mail and phone, and of what else holds an `@`, only the listed values
    are found.
    """
    known: dict[tuple[str, str], bool] = {}
    hidden = {name: _hidden(name, config) for name in config.identity.rules}
    prefix = f"{config.privacy.hmac_key_id}:"
    answers, resolver = [], Resolver(config)
    for identifier in zip(edges["identifier_type"].tolist(), edges["identifier_token"].tolist(), strict=True):
        if identifier not in known:
            type_, token = identifier
            if type_ not in hidden:
                known[identifier] = False
            elif type_ in _NORMAL_FORMS or token.startswith(prefix):
                known[identifier] = token in hidden[type_]
            else:
                known[identifier] = resolver.resolve(type_, token) is None
        answers.append(known[identifier])
    return pd.Series(answers, index=edges.index, dtype=bool)


def _hidden(type_: str, config: Config) -> set[str]:
    """The tokens of the listed values."""
    identity = config.identity
    free = {
        name: dataclasses.replace(rule, blocked_values=(), blocked_pattern=_NEVER, reserved_pattern=_NEVER)
        for name, rule in identity.rules.items()
    }
    open_ = dataclasses.replace(identity, blocked_values=(), blocked_pattern=_NEVER, rules=free)
    listed = {*identity.blocked_values, *identity.rules[type_].blocked_values}
    resolver = Resolver(dataclasses.replace(config, identity=open_))
    identifiers = (resolver.resolve(type_, value) for value in listed)
    return {identifier[1] for identifier in identifiers if identifier is not None}
