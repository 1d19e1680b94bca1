"""The records that go into the platform: every kind that the contract tells apart, and repeats."""

import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.builders import party, raw_line, transfer
from tests.failure.lines import STATEMENTS, Line
from tests.failure.monitored import canonical

ACCOUNTS, STATED = 40, 10
FOREIGN = 3
"""Of the accounts that have statement lines, those whose lines come without the platform's key."""
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
RUBBISH: tuple[bytes | None, ...] = (
    b"\xff\xfe not text",
    b"{",
    b"[]",
    None,
    json.dumps(transfer("bad-amount", amount=-1)).encode(),
    json.dumps(transfer("bad-digits", amount="0.1234567891")).encode(),
    json.dumps(transfer("bad-date", transfer_date="yesterday")).encode(),
    json.dumps({name: value for name, value in transfer("no-verdict").items() if name != "evaluation"}).encode(),
    json.dumps(transfer("no-receiver", receiver_details=None)).encode(),
)
KINDS = {
    "fraudulent": 30, "small": 32, "large": 22, "legitimate": 6, "odd": 2, "rubbish": 4, "endless": 1,
    "repeat": 6, "statement": 22, "statement again": 3, "no statement": 1,
}  # fmt: skip


def make_inputs(count: int, *, seed: int) -> list[Line]:
    """`count` records in which every kind occurs; ids of repeats were sent before, from the same account."""
    dice = random.Random(seed)
    lines: list[Line] = []
    sent, said = list[dict[str, Any]](), list[Line]()
    for number in range(count):
        kind = list(KINDS)[number] if number < len(KINDS) else dice.choices(list(KINDS), list(KINDS.values()))[0]
        if "statement" in kind:
            lines.append(_statement(dice, kind, number, said))
            continue
        if kind == "rubbish":
            lines.append(Line(dice.choice([None, "anything"]), RUBBISH[number % len(RUBBISH)]))
            continue
        value = _repeated(dice, sent) if kind == "repeat" else _transfer(dice, kind, f"t-{number:05d}")
        sent.append(value)
        lines.append(Line(value["sender_bank_account"], json.dumps(value).encode()))
    return lines


def _transfer(dice: random.Random, kind: str, name: str) -> dict[str, Any]:
    sender, receiver = dice.sample(range(ACCOUNTS), 2)
    amount = f"{dice.randrange(1, 9_000)}.{dice.randrange(100):02d}"
    changes: dict[str, Any] = {"amount": amount, "evaluation": "unidentified"}
    details = party(f"u-{receiver}", name=f"Name {dice.randrange(10)}", bank_account=f"ACC-{receiver}")
    if kind in ("fraudulent", "legitimate"):
        changes["evaluation"] = kind
    elif kind == "odd":
        changes["evaluation"] = "FRAUD (certain)"
    elif kind == "large":
        changes["amount"] = str(10_000 + dice.randrange(100_000))
    elif kind == "endless":
        details["address"] = "x" * 70_000  # good for the platform, too long for the validator
    return transfer(
        name,
        sender_bank_account=f"ACC-{sender}",
        sender_details=party(f"u-{sender}", name=f"Name {dice.randrange(10)}", ssn=f"9{sender:08d}"),
        receiver_bank_account=details["bank_account"],
        receiver_details=details,
        **changes,
    )


def _repeated(dice: random.Random, sent: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The bank sends a transfer again, at times with another status."""
    return dice.choice(sent) | {"status": dice.choice(["completed", "reversed"])}


def _statement(dice: random.Random, kind: str, number: int, said: list[Line]) -> Line:
    """A line of an account, in event time near the ones before it, or one of the last lines again."""
    if kind == "no statement":
        return Line("anything", b"{", STATEMENTS)
    if kind == "statement again" and said:
        return dice.choice(said[-100:])
    account = f"A-{dice.randrange(STATED)}"
    at = BEGIN + timedelta(seconds=number - dice.choice([0, 0, 0, 90]))
    value = raw_line(
        f"s-{number:05d}", accountNumber=account, transactionTimestamp=f" {at:%F %T}",
        withdrawalAmount=dice.choice(["7.5", "9,999.99", "10,000"]),
        transactionSector=dice.choice(["Retail", "Retail", "Retail", "Other"]),
    )  # fmt: skip
    foreign = int(account.removeprefix("A-")) < FOREIGN
    said.append(Line(dice.choice([None, account]) if foreign else canonical(account, "10").decode(), value, STATEMENTS))
    return said[-1]
