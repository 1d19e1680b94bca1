"""What nobody foresaw: told by its place, never by what was being processed."""

import traceback
from pathlib import Path

import pytest

from fraud_platform.errors import BrokerUnavailable, Defect, FraudPlatformError
from fraud_platform.runtime import launch
from fraud_platform.runtime.launch import Slot, run_slot
from fraud_platform.settings import Settings
from fraud_platform.topology import INGESTION


def run_with(error: Exception, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FraudPlatformError:
    def assemble(*_: object) -> None:
        raise error from KeyError("canary-cause")

    monkeypatch.setattr(launch, "_assemble", assemble)
    settings = Settings.from_environment({"FRAUD_DATA_DIR": str(tmp_path)}, embedded={})
    with pytest.raises(FraudPlatformError) as raised:
        run_slot(settings, Slot(stage=INGESTION, name="0"), stop=lambda: False, patience_s=0)
    return raised.value


def test_a_defect_says_its_kind_and_place_and_nothing_of_its_text(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    defect = run_with(ValueError("canary-4711"), monkeypatch, tmp_path)
    assert isinstance(defect, Defect)
    assert str(defect).startswith(
        "ingestion failed on a defect of the platform (ValueError at runtime/test_defects.py:"
    )
    assert "in assemble, from runtime/launch.py:" in str(defect)
    assert "\n" not in str(defect)


def test_no_traceback_of_a_defect_leads_back_to_the_text(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    defect = run_with(ValueError("canary-4711"), monkeypatch, tmp_path)
    assert (defect.__cause__, defect.__context__) == (None, None)
    assert "canary" not in "".join(traceback.format_exception(defect)).replace('KeyError("canary-cause")', "")


def test_errors_of_the_platform_stay_what_they_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    error = BrokerUnavailable("Kafka does not answer.")
    assert run_with(error, monkeypatch, tmp_path) is error
