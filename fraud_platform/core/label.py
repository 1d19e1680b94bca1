"""Wire bytes of labels -> `Label`: what became known afterwards about one transaction."""

from collections.abc import Mapping

import msgspec

from fraud_platform.core.json_value import NO_VALUE, TOO_DEEP, decode, is_too_deep
from fraud_platform.core.outcome import Rejected
from fraud_platform.core.repeated_keys import is_surely_single, repeated_key
from fraud_platform.core.transaction import is_iso8601

COLUMNS = ("transaction_id", "is_fraud")
OPTIONAL = ("source", "labelled_at")
"""The columns of a CSV of labels, called like the fields."""
_WORDS: Mapping[str, bool] = {
    "true": True, "yes": True, "y": True, "1": True, "false": False, "no": False, "n": False, "0": False,
}  # fmt: skip


class Label(msgspec.Struct, frozen=True, gc=False):
    """Whether a transaction was fraud, who says so, and since when (ISO 8601 as received)."""

    transaction_id: str
    is_fraud: bool
    source: str | None = None
    labelled_at: str | None = None


class _Written(msgspec.Struct, frozen=True, gc=False):
    transaction_id: str | int
    is_fraud: bool | int | str
    source: str | None = None
    labelled_at: str | None = None


_decoder = msgspec.json.Decoder(_Written)
_encode = msgspec.json.Encoder().encode


def parse_label(raw: bytes | None) -> Label | Rejected:
    """Check one value of labels; `is_fraud` may be true, false, 1, 0, yes, no, y or n, as text in any case."""
    if raw is None:
        return NO_VALUE
    found = decode(raw, _decoder)
    if isinstance(found, Rejected):
        return found
    return _ambiguity(raw, found) or _label(found)


def label_of(row: Mapping[str, str]) -> Label | Rejected:
    """Check a row of a CSV, cells by column; an empty optional cell says nothing."""
    found = parse_label(_encode({name: cell for name, cell in row.items() if cell or name in COLUMNS}))
    return Rejected(found.error_type, found.reason.replace("`$.", "`")) if isinstance(found, Rejected) else found


def to_json(label: Label) -> bytes:
    """The label as it lies in its topic."""
    return _encode(label)


def _ambiguity(raw: bytes, found: _Written) -> Rejected | None:
    if is_surely_single(raw, (found,)):
        return None
    if is_too_deep(raw):
        return TOO_DEEP
    repeated = repeated_key(raw, {"": _Written.__struct_fields__})
    return Rejected("duplicate-key", f"`{repeated}` is there more than once") if repeated else None


def _label(found: _Written) -> Label | Rejected:
    identity = str(found.transaction_id).strip()
    if not identity:
        return Rejected("schema", "`$.transaction_id` is empty")
    is_fraud = _WORDS.get(str(found.is_fraud).strip().lower())
    if is_fraud is None:
        return Rejected("schema", "`$.is_fraud` is neither true nor false")
    if found.labelled_at is not None and not is_iso8601(found.labelled_at):
        return Rejected("invalid-date", "`$.labelled_at` is not ISO 8601")
    return Label(identity, is_fraud, found.source, found.labelled_at)
