"""Every setting of the mirror, with its unit, bounds and default; and what its variable is called."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    ByteSize,
    Field,
    HttpUrl,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from onc_mirror.layout import Layout  # noqa: TC001 - pydantic reads the annotation
from onc_mirror.model import Grade
from onc_mirror.settings.browse_urls import checked_browse_url, page_of
from onc_mirror.settings.kinds import (
    Address,
    Addresses,
    Duration,
    Folder,
    MetricsFile,
    PublicUrl,
    Seconds,
    addresses_in,
    split,
)
from onc_mirror.settings.store_urls import checked_store_url

PREFIX = "ONC_MIRROR_"


_DevicesFile = Annotated[
    Folder | None, Field(description="TOML device table; the STRAWb table that ships when unset.")
]

RUNBOOK = "docs/runbook.md"
"""Where it says what an alert means and what to do, in our repository."""

_FROM_ENVIRONMENT = SettingsConfigDict(
    env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True, populate_by_name=True
)


class TableSettings(BaseSettings):
    """Where the device table is."""

    model_config = _FROM_ENVIRONMENT

    devices_file: _DevicesFile = None


class ArchiveSettings(BaseSettings):
    """What it takes to ask the archive; enough to look around there."""

    model_config = _FROM_ENVIRONMENT

    token: SecretStr = Field(
        validation_alias=AliasChoices("ONC_TOKEN", "token"),
        description="The archive token, from your profile page at ONC.",
    )
    archive_url: PublicUrl = Field(HttpUrl("https://data.oceannetworks.ca/"), description="Where the archive API is.")
    devices_file: _DevicesFile = None
    concurrency: int = Field(8, ge=1, le=64, description="Transfers in flight.")
    connect_timeout_s: Seconds = Field(10.0, description="Seconds to wait for a connection.")
    stall_timeout_s: Seconds = Field(60.0, description="Seconds without a byte after which a transfer is cut.")
    quick_retries: int = Field(
        2, ge=0, le=10, description="Immediate repeats of a request inside one attempt (Retry-After is honoured)."
    )

    @model_validator(mode="before")
    @classmethod
    def _strip_token(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("ONC_TOKEN"), str):
            token = data.pop("ONC_TOKEN").strip()
            return {**data, "ONC_TOKEN": token} if token else data
        return data


class LedgerSettings(BaseSettings):
    """What it takes to read the ledger."""

    model_config = _FROM_ENVIRONMENT

    ledger_url: SecretStr | None = Field(
        None, description="SQLAlchemy URL of the ledger; `sqlite:///<state dir>/ledger.db` when unset."
    )
    state_dir: Folder = Field(
        Path("~/.local/state/onc-mirror"),
        description="Folder of the ledger, and of scratch unless set.",
        validate_default=True,
    )

    @property
    def ledger(self) -> str:
        """SQLAlchemy URL of the ledger, with its password in clear."""
        url = self.ledger_url
        return f"sqlite:///{self.state_dir / 'ledger.db'}" if url is None else url.get_secret_value()

    @property
    def ledger_variable(self) -> str:
        """The variable that says where the ledger is."""
        return variable_of("state_dir" if self.ledger_url is None else "ledger_url")


class MetricsSettings(LedgerSettings, TableSettings):
    """What it takes to tell metrics."""

    scratch_dir: Folder | None = Field(
        None, description="Folder for downloads in progress; `<state dir>/scratch` when unset."
    )
    metrics_file: MetricsFile | None = Field(
        None, description="File that each run writes its metrics to, for node_exporter's textfile collector."
    )

    @property
    def scratch(self) -> Path:
        """Folder of downloads in progress."""
        return self.scratch_dir or self.state_dir / "scratch"

    @property
    def scratch_variable(self) -> str:
        """The variable that says where that is."""
        return variable_of("state_dir" if self.scratch_dir is None else "scratch_dir")


class LogSettings(BaseSettings):
    """How the log looks."""

    model_config = _FROM_ENVIRONMENT

    log_format: Literal["text", "json"] = Field("text", description="Log lines for people, or one JSON object each.")


class AlertSettings(BaseSettings):
    """Who is told of what is wrong, and when."""

    model_config = _FROM_ENVIRONMENT

    alert_webhook: Address | None = Field(None, description="URL to which alerts are posted as JSON.")
    alert_urls: Addresses | None = Field(
        None,
        description="Apprise URLs to which alerts go, comma-separated: `slack://...`, `workflows://...` for Microsoft"
        " Teams, `mailtos://...`.",
    )
    alert_timeout_s: Seconds = Field(
        10.0, description="Seconds that a run gives all receivers together to take its alerts."
    )
    alert_reminder: Duration = Field(
        timedelta(days=1),
        ge=timedelta(minutes=1),
        le=timedelta(days=365),
        description="ISO 8601 duration after which an alert that is still open is told again.",
    )
    alert_after: int = Field(
        2, ge=1, le=100, description="Runs in a row that fail, or do not list a device, before it is an alert."
    )
    alert_silence: Duration | None = Field(
        None,
        ge=timedelta(minutes=1),
        description="ISO 8601 duration without a new file after which a device is silent; learned per device when"
        " unset.",
    )
    ping_url: Address | None = Field(
        None, description="URL that is asked after each hourly run, as healthchecks.io has it: a dead-man's switch."
    )
    runbook_url: PublicUrl | None = Field(
        None, description="Where people read `docs/runbook.md`, such as its page at your Git host: alerts link there."
    )

    @property
    def runbook(self) -> str:
        """What alerts name before the name of an entry."""
        return RUNBOOK if self.runbook_url is None else str(self.runbook_url)

    @property
    def alert_addresses(self) -> tuple[str, ...]:
        """The Apprise URLs, in clear."""
        return () if self.alert_urls is None else addresses_in(self.alert_urls.get_secret_value())


class MirrorSettings(LogSettings, AlertSettings, MetricsSettings, ArchiveSettings):
    """What an operator can set. Field descriptions are the settings table of the README."""

    store_url: Annotated[str, AfterValidator(checked_store_url)] = Field(
        description="`s3://bucket[/prefix]`, or `file:///folder`."
    )
    aws_endpoint_url: PublicUrl | None = Field(
        None,
        validation_alias=AliasChoices("AWS_ENDPOINT_URL", "aws_endpoint_url"),
        description="The S3 endpoint when it is not AWS.",
    )
    browse_url: Annotated[str, AfterValidator(checked_browse_url)] | None = Field(
        None,
        description="Where people look into the bucket with a browser, with `{key}` in the place of an object's key;"
        " what runs show in Prefect links there.",
    )
    scratch_budget: ByteSize = Field(
        ByteSize(20 * 2**30), ge=2**20, description="Bytes that downloads in progress may take, such as `20GiB`."
    )
    extensions: Annotated[tuple[str, ...], NoDecode, BeforeValidator(split)] = Field(
        ("hdf5",), min_length=1, description="Extensions to mirror, comma-separated, without dots."
    )
    layout: Layout = Field("raw", description="`raw`, or `strawb` for the folders that the strawb package expects.")
    retry_delays_s: Annotated[tuple[float, ...], NoDecode, BeforeValidator(split)] = Field(
        (10.0, 60.0, 180.0),
        max_length=10,
        description="Seconds between the attempts at a file, comma-separated; each is varied by up to a third.",
    )
    hold_delays: Annotated[tuple[Duration, ...], NoDecode, BeforeValidator(split)] = Field(
        (timedelta(minutes=30), timedelta(hours=2), timedelta(hours=6), *(timedelta(days=1) for _ in range(4))),
        max_length=100,
        description="ISO 8601 durations after which a file that failed is tried again, comma-separated; then it is"
        " quarantined, if others came meanwhile.",
    )
    lease: Duration = Field(
        timedelta(minutes=2),
        ge=timedelta(seconds=1),
        le=timedelta(days=1),
        description="ISO 8601 duration after which others may take over the files of a run that was killed.",
    )
    backfill_share: float = Field(
        0.5,
        gt=0,
        le=1,
        description="Share of ONC_MIRROR_CONCURRENCY that all backfills together may have; at least one transfer.",
    )
    backfill_requests_per_s: float = Field(
        5.0, gt=0, le=1000, description="Requests per second to the archive of all backfills together."
    )
    overlap: Duration = Field(
        timedelta(hours=1),
        ge=timedelta(0),
        # A run lists 31 days at most: what reached back further would never come past the watermark.
        le=timedelta(days=30),
        description="ISO 8601 duration that a listing reaches back behind the watermark.",
    )
    grade: Grade = Field(
        Grade.CONTENT, description="How far a file must be proven: `size`, `open`, `structure` or `content`."
    )
    scrub_days: int = Field(90, ge=1, le=3650, description="Days within which every stored object is read back.")
    scrub_budget: ByteSize = Field(
        ByteSize(200 * 2**30), ge=1, description="Bytes that one scrub reads at most, but for a single larger object."
    )
    validation_timeout_s: Seconds = Field(900.0, description="Seconds after which a validation is given up.")
    validation_memory: ByteSize = Field(
        ByteSize(2**30), ge=256 * 2**20, description="Bytes of address space a validation process may take."
    )
    multipart_bytes: ByteSize = Field(
        ByteSize(16 * 2**20),
        ge=5 * 2**20,
        le=512 * 2**20,
        description="Part size of uploads; a larger file goes up in parts.",
    )
    store_checksums: Literal["auto", "when_required", "when_supported"] = Field(
        "auto",
        description="botocore's checksum setting; `auto` is `when_required` for endpoints that are not AWS.",
    )

    def page_of(self, key: str) -> str | None:
        """Where people see an object, or a folder when the key ends in a slash; None when nobody says."""
        return None if self.browse_url is None else page_of(self.browse_url, self.store_url, key)

    @field_validator("extensions")
    @classmethod
    def _without_dots(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted({part.lstrip(".").lower() for part in value}))

    @field_validator("retry_delays_s")
    @classmethod
    def _bounded_delays(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if any(not 0 <= delay <= 86_400 for delay in value):  # noqa: PLR2004 - a day, as the message says
            raise ValueError("each delay must be between 0 and 86400 seconds")
        return value


def variable_of(name: str, kind: type[BaseSettings] = MirrorSettings) -> str:
    """The environment variable of a field, or of what is none."""
    field = kind.model_fields.get(name)
    alias = None if field is None else field.validation_alias
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else PREFIX + name.upper()
