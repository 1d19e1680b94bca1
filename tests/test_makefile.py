"""What a newcomer's first `make` does when the machine is not as it should be; Pythons here are scripts."""

import shutil
import subprocess
from pathlib import Path

import pytest

from fraud_platform.settings import CHECKOUT

TOOLS = ("bash", "make", "grep", "sort", "awk", "tee", "tail", "touch", "mkdir", "cat", "chmod", "rm", "env")
WITHOUT_VENV = """#!/bin/bash
case "$*" in
    *version_info*2\\]*) echo python3.12-venv ;;
    *ensurepip*) exit 1 ;;
    *version_info*) exit 0 ;;
esac
"""
# Makes an environment whose pip does what the file `pip` beside it says.
WITH_VENV = """#!/bin/bash
case "$*" in
    --version) echo "Python 3.12.0" ;;
    *"-m venv"*) folder="${@: -1}"; mkdir -p "$folder/bin"; printf '%s\\n' "$PIP_SCRIPT" > "$folder/bin/python"
        chmod +x "$folder/bin/python" ;;
esac
"""
PIP_WORKS = "#!/bin/bash\nexit 0"
PIP_FAILS = '#!/bin/bash\ncase "$*" in *pip*) echo "ERROR: no matching distribution"; exit 1;; esac'


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A checkout's outside, in a path with a space."""
    folder = tmp_path / "my clone"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(CHECKOUT / name, folder / name)
    return folder


def run(clone: Path, target: str, *, python: str = "", pip: str = PIP_WORKS) -> subprocess.CompletedProcess[str]:
    """`make TARGET` with nothing on PATH but the tools that the Makefile uses and one Python."""
    programs = clone.parent / "bin"
    programs.mkdir(exist_ok=True)
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found, tool
        (programs / tool).unlink(missing_ok=True)
        (programs / tool).symlink_to(found)
    if python:
        (programs / "python3.12").write_text(python)
        (programs / "python3.12").chmod(0o755)
    environment = {"PATH": str(programs), "HOME": str(clone.parent), "PIP_SCRIPT": pip}
    make = [str(programs / "make"), "--no-print-directory", target]
    return subprocess.run(make, cwd=clone, env=environment, capture_output=True, text=True, check=False, timeout=60)


def sentences(done: subprocess.CompletedProcess[str]) -> list[str]:
    """What is said on stderr, without make's own last line."""
    return [line for line in done.stderr.splitlines() if not line.startswith("make: ***")]


def test_without_a_python_of_a_supported_version_it_says_which_are(clone: Path):
    done = run(clone, "install")
    assert done.returncode != 0
    assert sentences(done) == [
        "Python 3.11, 3.12 or 3.13 is needed and none is on PATH; install one and run make again."
    ]


def test_a_python_without_venv_is_named_with_its_package(clone: Path):
    done = run(clone, "up", python=WITHOUT_VENV)
    assert done.returncode != 0
    (sentence,) = sentences(done)
    assert sentence.startswith("python3.12 lacks its venv module; install it")
    assert "python3.12-venv" in sentence


def test_a_broken_network_is_one_sentence_and_the_next_make_tries_again(clone: Path):
    done = run(clone, "install", python=WITH_VENV, pip=PIP_FAILS)
    assert done.returncode != 0
    assert sentences(done)[-1].startswith("The packages could not be installed; check the network (HTTPS_PROXY)")
    assert not (clone / ".venv" / ".installed").exists()
    (clone / ".venv" / "bin" / "python").write_text(PIP_WORKS)
    again = run(clone, "install", python=WITH_VENV)
    assert again.returncode == 0, again.stderr
    assert (clone / ".venv" / ".installed").exists()


@pytest.mark.parametrize("left", ["#!/nonexistent", PIP_FAILS], ids=["no python", "no pip yet"])
def test_an_environment_that_a_kill_left_half_made_is_made_anew(clone: Path, left: str):
    (clone / ".venv" / "bin").mkdir(parents=True)
    (clone / ".venv" / "bin" / "python").write_text(left)
    (clone / ".venv" / "bin" / "python").chmod(0o755)
    done = run(clone, "install", python=WITH_VENV)
    assert done.returncode == 0, done.stderr
    assert "creating .venv" in done.stdout


def test_once_installed_nothing_asks_the_network_again(clone: Path):
    assert run(clone, "install", python=WITH_VENV).returncode == 0
    (clone / ".venv" / "bin" / "python").write_text(PIP_FAILS)
    later = run(clone, "install", python=WITH_VENV, pip=PIP_FAILS)
    assert (later.returncode, later.stderr) == (0, "")


def test_down_before_anything_is_installed_is_no_error(clone: Path):
    done = run(clone, "down")
    assert (done.returncode, done.stdout.strip()) == (0, "Nothing is installed here, so nothing runs.")


def test_make_alone_lists_the_targets(clone: Path):
    done = run(clone, "help")
    assert done.returncode == 0
    assert {"up", "down", "test"} <= {line.split()[1] for line in done.stdout.splitlines() if "make " in line}
