"""What does not balance: one statement per fault, by the check that finds it."""

import hashlib
import re

import msgspec

OUTCOMES = "every_record_has_one_outcome"
RANGES = "no_range_is_skipped_or_read_twice"
OFFSETS = "groups_stand_where_the_ledger_ends"
FLOW = "what_is_written_is_read"
STORES = "holds_what_the_topic_holds"

MEANING = {
    OUTCOMES: "Per ledger entry the outcomes add up to the records read, and the topology knows each of them.",
    RANGES: "Per stage and input partition each range of the ledger begins where the one before it ended.",
    OFFSETS: "Each group's committed offsets are where its ledger entries end.",
    FLOW: "What the outcomes must have written to the topic is what its readers have read or still have before them.",
    STORES: "The store holds the topic's rows by id: none missing, extra, doubled, outdated or altered.",
}
NEXT = {
    OUTCOMES: "A stage's code miscounts, or somebody else writes to the ledger: look at the entry's run and version.",
    RANGES: "Look what happened to the group at that time: offsets set by hand, a ledger record deleted.",
    OFFSETS: "Somebody moved the group's offsets, or deleted the ledger's end; see docs/operations.md.",
    FLOW: "Somebody else writes to the topic, or records of it or of the ledger were deleted.",
    STORES: "Restore the object or document, or let the sink write the range again; see docs/books.md.",
}


_PLAIN = re.compile(r"[A-Za-z0-9_:.-]{1,64}")


def shown(row_id: str, position: tuple[int, int]) -> str:
    """An id as it is shown: as it is when it looks like one of ours, else where it lies and a short hash of it."""
    if _PLAIN.fullmatch(row_id):
        return row_id
    mark = hashlib.blake2b(row_id.encode(errors="replace"), digest_size=4).hexdigest()
    return f"{position[0]}/{position[1]}#{mark}"


class Finding(msgspec.Struct, frozen=True):
    """One thing that is off. `subject` is what it is about: a partition, a topic, or a store.

    `id`, as `shown`, and `field` name the row and the column in a store; never a value.
    """

    check: str
    subject: str
    what: str
    stage: str = ""
    id: str = ""
    field: str = ""

    def in_copy(self) -> "Finding":
        """The same of the store's curated copy."""
        return msgspec.structs.replace(self, what=f"{self.what} in the curated copy")

    def sentence(self) -> str:
        """For a person, in one line."""
        who = f"{self.stage}: " if self.stage else ""
        row = f" {self.id}" if self.id else ""
        field = f", field {self.field}" if self.field else ""
        return f"{who}{self.subject}{row}: {self.what}{field}"
