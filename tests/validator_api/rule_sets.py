"""Rule sets that the service is tested with."""

from pathlib import Path

from fraud_platform.banks.mules import MULE_ACCOUNTS
from fraud_platform.rules import files
from fraud_platform.rules.engine import Engine
from fraud_platform.rules.parse import parse
from fraud_platform.rules.rule_set import RuleSet

MULE = MULE_ACCOUNTS[0]
LARGE_AND_LISTED = f"""\
lists:
  mules: {{accounts: [{MULE}]}}
rules:
  - {{id: large, criterion: HIGH_TRANSACTION_AMOUNT, parameters: {{at_least: 10000}}, action: REVIEW}}
  - {{id: listed, criterion: LISTED, parameters: {{list: mules, fields: [counterparty_account]}}, action: BLOCK}}
"""
"""Every action can come of it, and every rule needs no more than a request may say."""

DEFAULT = Engine(files.load())


def compiled(written: str) -> Engine:
    found = parse(written)
    assert isinstance(found, RuleSet), found
    return Engine(found)


def saved(folder: Path, written: str = LARGE_AND_LISTED) -> Path:
    path = folder / "rules.yaml"
    path.write_text(written)
    return path
