"""What every `Validator` promises, asked of the fake and of the real service over HTTP."""

import json
import socket
from collections.abc import Iterator

import pytest
import requests

from fraud_platform.adapters import validator as adapter
from fraud_platform.adapters.validator import Validator, ValidatorClient
from fraud_platform.core.decisions import Action, Decision
from fraud_platform.core.outcome import Rejected
from fraud_platform.errors import ConfigurationError
from fraud_platform.settings import Settings
from tests.adapters.hostile import UNHURRIED, Seen, hostile, reply
from tests.fakes.validator import FakeValidator
from tests.validator_api.builders import typed
from tests.validator_api.rule_sets import LARGE_AND_LISTED, MULE, compiled, saved
from tests.validator_api.service import running_validator

KEY = "a-key-for-tests"
RULES = compiled(LARGE_AND_LISTED)
VERSION = RULES.rule_set.version


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_validator(api_key=KEY, rules=saved(tmp_path_factory.mktemp("rules"))) as address:
        yield address


@pytest.fixture(params=["fake", "real"])
def validator(request: pytest.FixtureRequest) -> Iterator[Validator]:
    made: Validator = FakeValidator(RULES)
    if request.param == "real":
        made = ValidatorClient(f"{request.getfixturevalue('service')}/validate", api_key=KEY, **UNHURRIED)
    yield made
    made.close()


def test_each_question_is_answered_in_order(validator: Validator) -> None:
    questions = [typed(f"t-{number}") for number in range(2500)]
    answers = validator.judge(questions)
    assert [answer.transaction_id for answer in answers if isinstance(answer, Decision)] == [
        question.transaction_id for question in questions
    ]


def test_nothing_asked_is_nothing_answered(validator: Validator) -> None:
    assert validator.judge([]) == []


def test_a_decision_comes_with_its_reasons_and_its_version(validator: Validator) -> None:
    mule = json.dumps({"bank_account": MULE})
    (decision,) = validator.judge([typed(amount="10000.10", receiver_details=mule)])
    assert isinstance(decision, Decision)
    assert (decision.action, decision.rule_set_version) == (Action.BLOCK, VERSION)
    listed = f"counterparty_account listed: mules@{RULES.rule_set.lists['mules'].version}"
    assert [(hit.criterion, hit.observed, hit.limit) for hit in decision.hits] == [
        ("HIGH_TRANSACTION_AMOUNT", "10000.1", "10000"), ("LISTED", listed, None),
    ]  # fmt: skip


def test_a_rule_that_could_not_be_applied_is_told(validator: Validator) -> None:
    (decision,) = validator.judge([typed(receiver_details="{}")])
    assert isinstance(decision, Decision)
    assert [left_open.rule_id for left_open in decision.not_evaluable] == ["listed"]


def test_the_account_that_the_money_goes_to_is_told_in_batches(validator: Validator) -> None:
    (decision,) = validator.judge([typed(receiver_details="{}", receiver_bank_account=MULE)])
    assert isinstance(decision, Decision)
    assert (decision.action, decision.not_evaluable) == (Action.BLOCK, ())


def test_a_bad_question_is_rejected_alone(validator: Validator) -> None:
    bad = [
        typed("t-2", amount="-1"),
        typed("t-3", receiver_details="[]"),
        typed("t-4", amount="0.0000000001"),
        typed(""),
        typed("t-5", transfer_date="soon"),
    ]
    first, *rejected, last = validator.judge([typed("t-1"), *bad, typed("t-6")])
    assert isinstance(first, Decision)
    assert isinstance(last, Decision)
    assert [answer.error_type for answer in rejected if isinstance(answer, Rejected)] == [
        "invalid-amount",
        "invalid-receiver-details",
        "invalid-amount",
        "schema",
        "invalid-date",
    ]


def test_a_question_that_spoils_its_whole_batch_is_rejected_alone(validator: Validator) -> None:
    """`NaN` is no JSON: the service cannot read a batch that holds one."""
    answers = validator.judge([typed("t-1"), typed("t-2", amount="NaN"), typed("t-3")])
    assert [type(answer) for answer in answers] == [Decision, Rejected, Decision]


def test_large_questions_are_spread_over_requests_that_fit(validator: Validator) -> None:
    details = json.dumps({"bank_account": "ACC-2", "address": "x" * 60_000})
    answers = validator.judge([typed(f"t-{number}", receiver_details=details) for number in range(200)])
    assert {type(answer) for answer in answers} == {Decision}


