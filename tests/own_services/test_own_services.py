"""The platform on a locked Kafka, MongoDB and S3 that it did not start."""

import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from pymongo import MongoClient

from fraud_platform.adapters.admin import ensure_topics
from fraud_platform.adapters.rule_set_topic import read_history, seed
from fraud_platform.adapters.rule_sets import RuleSets
from fraud_platform.commands import health
from fraud_platform.commands.finding import Level
from fraud_platform.commands.status import look
from fraud_platform.errors import ConfigurationError
from fraud_platform.live.change import publish
from fraud_platform.local.stack import clean_environment
from fraud_platform.rules import files
from fraud_platform.runtime.drain import drain
from fraud_platform.runtime.launch import Slot, run_slot
from fraud_platform.settings import Settings
from fraud_platform.topology import DOCUMENTS, INGESTION, LAKE, MONITORING, PROJECTION, Naming, Stage, Topic
from tests.builders import raw, raw_line
from tests.own_services.rights import Right, allow, rights_of, rights_to_publish, rights_to_read
from tests.own_services.services import SECRETS, OwnServices, own_services
from tests.stages.flow import send, wait_for

pytestmark = pytest.mark.services

FLOW = (INGESTION, PROJECTION, MONITORING, LAKE, DOCUMENTS)
WRONG = "a-wrong-secret"


@dataclass(frozen=True)
class Site:
    """The services and the environment of a platform on them; `naming` is that of its topics."""

    own: OwnServices
    environment: dict[str, str]
    naming: Naming
    administrator: Settings

    def settings(self, **changes: str) -> Settings:
        return Settings.from_environment({**self.environment, **changes}, embedded={})

    def allow(self, *rights: Right) -> None:
        allow(self.own.inside, "platform", rights)

    @property
    def every_right(self) -> list[Right]:
        return [right for stage in FLOW for right in rights_of(stage, self.naming)]


