"""An identity provider of the tests' own: its keys, and the tokens it signs."""

import json
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

ISSUER, AUDIENCE = "https://login.example.com/realms/shop", "stitchlake"
PRIVATE = ec.generate_private_key(ec.SECP256R1())


def jwks(**keys: Any) -> bytes:
    """A set with these public keys, by their ids."""
    told = []
    for name, key in keys.items():
        algorithm = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
        told.append({**json.loads(algorithm.to_jwk(key.public_key())), "kid": name, "use": "sig"})
    return json.dumps({"keys": told}).encode()


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    made = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "kim@example.com",
        "iat": now,
        "exp": now + 300,
        "roles": ["analyst"],
    }
    return {name: value for name, value in (made | changes).items() if value is not None}


def signed(key: Any = PRIVATE, algorithm: str = "ES256", key_id: str | None = "one", **changes: Any) -> str:
    headers = {"kid": key_id} if key_id else None
    return jwt.encode(claims(**changes), key, algorithm, headers=headers)
