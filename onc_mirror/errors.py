"""The tree of failures. The type says whether trying again can help; the text never does.

    MirrorError
    ├── TransientError                 trying again can help
    │   ├── ArchiveBusyError           429 or 5xx
    │   ├── UnreachableError           no connection to the archive; its leaves say why
    │   ├── StalledError               connected, but no byte within the stall timeout
    │   ├── ConnectionLostError        reset or closed before an answer
    │   ├── TruncatedBodyError         closed before the announced length
    │   ├── WrongSizeError             whole by its own account, but not the size that was listed
    │   ├── WrongBodyError             HTML, JSON or gzip where the file should be
    │   ├── GarbledAnswerError         a listing that is not the JSON it should be
    │   ├── ListingIncompleteError     pages loop, shrink or lose rows
    │   ├── NotReadyError              listed, but the archive does not hand it out yet (400/96)
    │   ├── StoreUnavailableError      no connection to the store, 5xx, throttled, wrong bytes stored
    │   ├── ScratchFullError           no space left for the download
    │   ├── ValidatorUnavailableError  no process to validate in; the file is not at fault
    │   └── LedgerUnavailableError     the ledger is locked or cannot be reached
    └── PermanentError                 the same again gives the same again
        ├── TokenRejectedError         401
        ├── RequestRejectedError       any other 4xx
        ├── TooLargeError              of unknown size, and more than scratch can take
        ├── UnknownDeviceError         the archive does not know the device code
        ├── StoreCredentialsError      the store does not know the credentials, or there are none
        ├── StoreForbiddenError        the credentials do not grant the right that is needed
        ├── BucketMissingError         the bucket is not there
        ├── ObjectMissingError         an object to read or copy is not there
        ├── StoreRejectedError         the store cannot do what was asked
        ├── UnsafeNameError            a filename that must not become a key
        ├── ClaimLostError             another run has taken the file over
        ├── LedgerTooNewError          the ledger was written by a newer version of the mirror
        ├── UnexpectedError            a fault in the mirror itself
        └── SettingsError              a setting is missing or wrong

Errors of libraries are translated at the ports, `from None` and in clean words: their text may hold the ONC token.
"""

from __future__ import annotations

from typing import ClassVar