@pytest.fixture(scope="module")
def site(service_endpoints: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The registry alone is the embedded one. The administrator makes topics and rules and sends what banks send."""
    prefix = f"o{uuid.uuid4().hex[:6]}-"
    names = {"FRAUD_PREFIX": prefix, "FRAUD_DATA_DIR": str(tmp_path_factory.mktemp("data")), "FRAUD_PARTITIONS": "1"}
    names["SCHEMA_REGISTRY_URL"] = service_endpoints["SCHEMA_REGISTRY_URL"]
    with own_services(tmp_path_factory.mktemp("own")) as own:
        administrator = Settings.from_environment({**names, "KAFKA_BOOTSTRAP_SERVERS": own.inside}, embedded={})
        ensure_topics(administrator, timeout_s=60)
        seed(administrator)
        send(administrator, Topic.BANK_TRANSACTIONS, [("ACC-1", raw("t-1"))])
        send(administrator, Topic.STATEMENTS, [("ACC-1", raw_line("s-1", withdrawalAmount="10000"))])
        yield Site(own, {**own.environment(), **names}, Naming(prefix), administrator)


def refusal(settings: Settings, stage: Stage, caplog: pytest.LogCaptureFixture) -> str:
    """The sentence with which a long-running slot ends; no secret stands in it or in the log."""
    with pytest.raises(ConfigurationError) as refused:
        run_slot(settings, Slot(stage=stage, name="0"), stop=lambda: False, patience_s=60)
    said = str(refused.value)
    assert not [secret for secret in (*SECRETS.values(), WRONG) if secret in said + caplog.text]
    return said


def test_a_transfer_goes_from_the_topic_to_mongodb_and_s3_with_the_documented_rights_and_no_others(site: Site) -> None:
    settings = site.settings()
    for stage in FLOW:
        site.allow(*rights_of(stage, site.naming))
        assert drain(settings, stage).read > 0
    with MongoClient(settings.mongodb_address) as client:
        database = client[settings.mongodb_database]
        ids = [row["_id"] for name in ("transactions", "monitored_transactions") for row in database[name].find()]
    assert ids == ["t-1", "s-1"]
    (written,) = (site.own.folder / "s3" / "own-lake").rglob(f"{site.naming.topic(Topic.RESULT)}+*.avro")
    assert written.stat().st_size > 0


def test_a_judge_may_read_the_rules_and_who_publishes_them_needs_a_right_of_its_own(site: Site) -> None:
    settings, other = site.settings(), files.checked("rules: []", "a text")
    site.allow(*rights_to_read(site.naming, Topic.RULE_SETS))
    validators = RuleSets(settings)
    try:
        with pytest.raises(ConfigurationError, match="TRANSACTIONAL_ID_AUTHORIZATION_FAILED"):
            publish(settings, other, by="ada")
        site.allow(*rights_to_publish(site.naming))
        made = publish(settings, other, by="ada")
        wait_for(lambda: validators.current().version == made.version)
    finally:
        validators.close()
    assert read_history(settings).active == made


def test_a_wrong_kafka_password_ends_the_process_with_one_sentence(site: Site) -> None:
    command = [sys.executable, "-m", "fraud_platform.runtime", "ingestion"]
    environment = {**clean_environment(), **site.environment, "KAFKA_SASL_PASSWORD": WRONG}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=150, check=False)
    said = [line for line in done.stderr.splitlines() if line.startswith("ingestion: ")]
    assert done.returncode == 1
    assert len(said) == 1
    assert said[0].startswith("ingestion: Kafka refuses our user or its password; look at KAFKA_SASL_MECHANISM")
    assert "Traceback" not in done.stderr
    assert WRONG not in done.stderr


def test_an_authority_that_did_not_sign_the_broker_is_one_sentence(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    settings = site.settings(KAFKA_SSL_CA_LOCATION=str(site.own.stranger.ca))
    assert "certificate is not trusted" in refusal(settings, INGESTION, caplog)


def test_a_user_without_rights_is_told_what_is_missing(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    settings = site.settings(KAFKA_SASL_USERNAME="newcomer", KAFKA_SASL_PASSWORD=SECRETS["newcomer"])
    assert "TRANSACTIONAL_ID_AUTHORIZATION_FAILED" in refusal(settings, INGESTION, caplog)


@pytest.mark.parametrize("topic", [Topic.FRAUDULENT, Topic.LEDGER])
def test_a_topic_that_our_user_may_not_use_is_one_sentence(
    site: Site, caplog: pytest.LogCaptureFixture, topic: Topic
) -> None:
    name = site.naming.topic(topic)
    send(site.administrator, Topic.BANK_TRANSACTIONS, [("ACC-1", raw(topic))])
    site.allow(*(right for right in site.every_right if right[1] != name))
    try:
        assert f"{topic} (TOPIC_AUTHORIZATION_FAILED)" in refusal(site.settings(), INGESTION, caplog)
    finally:
        site.allow(*site.every_right)


def test_mongodb_refuses_a_wrong_password_and_an_unknown_authority_in_one_sentence(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.allow(*site.every_right)
    settings = site.settings(MONGODB_URI=site.own.mongodb_uri(WRONG, site.own.authority.ca))
    assert refusal(settings, DOCUMENTS, caplog).startswith("MongoDB refuses us (code 18)")
    settings = site.settings(MONGODB_URI=site.own.mongodb_uri(SECRETS["mongo"], None))
    assert refusal(settings, DOCUMENTS, caplog).startswith("MongoDB's certificate is not trusted")


def test_s3_refuses_a_wrong_key_in_one_sentence(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.allow(*site.every_right)
    said = refusal(site.settings(MY_AWS_SECRET_ACCESS_KEY=WRONG), LAKE, caplog)
    assert said.startswith("S3 refuses the bucket 'own-lake'")


def test_doctor_and_status_say_the_same(site: Site) -> None:
    wrong = {"KAFKA_SASL_PASSWORD": WRONG, "MY_AWS_SECRET_ACCESS_KEY": WRONG}
    settings = site.settings(**wrong, MONGODB_URI=site.own.mongodb_uri(WRONG, site.own.authority.ca))
    found = {finding.about: finding for finding in health.answers(settings, {"kafka", "mongod", "s3"})}
    assert {finding.level for finding in found.values()} == {Level.PROBLEM}
    assert found["Topics"].says.startswith("Kafka refuses our user or its password")
    assert found["MongoDB"].says.startswith("MongoDB refuses us")
    assert found["S3"].says.startswith("S3 refuses the bucket")
    problems = look(settings).problems
    assert problems[-1].startswith("Kafka refuses our user or its password")
    assert WRONG not in str((found, problems))
