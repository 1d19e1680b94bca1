import re
from pathlib import Path

from dotenv import dotenv_values

from fraud_platform.settings import CHECKOUT, Settings

EXAMPLE = CHECKOUT / ".env.example"
LINE = re.compile(r"^# ([A-Z][A-Z0-9_]+)=(.*)$", re.MULTILINE)


def examples() -> dict[str, str]:
    return dict(LINE.findall(EXAMPLE.read_text()))


def about(name: str) -> str:
    """The paragraph that holds the variable."""
    return next(part for part in EXAMPLE.read_text().split("\n\n") if f"\n# {name}=" in part)


def is_kafka_property(name: str) -> bool:
    return name.startswith("KAFKA_") and name != "KAFKA_BOOTSTRAP_SERVERS"


def test_every_setting_is_described():
    assert set(Settings.environment_names()) - examples().keys() == set()


def test_every_described_variable_is_a_setting():
    assert {name for name in examples() if not is_kafka_property(name)} == set(Settings.environment_names())


def test_kafka_properties_are_shown_by_example():
    assert {"KAFKA_SECURITY_PROTOCOL", "KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD"} <= examples().keys()


def test_every_variable_says_what_it_does_and_its_default():
    silent = [name for name in examples() if not re.search(r"^# [A-Z`].* Default: .+\.$", about(name), re.MULTILINE)]
    assert silent == []


def test_the_file_as_given_changes_nothing(tmp_path: Path):
    assert dotenv_values(EXAMPLE) == {}


def test_the_defaults_of_the_file_are_those_of_the_settings():
    said = {name: re.search(r"Default: (\S+?)[.;]?(?:$| \()", about(name), re.MULTILINE) for name in examples()}
    settings = Settings.from_environment({}, embedded={})
    for name, info in Settings.model_fields.items():
        value = getattr(settings, name)
        if info.alias is None or value is None or info.alias == "FRAUD_DATA_DIR":
            continue
        match = said[info.alias]
        assert match, info.alias
        assert match[1] == {"": "empty"}.get(str(value), str(value).removesuffix(".0")), info.alias


def test_the_examples_can_be_used_as_they_are(tmp_path: Path):
    used = tmp_path / ".env"
    used.write_text(LINE.sub(r"\1=\2", EXAMPLE.read_text()))
    values = {name: value or "" for name, value in dotenv_values(used).items()}
    settings = Settings.from_environment(values, embedded={})
    assert values.keys() == examples().keys()
    assert settings.kafka_properties["sasl.username"] == "fraud-platform"
