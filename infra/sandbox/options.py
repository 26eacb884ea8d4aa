"""What can be chosen about a sandbox, and where everything of it then is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from infra.sandbox.ports import HOST, Claim, pick_free

ROOT = Path(__file__).resolve().parents[2]

# Not secrets: they open nothing but the sandbox on the loopback address.
ACCESS_KEY = "sandbox"
SECRET_KEY = "sandbox-secret-key"  # noqa: S105 - of a store on this machine only
BUCKET = "onc-mirror"

# The proxy, and the three servers behind it.
S3_PORTS = 4


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """A sandbox that could be started.

    Attributes:
        state: Folder of all state and logs; a later sandbox on the same folder goes on where this one stopped.
        archive_port: Port of the archive stand-in.
        s3_port: First of the four ports of the S3 endpoint.
        prefect_port: Port of the Prefect server.
        size: How big the archive's files are: `tiny`, `realistic`, or bytes such as `24MB`.
    """

    state: Path
    archive_port: int
    s3_port: int
    prefect_port: int
    size: str

    @property
    def archive_url(self) -> str:
        """Base URL of the archive stand-in."""
        return f"http://{HOST}:{self.archive_port}/"

    @property
    def s3_url(self) -> str:
        """The S3 endpoint."""
        return f"http://{HOST}:{self.s3_port}"

    @property
    def prefect_url(self) -> str:
        """The Prefect UI."""
        return f"http://{HOST}:{self.prefect_port}"

    @property
    def logs(self) -> Path:
        """Folder of one log per part."""
        return self.state / "logs"

    @property
    def env_file(self) -> Path:
        """Shell lines that point `onc-mirror` and `prefect` at this sandbox."""
        return self.state / "env"

    @property
    def claims(self) -> tuple[Claim, ...]:
        """The ports it needs."""
        return (
            Claim("archive stand-in", "SANDBOX_ARCHIVE_PORT", self.archive_port),
            Claim("S3 endpoint", "SANDBOX_S3_PORT", self.s3_port, S3_PORTS),
            Claim("Prefect server", "SANDBOX_PREFECT_PORT", self.prefect_port),
        )

    def with_free_ports(self) -> SandboxOptions:
        """Return the same with every port 0 replaced by free ones."""
        taken = [port for claim in self.claims if claim.port for port in claim.ports]
        chosen = []
        for claim in self.claims:
            port = claim.port or pick_free(claim.count, avoid=taken)
            taken.extend(range(port, port + claim.count))
            chosen.append(port)
        archive_port, s3_port, prefect_port = chosen
        return replace(self, archive_port=archive_port, s3_port=s3_port, prefect_port=prefect_port)
