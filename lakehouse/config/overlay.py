"""Reading configuration: files and environment variables into one tree of plain values, checked against a schema.

A schema (`Spec`) maps section -> key -> kind, where a kind is `str`, `int`, `float`, `Decimal`, `list` (of text) or a
nested section, and `ANY` stands for a name the user may add. Faults are collected, never raised one by one.
"""

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from lakehouse.errors import ConfigError

PREFIX = "STITCHLAKE__"
REFERENCE = ("base", "identity")  # files every environment starts from, in order; they name every key
ANY = "*"
Spec = Mapping[str, Any]

_NAMES = {
    int: "a whole number",
    float: "a number",
    Decimal: "a decimal number",
    str: "text",
    list: "a list of text",
    bool: "true or false",
}
_SECRET = re.compile(r"(?i)(secret|password|passphrase|credential|token|key)(?!.*(_id|\.location|\.url)$)")
_AS_HASH = "declare the key's hash in serving.keys, which ./spark-submit.sh key prints"
_GONE = {("serving", "write_key"): _AS_HASH, ("serving", "api_key"): _AS_HASH}  # settings of earlier versions
_OF_THE_ENVIRONMENT = (("schema_registry", "password"), ("schema_registry", "token"))
_REFERENCE = re.compile(r"\$\{([A-Za-z_]\w*)\}")


def read(path: Path) -> dict[str, Any]:
    """One TOML file as nested dicts.

    Raises:
        ConfigError: the file is not there (naming those that are) or is not TOML.
    """
    if not path.is_file():
        if path.stem in REFERENCE:
            raise ConfigError(f"conf/{path.name}: not found, expected beside the other files of conf/. Restore it")
        known = sorted(p.stem for p in path.parent.glob("*.toml") if p.stem not in REFERENCE)
        raise ConfigError(f"conf/{path.name}: not found, expected one of {known}. Set STITCHLAKE_ENV to one of them")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"conf/{path.name}: not TOML: {error}. Mend the file") from error


def overlay(
    base: dict[str, Any], top: dict[str, Any], spec: Spec, where: str, faults: list[str], section: str = ""
) -> dict[str, Any]:
    """`base` with the values of `top` in place of its own; what does not fit `spec` goes to `faults` and is left out."""
    result = dict(base)
    for key, value in top.items():
        name = next((known for known in (key, key.lower(), key.upper()) if known in base), key)
        kind = spec.get(key, spec.get(ANY))
        if kind is None or (key not in spec and isinstance(kind, dict) and not isinstance(value, dict)):
            faults.append(f"{where}: {unknown(section, key, spec)}")
        elif isinstance(kind, dict) != isinstance(value, dict) or not (isinstance(value, dict) or _fits(value, kind)):
            faults.append(f"{where}: {wrong(section, key, value, kind_name(kind))}")
        elif isinstance(value, dict):
            inner = f"{section}.{key}".lstrip(".")
            result[name] = overlay(base.get(name, {}), value, kind, where, faults, inner)
        else:
            result[name] = value
    return result


def from_environment(spec: Spec, environ: Mapping[str, str], faults: list[str]) -> dict[str, Any]:
    """Every `STITCHLAKE__<SECTION>__<KEY>` as nested dicts, its text parsed by the kind of the key it sets."""
    overlay: dict[str, Any] = {}
    for name, text in sorted(environ.items()):
        if not name.startswith(PREFIX):
            continue
        *sections, key = name.removeprefix(PREFIX).lower().split("__")
        node, kinds = overlay, spec
        for section in sections:
            kinds = kinds.get(section, kinds.get(ANY, {}))
            node = node.setdefault(section, {}) if isinstance(kinds, dict) else node
            if not isinstance(node, dict) or not isinstance(kinds, dict):
                faults.append(
                    f"environment: {name}: names a key inside a key, expected {PREFIX}<SECTION>__<KEY>. Mend it"
                )
                break
        else:
            kind = kinds.get(key, kinds.get(ANY, str))
            try:
                node[key] = _parse(text, kind)
            except ValueError:
                faults.append(
                    f"environment: {name}: got {shown(key, text)}, expected {kind_name(kind)}. Mend the value"
                )
    return overlay


def in_file(layer: Mapping[str, Any], where: str) -> Iterator[str]:
    """A fault for every secret that stands in a file although it may come from the environment alone."""
    for section, key in _OF_THE_ENVIRONMENT:
        keys = layer.get(section)
        value = keys.get(key) if isinstance(keys, dict) else None
        if isinstance(value, str) and value and not _REFERENCE.fullmatch(value):
            variable = f"{PREFIX}{section}__{key}".upper()
            yield (
                f"{where}: [{section}] {key}: a secret stands in the file, expected it in the environment. Set {variable}, and take it out "
                "of the file"
            )


