"""Fields of a record <-> BSON. Money is Decimal128, whose 34 digits hold any sum that is not absurd."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import bson
from bson.codec_options import CodecOptions, TypeEncoder, TypeRegistry
from bson.decimal128 import Decimal128
from bson.errors import BSONError

from fraud_platform.core.decisions import canonical
from fraud_platform.core.outcome import Rejected

MAX_DOCUMENT_BYTES = 16 * 1024 * 1024


class _MoneyCodec(TypeEncoder):
    """Exact or not at all: Decimal128 raises `decimal.Inexact` rather than round."""

    @property
    def python_type(self) -> type[Decimal]:
        return Decimal

    def transform_python(self, value: Decimal) -> Decimal128:
        return Decimal128(canonical(value))


CODEC: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True, type_registry=TypeRegistry([_MoneyCodec()]))


def encode_document(fields: Mapping[str, Any]) -> bytes | Rejected:
    """The fields as one BSON document, or why MongoDB could not hold them."""
    try:
        encoded = bson.encode(fields, codec_options=CODEC)
    except ArithmeticError:
        return Rejected("inexact", "an amount has more significant digits than the 34 that MongoDB keeps")
    except (BSONError, ValueError, TypeError, OverflowError, RecursionError) as error:
        return Rejected("not-storable", f"MongoDB has no form for one of the values ({type(error).__name__})")
    if len(encoded) > MAX_DOCUMENT_BYTES:
        return Rejected("too-large", f"{len(encoded)} bytes of BSON, MongoDB takes {MAX_DOCUMENT_BYTES}")
    return encoded
