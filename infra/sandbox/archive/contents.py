"""The bytes of every archive file, and their number without making them.

Templates are written once per kind of file into the state folder and found there after a restart. With the same
settings and seed a file has the same bytes in every run and on every machine that has the same zlib.
"""

from __future__ import annotations

import hashlib
import struct
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from infra.sandbox.archive import plain
from infra.sandbox.archive.hdf5 import Recipe, write_template
from infra.sandbox.archive.layouts import LAYOUTS, layout, version_at
from infra.sandbox.archive.template import Template
from infra.sandbox.archive.times import DAY, HOUR, SECOND

if TYPE_CHECKING:
    from pathlib import Path

    from infra.sandbox.archive.body import Body
    from infra.sandbox.archive.config import ArchiveConfig
    from infra.sandbox.archive.sea import Line, SeaFile

VARIANTS: Final = 3  # so that files of a kind do not all have one size
_FORMAT: Final = 3  # part of the templates' names: raise it when what is written changes
_MB: Final = 10**6
_REALISTIC_HDF5: Final = {
    "SMRD": 2_500_000, "LIDARSD": 4 * _MB, "MSRD": 30_000, "MSSD": _MB, "MSSCD": 48 * _MB, "MTSD": 3 * _MB,
    "PMTSD": 25 * _MB, "PMTTC": 6 * _MB,
}  # fmt: skip
_REALISTIC_PLAIN: Final = {
    "LF": 2 * _MB, "LIDARTF": 500_000, "LIDARTOT": 5 * _MB, "MTTOT": 5 * _MB, "PMTTOT": 5 * _MB, "WOMLF": _MB,
    "WOMSD": 2 * _MB, "WOMRD": 4 * _MB, "LIDARRD": 100 * _MB, "MTRD": 100 * _MB, "PMTRD": 100 * _MB,
}  # fmt: skip
_JUNCTION_BOX_LOG: Final = 71_139_500
_TINY_PLAIN: Final = 12_000
_TINY_RAW: Final = 24_576
_BINARY: Final = {"hld", "raw"}
_STAMPS: Final = dict.fromkeys(("file_start", "file_end", "run_start", "run_end"), "<f8")
_IDS: Final = ("file_id", "previous_file_id", "following_file_id")
_NAN: Final = struct.pack("<d", float("nan"))
_ROLLOVER: Final = {DAY: "{'days': 1}", HOUR: "{'hours': 1}", DAY // 144: "{'minutes': 10}"}
_MEASUREMENT: Final = {"PMTSD": "counts", "LIDARSD": "basic"}
_RUN_FILES: Final = 24


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes as a row of the listing has them.

    Attributes:
        stored: `fileSize`, compressed where the archive compresses.
        plain: `uncompressedFileSize`: what a download has.
    """

    stored: int
    plain: int


@dataclass(frozen=True, slots=True)
class _Kind:
    """Files of one kind are made of one template."""

    line: Line
    version: int
    variant: int


class Contents:
    """Gives sizes and bytes of files. Thread-safe."""

    def __init__(self, folder: Path, config: ArchiveConfig) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._config = config
        self._templates: dict[_Kind, Template] = {}
        self._writing = threading.Lock()

    def sizes(self, file: SeaFile, growth: int = 0) -> Sizes:
        """How large the file is; `growth` counts how often the archive replaced it by a larger one."""
        stream = file.line.stream
        if stream.product in LAYOUTS:
            size = self._template(file, growth).size
            return Sizes(size, size)
        size = self._plain_size(file, growth)
        stored = plain.text_gzip_size(size, self._plain_seed(file)) if stream.compression else size
        return Sizes(stored, size)

    def body(self, file: SeaFile, *, growth: int = 0, revision: int = 0) -> Body:
        """The bytes of the file as a download has them; another `revision` has other bytes, not another size."""
        stream = file.line.stream
        if stream.product in LAYOUTS:
            stamps = self._stamps(file, revision)
            seconds = (file.end - file.begin) / SECOND
            return self._template(file, growth).body(stamps, file.begin / SECOND, seconds)
        make = plain.binary_body if stream.extension in _BINARY else plain.text_body
        return make(file, self._plain_size(file, growth), self._plain_seed(file) + revision)

    def soft_spot(self, file: SeaFile, growth: int = 0) -> int:
        """Offset of a byte in the middle of compressed data, where one flipped bit spoils what is read."""
        if file.line.stream.product in LAYOUTS:
            offset, length = self._template(file, growth).payload
            return offset + length // 2
        return self._plain_size(file, growth) // 2

    def is_ready(self, file: SeaFile, growth: int = 0) -> bool:
        """Whether its bytes are at hand without writing a template first."""
        return file.line.stream.product not in LAYOUTS or self._kind(file, growth) in self._templates

    def _template(self, file: SeaFile, growth: int) -> Template:
        kind = self._kind(file, growth)
        template = self._templates.get(kind)
        if template is None:
            with self._writing:
                template = self._templates.get(kind) or self._load(file, kind)
                self._templates[kind] = template
        return template

    def _kind(self, file: SeaFile, growth: int) -> _Kind:
        stream = file.line.stream
        version = self._config.versions.get(stream.product) or version_at(stream.product, file.begin, file.draw)
        target = self._target(stream.product)
        variants = VARIANTS if target is None or target < _MB else 1
        return _Kind(file.line, version, (file.draw >> 3) % variants + growth)

    def _load(self, file: SeaFile, kind: _Kind) -> Template:
        stream, device = file.line.stream, file.line.device.code
        version, variant, target = kind.version, kind.variant, self._target(stream.product)
        scale = 1 + 0.3 * variant
        recipe = Recipe(
            groups=layout(stream.product, version, target, device),
            fixed=_fixed(file),
            stamps=_STAMPS | dict.fromkeys(_IDS, "<f8" if stream.extra else "<u8") | {"file_id": "<u8"},
            target=None if target is None else round(target * (1 + 0.02 * variant)),
            scale=scale,
            seed=_number(self._config.seed, device, stream.product, version, variant),
        )
        identity = f"{_FORMAT}/{recipe.fixed}/{recipe.target}/{scale}/{version}/{recipe.seed}"
        digest = hashlib.blake2b(identity.encode(), digest_size=6).hexdigest()
        path = self._folder / f"{device}-{stream.product}-v{version}-{digest}.hdf5"
        template = Template.load(path)
        if template is None:
            template = write_template(path, recipe)
            template.save()
        return template

    def _stamps(self, file: SeaFile, revision: int) -> dict[str, bytes]:
        run = file.slot - file.slot % _RUN_FILES
        span = (file.end - file.begin) / SECOND
        begin = file.begin / SECOND
        run_begin = begin - (file.slot - run) * span
        floats = (begin, file.end / SECOND, run_begin, run_begin + _RUN_FILES * span)
        stamps = {name: struct.pack("<d", value) for name, value in zip(_STAMPS, floats, strict=True)}
        for name, slot in zip(_IDS, (file.slot, file.slot - 1, file.slot + 1), strict=True):
            # Real ids are about 1.7e19: beyond what a signed integer holds. A scan has no neighbours.
            number = 2**63 | file.line.draw(slot) >> 1
            lonely = file.line.stream.extra and name != "file_id"
            stamps[name] = _NAN if lonely else struct.pack("<Q", number ^ (revision << 1))
        return stamps

    def _target(self, product: str) -> int | None:
        size = self._config.sizes.get(product, self._config.size)
        if size == "realistic":
            return _REALISTIC_HDF5[product]
        return None if size == "tiny" else size

    def _plain_size(self, file: SeaFile, growth: int) -> int:
        stream = file.line.stream
        wanted = self._config.sizes.get(stream.product, self._config.size)
        binary = stream.extension in _BINARY
        if stream.product in self._config.sizes and isinstance(wanted, int):
            size = wanted
        elif wanted == "realistic":
            large = file.line.device.category == "JB"
            size = _JUNCTION_BOX_LOG if large else _REALISTIC_PLAIN[stream.product]
        else:
            size = _TINY_RAW if binary else _TINY_PLAIN
        variant = (file.draw >> 3) % VARIANTS + growth
        return max(400, (size + size // 5 * variant) // 100 * 100)

    def _plain_seed(self, file: SeaFile) -> int:
        return _number(self._config.seed, file.line.device.code, file.line.stream.product)


def _fixed(file: SeaFile) -> dict[str, str | float]:
    device, product = file.line.device.code, file.line.stream.product
    if file.line.stream.extra and product == "LIDARSD":
        return {
            "dev_code": device,
            "measurement_type": "laser_adjustment",
            "measurement_duration": 60.0,
            "measurement_steps": 4,
        }
    if file.line.stream.extra:
        return {"dev_code": device, "measurement_type": "rate_scan"}
    fixed: dict[str, str | float] = {"dev_code": device, "rollover_interval": _ROLLOVER[file.line.period]}
    if product in _MEASUREMENT:
        fixed["measurement_type"] = _MEASUREMENT[product]
    return fixed


def _number(*parts: object) -> int:
    text = "/".join(map(str, parts))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big")
