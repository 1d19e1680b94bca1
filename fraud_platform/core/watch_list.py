"""The receiver watch-list that comes with the platform: the mule accounts of the demo banks.

Fixed and with correct check digits, so that demo traffic meets them in every run; no real bank has the
code MULE. A deployment of its own replaces the list together with its rules.
"""

DEMO_MULE_LIST = "demo-mules"
"""Name of the list, as decisions show it."""

DEMO_MULE_ACCOUNTS: tuple[str, ...] = (
    "GB68MULE00000000107919",
    "GB43MULE00000000115838",
    "GB18MULE00000000123757",
    "GB90MULE00000000131676",
    "GB65MULE00000000139595",
    "GB40MULE00000000147514",
    "GB15MULE00000000155433",
    "GB87MULE00000000163352",
    "GB62MULE00000000171271",
    "GB37MULE00000000179190",
    "GB12MULE00000000187109",
    "GB84MULE00000000195028",
)
"""Receiver accounts (IBAN form) that the demo banks' fraud scenarios pay into."""
