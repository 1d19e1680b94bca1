"""fraud-validator-api as the platform sees it: questions in, decisions out, or a clear way to fail."""

import itertools
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import Self, TypeVar
from urllib.parse import urljoin, urlsplit

from fraud_platform.adapters import validator_replies as replies
from fraud_platform.adapters.validator_http import Budget, Exchange, HttpReply
from fraud_platform.core.decisions import Decision
from fraud_platform.core.outcome import Rejected
from fraud_platform.core.questions import MAX_BATCH, Question, as_published, encode_question
from fraud_platform.errors import ConfigurationError, Retryable, ValidatorUnavailable
from fraud_platform.settings import Settings

BUDGET_S = 5.0
FIRST_ANSWER_S = 2.7
"""Longer than a reply that is two seconds late; partitions are paused within three of a validator's end."""
MAX_BATCH_BYTES = 7 * 1024 * 1024  # the service takes 8 MB; foreign ones may count differently
_PARALLEL = 8
_TICK_S = 0.05
_BACKOFF_BASE_S, _BACKOFF_CAP_S = 0.1, 1.0
_PROBE_S = 1.0

T = TypeVar("T")


def _never() -> bool:
    return False


class Validator(ABC):
    """Judges transfers.

    An answer depends on the question and the service's rules alone: asking again is safe.
    """

    @abstractmethod
    def judge(self, questions: Sequence[Question], *, stop: Callable[[], bool] = _never) -> list[Decision | Rejected]:
        """One answer per question, in order; `Rejected` is a question that the service cannot use.

        Returns or raises within the budget, and soon after `stop()` becomes true.

        Raises:
            ValidatorUnavailable: no usable answer within the budget, or stopped: pause and ask again later.
            ConfigurationError: the address or the key is wrong; asking again cannot help.
        """

    @abstractmethod
    def probe(self) -> bool:
        """Whether the service seems able to answer: one request, at most a second, never an exception."""

    @abstractmethod
    def close(self) -> None:
        """Let go of connections and threads."""


