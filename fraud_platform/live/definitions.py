"""What Dagster shows of the rules: the active set as an asset, and the jobs that change it.

The engine is imported where it is used: every process of Dagster loads this module, and few need it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from fraud_platform.errors import ConfigurationError, FraudPlatformError
from fraud_platform.orchestration.code import version_of
from fraud_platform.orchestration.outputs import OWNERS, asset_spec, topic_key, topic_output
from fraud_platform.settings import Settings, load
from fraud_platform.topology import Topic

if TYPE_CHECKING:
    from fraud_platform.rules.publication import Publication
    from fraud_platform.rules.rule_set import RuleSet

GROUP = "rules"
ACTIVE = dg.AssetKey([GROUP, "active"])
SENSOR_INTERVAL_S = 30
_TOLD_AT_MOST = 20

Read = Callable[[], Settings]


class ChangeConfig(dg.Config):
    """Who changes the rules, and why."""

    note: str = Field("", description="why, in at most 500 characters; kept in the history")
    by: str | None = Field(None, description="who; default: the user that Dagster runs as")
    expect: str | None = Field(None, description="only if this version is active")

    @property
    def who(self) -> str:
        """The name that the history keeps."""
        from fraud_platform.live.change import user

        return self.by or f"{user()}, Dagster"


class PublishConfig(ChangeConfig):
    """The rule set to publish: exactly one of `path` and `text`."""

    path: str | None = Field(None, description="a file that the run can read")
    text: str | None = Field(
        None, description="the rule set itself, YAML or JSON; Dagster keeps it, so one with lists belongs in a file"
    )


class RollbackConfig(ChangeConfig):
    """The rule set to go back to."""

    version: str | None = Field(None, description="its version or the first letters of it; default: the one before")


@contextmanager
def _told() -> Iterator[None]:
    """Our errors as one sentence of Dagster's."""
    try:
        yield
    except FraudPlatformError as error:
        raise dg.Failure(description=str(error), allow_retries=False) from None


@dg.asset(
    key=ACTIVE,
    deps=[topic_key(Topic.RULE_SETS)],
    group_name=GROUP,
    kinds={"kafka", "json"},
    owners=OWNERS,
    code_version=version_of("rules", "live"),
    description=(
        "The rule set that judges now: who made it active, when and why, and its rules. Its past materializations are"
        " the history. Change it with `fraud-platform rules publish` or the jobs `publish_rules` and `rollback_rules`;"
        " materializing it only looks."
    ),
)
def active_rules() -> dg.MaterializeResult[Any]:
    """Look at the active rule set."""
    return looked()


def looked(*, settings: Read = load) -> dg.MaterializeResult[Any]:
    """What is active now.

    Raises:
        dagster.Failure: one sentence; Kafka does not answer, or nothing was published.
    """
    from fraud_platform.adapters.rule_set_topic import read_history
    from fraud_platform.live.facts import facts_of

    with _told():
        return dg.MaterializeResult(asset_key=ACTIVE, metadata=facts_of(read_history(settings()).require_active()))


@dg.op(name="publish_rule_set", description="Checks a rule set and makes it the active one.")
def publish_rule_set(context: dg.OpExecutionContext, config: PublishConfig) -> None:
    """See `published`."""
    published(context, config)


def published(context: dg.OpExecutionContext, config: PublishConfig, *, settings: Read = load) -> None:
    """Publish what the config names, as `fraud-platform rules publish` does.

    Raises:
        dagster.Failure: one sentence, or each fault of the rule set with its line; the old set stays.
    """
    from fraud_platform.live.change import publish

    with _told():
        rule_set = _given(config)
        made = publish(settings(), rule_set, by=config.who, note=config.note, expect=config.expect)
    _tell(context, made)


def _given(config: PublishConfig) -> "RuleSet":
    from fraud_platform.rules import files

    if (config.path is None) == (config.text is None):
        raise ConfigurationError("Give exactly one of `path` and `text`.")
    return files.load(Path(config.path)) if config.path else files.checked(config.text or "", "`text`")


@dg.op(name="roll_back_rule_set", description="Makes an earlier rule set active again.")
def roll_back_rule_set(context: dg.OpExecutionContext, config: RollbackConfig) -> None:
    """See `rolled_back`."""
    rolled_back(context, config)


def rolled_back(context: dg.OpExecutionContext, config: RollbackConfig, *, settings: Read = load) -> None:
    """Go back, as `fraud-platform rules rollback` does; errors as `published`."""
    from fraud_platform.live.change import rollback

    with _told():
        made = rollback(settings(), config.version, by=config.who, note=config.note, expect=config.expect)
    _tell(context, made)


def _tell(context: dg.OpExecutionContext, made: "Publication") -> None:
    context.log.info("rule set %s is active, number %d, in place of %s", made.version, made.number, made.replaces)
    context.log_event(_materialization(made))


def _materialization(made: "Publication") -> dg.AssetMaterialization:
    from fraud_platform.live.facts import facts_of

    return dg.AssetMaterialization(ACTIVE, description=made.note or None, metadata=facts_of(made))


@dg.job(description="Checks a rule set and makes it the active one; what runs switches within 10 s.")
def publish_rules() -> None:
    """For the launchpad: `path` or `text`, and a note."""
    publish_rule_set()


@dg.job(description="Makes an earlier rule set active again, by default the one before.")
def rollback_rules() -> None:
    """For the launchpad: a version, or nothing."""
    roll_back_rule_set()


def publications_sensor(*, settings: Read = load) -> dg.SensorDefinition:
    """The sensor that shows in Dagster what was published elsewhere, as with the command line."""

    def evaluate(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        from fraud_platform.adapters.admin import end_offsets
        from fraud_platform.adapters.rule_set_topic import read_history

        try:
            current = settings()
            cursor = str(end_offsets(current, [Topic.RULE_SETS])[Topic.RULE_SETS, 0])
            if cursor == context.cursor:
                return dg.SkipReason("nothing was published since the last look")
            publications = read_history(current).publications
        except FraudPlatformError as error:
            return dg.SkipReason(str(error))
        known = _known(context.instance)
        numbers = [(each.number, each.version) for each in publications]
        first = numbers.index(known) + 1 if known in numbers else len(numbers) - 1
        fresh = publications[max(0, first) :][-_TOLD_AT_MOST:]
        return dg.SensorResult(asset_events=[_materialization(each) for each in fresh], cursor=cursor)

    return dg.SensorDefinition(
        name="rules_published",
        evaluation_fn=evaluate,
        minimum_interval_seconds=SENSOR_INTERVAL_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Shows each rule set that was published as a materialization of rules/active.",
    )


def _known(instance: dg.DagsterInstance) -> tuple[int, str] | None:
    """Number and version of the publication that Dagster shows."""
    event = instance.get_latest_materialization_event(ACTIVE)
    shown = event.asset_materialization.metadata if event and event.asset_materialization else {}
    if not {"number", "version"} <= shown.keys():
        return None
    return int(str(shown["number"].value)), str(shown["version"].value)


defs = dg.Definitions(
    assets=[asset_spec(topic_output(Topic.RULE_SETS), group=GROUP), active_rules],
    jobs=[publish_rules, rollback_rules],
    sensors=[publications_sensor()],
)
