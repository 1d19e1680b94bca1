"""The secret behind the tokens: from the settings, or generated once into the data folder."""

import os
import secrets

from fraud_platform.errors import ConfigurationError
from fraud_platform.settings import Settings

KEY_FILE = "pii.key"


def pii_keys(settings: Settings) -> list[str]:
    """The keys for `core.privacy.Tokenizer`, the current one first.

    `FRAUD_PII_KEY` may list several, separated by commas. Unset, a random key is kept in
    `<data folder>/pii.key`, readable by its owner only; once generated it stays listed after those that are set.

    Raises:
        ConfigurationError: the key cannot be read or written, or there is none in what is set.
    """
    path = settings.data_dir / KEY_FILE
    given = [] if settings.pii_key is None else _listed(settings.pii_key.get_secret_value())
    if settings.pii_key is not None and not given:
        raise ConfigurationError("FRAUD_PII_KEY holds no key; unset it, or set `key` or `new key,old key`.")
    try:
        if not given and not path.exists():
            settings.data_dir.mkdir(parents=True, exist_ok=True)
            _create(str(path))
        kept = _listed(path.read_text()) if path.exists() else []
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise ConfigurationError(
            f"The key for ssn tokens cannot be kept in {KEY_FILE} of the data folder ({reason}); "
            "set FRAUD_PII_KEY or make FRAUD_DATA_DIR writable."
        ) from None
    if not given and not kept:
        raise ConfigurationError(
            f"{KEY_FILE} in the data folder is empty; put the key back from a copy, or delete the file for a new one."
        )
    return list(dict.fromkeys([*given, *kept]))


def _listed(text: str) -> list[str]:
    return [key.strip() for key in text.replace("\n", ",").split(",") if key.strip()]


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
