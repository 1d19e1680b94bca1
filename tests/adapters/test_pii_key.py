import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from fraud_platform.adapters.pii_key import KEY_FILE, pii_keys
from fraud_platform.core.privacy import Tokenizer
from fraud_platform.errors import ConfigurationError
from fraud_platform.settings import Settings

SSN = "900-12-3456"


def keys(folder: Path, **given: str) -> list[str]:
    return pii_keys(Settings.from_environment({"FRAUD_DATA_DIR": str(folder), **given}, embedded={}))


def test_a_key_is_generated_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    first = keys(tmp_path / "new")
    assert first == keys(tmp_path / "new")
    assert len(first[0]) == 64
    assert first != keys(tmp_path / "other")
    assert stat.S_IMODE((tmp_path / "new" / KEY_FILE).stat().st_mode) == 0o600


def test_several_keys_may_be_listed_the_current_one_first(tmp_path: Path) -> None:
    assert keys(tmp_path, FRAUD_PII_KEY=" new , old,,older ") == ["new", "old", "older"]
    assert not (tmp_path / KEY_FILE).exists()


def test_after_a_rotation_a_number_matches_its_tokens_of_before(tmp_path: Path) -> None:
    before = Tokenizer(keys(tmp_path, FRAUD_PII_KEY="old"))
    after = Tokenizer(keys(tmp_path, FRAUD_PII_KEY="new,old"))
    assert after.token(SSN) != before.token(SSN)
    assert before.token(SSN) in after.tokens(SSN)


def test_a_generated_key_stays_listed_when_one_is_set(tmp_path: Path) -> None:
    (generated,) = keys(tmp_path)
    assert keys(tmp_path, FRAUD_PII_KEY="mine") == ["mine", generated]
    assert keys(tmp_path, FRAUD_PII_KEY=f"mine,{generated}") == ["mine", generated]


def test_the_file_may_list_several_keys_as_well(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_text("new\nold\n")
    assert keys(tmp_path) == ["new", "old"]


@pytest.mark.parametrize("given", [" ", ",", " , ,"])
def test_a_list_without_a_key_is_one_sentence(tmp_path: Path, given: str) -> None:
    with pytest.raises(ConfigurationError, match="FRAUD_PII_KEY holds no key"):
        keys(tmp_path, FRAUD_PII_KEY=given)


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe"])
def test_a_spoilt_file_is_one_sentence_and_not_replaced(tmp_path: Path, content: bytes) -> None:
    """A new key in its place would cut every token off from its number."""
    (tmp_path / KEY_FILE).write_bytes(content)
    with pytest.raises(ConfigurationError, match=KEY_FILE):
        keys(tmp_path)
    assert (tmp_path / KEY_FILE).read_bytes() == content


def tokens(folder: Path, number: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "FRAUD_DATA_DIR": str(folder), "FRAUD_PII_KEY": "new,old"}
    command = [sys.executable, "-m", "fraud_platform.ingestion.tokens"]
    return subprocess.run(
        command, input=number, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_command_prints_a_numbers_tokens_of_every_key(tmp_path: Path) -> None:
    done = tokens(tmp_path, f"{SSN}\n")
    assert done.stdout.splitlines() == Tokenizer(["new", "old"]).tokens(SSN)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_command_without_a_number_is_one_sentence(tmp_path: Path) -> None:
    done = tokens(tmp_path, "")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "No number was given; type it, or pipe it in.\n"
