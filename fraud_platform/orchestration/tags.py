"""Names of the run tags through which ops, keepers and commands talk to each other."""

from fraud_platform.topology import Stage

STAGE = "fraud/stage"
SLOT = "fraud/slot"
BATCH = "fraud/batch"
_HIDDEN = ".dagster/fraud/"
"""Dagster's prefix for tags that its pages do not show: nobody reads Unix times in a list of runs."""
HEARTBEAT = f"{_HIDDEN}heartbeat"
"""Unix time of the last sign of life of an op that is no member of a consumer group (yet)."""
WORKING = f"{_HIDDEN}working"
"""Unix time when the run began to read its partitions, or to send."""
PROCESS = f"{_HIDDEN}process"
"""`place:pid:birth` of the op's process, see `processes.own_process`."""
CODE = f"{_HIDDEN}code"
"""Fingerprint of the code that the op runs."""
LEAVES_AT = f"{_HIDDEN}leaves-at"
"""Unix time when the run will hand its slot over."""
RULES = "fraud/rules"
"""The version of the rule set by which the slot judges."""
RULES_COMING = f"{_HIDDEN}rules-coming"
"""The version that it makes ready, and how far that is."""
ENDED_BY = "fraud/ended-by"
REASON = "fraud/reason"

KEEPER = "keeper"
"""`ENDED_BY`: a keeper replaced the run."""
PLATFORM = "platform"
"""`ENDED_BY`: a command of ours stopped the run; no operator's wish to keep the stage down."""
CONFIGURATION = "configuration-error"
"""`ENDED_BY`: the run cannot work before a person changes something; `REASON` says what."""
FENCED = "fenced"
"""`ENDED_BY`: another process took the slot over; leave it alone for as long as it lives."""

MAX_REASON = 500


def slot_tag(stage: Stage, slot: int | str) -> str:
    """The value of `SLOT`, which is also the slot's name in its consumer group."""
    return f"{stage.name}.{slot}"


def job_name(stage: Stage) -> str:
    """The job that runs one slot of the stage."""
    return stage.name


def keeper_name(stage: Stage) -> str:
    """The sensor that keeps the stage's slots alive."""
    return f"keep_{stage.name}_running"
