"""Who may import what, and what may be written where: rules that a reader can rely on."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import fraud_platform
from fraud_platform.topology import STAGES, Topic

PACKAGE = Path(fraud_platform.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
CLIENTS = {"confluent_kafka", "pymongo", "bson", "boto3", "botocore", "requests", "duckdb"}
IMPURE = CLIENTS | {"dagster", "logging", "os", "time", "random", "socket", "subprocess", "threading"}
SPELLED_ELSEWHERE = {"users", "decisions", "ledger", "labels"}
"""Topics whose names are everyday words: a collection or a field may be called the same."""

REPLAY = ("book", "cases", "compare", "memory", "report", "session", "tally")
"""The replay's modules that know no topic: what reads and shows them is beside them."""

NAMESAKES = {"core/partitioning.py": {"fraudulent-transactions"}}
"""The lake's root folder, which happens to be called like a topic."""


def imports(path: Path) -> Iterator[str]:
    """Every module that the file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def under(*folders: str) -> list[Path]:
    return [path for path in MODULES if path.relative_to(PACKAGE).parts[0] in folders]


def name(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


@pytest.mark.parametrize("path", under("core"), ids=name)
def test_the_core_is_pure(path: Path) -> None:
    roots = {module.split(".")[0] for module in imports(path)}
    assert not roots & IMPURE
    own = {module.split(".")[1] for module in imports(path) if module.startswith("fraud_platform.")}
    assert own <= {"core", "errors", "topology"}


@pytest.mark.parametrize("path", under("rules"), ids=name)
def test_the_rule_engine_is_pure(path: Path) -> None:
    """It follows from the rule set and the account's past alone; `files.py` may read a rule set from disk."""
    roots = {module.split(".")[0] for module in imports(path)}
    assert not roots & IMPURE
    own = {module.split(".")[1] for module in imports(path) if module.startswith("fraud_platform.")}
    assert own <= {"core", "rules", "errors"}
    assert "pathlib" not in roots or path.name == "files.py"


@pytest.mark.parametrize("path", [PACKAGE / "replay" / f"{each}.py" for each in REPLAY], ids=name)
def test_what_a_replay_says_follows_from_records_and_decisions_alone(path: Path) -> None:
    assert not {module.split(".")[0] for module in imports(path)} & IMPURE
    own = {module.split(".")[1] for module in imports(path) if module.startswith("fraud_platform.")}
    assert own <= {"core", "rules", "replay", "errors", "topology"}


@pytest.mark.parametrize("path", [path for path in MODULES if path not in under("adapters", "local")], ids=name)
def test_clients_are_imported_by_adapters_alone(path: Path) -> None:
    assert not {module.split(".")[0] for module in imports(path)} & CLIENTS


@pytest.mark.parametrize("path", under("adapters", "runtime"), ids=name)
def test_the_engine_runs_without_dagster(path: Path) -> None:
    assert not any(module.split(".")[0] == "dagster" for module in imports(path))
    assert not any(module.startswith("fraud_platform.orchestration") for module in imports(path))


@pytest.mark.parametrize("path", under(*STAGES), ids=name)
def test_stages_do_not_know_each_other(path: Path) -> None:
    own = path.relative_to(PACKAGE).parts[0]
    others = {f"fraud_platform.{stage}" for stage in STAGES if stage != own}
    assert not [module for module in imports(path) if ".".join(module.split(".")[:2]) in others]


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_no_module_postpones_its_annotations(path: Path) -> None:
    """Dagster refuses them in the functions that it decorates."""
    assert "__future__.annotations" not in set(imports(path))


@pytest.mark.parametrize("path", [path for path in MODULES if path.name != "topology.py"], ids=name)
def test_topics_are_spelled_in_the_topology_alone(path: Path) -> None:
    tree = ast.parse(path.read_text())
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    forbidden = {topic.value for topic in Topic} - SPELLED_ELSEWHERE
    spelled = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and id(node) not in documentation and node.value in forbidden
    }
    assert spelled <= NAMESAKES.get(name(path), set())


@pytest.mark.parametrize("stage", STAGES.values(), ids=lambda stage: stage.name)
def test_a_stage_package_says_what_the_topology_says(stage) -> None:
    words = ast.get_docstring(ast.parse((PACKAGE / stage.name / "__init__.py").read_text()))
    said = dict(re.findall(r"^([A-Z][\w ]+): (.+)$", words, flags=re.MULTILINE))
    assert said["Reads"] == (", ".join(topic.value for topic in stage.reads) or "-")
    if stage.writes:
        assert said["Writes"] == ", ".join(topic.value for topic in stage.writes)
    assert said["Guarantee"]
    assert f"op `run_{stage.name}`" in said["Runs as"]
    assert f"sensor `keep_{stage.name}_running`" in said["Runs as"]


def test_run_keys_are_never_constant() -> None:
    """A constant key would let Dagster refuse every restart of a slot after the first."""
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.keyword) and node.arg == "run_key":
                assert not isinstance(node.value, ast.Constant), name(path)


def test_nothing_retries_a_long_run() -> None:
    assert not [name(path) for path in MODULES if "RetryPolicy(" in path.read_text()]