class ValidatorClient(Validator):
    """The service behind `FRAUD_VALIDATOR_URL`, ours or a foreign one.

    Asks `<url>/batch` in chunks. A service without that route is asked singly, 8 at a time, in the published fields
    alone: one of another maker may refuse a field that it does not know.
    What a failed call did learn is kept for the next one, so that even a service too slow for one budget
    gets through a batch in several.
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        budget_s: float = BUDGET_S,
        first_answer_s: float = FIRST_ANSWER_S,
        connect_timeout_s: float = 1.0,
        read_timeout_s: float = 3.0,
    ) -> None:
        _check(url, api_key)
        self._url, self._batch_url = url, f"{url.rstrip('/')}/batch"
        self._budget_s, self._first_answer_s = budget_s, first_answer_s
        self._exchange = Exchange(
            url,
            api_key,
            connections=2 * _PARALLEL,
            connect_timeout_s=connect_timeout_s,
            read_timeout_s=read_timeout_s,
        )
        self._pool = ThreadPoolExecutor(_PARALLEL, thread_name_prefix="validator")
        self._has_batch = True
        self._learned: dict[Question, Decision | Rejected] = {}

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The validator that the settings name.

        Raises:
            ConfigurationError: no address is known, or it is none of HTTP.
        """
        key = settings.validator_api_key
        return cls(settings.require("FRAUD_VALIDATOR_URL"), api_key=key.get_secret_value() if key else None)

    def judge(self, questions: Sequence[Question], *, stop: Callable[[], bool] = _never) -> list[Decision | Rejected]:
        """See `Validator.judge`."""
        budget = Budget(self._budget_s, stop, first_s=self._first_answer_s)
        known = {question: self._learned[question] for question in questions if question in self._learned}
        self._learned = known
        open_questions = [question for question in dict.fromkeys(questions) if question not in known]
        self._ask(open_questions, budget)
        self._learned = {}
        return [known[question] for question in questions]

    def probe(self) -> bool:
        """See `Validator.probe`; a foreign validator without `readyz` is there when it answers at all."""
        budget = Budget(_PROBE_S, _never)
        try:
            (reply,) = self._together([lambda: self._exchange.get(urljoin(self._url, "readyz"), budget)], budget)
        except (Retryable, ConfigurationError):
            return False
        return not replies.is_transient(reply.status)

    def close(self) -> None:
        """See `Validator.close`."""
        self._exchange.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    # Asking -------------------------------------------------------------------------------------------

    def _ask(self, questions: Sequence[Question], budget: Budget) -> None:
        """Learn the answers, in batches where the service takes them."""
        if not self._has_batch:
            self._together([self._single_task(question, budget, is_ours=False) for question in questions], budget)
            return
        left = self._together([self._batch_task(chunk, budget) for chunk in _chunks(questions)], budget)
        alone = [(question, has_route) for chunk, has_route in left for question in chunk]
        self._together([self._single_task(question, budget, is_ours=ours) for question, ours in alone], budget)
        # Only now: a wrong address has no batch route either, and is no foreign service to remember.
        self._has_batch = all(has_route for _, has_route in left)

    def _batch_task(
        self, chunk: Sequence[tuple[Question, bytes]], budget: Budget
    ) -> Callable[[], tuple[list[Question], bool]]:
        """Learn a chunk's answers; returns what must be asked singly, and whether there is a batch route."""
        questions = [question for question, _ in chunk]
        body = b"[" + b",".join(text for _, text in chunk) + b"]"

        def understand(reply: HttpReply) -> tuple[list[Question], bool]:
            if reply.status in replies.NO_ROUTE:
                return questions, False
            if reply.status in replies.REFUSED:
                return questions, True
            answers = replies.batch(questions, reply, self._batch_url)
            self._learned.update(zip(questions, answers, strict=True))
            return [], True

        return lambda: self._persist(self._batch_url, body, understand, budget, answers=len(questions))

    def _single_task(self, question: Question, budget: Budget, *, is_ours: bool) -> Callable[[], None]:
        body = encode_question(question if is_ours else as_published(question))

        def understand(reply: HttpReply) -> None:
            self._learned[question] = replies.single(question, reply, self._url)

        return lambda: self._persist(self._url, body, understand, budget)

    def _persist(
        self, url: str, body: bytes, understand: Callable[[HttpReply], T], budget: Budget, *, answers: int = 1
    ) -> T:
        """Try with full jitter until understood or out of budget."""
        for attempt in itertools.count():
            if not budget.remaining():
                break
            retry_after_s = 0.0
            try:
                reply = self._exchange.post(url, body, budget, answers=answers)
                retry_after_s = reply.retry_after_s
                understood = understand(reply)
            except ValidatorUnavailable as fault:
                budget.last_fault = str(fault)
            else:
                budget.answered()
                return understood
            pause = random.uniform(0, min(_BACKOFF_CAP_S, _BACKOFF_BASE_S * 2 ** min(attempt, 10)))
            budget.wait(max(pause, retry_after_s))
        raise budget.exhausted()

    def _together(self, tasks: Sequence[Callable[[], T]], budget: Budget) -> list[T]:
        """Run tasks on the pool; the first failure, a stop or the end of the budget ends them all."""
        futures: list[Future[T]] = [self._pool.submit(task) for task in tasks]
        try:
            while True:
                done, pending = wait(futures, timeout=_TICK_S, return_when=FIRST_EXCEPTION)
                if not pending:
                    return [future.result() for future in futures]
                for future in done:
                    future.result()
                budget.check()
        except BaseException:
            budget.cancel()
            for future in futures:
                future.cancel()
            self._exchange.abort()
            raise


def _check(url: str, api_key: str | None) -> None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ConfigurationError("FRAUD_VALIDATOR_URL must be the full address of `POST /validate`, http or https.")
    if api_key and not (api_key.isascii() and api_key.isprintable() and " " not in api_key):
        raise ConfigurationError("FRAUD_VALIDATOR_API_KEY may hold printable ASCII without spaces only.")


def _chunks(questions: Sequence[Question]) -> Iterator[list[tuple[Question, bytes]]]:
    """Encoded questions in order, at most 1,000 and 7 MB together."""
    chunk: list[tuple[Question, bytes]] = []
    size = 0
    for question in questions:
        text = encode_question(question)
        if chunk and (len(chunk) == MAX_BATCH or size + len(text) > MAX_BATCH_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append((question, text))
        size += len(text) + 1
    if chunk:
        yield chunk
