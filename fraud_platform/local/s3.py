"""S3: `rclone serve s3` over a folder; a bucket is a folder in it."""

import secrets
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from fraud_platform.errors import ConfigurationError
from fraud_platform.local import probes
from fraud_platform.local.folder import PRIVATE, Folder, read_json, write_json
from fraud_platform.local.service import Service, Site

NAME = "s3"


def describe(site: Site) -> Service:
    """The object store of this stack."""
    port = site.ports[NAME]
    keys = credentials(site.folder)
    return Service(
        name=NAME,
        command=[
            _program(),
            *("serve", "s3", str(site.folder.root / NAME), "--addr", site.address(NAME)),
            *("--config", "", "--log-level", "NOTICE"),
        ],
        address=site.url(NAME),
        # An unsigned question is refused; that it is answered at all says that the server is up.
        probe=lambda: probes.answers(port, "/", status=None),
        prepare=lambda: make_bucket(site.folder, site.settings.lake_bucket),
        # By environment, not by flag: command lines are readable by every user of the machine.
        # The value is one field of a comma-separated list, hence the quotes.
        environment={"RCLONE_AUTH_KEY": f'"{keys["access_key"]},{keys["secret_key"]}"'},
        ports=(port,),
    )


def credentials(folder: Folder) -> Mapping[str, str]:
    """The embedded store's key pair, made at random once."""
    path = folder.root / "s3-keys.json"
    keys = read_json(path)
    if not keys:
        keys = {"access_key": f"local{secrets.token_hex(8)}", "secret_key": secrets.token_urlsafe(30)}
        write_json(path, keys, mode=PRIVATE)
    return keys


def make_bucket(folder: Folder, bucket: str) -> None:
    """Create the bucket when missing."""
    (folder.root / NAME / bucket).mkdir(parents=True, exist_ok=True)


def _program() -> str:
    beside = Path(sys.executable).parent / "rclone"
    found = str(beside) if beside.exists() else shutil.which("rclone")
    if not found:
        raise ConfigurationError("rclone was not found: run `make install`, or set AWS_ENDPOINT_URL_S3.")
    return found