def test_long_ids_come_back_in_replies_that_are_read(validator: Validator) -> None:
    ids = [letter * 900_000 for letter in "abcdefgh"]
    answers = validator.judge([typed("t-1"), *map(typed, ids)])
    assert isinstance(answers[0], Decision)
    assert [answer.error_type for answer in answers[1:] if isinstance(answer, Rejected)] == ["too-large"] * 8


def test_a_transfer_sent_twice_is_answered_twice(validator: Validator) -> None:
    first, second = validator.judge([typed("t-1"), typed("t-1")])
    assert first == second


def test_one_id_with_two_contents_gets_two_answers(validator: Validator) -> None:
    answers = validator.judge([typed("t-1", amount="1"), typed("t-1", amount="20000")])
    assert [answer.action for answer in answers if isinstance(answer, Decision)] == [
        Action.ALLOW,
        Action.REVIEW,
    ]


def test_asking_three_times_gives_the_same_answers(validator: Validator) -> None:
    questions = [typed("t-1"), typed("t-2", amount="20000")]
    first, second, third = (validator.judge(questions) for _ in range(3))
    assert first == second == third


def test_a_batch_whose_reply_was_lost_is_judged_the_same_when_it_is_asked_again(service: str) -> None:
    """The service has judged each time; the client hears of the third time only."""
    judged: list[bytes] = []

    def behave(seen: Seen, connection: socket.socket) -> bytes | None:
        headers = {"Authorization": f"Bearer {KEY}"}
        judged.append(requests.post(service + seen.path, seen.body, headers=headers, timeout=60).content)
        if len(judged) > 2:
            return reply(200, judged[-1])
        connection.shutdown(socket.SHUT_RDWR)
        return None

    questions = [
        typed("t-1"),
        typed("t-2", amount="20000"),
        typed("t-3", receiver_details="{}"),
        typed("t-4", amount="-1"),
    ]
    with hostile(behave) as server:
        client = ValidatorClient(server.url, **UNHURRIED)
        answers = client.judge(questions)
        client.close()
    assert len(judged) == 3
    assert len(set(judged)) == 1
    versions = {answer.rule_set_version for answer in answers if isinstance(answer, Decision)}
    assert versions == {VERSION}


def test_a_service_that_can_answer_says_so(monkeypatch: pytest.MonkeyPatch, validator: Validator) -> None:
    monkeypatch.setattr(adapter, "_PROBE_S", 60)
    assert validator.probe()


@pytest.mark.parametrize("key", [None, "wrong"])
def test_a_wrong_key_is_a_setting_to_change(service: str, key: str | None) -> None:
    client = ValidatorClient(f"{service}/validate", api_key=key, **UNHURRIED)
    with pytest.raises(ConfigurationError, match="set FRAUD_VALIDATOR_API_KEY"):
        client.judge([typed()])
    client.close()


def test_a_wrong_address_is_a_setting_to_change(service: str) -> None:
    client = ValidatorClient(f"{service}/nothing-here", api_key=KEY, **UNHURRIED)
    for _ in range(2):  # not remembered as a service without batches
        with pytest.raises(ConfigurationError, match="set FRAUD_VALIDATOR_URL"):
            client.judge([typed()])
    client.close()


@pytest.mark.parametrize(
    "url", ["", "localhost:8000/validate", "ftp://x/validate", "http://", "http://x:99999/validate"]
)
def test_an_address_that_is_none_is_told_at_once(url: str) -> None:
    with pytest.raises(ConfigurationError, match="FRAUD_VALIDATOR_URL"):
        ValidatorClient(url)


@pytest.mark.parametrize("key", ["two words", "new\nline", "schlüssel"])
def test_a_key_that_fits_no_header_is_told_at_once(key: str) -> None:
    with pytest.raises(ConfigurationError, match="FRAUD_VALIDATOR_API_KEY") as caught:
        ValidatorClient("http://x/validate", api_key=key)
    assert key not in str(caught.value)


def test_the_settings_name_the_service(service: str) -> None:
    named = {"FRAUD_VALIDATOR_URL": f"{service}/validate", "FRAUD_VALIDATOR_API_KEY": KEY}
    client = ValidatorClient.from_settings(Settings.from_environment(named))
    assert isinstance(client.judge([typed()])[0], Decision)
    client.close()
