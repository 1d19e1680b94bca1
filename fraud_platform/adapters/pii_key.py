"""The secret behind the tokens: from the settings, or generated once into the data folder."""

import os
import secrets

from fraud_platform.errors import ConfigurationError
from fraud_platform.settings import Settings

KEY_FILE = "pii.key"


def pii_keys(settings: Settings) -> list[str]:
    """The keys for `core.privacy.Tokenizer`, the current one first.

    `FRAUD_PII_KEY` may list several, separated by commas. Unset, a random key is kept in
    `<data folder>/pii.key`, readable by its owner only.

    Raises:
        ConfigurationError: the key cannot be read or written.
    """
    if settings.pii_key is not None:
        return [key.strip() for key in settings.pii_key.get_secret_value().split(",") if key.strip()]
    path = settings.data_dir / KEY_FILE
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _create(str(path))
        return [path.read_text().strip()]
    except OSError as error:
        raise ConfigurationError(
            f"The key for ssn tokens cannot be kept in {KEY_FILE} of the data folder ({error.strerror}); "
            "set FRAUD_PII_KEY or make FRAUD_DATA_DIR writable."
        ) from None


def _create(path: str) -> None:
    """Write the key beside its place, then link it there: of two processes that start at once one wins."""
    draft = f"{path}.{os.getpid()}"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(secrets.token_hex(32))
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(draft)
