"""Where mirrored files are kept: an S3 bucket, or a folder that behaves like one.

`open_store` is the way in; `ObjectStore` says what every store guarantees. Importing this package is cheap: the S3
client takes most of a second to import, so it is imported when a store URL asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

from onc_mirror.errors import SettingsError
from onc_mirror.store.port import ObjectStore

if TYPE_CHECKING:
    from onc_mirror.settings import MirrorSettings

__all__ = ["ObjectStore", "open_store"]


def open_store(settings: MirrorSettings) -> ObjectStore:
    """Open the store of `settings.store_url`. No request is made yet; use it as a context manager, or close it.

    Credentials and region of S3 are those that botocore finds: in the environment (AWS_ACCESS_KEY_ID,
    AWS_SECRET_ACCESS_KEY, AWS_DEFAULT_REGION, AWS_CA_BUNDLE), else in its own files.

    Raises:
        SettingsError: The URL is not one of a store.
    """
    scheme, _, rest = settings.store_url.partition("://")
    if scheme == "s3":
        # Importing s3fs takes 0.7 s, which `onc-mirror --help` and a mirror into a folder need not pay.
        from onc_mirror.store.s3_opening import open_s3_store  # noqa: PLC0415 - see above

        return open_s3_store(settings)
    if rest.startswith("/"):
        from onc_mirror.store.files import FileStore  # noqa: PLC0415 - only who needs it pays

        return FileStore(unquote(rest))
    raise SettingsError(
        f"ONC_MIRROR_STORE_URL: {settings.store_url!r} must be s3://bucket[/prefix] or file:///folder."
    )
