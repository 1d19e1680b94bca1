import re

from fraud_platform.cli import app
from fraud_platform.settings import CHECKOUT
from tests.compose.stack import SECRETS, services

DOCS = (CHECKOUT / "docs" / "compose.md").read_text()


def test_every_service_is_in_the_table():
    rows = re.findall(r"^\| ([a-z0-9, -]+) \|", DOCS, re.MULTILINE)
    assert {name for row in rows for name in row.split(", ")} - {"service"} == set(services())


def test_the_line_that_makes_secrets_makes_all_of_them():
    (names,) = re.findall(r"^for name in (.+); do$", DOCS, re.MULTILINE)
    assert set(names.split()) == SECRETS


def test_the_commands_exist():
    known = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    assert set(re.findall(r"^fp (\w+)", DOCS, re.MULTILINE)) <= known


def test_addresses_on_this_machine_are_published():
    published = {port.split(":")[1] for service in services().values() for port in service.get("ports", ())}
    table = "".join(line for line in DOCS.splitlines() if line.startswith("| "))
    assert set(re.findall(r"127\.0\.0\.1:(\d+)", table)) == published
