"""What a user must be allowed to do on Kafka, by what it is for: the lists of docs/own-services.md."""

from collections.abc import Iterable

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from fraud_platform.topology import MONITORING, Naming, Stage, Topic

Right = tuple[ResourceType, str, ResourcePatternType, AclOperation]
LITERAL, PREFIXED = ResourcePatternType.LITERAL, ResourcePatternType.PREFIXED


def rights_of(stage: Stage, naming: Naming) -> list[Right]:
    """Read its inputs and the ledger, write its outputs, dead letters and ledger, be its group and its slots.

    What it remembers it writes and reads; who judges reads the rules.
    """
    own = {Topic.LEDGER, *([stage.changelog] if stage.changelog else [])}
    reads = {*stage.reads, *own, *([Topic.RULE_SETS] if stage is MONITORING else [])}
    writes = {*stage.writes, Topic.DEAD_LETTERS, *own}
    return [
        *((ResourceType.TOPIC, naming.topic(topic), LITERAL, AclOperation.READ) for topic in reads),
        *((ResourceType.TOPIC, naming.topic(topic), LITERAL, AclOperation.WRITE) for topic in writes),
        (ResourceType.GROUP, naming.group(stage), LITERAL, AclOperation.READ),
        _reader(naming),
        (ResourceType.TRANSACTIONAL_ID, f"{naming.group(stage)}.", PREFIXED, AclOperation.WRITE),
    ]


def rights_to_read(naming: Naming, *topics: Topic) -> list[Right]:
    """Those of a bystander: the validator reads the rules, a replay and `explain` read the log."""
    return [_reader(naming), *((ResourceType.TOPIC, naming.topic(each), LITERAL, AclOperation.READ) for each in topics)]


def rights_to_publish(naming: Naming) -> list[Right]:
    """Those of whoever changes the rules."""
    return [
        *rights_to_read(naming, Topic.RULE_SETS),
        (ResourceType.TOPIC, naming.topic(Topic.RULE_SETS), LITERAL, AclOperation.WRITE),
        (ResourceType.TRANSACTIONAL_ID, naming.rules_publisher, LITERAL, AclOperation.WRITE),
    ]


def _reader(naming: Naming) -> Right:
    return (ResourceType.GROUP, f"{naming.prefix}fraud-platform.reader", LITERAL, AclOperation.DESCRIBE)


def allow(inside: str, user: str, rights: Iterable[Right]) -> None:
    """These rights and no others."""
    admin = AdminClient({"bootstrap.servers": inside})
    anything = (ResourceType.ANY, None, ResourcePatternType.ANY, f"User:{user}", None)
    every = AclBindingFilter(*anything, AclOperation.ANY, AclPermissionType.ANY)
    for removed in admin.delete_acls([every]).values():
        removed.result(20)
    bindings = [
        AclBinding(kind, name, pattern, f"User:{user}", "*", operation, AclPermissionType.ALLOW)
        for kind, name, pattern, operation in set(rights)
    ]
    for made in admin.create_acls(bindings).values() if bindings else ():
        made.result(20)
