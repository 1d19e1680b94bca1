"""The parts that no Python package holds: fetched once, checked by hash, shared by all checkouts."""

import fcntl
import hashlib
import logging
import os
import shutil
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from fraud_platform.errors import ConfigurationError
from fraud_platform.local.pins import Bundle, Pin
from fraud_platform.local.wholeness import is_whole, remember

logger = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]
"""Called with the bundle's name, the bytes so far and the bytes in all."""
Fetch = Callable[[Pin, Path, Callable[[int], None]], Path]
"""Fetches one file below the given folder, telling each chunk's size, and returns its path."""

_TRIES = 3
_PARALLEL = 6


def cache_dir() -> Path:
    """`FRAUD_CACHE_DIR`, else `fraud-platform` in the user's cache folder."""
    chosen = os.environ.get("FRAUD_CACHE_DIR")
    if chosen:
        return Path(chosen).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "fraud-platform"


def is_cached(bundle: Bundle, cache: Path) -> bool:
    """Whether the bundle is there and whole: its folder appears in one step, after every hash was right."""
    return is_whole(cache / bundle.name)


def ensure(
    bundle: Bundle, *, cache: Path | None = None, progress: Progress | None = None, fetch: Fetch | None = None
) -> Path:
    """The bundle's folder in the cache, downloaded when missing or damaged.

    A `.tar.gz` is unpacked into the folder. Safe when several processes ask at once.

    Raises:
        ConfigurationError: the download failed for good; the sentence says what to do.
    """
    cache = cache or cache_dir()
    if is_cached(bundle, cache):
        return cache / bundle.name
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _only_one(cache / f"{bundle.name}.lock"):
            if not is_cached(bundle, cache):
                _download(bundle, cache, progress or (lambda *_: None), fetch or _fetch)
    except OSError as error:
        raise ConfigurationError(
            f"The cache {cache} cannot be written ({error.strerror}); set FRAUD_CACHE_DIR to a folder of yours."
        ) from error
    return cache / bundle.name


@contextmanager
def _only_one(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _download(bundle: Bundle, cache: Path, progress: Progress, fetch: Fetch) -> None:
    done: dict[str, int] = {}

    def count(pin: Pin) -> Callable[[int], None]:
        def add(size: int) -> None:
            done[pin.artifact] = done.get(pin.artifact, 0) + size
            progress(bundle.name, sum(list(done.values())), bundle.size)

        return add

    def one(pin: Pin) -> Path:
        return _checked(pin, staging / "files", count(pin), fetch)

    with tempfile.TemporaryDirectory(dir=cache, prefix=f".{bundle.name}.") as temporary:
        staging = Path(temporary)
        result = staging / "result"
        result.mkdir()
        with ThreadPoolExecutor(_PARALLEL) as pool:
            for path in pool.map(one, bundle.pins):
                _place(path, result)
        remember(result)
        place = cache / bundle.name
        if place.exists():
            logger.warning("%s in the cache was damaged and is replaced", bundle.name)
            place.rename(staging / "damaged")
        (staging / "result.files.json").replace(cache / f"{bundle.name}.files.json")
        result.rename(place)


def _checked(pin: Pin, folder: Path, tell: Callable[[int], None], fetch: Fetch) -> Path:
    reason = ""
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(2.0**attempt)
        try:
            path = fetch(pin, folder, tell)
        except Exception as error:  # noqa: BLE001 - the library raises whatever went wrong; we retry, then say it
            reason = type(error).__name__
            shutil.rmtree(folder / pin.group.replace(".", "/") / pin.artifact, ignore_errors=True)
            continue
        if _sha256(path) == pin.sha256:
            return path
        reason = "its hash is not the expected one"
        path.unlink()
    raise ConfigurationError(
        f"{pin.artifact} {pin.version} could not be downloaded ({reason}); check the network or the proxy"
        " (HTTPS_PROXY) and run the command again."
    )


def _fetch(pin: Pin, folder: Path, tell: Callable[[int], None]) -> Path:
    from jgo.config import GlobalSettings
    from jgo.constants import MAVEN_CENTRAL_URL
    from jgo.maven import MavenContext, PythonResolver

    @contextmanager
    def progress(_name: str, _total: int) -> Iterator[Callable[[int], None]]:
        yield tell

    # A mirror of the user's jgo configuration comes first: closed networks have no other way.
    repositories = {**GlobalSettings.load().repositories, "central": MAVEN_CENTRAL_URL}
    context = MavenContext(
        resolver=PythonResolver(progress_callback=progress),
        repo_cache=folder,
        remote_repos=repositories,
        timeout=30,
    )
    component = context.project(pin.group, pin.artifact).at_version(pin.version)
    return Path(component.artifact(classifier=pin.classifier, packaging=pin.packaging).resolve())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _place(path: Path, folder: Path) -> None:
    if path.name.endswith(".tar.gz"):
        with tarfile.open(path) as archive:
            archive.extractall(folder, filter="data")
    else:
        path.rename(folder / path.name)
