"""Request bodies as vendors ask for them: pure functions, rows -> requests. Nothing here calls anybody.

Columns of an export have the vendor's own names; each module says which it needs and which it knows. Where a vendor wants hashes, they are
made here, by its own rules, from values as gold.contacts has them.
"""

from collections.abc import Mapping

from lakehouse.exports.shapes import braze, customerio, google, hubspot, klaviyo, meta, plain
from lakehouse.exports.shapes.shape import Shape

SHAPES: Mapping[str, Shape] = {
    "braze": braze.SHAPE,
    "customerio": customerio.SHAPE,
    "google_customer_match": google.SHAPE,
    "hubspot": hubspot.SHAPE,
    "klaviyo": klaviyo.SHAPE,
    "meta_custom_audience": meta.SHAPE,
    "rows": plain.SHAPE,
}
