"""The mule accounts of the demo banks: fixed, so that demo traffic meets them in every run.

Their check digits are correct, and no real bank has the code MULE. The default rule set has them on its list
`demo-mules`, for a LISTED rule that is there and off.
"""

MULE_ACCOUNTS: tuple[str, ...] = (
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
