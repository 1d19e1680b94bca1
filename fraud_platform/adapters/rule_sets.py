"""Follows the rule-sets topic, so that rules change at a batch boundary and no process starts anew for it."""

import logging
import threading
import time
from collections.abc import Callable

from fraud_platform.adapters.reader import TopicReader
from fraud_platform.adapters.rule_set_topic import read_records, seed, version
from fraud_platform.core.outcome import Rejected
from fraud_platform.errors import ConfigurationError, Defect, FraudPlatformError, Retryable
from fraud_platform.rules import files
from fraud_platform.rules.engine import Engine
from fraud_platform.rules.followed import Followed
from fraud_platform.rules.rule_set import RuleSet
from fraud_platform.settings import Settings
from fraud_platform.topology import Topic

logger = logging.getLogger(__name__)

RETRY_S = 1.0
HOLD_MS = 1000
"""A new record ends the wait, so this costs no time."""
CLOSE_TIMEOUT_S, PATIENCE_S = 3.0, 60.0
_PARTITION = 0


class RuleSets(Followed):
    """See `Followed`; a thread of its own listens, so no question waits for Kafka.

    While Kafka is away the present set stays in force. Create it inside the process that uses it, and `close` it.
    """

    def __init__(self, settings: Settings) -> None:
        """Take the active rule set; where none was ever published, publish the first one.

        Raises:
            ConfigurationError: there is no such topic, or no rule set in it that this process can apply.
            BrokerUnavailable: no answer.
        """
        super().__init__()
        self._settings = settings
        self._next = 0
        self._said = ""
        self._stop = threading.Event()
        refused = self._load()
        if not self.is_ready:
            seed(settings)  # unless another process does so just now
            refused = self._load()
        if not self.is_ready:
            why = f": {refused[0].reason}" if refused else ""
            raise ConfigurationError(f"No rule set of {settings.naming.topic(Topic.RULE_SETS)} can be applied{why}.")
        self._thread = threading.Thread(target=self._listen, name="rules-follower", daemon=True)
        self._thread.start()

    def version(self, name: str) -> RuleSet:
        """One that was published once; errors as `rule_set_topic.version`."""
        return version(self._settings, name)

    def close(self) -> None:
        """Stop listening; the present set stays."""
        self._stop.set()
        self._thread.join(CLOSE_TIMEOUT_S)

    def _load(self) -> list[Rejected]:
        stored = read_records(self._settings)
        refused = self.take([record.value for record in stored])
        for record, why in zip(reversed(stored), refused, strict=False):
            self._refuse(record.offset, why)
        self._next = stored[-1].offset + 1 if stored else 0
        return refused

    def _listen(self) -> None:
        while not self._stop.is_set():
            try:
                self._read_on()
            except FraudPlatformError as error:
                self._complain(error)
            except Exception as error:  # noqa: BLE001 - its text may quote an entry of a list
                self._complain(Defect.of("Following the rule sets", error))
            self._stop.wait(RETRY_S)

    def _read_on(self) -> None:
        with TopicReader(self._settings, Topic.RULE_SETS, hold_ms=HOLD_MS) as reader:
            for record in reader.read({_PARTITION: self._next}, stop=self._stop.is_set):
                self._next, self._said = record.offset + 1, ""
                before = self.current().version
                for why in self.take([record.value]):
                    self._refuse(record.offset, why)
                if self.current().version != before:
                    logger.info("rule set %s from now on, %s until now", self.current().version, before)

    def _refuse(self, offset: int, why: Rejected) -> None:
        logger.error("the record at %d of the rule sets is refused, and what holds stays: %s", offset, why.reason)

    def _complain(self, error: FraudPlatformError) -> None:
        """Once for as long as it is the same."""
        if str(error) != self._said:
            self._said = str(error)
            logger.warning("rule sets are not heard of, and what holds stays: %s", error)


def engines(settings: Settings, *, patience_s: float = PATIENCE_S) -> Callable[[], Engine]:
    """What a service judges with now, asked anew for each request: the active rule set where Kafka is known.

    Elsewhere, as for a validator that runs by itself, it is that of FRAUD_RULES_FILE or the package's own for good.

    Raises:
        ConfigurationError: a file that is refused; no rule set that can be applied.
        BrokerUnavailable: Kafka did not answer within `patience_s`.
    """
    if settings.kafka_bootstrap_servers is None:
        engine = Engine(files.load(settings.rules_file or files.DEFAULT_FILE))
        return lambda: engine
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return RuleSets(settings).engine
        except Retryable:
            if time.monotonic() > deadline:
                raise
            time.sleep(RETRY_S)