class MirrorError(Exception):
    """Anything the mirror knows how to name. Do not raise it: raise the leaf that says what happened.

    Attributes:
        reason: Fixed slug for ledger and report.
        blames_file: Whether a file that ends in it climbs the ladder to quarantine: not where it is at no fault.
        subject: The file or device it happened to; None when it concerns the whole run.
        status: HTTP status, or None.
        api_code: Error code of the archive's API such as 96 or 127, or None.
        retry_after_s: Seconds the other side asked us to wait, or None.
    """

    reason: ClassVar[str] = "error"
    blames_file: ClassVar[bool] = True

    def __init__(
        self,
        message: str,
        *,
        subject: str | None = None,
        status: int | None = None,
        api_code: int | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.subject = subject
        self.status = status
        self.api_code = api_code
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        facts = [
            f"HTTP {self.status}" if self.status is not None else "",
            f"API error {self.api_code}" if self.api_code is not None else "",
        ]
        known = ", ".join(fact for fact in facts if fact)
        text = f"{self.args[0]} ({known})" if known else str(self.args[0])
        return f"{self.subject}: {text}" if self.subject else text


class TransientError(MirrorError):
    """Trying again can help."""

    reason = "transient"


class PermanentError(MirrorError):
    """Trying again the same way gives the same answer."""

    reason = "permanent"


class ArchiveBusyError(TransientError):
    """The archive answered 429 or 5xx."""

    reason = "archive-busy"


class UnreachableError(TransientError):
    """No connection to the archive comes about, for a cause no leaf names. One that broke: `ConnectionLostError`."""

    reason = "unreachable"
    blames_file = False


class ConnectTimeoutError(UnreachableError):
    """Nobody answered within the connect timeout. Connected, but silent: `StalledError`."""

    reason = "connect-timeout"


class RefusedError(UnreachableError):
    """The connection was refused: the host is there, and nobody listens."""

    reason = "connection-refused"


class UnknownHostError(UnreachableError):
    """The host's name does not resolve, or cannot be asked for at this moment."""

    reason = "unknown-host"


class UntrustedError(UnreachableError):
    """No TLS connection came about, or one whose certificate cannot be trusted."""

    reason = "untrusted-connection"


class StalledError(TransientError):
    """A connection gave no byte for the stall timeout."""

    reason = "stalled"


class ConnectionLostError(TransientError):
    """A connection broke before or between bytes of unknown number. Known length: `TruncatedBodyError`."""

    reason = "connection-lost"


class TruncatedBodyError(TransientError):
    """A body ended before the length that its own headers announced."""

    reason = "truncated-body"


class WrongSizeError(TransientError):
    """A body was whole by its own account but has not the size that the archive listed."""

    reason = "wrong-size"


class WrongBodyError(TransientError):
    """The first bytes are HTML, JSON or gzip where a data file should begin, as proxies and outages send."""

    reason = "wrong-body"


class GarbledAnswerError(TransientError):
    """A listing or discovery answer was not the JSON that the API documents."""

    reason = "garbled-answer"


class ListingIncompleteError(TransientError):
    """The pages of a listing loop, or rows went missing between them; the listing must not be believed."""

    reason = "listing-incomplete"


class NotReadyError(TransientError):
    """A listed file that the archive says does not exist (400/96): not ready yet, or gone since."""

    reason = "not-ready"


class StoreUnavailableError(TransientError):
    """The store did not answer, throttled, failed, or did not keep the bytes it was given."""

    reason = "store-unavailable"
    blames_file = False


class ScratchFullError(TransientError):
    """The scratch folder has no room for the download."""

    reason = "scratch-full"
    blames_file = False


class ValidatorUnavailableError(TransientError):
    """No validation process starts, or it cannot read the scratch folder. A flaw of the file is a `Verdict`."""

    reason = "validator-unavailable"
    blames_file = False


class LedgerUnavailableError(TransientError):
    """The ledger's database is locked or cannot be reached."""

    reason = "ledger-unavailable"
    blames_file = False


class TokenRejectedError(PermanentError):
    """The archive does not accept the token (401)."""

    reason = "token-rejected"
    blames_file = False


class RequestRejectedError(PermanentError):
    """The archive refused the request as such (4xx that no other class names), which may be for one file alone."""

    reason = "request-rejected"


class TooLargeError(PermanentError):
    """A body of unknown length is more than the scratch budget. A disk without room: `ScratchFullError`."""

    reason = "too-large"


class UnknownDeviceError(PermanentError):
    """The archive does not know this device code, or it has nothing for it (400/127, 404)."""

    reason = "unknown-device"
    blames_file = False


class StoreCredentialsError(PermanentError):
    """The store does not accept who we say we are. Who is known and may not do it: `StoreForbiddenError`."""

    reason = "store-credentials"
    blames_file = False


class StoreForbiddenError(PermanentError):
    """The store does not grant the right, or does not say why it refuses. Unknown to it: `StoreCredentialsError`."""

    reason = "store-forbidden"
    blames_file = False


class BucketMissingError(PermanentError):
    """The bucket (or folder) of the store URL does not exist, or has nothing of what the ledger knows."""

    reason = "bucket-missing"
    blames_file = False


class ObjectMissingError(PermanentError):
    """There is no object to read or copy under the key. Looking one up is no error: `head` gives None."""

    reason = "object-missing"
    blames_file = False


class StoreRejectedError(PermanentError):
    """The store refused a request for something it lacks or allows nobody. A missing right: `StoreForbiddenError`."""

    reason = "store-rejected"
    blames_file = False


class UnsafeNameError(PermanentError):
    """A filename or device code that cannot be a key: separators, `..`, control characters, too long, empty."""

    reason = "bad-name"


class ClaimLostError(PermanentError):
    """The file is another run's by now, since this one did not renew its lease in time."""

    reason = "claimed-elsewhere"
    blames_file = False


class LedgerTooNewError(PermanentError):
    """The ledger's schema is one that this version of the mirror does not know."""

    reason = "ledger-too-new"
    blames_file = False


class UnexpectedError(PermanentError):
    """A fault in the mirror itself, named and cleaned so that it can be reported without leaking."""

    reason = "unexpected"
    blames_file = False


class SettingsError(PermanentError):
    """A setting is missing or has a value that cannot be used."""

    reason = "settings"
    blames_file = False
