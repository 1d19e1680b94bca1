"""Ingestion's work on Quix Streams, exactly once: `quix.py BOOTSTRAP PREFIX COUNT SCHEMA_FILE`.

The work is done in one function with the same fast parts that a careful user would take (msgspec, fastavro), and
Quix Streams' own conversions are switched off, so what is measured beside the work is the framework.
"""

import hashlib
import hmac
import io
import json
import struct
import sys
import time
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import fastavro
import msgspec
from quixstreams import Application


class Party(msgspec.Struct):
    id: str | int
    name: str | None = None
    address: str | None = None
    email: str | None = None
    birthdate: str | None = None
    phone_number: str | None = None
    job: str | None = None
    company: str | None = None
    ssn: str | None = None
    blood_group: str | None = None
    website: str | list[str] | None = None
    username: str | None = None
    bank_account: str | int | None = None


class Transfer(msgspec.Struct):
    transaction_id: str | int
    sender_bank_account: str | int
    sender_details: Party
    receiver_bank_account: str | int
    receiver_details: Party
    amount: Decimal
    evaluation: str
    transfer_date: str
    status: str | None = None
    sender_bank: str | None = None


def main() -> None:
    bootstrap, prefix, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    schema = fastavro.parse_schema(json.loads(Path(sys.argv[4]).read_text()))
    decoder = msgspec.json.Decoder(Transfer)
    tokens: dict[str, str] = {}
    begun: list[float] = []
    ended = [0.0, 0.0]
    done = [0]

    def token(ssn: str | None) -> str | None:
        if ssn is not None and ssn not in tokens:
            tokens[ssn] = f"tok_1_{hmac.new(b'key', ssn.encode(), hashlib.sha256).hexdigest()}"
        return None if ssn is None else tokens[ssn]

    def work(raw: bytes) -> tuple[str, bytes]:
        if not begun:
            begun.extend((time.perf_counter(), time.process_time()))
        done[0] += 1
        transfer = decoder.decode(raw)
        datetime.fromisoformat(transfer.transfer_date)
        if transfer.amount < 0 or transfer.amount.as_tuple().exponent < -9:
            raise ValueError("amount")
        for party in (transfer.sender_details, transfer.receiver_details):
            party.ssn = token(party.ssn)
        value = {**msgspec.structs.asdict(transfer)}
        value["sender_details"] = msgspec.structs.asdict(transfer.sender_details)
        value["receiver_details"] = msgspec.structs.asdict(transfer.receiver_details)
        out = io.BytesIO(struct.pack(">bI", 0, 1))
        out.seek(5)
        fastavro.schemaless_writer(out, schema, value)
        ended[:] = time.perf_counter(), time.process_time()
        return transfer.evaluation, out.getvalue()

    app = Application(
        broker_address=bootstrap, consumer_group=f"{prefix}quix", auto_offset_reset="earliest", loglevel="WARNING",
        processing_guarantee="exactly-once", commit_every=5000, auto_create_topics=False,
        consumer_extra_config={"fetch.queue.backoff.ms": 5},
        producer_extra_config={"linger.ms": 5, "compression.type": "lz4", "partitioner": "murmur2_random"},
    )  # fmt: skip
    plain = {"value_serializer": "bytes", "key_serializer": "bytes"}
    source = app.topic(f"{prefix}bank-transactions", value_deserializer="bytes", key_deserializer="bytes")
    results = app.dataframe(source).apply(work)
    for evaluation in ("fraudulent", "unidentified"):
        target = app.topic(f"{prefix}{evaluation}-transactions", **plain)
        chosen = results.filter(lambda result, evaluation=evaluation: result[0] == evaluation)
        chosen.apply(lambda result: result[1]).to_topic(target)
    # It goes on until nothing came for `timeout` seconds; the clock stops at the last record, its commit left out.
    app.run(count=count, timeout=5, collect=False)
    seconds, cpu = ended[0] - begun[0], ended[1] - begun[1]
    print(json.dumps({"records": done[0], "seconds": seconds, "cpu": cpu}))


main()
