"""A read of a profile, as the audit log is told of it: by a keyed hash that stands for the profile, so that the log names nobody."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime

from lakehouse.config import PrivacyConfig


@dataclass(frozen=True, kw_only=True)
class ProfileRead:
    """at: when. by: the caller's key; empty = none was needed. profile: of `hash_of`; None = nobody the lake knows."""

    at: datetime
    by: str
    profile: str | None


def hash_of(privacy: PrivacyConfig, profile_id: str) -> str:
    """32 hex digits of HMAC-SHA-256, which stand for a profile in the audit log and nowhere else."""
    return hmac.digest(privacy.hmac_key.encode(), f"read\0{profile_id}".encode(), hashlib.sha256).hex()[:32]
