"""fraud-validator-api in memory: the same rules, without HTTP."""

from collections.abc import Callable, Sequence

from fraud_platform.adapters.validator import Validator
from fraud_platform.core.decisions import Decision
from fraud_platform.core.outcome import Rejected
from fraud_platform.core.questions import Question, encode_question, parse_question
from fraud_platform.errors import ConfigurationError, ValidatorUnavailable
from fraud_platform.rules.engine import Engine
from fraud_platform.validator_api.judging import decide


class FakeValidator(Validator):
    """Judges by the engine's rules; `is_down` and `refuses_key` make it fail, `asked` holds every batch it answered."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.is_down = False
        self.refuses_key = False
        self.probes = 0
        self.asked: list[tuple[Question, ...]] = []

    def judge(
        self, questions: Sequence[Question], *, stop: Callable[[], bool] = lambda: False
    ) -> list[Decision | Rejected]:
        if self.refuses_key:
            raise ConfigurationError("the validator refused the key: set FRAUD_VALIDATOR_API_KEY.")
        if self.is_down:
            raise ValidatorUnavailable("the validator is down")
        self.asked.append(tuple(questions))
        return [self._answer(question) for question in questions]

    def _answer(self, question: Question) -> Decision | Rejected:
        facts = parse_question(encode_question(question))
        return facts if isinstance(facts, Rejected) else decide(facts, self._engine)

    def probe(self) -> bool:
        self.probes += 1
        return not self.is_down

    def close(self) -> None:
        """Nothing to let go of."""
