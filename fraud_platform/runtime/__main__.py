"""Runs one slot without Dagster: `python -m fraud_platform.runtime STAGE --slot N`."""

import argparse
import logging
import sys

from fraud_platform import failpoints
from fraud_platform.errors import FraudPlatformError
from fraud_platform.runtime.drain import drain
from fraud_platform.runtime.launch import Slot, run_slot
from fraud_platform.runtime.stop import stop_on_signals
from fraud_platform.settings import load
from fraud_platform.topology import STAGES

_STOP_AT = f"for tests: stand still (SIGSTOP) at the nth pass of one of: {', '.join(failpoints.Point)}"


def main() -> int:
    """Run the slot that the command line names; 0 = stopped as asked, 1 = one sentence on stderr says why."""
    parser = argparse.ArgumentParser(prog="python -m fraud_platform.runtime", description=__doc__)
    parser.add_argument("stage", choices=[name for name, stage in STAGES.items() if stage.consumes])
    parser.add_argument("--slot", default="0", help="slot number; each slot has one process at a time")
    parser.add_argument("--drain", action="store_true", help="read to the present end, then leave")
    parser.add_argument(
        "--accept-loss",
        action="store_true",
        help="where the offset to go on from is no longer in its topic, go on at the topic's beginning",
    )
    parser.add_argument("--stop-at", type=failpoints.FailPoint.parse, metavar="POINT[:NTH]", help=_STOP_AT)
    arguments = parser.parse_args()
    failpoints.arm(arguments.stop_at)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    stage = STAGES[arguments.stage]
    try:
        with stop_on_signals() as stop:
            if arguments.drain:
                print(drain(load(), stage, stop=stop, accept_loss=arguments.accept_loss).to_json())
            else:
                slot = Slot(stage=stage, name=arguments.slot, accept_loss=arguments.accept_loss)
                run_slot(load(), slot, stop=stop)
    except FraudPlatformError as error:
        print(f"{stage.name}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