def resolve_secrets(node: Any, environ: Mapping[str, str], faults: list[str], given: Any = None) -> Any:
    """`node` with every `${NAME}` in a text replaced by that environment variable; left as it is when there is none.

    `given`: the part of `node` that came from the environment. It is taken to the letter: a password may hold a `${`.
    """
    if isinstance(node, dict):
        inner = given if isinstance(given, dict) else {}
        return {key: resolve_secrets(value, environ, faults, inner.get(key.lower())) for key, value in node.items()}
    if not isinstance(node, str) or given is not None:
        return node
    for name in _REFERENCE.findall(node):
        if name not in environ:
            faults.append(f"conf: ${{{name}}}: not set in the environment. Export {name} before starting")
    return _REFERENCE.sub(lambda match: environ.get(match[1], match[0]), node)


def missing(values: Mapping[str, Any], spec: Spec) -> Iterator[str]:
    """A fault for every key of `spec` that no layer gave, naming its file: one named like the section, or the first."""
    first, *others = REFERENCE
    for section, keys in spec.items():
        yield from _missing(values, {section: keys}, f"conf/{section if section in others else first}.toml")


def _missing(values: Mapping[str, Any], spec: Spec, where: str, section: str = "") -> Iterator[str]:
    for key, kind in spec.items():
        if key == ANY:
            continue
        if isinstance(kind, dict):
            yield from _missing(values.get(key, {}), kind, where, f"{section}.{key}".lstrip("."))
        elif key not in values:
            yield f"{where}: [{section}] {key}: missing, expected {kind_name(kind)}. Add it with its comment"


def unknown(section: str, key: str, spec: Spec) -> str:
    """The text of the fault "no such section or key", with what took its place, or the nearest that exists."""
    if (section, key) in _GONE:
        return f"[{section}] '{key}' is gone; {_GONE[section, key]}"
    nearest = max((name for name in spec if name != ANY), key=lambda name: _likeness(key, name), default=None)
    hint = f"did you mean '{nearest}'?" if nearest else "remove it"
    return f"[{section}] unknown key '{key}'; {hint}" if section else f"unknown section '{key}'; {hint}"


def _likeness(key: str, name: str) -> float:
    """Of a key to a name, or to the one of its words that it is most like: `topic` is `events_topic`."""
    return max(difflib.SequenceMatcher(None, key, word).ratio() for word in (name, *name.split("_")))


def wrong(section: str, key: str, got: object, expected: str) -> str:
    """The text of the fault "this value will not do"; a secret is never shown."""
    where = f"[{section}] {key}" if section else f"[{key}]"
    return f"{where}: got {shown(key, got)}, expected {expected}. Mend the value"


def shown(key: str, value: object) -> str:
    """`value` as a person may see it: secrets hidden, passwords inside a URI too."""
    if is_secret(key):
        return "(hidden)"
    return re.sub(r"(://[^/\s:@']*):[^/\s@']+@", r"\1:(hidden)@", repr(value))


def is_secret(key: str) -> bool:
    return bool(_SECRET.search(key))


def kind_name(kind: Any) -> str:
    return "a section" if isinstance(kind, dict) else _NAMES[_plain(kind)]


def _plain(kind: Any) -> type:
    """`tuple[str, ...]` is written as a list in TOML; every other kind is a class already."""
    return kind if isinstance(kind, type) and kind in _NAMES else list


def _fits(value: Any, kind: Any) -> bool:
    if isinstance(value, bool):
        return kind is bool
    match _plain(kind):
        case plain if plain is list:
            return isinstance(value, list) and all(isinstance(item, str) for item in value)
        case plain if plain is float:
            return isinstance(value, int | float)
        case plain if plain is Decimal:
            return _is_decimal(value)
        case plain:
            return isinstance(value, plain)


def _is_decimal(value: Any) -> bool:
    try:
        return isinstance(value, int | float | str) and Decimal(str(value)).is_finite()
    except InvalidOperation:
        return False


def _parse(text: str, kind: Any) -> Any:
    if isinstance(kind, dict):
        return text  # a key that is not one: `overlay` says which is near
    plain = _plain(kind)
    if plain is bool:
        return {"true": True, "false": False}[text.lower()] if text.lower() in ("true", "false") else _refuse(text)
    if plain is list:
        return [part.strip() for part in text.split(",") if part.strip()]
    if plain is Decimal:
        return text if _is_decimal(text) else _refuse(text)
    return plain(text)


def _refuse(text: str) -> Any:
    raise ValueError(text)
