"""Which files a person has chosen with options, once the archive is at hand to look up products by their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onc_mirror.devices import choose_devices, load_device_table

if TYPE_CHECKING:
    from onc_mirror.cli.options import Choice
    from onc_mirror.mirror import Mirror
    from onc_mirror.model import TimeWindow
    from onc_mirror.selection import Selection


def selection_of(parts: Mirror, choice: Choice, data: TimeWindow | None = None) -> Selection | None:
    """The selection that the options make; None when none of them is about files.

    Args:
        parts: The mirror's parts.
        choice: The options.
        data: The data that are asked for; None: those that still arrive.

    Raises:
        SettingsError: No product of the devices has such a name, or no size is within the limits.
        MirrorError: The archive does not say what the devices offer.
    """
    if not choice.narrows_files:
        return None
    codes: list[str] = []
    if choice.product_names:
        devices = choose_devices(
            parts.archive,
            load_device_table(parts.settings.devices_file),
            codes=choice.devices,
            locations=choice.locations,
            categories=choice.categories,
            now=parts.clock(),
            window=data,
        )
        codes = [device.code for device in devices]
    return choice.selection(parts.archive, codes, extensions=parts.settings.extensions)
