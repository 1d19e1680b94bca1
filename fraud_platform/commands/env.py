"""`fraud-platform env`: the running stack's addresses as `export` lines for any client."""

import shlex
import sys
from collections.abc import Mapping

from pydantic import SecretStr

from fraud_platform.local.folder import Folder
from fraud_platform.local.stack import Stack
from fraud_platform.settings import Settings, read_endpoints


def env(settings: Settings) -> list[str]:
    """One `export NAME='value'` line per variable, quoted for a shell.

    Raises:
        ConfigurationError: no Kafka address is known, since nothing has ever been started here.
    """
    settings.require("KAFKA_BOOTSTRAP_SERVERS")
    embedded = read_endpoints(settings.data_dir)
    if embedded and not Stack.of(settings.data_dir).is_supervised:
        print("The services do not run now; `make up` starts them at these addresses.", file=sys.stderr)
    found = variables(settings, embedded)
    return [f"export {name}={_quoted(value)}" for name, value in sorted(found.items())]


def variables(settings: Settings, embedded: Mapping[str, str]) -> dict[str, str]:
    """Every variable that another process needs to see what `settings` see.

    Args:
        settings: the settings in force.
        embedded: the addresses of the embedded services (`read_endpoints`).
    """
    found = {**_chosen(settings), **_aws(settings)}
    if settings.mongodb_uri is not None or settings.my_mongodb_user is not None:
        found["MONGODB_URI"] = settings.mongodb_address
    found["DAGSTER_HOME"] = str(Folder(settings.data_dir).dagster_home)
    if embedded:
        found["FRAUD_EMBEDDED"] = str(settings.data_dir)
    return found


def _chosen(settings: Settings) -> dict[str, str]:
    """What the environment, `.env` or the embedded services set; defaults need no variable."""
    fields = type(settings).model_fields
    found = {
        alias: _text(getattr(settings, name))
        for name in settings.model_fields_set
        if (alias := fields[name].alias) and getattr(settings, name) is not None
    }
    for name, value in settings.kafka_properties.items():
        found[f"KAFKA_{name.upper().replace('.', '_')}"] = value
    return found


def _aws(settings: Settings) -> dict[str, str]:
    """What AWS clients read: keys of the embedded store, or the user's own under the usual names."""
    if settings.aws == "local":
        key, secret, region = settings.local_s3_access_key, settings.local_s3_secret_key, settings.aws_region
    else:
        key, secret = settings.my_aws_access_key_id, settings.my_aws_secret_access_key
        region = settings.my_aws_region or settings.aws_region
    found = {"AWS_REGION": region, "AWS_DEFAULT_REGION": region}
    if key is not None and secret is not None:
        found |= {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret.get_secret_value()}
    return found


def _text(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def _quoted(value: str) -> str:
    """In single quotes always, as the shell's own `export -p` would not: simple readers rely on them."""
    quoted = shlex.quote(value)
    return quoted if quoted.startswith("'") else f"'{quoted}'"
