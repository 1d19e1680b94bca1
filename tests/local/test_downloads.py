"""The cache: complete or absent, never half."""

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from threading import Barrier, Thread

import pytest

from fraud_platform.errors import ConfigurationError
from fraud_platform.local import downloads
from fraud_platform.local.downloads import cache_dir, ensure, is_cached
from fraud_platform.local.pins import APICURIO, KAFKA, Bundle, Pin


class Repository:
    """Serves bytes by artifact name; fails or lies as told."""

    def __init__(self, **files: bytes) -> None:
        self.files = files
        self.failures = 0
        self.fetched: list[str] = []

    def bundle(self, packaging: str = "jar") -> Bundle:
        pins = tuple(
            Pin("org.example", name, "1.0", hashlib.sha256(content).hexdigest(), packaging=packaging)
            for name, content in self.files.items()
        )
        return Bundle("example-1.0", sum(map(len, self.files.values())), pins)

    def fetch(self, pin: Pin, folder: Path, tell: Callable[[int], None]) -> Path:
        self.fetched.append(pin.artifact)
        if self.failures:
            self.failures -= 1
            raise ConnectionError("no route to the repository")
        path = folder / f"{pin.artifact}.{pin.packaging}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.files[pin.artifact])
        tell(len(self.files[pin.artifact]))
        return path


def jar(text: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("content", text)
    return buffer.getvalue()


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads.time, "sleep", lambda _: None)


def test_a_bundle_is_fetched_once(tmp_path: Path) -> None:
    repository = Repository(a=b"one", b=b"two")
    folder = ensure(repository.bundle(), cache=tmp_path, fetch=repository.fetch)
    ensure(repository.bundle(), cache=tmp_path, fetch=repository.fetch)
    assert {each.name: each.read_bytes() for each in folder.iterdir()} == {"a.jar": b"one", "b.jar": b"two"}
    assert sorted(repository.fetched) == ["a", "b"]


def test_progress_reaches_the_whole(tmp_path: Path) -> None:
    repository = Repository(a=b"one", b=b"two!")
    told: list[tuple[str, int, int]] = []
    ensure(repository.bundle(), cache=tmp_path, fetch=repository.fetch, progress=lambda *all: told.append(all))
    assert max(told) == ("example-1.0", 7, 7)


def test_a_failed_download_is_tried_again(tmp_path: Path) -> None:
    repository = Repository(a=b"one")
    repository.failures = 2
    assert ensure(repository.bundle(), cache=tmp_path, fetch=repository.fetch).is_dir()


def test_a_download_that_keeps_failing_says_what_to_do_and_leaves_nothing(tmp_path: Path) -> None:
    repository = Repository(a=b"one")
    repository.failures = 99
    with pytest.raises(ConfigurationError, match=r"a 1\.0 could not be downloaded \(ConnectionError\); check"):
        ensure(repository.bundle(), cache=tmp_path, fetch=repository.fetch)
    assert [each.name for each in tmp_path.iterdir()] == ["example-1.0.lock"]


def test_bytes_with_another_hash_are_refused(tmp_path: Path) -> None:
    repository = Repository(a=b"one")
    bundle = repository.bundle()
    repository.files["a"] = b"evil"
    with pytest.raises(ConfigurationError, match="its hash is not the expected one"):
        ensure(bundle, cache=tmp_path, fetch=repository.fetch)
    assert not is_cached(bundle, tmp_path)


@pytest.mark.parametrize("damage", ["cut", "gone", "cut, and from before sizes were noted"])
def test_a_damaged_cache_is_downloaded_anew(tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    repository = Repository(a=jar("one"), b=jar("two"))
    bundle = repository.bundle()
    folder = ensure(bundle, cache=tmp_path, fetch=repository.fetch)
    sizes = tmp_path / "example-1.0.files.json"
    assert is_cached(bundle, tmp_path)
    if damage.startswith("cut"):
        (folder / "a.jar").write_bytes(repository.files["a"][:50])
    if damage == "gone":
        (folder / "b.jar").unlink()
    if damage.endswith("noted"):
        sizes.unlink()
    assert not is_cached(bundle, tmp_path)
    ensure(bundle, cache=tmp_path, fetch=repository.fetch)
    assert (folder / "a.jar").read_bytes() == repository.files["a"]
    assert is_cached(bundle, tmp_path)
    assert caplog.messages == ["example-1.0 in the cache was damaged and is replaced"]


def test_a_cache_from_before_sizes_were_noted_is_good(tmp_path: Path) -> None:
    repository = Repository(a=jar("one"))
    ensure(repository.bundle(), cache=tmp_path, fetch=repository.fetch)
    (tmp_path / "example-1.0.files.json").unlink()
    assert is_cached(repository.bundle(), tmp_path)


def test_a_damaged_cache_without_a_network_says_what_to_do_and_stays(tmp_path: Path) -> None:
    repository = Repository(a=jar("one"))
    bundle = repository.bundle()
    folder = ensure(bundle, cache=tmp_path, fetch=repository.fetch)
    (folder / "a.jar").write_bytes(b"cut")
    repository.failures = 99
    with pytest.raises(ConfigurationError, match="check the network or the proxy"):
        ensure(bundle, cache=tmp_path, fetch=repository.fetch)
    assert (folder / "a.jar").read_bytes() == b"cut"


def test_an_archive_is_unpacked(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        entry = tarfile.TarInfo("lib/app.jar")
        entry.size = 3
        archive.addfile(entry, io.BytesIO(b"app"))
    repository = Repository(a=buffer.getvalue())
    folder = ensure(repository.bundle("tar.gz"), cache=tmp_path, fetch=repository.fetch)
    assert (folder / "lib" / "app.jar").read_bytes() == b"app"


def test_two_at_once_download_once(tmp_path: Path) -> None:
    repository = Repository(a=b"one")
    together = Barrier(2)

    def one() -> None:
        together.wait()
        ensure(repository.bundle(), cache=tmp_path, fetch=repository.fetch)

    threads = [Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert repository.fetched == ["a"]


def test_a_cache_that_cannot_be_written_names_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(ConfigurationError, match="set FRAUD_CACHE_DIR"):
        ensure(Repository(a=b"one").bundle(), cache=tmp_path / "file")


def test_the_cache_lies_outside_the_checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("FRAUD_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_dir() == tmp_path / "fraud-platform"
    monkeypatch.setenv("FRAUD_CACHE_DIR", str(tmp_path / "mine"))
    assert cache_dir() == tmp_path / "mine"


def test_every_pin_names_one_version_and_a_whole_hash() -> None:
    pins = [*KAFKA.pins, *APICURIO.pins]
    assert len({(pin.group, pin.artifact) for pin in pins}) == len(pins)
    assert all(len(bytes.fromhex(pin.sha256)) == 32 for pin in pins)


def test_the_broker_and_its_client_library_are_of_one_version() -> None:
    kafka = {pin.version for pin in KAFKA.pins if pin.group == "org.apache.kafka"}
    assert kafka == {"4.3.1"}
