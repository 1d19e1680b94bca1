"""The compose file as data, with its variables filled in as Compose would.

compose-spec.json is the Compose specification's schema as the package check-jsonschema 0.39.0 carries it, under the
licence beside it (Apache 2.0).
"""

import re
from functools import cache
from typing import Any

import yaml
from dotenv import dotenv_values

from fraud_platform.settings import CHECKOUT

FOLDER = CHECKOUT / "compose"
OURS = ("s3", "prepare", "dagster-storage", "validator", "dagster-code", "dagster-daemon", "dagster-webserver")
ONCE = ("prepare", "dagster-storage")
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?:(?P<how>:-|:\?)(?P<word>[^}]*))?\}")
SECRETS = {name for name, value in dotenv_values(FOLDER / ".env.example").items() if value == ""}


def text() -> str:
    return (FOLDER / "compose.yaml").read_text()


def filled(source: str) -> str:
    """Variables replaced: defaults where there are some, else a secret made from the name."""

    def value(found: re.Match[str]) -> str:
        return found["word"] if found["how"] == ":-" else f"secret{found['name'].replace('_', '')}"

    return VARIABLE.sub(value, source)


@cache
def stack() -> dict[str, Any]:
    return yaml.safe_load(filled(text()))


def services() -> dict[str, dict[str, Any]]:
    return stack()["services"]


def words(service: str, key: str = "command") -> list[str]:
    """A command, or a health check without its leading CMD."""
    found = services()[service][key] if key == "command" else services()[service]["healthcheck"]["test"][1:]
    return [str(word).replace("$$", "$") for word in found]
