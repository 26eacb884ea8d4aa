"""The discovery calls: deployments, devices, data products, and data availability."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from infra.sandbox.archive.catalogue import DEPLOYED_AT, LATITUDE, LONGITUDE, PRODUCTS, Product, SeaDevice
from infra.sandbox.archive.query import ApiError, bad_value
from infra.sandbox.archive.sea import FOREVER, Span
from infra.sandbox.archive.times import iso, to_ms

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infra.sandbox.archive.query import Query
    from infra.sandbox.archive.sea import Sea

_PLACE: Final = ("locationCode", "deviceCategoryCode", "deviceCode")
DEPLOYMENTS: Final = (*_PLACE, "propertyCode", "dateFrom", "dateTo")
DEVICES: Final = (*DEPLOYMENTS, "deviceId", "deviceName", "includeChildren", "dataProductCode")
DATA_PRODUCTS: Final = (*_PLACE, "dataProductCode", "extension", "dataProductName", "propertyCode")
_CITATION: Final = "10.80242/00000000-0000-4000-8000-{number:012}"


def deployment_span(device: SeaDevice) -> Span:
    """When the device is in the water."""
    return Span(to_ms(DEPLOYED_AT), FOREVER if device.ended is None else to_ms(device.ended))


def matching_devices(sea: Sea, query: Query) -> list[SeaDevice]:
    """Devices that match place and code.

    Raises:
        ApiError: 127 for a code that does not exist.
    """
    devices = sea.devices.values()
    location = query.one_of("locationCode", (device.location for device in devices))
    category = query.one_of("deviceCategoryCode", (device.category for device in devices))
    code = query.one_of("deviceCode", sea.devices)
    if query.text("propertyCode") is not None:
        raise bad_value("propertyCode")  # no device of the string has properties
    return [
        device
        for device in devices
        if location in {None, device.location} and category in {None, device.category} and code in {None, device.code}
    ]


def deployments(sea: Sea, query: Query) -> list[dict[str, Any]]:
    """`/api/deployments`.

    Raises:
        ApiError: 127 when none matches.
    """
    devices = deployed(matching_devices(sea, query), query.span("dateFrom", "dateTo")[0])
    if not devices:
        raise bad_value("dateFrom,dateTo", "No deployments found for the given parameters")
    return [
        {
            "begin": iso(to_ms(DEPLOYED_AT)),
            "citation": citation(device),
            "depth": device.depth,
            "deviceCategoryCode": device.category,
            "deviceCode": device.code,
            "end": None if device.ended is None else iso(to_ms(device.ended)),
            "hasDeviceData": True,
            "heading": None,
            "lat": LATITUDE,
            "locationCode": device.location,
            "lon": LONGITUDE,
            "pitch": None,
            "roll": None,
        }
        for device in devices
    ]


def deployed(devices: Iterable[SeaDevice], span: Span) -> list[SeaDevice]:
    """Those that were in the water for a part of the span."""
    return [
        device for device in devices if (wet := deployment_span(device)).since < span.until and wet.until > span.since
    ]


def citation(device: SeaDevice) -> dict[str, Any]:
    """How to cite the data of a deployment."""
    doi = _CITATION.format(number=device.number)
    text = (
        f"Ocean Networks Canada Society. 2020. {device.name} Deployed {DEPLOYED_AT:%Y-%m-%d}. https://doi.org/{doi}"
    )
    return {"citation": text, "doi": doi, "landingPageUrl": f"https://doi.org/{doi}", "queryPid": None}


def devices(sea: Sea, query: Query) -> list[dict[str, Any]]:
    """`/api/devices`.

    Raises:
        ApiError: 404 when none matches.
    """
    product = query.one_of("dataProductCode", (product.code for product in PRODUCTS))
    query.flag("includeChildren")
    name, number = (query.text("deviceName") or "").lower(), query.text("deviceId")
    span, _ = query.span("dateFrom", "dateTo")
    found = [
        device
        for device in deployed(matching_devices(sea, query), span)
        if name in device.name.lower()
        and number in {None, str(device.number)}
        and (product is None or any(stream.product == product for stream in device.streams))
    ]
    if not found:
        raise ApiError(None, "Not Found", "", status=404)
    return [_device_row(device) for device in found]


def _device_row(device: SeaDevice) -> dict[str, Any]:
    return {
        "cvTerm": {"device": [{"uri": "http://vocab.nerc.ac.uk/collection/L22/current/NONE/", "vocabulary": "L22"}]},
        "dataRating": [
            {"dateFrom": f"{device.rated_from}T00:00:00.000Z", "dateTo": None, "samplePeriod": 1.0, "sampleSize": 1}
        ],
        "deviceCategoryCode": device.category,
        "deviceCode": device.code,
        "deviceId": device.number,
        "deviceLink": f"https://data.oceannetworks.ca/DeviceListing?DeviceId={device.number}",
        "deviceName": device.name,
        "hasDeviceData": True,
    }


def data_products(sea: Sea, query: Query) -> list[dict[str, Any]]:
    """`/api/dataProducts`: one row per product code and extension.

    Raises:
        ApiError: 404 when none matches.
    """
    code = query.one_of("dataProductCode", (product.code for product in PRODUCTS))
    extension, name = query.text("extension"), (query.text("dataProductName") or "").lower()
    offered = {
        (stream.product, stream.extension) for device in matching_devices(sea, query) for stream in device.streams
    }
    found = [
        product
        for product in PRODUCTS
        if (product.code, product.extension) in offered
        and code in {None, product.code}
        and extension in {None, product.extension}
        and name in product.name.lower()
    ]
    if not found:
        raise ApiError(None, "Not Found", "", status=404)
    return [_product_row(product) for product in found]


def _product_row(product: Product) -> dict[str, Any]:
    return {
        "dataProductCode": product.code,
        "dataProductName": product.name,
        "dataProductOptions": [],
        "extension": product.extension,
        "hasDeviceData": True,
        "hasPropertyData": False,
        "helpDocument": f"https://wiki.oceannetworks.ca/display/DP/{product.page}",
    }
