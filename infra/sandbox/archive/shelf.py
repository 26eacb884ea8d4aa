"""The archive as it stands at a moment: the sea's files, with those replaced, vanished or gone taken into account."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from infra.sandbox.archive.contents import Contents, Sizes
from infra.sandbox.archive.faults import FaultBook, Kind
from infra.sandbox.archive.sea import ALWAYS, FOREVER, Sea, SeaFile, Wanted, in_order
from infra.sandbox.archive.times import SECOND, iso, to_datetime, to_ms

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path
    from typing import Any

    from infra.sandbox.archive.body import Body
    from infra.sandbox.archive.config import ArchiveConfig

ARCHIVE_LOCATION: Final = "/NA_Archive_04"
_ANY_LIST: Final = "device"


class Clock:
    """The stand-in's clock: the machine's, one that runs from another moment, or one that stands still."""

    def __init__(self) -> None:
        self._offset = 0
        self._frozen: int | None = None

    def now(self) -> int:
        """Milliseconds since the epoch."""
        return self._frozen if self._frozen is not None else time.time_ns() // 1_000_000 + self._offset

    def set(self, moment: datetime | None, *, running: bool = False) -> None:
        """Stand still at `moment`, run on from it, or with None be the machine's clock again."""
        self._offset, self._frozen = 0, None
        if moment is None:
            return
        if running:
            self._offset = to_ms(moment) - self.now()
        else:
            self._frozen = to_ms(moment)


@dataclass(frozen=True, slots=True)
class Edition:
    """A file as the archive has it now.

    Attributes:
        file: The file of the sea.
        archived: `archivedDate`, ms.
        modified: `modifyDate`, ms.
        revision: How often it was replaced.
        growth: How often its size changed with that.
    """

    file: SeaFile
    archived: int
    modified: int
    revision: int = 0
    growth: int = 0


class Shelf:
    """Finds editions and gives their rows and bytes. Thread-safe."""

    def __init__(self, config: ArchiveConfig, state_dir: Path) -> None:
        self.clock = Clock()
        self.sea = Sea(config)
        self.contents = Contents(state_dir / "templates", config)
        self.faults = FaultBook(lambda: to_datetime(self.clock.now()))

    def listed(self, device_code: str, wanted: Wanted) -> list[Edition]:
        """What a listing of the device has, by begin and then name."""
        now = self.clock.now()
        files = self.sea.files(device_code, wanted, now)
        replacing = [fault for fault in self.faults.of_kind(Kind.RE_ARCHIVED) if fault.device in {None, device_code}]
        hiding = self.faults.of_kind(Kind.VANISHED)
        if not (replacing or hiding):
            return [Edition(file, file.archived, file.modified) for file in files]
        if replacing:
            files = self._with_replaced(files, device_code, wanted, now)
        editions = (self._edition(file, now) for file in files if not self._is_hidden(file, now))
        return [edition for edition in editions if wanted.archived.since <= edition.archived < wanted.archived.until]

    def named(self, filename: str) -> Edition | None:
        """The edition of this name that a download gets, hidden ones left out."""
        file = self.sea.named(filename)
        now = self.clock.now()
        if file is None or file.archived > now or self._is_hidden(file, now):
            return None
        return self._edition(file, now)

    def row(self, edition: Edition) -> dict[str, Any]:
        """The twelve keys of `returnOptions=all`."""
        file, sizes = edition.file, self.sizes(edition)
        draw = file.draw
        return {
            "filename": file.name,
            "dateFrom": iso(file.begin),
            "dateTo": iso(file.end),
            "archivedDate": iso(edition.archived),
            "modifyDate": iso(edition.modified),
            "fileSize": sizes.stored,
            "uncompressedFileSize": sizes.plain,
            "compression": file.line.stream.compression,
            "dataProductCode": file.line.stream.product,
            "deviceCode": file.line.device.code,
            "archiveLocation": ARCHIVE_LOCATION,
            "path": f"{draw % 32}/{draw // 32 % 64}/{draw // 2048 % 100}",
        }

    def short_row(self, edition: Edition) -> dict[str, Any]:
        """What the other return options need of it."""
        file = edition.file
        return {"filename": file.name, "deviceCode": file.line.device.code, "archiveLocation": ARCHIVE_LOCATION}

    def sizes(self, edition: Edition) -> Sizes:
        """Sizes of the edition."""
        return self.contents.sizes(edition.file, edition.growth)

    def body(self, edition: Edition) -> Body:
        """True bytes of the edition."""
        return self.contents.body(edition.file, growth=edition.growth, revision=edition.revision)

    def soft_spot(self, edition: Edition) -> int:
        """Where a flipped bit does harm."""
        return self.contents.soft_spot(edition.file, edition.growth)

    def _with_replaced(self, files: Iterable[SeaFile], device_code: str, wanted: Wanted, now: int) -> list[SeaFile]:
        """`files` and those whose later archiving may bring them into the window."""
        found = {file.name: file for file in files}
        for fault in self.faults.of_kind(Kind.RE_ARCHIVED):
            if fault.names_one_file:
                file = self.sea.named(str(fault.filename))
                more = [file] if file is not None and file.archived <= now and wanted.takes(file) else []
            else:
                more = self.sea.files(device_code, replace(wanted, archived=ALWAYS), now)
            found |= {
                file.name: file
                for file in more
                if file.line.device.code == device_code and fault.matches(_ANY_LIST, device_code, file.name)
            }
        return in_order(found.values())

    def _edition(self, file: SeaFile, now: int) -> Edition:
        name, device = file.name, file.line.device.code
        replaced = [
            fault
            for fault in self.faults.of_kind(Kind.RE_ARCHIVED)
            if _since(fault.at) <= now and fault.matches(fault.endpoint or _ANY_LIST, device, name)
        ]
        if not replaced:
            return Edition(file, file.archived, file.modified)
        archived = max(file.archived, *(_since(fault.at) for fault in replaced))
        growth = sum(not fault.keep_size for fault in replaced)
        return Edition(file, archived, archived + 5 * SECOND, len(replaced), growth)

    def _is_hidden(self, file: SeaFile, now: int) -> bool:
        name, device = file.name, file.line.device.code
        return any(
            _since(fault.at) <= now and fault.matches(fault.endpoint or _ANY_LIST, device, name)
            for fault in self.faults.of_kind(Kind.VANISHED)
        )


def _since(moment: datetime | None) -> int:
    return -FOREVER if moment is None else to_ms(moment)
