"""The files that an operator puts into `secrets/` (docs/operating.md), with passwords that nobody knows."""

from __future__ import annotations

import secrets
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.fernet import Fernet

from infra.sandbox.certificates import self_signed


def _word() -> str:
    return secrets.token_hex(12)


@dataclass(frozen=True, slots=True)
class Keys:
    """What is secret in a composition.

    Attributes:
        token: The token of the archive.
        access_key: Access key of the store.
        secret_key: Its secret.
        database: Password of PostgreSQL.
        redis: Password of Redis.
        prefect: Password of the Prefect API; the user is `admin`.
        encryption: Key to Prefect's blocks.
    """

    token: str
    access_key: str
    secret_key: str
    database: str = field(default_factory=_word)
    redis: str = field(default_factory=_word)
    prefect: str = field(default_factory=_word)
    encryption: str = field(default_factory=lambda: Fernet.generate_key().decode())

    def words(self) -> tuple[str, ...]:
        """All that nobody may read anywhere."""
        return (self.token, self.secret_key, self.database, self.redis, self.prefect, self.encryption)

    def files(self) -> dict[str, str]:
        """The content of each file, by its name."""
        with tempfile.TemporaryDirectory() as folder:
            certificate, key = (path.read_text(encoding="utf-8") for path in self_signed(Path(folder)))
        return {
            "onc-token": f"{self.token}\n",
            "s3-credentials": f"[default]\naws_access_key_id = {self.access_key}\n"
            f"aws_secret_access_key = {self.secret_key}\n",
            "postgresql-password": f"{self.database}\n",
            "ledger-url": f"postgresql+psycopg://onc:{self.database}@postgresql/ledger\n",
            "prefect-database-url": f"postgresql+asyncpg://onc:{self.database}@postgresql/prefect\n",
            "prefect-auth": f"admin:{self.prefect}\n",
            "prefect-encryption-key": f"{self.encryption}\n",
            "redis-conf": f"dir /data\nappendonly yes\nrequirepass {self.redis}\n",
            "redis-url": f"redis://:{self.redis}@redis:6379/0\n",
            "tls-certificate": certificate,
            "tls-key": key,
        }
