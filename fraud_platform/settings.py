"""Environment -> one frozen `Settings`, read once, with one error that lists all that is wrong.

Unset addresses mean the embedded local service; `up` writes where those listen to `<data>/endpoints.json`.
Precedence: environment, then the checkout's `.env`, then the embedded endpoints.
"""

import json
import os
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote_plus

from dotenv import dotenv_values
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

from fraud_platform.errors import ConfigurationError
from fraud_platform.topology import STAGES, Naming, Stage

CHECKOUT = Path(__file__).resolve().parent.parent
ENDPOINTS_FILE = "endpoints.json"
_KAFKA = "KAFKA_"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_DATABASE = re.compile(r"[a-z0-9_]{1,255}")
_KAFKA_TOOLS = re.compile(r"KAFKA_(HOME|VERSION|CLUSTER_ID|HEAP_OPTS|\w*_OPTS|OPTS|JMX_PORT|LOG_DIRS?)")
"""What Kafka's own scripts read; often set where Kafka is at home, and none of librdkafka's properties."""
_KAFKA_SECURITY = re.compile(r"KAFKA_(SECURITY|SASL|SSL)_\w+")
_MAIL_ADDRESS = re.compile(r"[^\s@,<>]+@[^\s@,<>]+")
_PREFIX = re.compile(r"[A-Za-z0-9._-]{0,40}")


class Settings(BaseModel):
    """Everything that a deployment can choose; field aliases are the environment's names."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    # Kafka and the Schema Registry
    kafka_bootstrap_servers: str | None = Field(None, alias="KAFKA_BOOTSTRAP_SERVERS")
    kafka_properties: Mapping[str, str] = Field(default_factory=dict, repr=False)
    schema_registry_url: str | None = Field(None, alias="SCHEMA_REGISTRY_URL")
    schema_registry_user: str | None = Field(None, alias="SCHEMA_REGISTRY_USER")
    schema_registry_password: SecretStr | None = Field(None, alias="SCHEMA_REGISTRY_PASSWORD")

    # MongoDB
    mongodb_uri: SecretStr | None = Field(None, alias="MONGODB_URI")
    my_mongodb_user: str | None = Field(None, alias="MY_MONGODB_USER")
    my_mongodb_pass: SecretStr | None = Field(None, alias="MY_MONGODB_PASS")
    my_mongodb_cluster: str | None = Field(None, alias="MY_MONGODB_CLUSTER")
    mongodb_database: str = Field("fraudulent_transactions_db", alias="FRAUD_MONGODB_DATABASE")

    # fraud-validator-api
    validator_url: str | None = Field(None, alias="FRAUD_VALIDATOR_URL")
    validator_api_key: SecretStr | None = Field(None, alias="FRAUD_VALIDATOR_API_KEY")

    # S3, Glue and Athena
    aws: Literal["local", "aws"] = Field("local", alias="FRAUD_AWS")
    lake_bucket: str = Field("fraud-platform-lake", alias="FRAUD_LAKE_BUCKET")
    lake_flush_seconds: float | None = Field(None, alias="FRAUD_LAKE_FLUSH_SECONDS", gt=0)
    s3_endpoint: str | None = Field(None, alias="AWS_ENDPOINT_URL_S3")
    aws_region: str = Field("us-east-1", alias="AWS_REGION")
    my_aws_access_key_id: str | None = Field(None, alias="MY_AWS_ACCESS_KEY_ID")
    my_aws_secret_access_key: SecretStr | None = Field(None, alias="MY_AWS_SECRET_ACCESS_KEY")
    my_aws_region: str | None = Field(None, alias="MY_AWS_REGION")
    glue_endpoint: str | None = Field(None, alias="AWS_ENDPOINT_URL_GLUE")
    glue_database: str = Field("fraud_platform", alias="FRAUD_GLUE_DATABASE")
    glue_crawler: str | None = Field(None, alias="FRAUD_GLUE_CRAWLER")
    athena_endpoint: str | None = Field(None, alias="AWS_ENDPOINT_URL_ATHENA")
    athena_workgroup: str = Field("primary", alias="FRAUD_ATHENA_WORKGROUP")
    athena_output: str | None = Field(None, alias="FRAUD_ATHENA_OUTPUT")
    local_s3_access_key: str | None = Field(None, exclude=True)
    local_s3_secret_key: SecretStr | None = Field(None, exclude=True)

    # Alerts
    alert_webhook_url: SecretStr | None = Field(None, alias="FRAUD_ALERT_WEBHOOK_URL")
    alert_repeat_minutes: float = Field(240.0, alias="FRAUD_ALERT_REPEAT_MINUTES", ge=1, allow_inf_nan=False)
    alert_lag: int = Field(100_000, alias="FRAUD_ALERT_LAG", ge=1)
    alert_stale_minutes: float = Field(30.0, alias="FRAUD_ALERT_STALE_MINUTES", gt=0, allow_inf_nan=False)
    alert_dead_letter_percent: float = Field(1.0, alias="FRAUD_ALERT_DEAD_LETTER_PERCENT", gt=0, le=100)
    alert_surge_factor: float = Field(3.0, alias="FRAUD_ALERT_SURGE_FACTOR", gt=1, allow_inf_nan=False)
    smtp_host: str | None = Field(None, alias="FRAUD_SMTP_HOST")
    smtp_port: int = Field(587, alias="FRAUD_SMTP_PORT", ge=1, le=65535)
    smtp_security: Literal["starttls", "tls", "none"] = Field("starttls", alias="FRAUD_SMTP_SECURITY")
    smtp_user: str | None = Field(None, alias="FRAUD_SMTP_USER")
    smtp_password: SecretStr | None = Field(None, alias="FRAUD_SMTP_PASSWORD")
    smtp_from: str | None = Field(None, alias="FRAUD_SMTP_FROM")
    smtp_to: str | None = Field(None, alias="FRAUD_SMTP_TO")

    # The platform itself
    data_dir: Path = Field(CHECKOUT / ".data", alias="FRAUD_DATA_DIR")
    prefix: str = Field("", alias="FRAUD_PREFIX")
    partitions: int = Field(4, alias="FRAUD_PARTITIONS", ge=1, le=1000)
    replication_factor: int = Field(1, alias="FRAUD_REPLICATION_FACTOR", ge=1)
    replicas: str = Field("1", alias="FRAUD_REPLICAS")
    rules_file: Path | None = Field(None, alias="FRAUD_RULES_FILE")
    pii_key: SecretStr | None = Field(None, alias="FRAUD_PII_KEY")
    demo_rate: float = Field(20.0, alias="FRAUD_DEMO_RATE", gt=0, allow_inf_nan=False)
    embedded: Path | None = Field(None, alias="FRAUD_EMBEDDED")

    @field_validator("data_dir", "rules_file")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value if value is None or value.is_absolute() else CHECKOUT / value

    @field_validator("lake_bucket")
    @classmethod
    def _bucket_name(cls, value: str) -> str:
        if not _BUCKET.fullmatch(value):
            raise ValueError("must be a bucket name: 3 to 63 lower-case letters, digits, dots and hyphens")
        return value

    @field_validator("glue_database")
    @classmethod
    def _database_name(cls, value: str) -> str:
        if not _DATABASE.fullmatch(value):
            raise ValueError("must be a database name: 1 to 255 lower-case letters, digits and underscores")
        return value

    @field_validator("athena_output")
    @classmethod
    def _output_location(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith("s3://"):
            raise ValueError("must be a folder of a bucket, as in s3://bucket/folder/")
        return value

    @field_validator("schema_registry_url", "validator_url", "s3_endpoint", "glue_endpoint", "athena_endpoint")
    @classmethod
    def _web_address(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("must be an address that begins with http:// or https://")
        return value

    @field_validator("alert_webhook_url")
    @classmethod
    def _secret_web_address(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            cls._web_address(value.get_secret_value())
        return value

    @field_validator("smtp_from", "smtp_to")
    @classmethod
    def _mail_addresses(cls, value: str | None) -> str | None:
        if value is not None and not all(_MAIL_ADDRESS.fullmatch(each) for each in _listed(value)):
            raise ValueError("must be e-mail addresses, as in ops@example.com, with commas between them")
        return value

    @field_validator("mongodb_uri")
    @classmethod
    def _mongodb_address(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(("mongodb://", "mongodb+srv://")):
            raise ValueError("must be an address that begins with mongodb:// or mongodb+srv://")
        return value

    @field_validator("prefix")
    @classmethod
    def _safe_prefix(cls, value: str) -> str:
        if not _PREFIX.fullmatch(value):
            raise ValueError("may hold letters, digits, dots, hyphens and underscores only, at most 40")
        return value

    @field_validator("replicas")
    @classmethod
    def _known_replicas(cls, value: str) -> str:
        _parse_replicas(value)
        return value

    @model_validator(mode="after")
    def _complete(self) -> "Settings":
        mongo = (self.my_mongodb_user, self.my_mongodb_pass, self.my_mongodb_cluster)
        if self.mongodb_uri is None and any(mongo) and not all(mongo):
            raise ValueError("MY_MONGODB_USER, MY_MONGODB_PASS and MY_MONGODB_CLUSTER belong together")
        if self.aws == "aws" and "lake_bucket" not in self.model_fields_set:
            raise ValueError("FRAUD_AWS=aws needs FRAUD_LAKE_BUCKET, so that no bucket is written by accident")
        if self.smtp_host and not self.smtp_recipients:
            raise ValueError("FRAUD_SMTP_HOST needs FRAUD_SMTP_TO, the addresses that alerts go to")
        if bool(self.smtp_user) != bool(self.smtp_password):
            raise ValueError("FRAUD_SMTP_USER and FRAUD_SMTP_PASSWORD belong together")
        if self.smtp_user and self.smtp_security == "none":
            raise ValueError("FRAUD_SMTP_SECURITY=none would send FRAUD_SMTP_PASSWORD for everybody to read")
        return self

    # What follows from the settings -----------------------------------------------------------------

    @cached_property
    def naming(self) -> Naming:
        """Wire names of topics, groups and transactional ids."""
        return Naming(self.prefix)

    def slots(self, stage: Stage) -> int:
        """How many slots (processes) the stage runs; the demo banks always run one."""
        if not stage.consumes:
            return 1
        replicas = _parse_replicas(self.replicas)
        return replicas.get(stage.name, replicas[""])

    @property
    def smtp_recipients(self) -> list[str]:
        """The addresses that alerts go to."""
        return _listed(self.smtp_to or "")

    @property
    def flush_seconds(self) -> float:
        """Longest time that the lake keeps a batch open, in seconds."""
        if self.lake_flush_seconds is not None:
            return self.lake_flush_seconds
        return 300.0 if self.aws == "aws" else 10.0

    def require(self, name: str) -> str:
        """The address behind an environment name of this class.

        Raises:
            ConfigurationError: it is unset, and the embedded service has never been started.
        """
        field = next(key for key, info in type(self).model_fields.items() if info.alias == name)
        value = getattr(self, field)
        if value is None:
            raise ConfigurationError(
                f"{name} is not set and no embedded service is known; run `make up` first, or set {name}."
            )
        return value.get_secret_value() if isinstance(value, SecretStr) else str(value)

    @property
    def mongodb_address(self) -> str:
        """The MongoDB connection string, password included: never log it."""
        if self.mongodb_uri is None and self.my_mongodb_user and self.my_mongodb_pass:
            user, password = quote_plus(self.my_mongodb_user), quote_plus(self.my_mongodb_pass.get_secret_value())
            return f"mongodb+srv://{user}:{password}@{self.my_mongodb_cluster}.mongodb.net/?retryWrites=true&w=majority"
        return self.require("MONGODB_URI")

    @classmethod
    def environment_names(cls) -> list[str]:
        """Every environment variable that the class reads (`KAFKA_<PROPERTY>` apart)."""
        return [info.alias for info in cls.model_fields.values() if info.alias]

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str], *, embedded: Mapping[str, str] | None = None
    ) -> "Settings":
        """Build the settings from `environment`; what it leaves unset comes from `embedded`.

        Without `embedded`, the endpoints of the data folder that the environment names are used. Addresses
        that `fraud-platform env` put into the shell count as unset (see `without_embedded`).

        Raises:
            ConfigurationError: one sentence per wrong variable, all of them at once.
        """
        environment = without_embedded(environment)
        given: dict[str, Any] = {n: environment[n] for n in cls.environment_names() if environment.get(n)}
        given["kafka_properties"] = _kafka_properties(environment)
        if "AWS_DEFAULT_REGION" in environment:
            given.setdefault("AWS_REGION", environment["AWS_DEFAULT_REGION"])
        data_dir = Path(given.get("FRAUD_DATA_DIR", CHECKOUT / ".data"))
        if embedded is None:
            embedded = read_endpoints(data_dir if data_dir.is_absolute() else CHECKOUT / data_dir)
        local = dict(embedded)
        if any(name in given for name in ("MY_MONGODB_USER", "MY_MONGODB_CLUSTER")):
            local.pop("MONGODB_URI", None)
        if given.get("FRAUD_AWS", "local") == "aws":
            local.pop("AWS_ENDPOINT_URL_S3", None)
            local.pop("AWS_ENDPOINT_URL_GLUE", None)
        try:
            return cls.model_validate({**local, **given})
        except ValidationError as error:
            raise ConfigurationError(_sentences(error)) from None


def load() -> Settings:
    """The settings of this process: environment first, then the checkout's `.env`."""
    return Settings.from_environment({**env_file(), **os.environ})


def env_file() -> dict[str, str]:
    """The variables of the checkout's `.env`, or of the file that FRAUD_ENV_FILE names."""
    path = Path(os.environ.get("FRAUD_ENV_FILE") or CHECKOUT / ".env")
    return {name: value for name, value in dotenv_values(path).items() if value is not None}


def without_embedded(environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` without what `fraud-platform env` put there about embedded services.

    Those addresses are nobody's choice: the data folder knows the present ones. A value that differs from the
    embedded one is the user's own and stays.
    """
    folder = environment.get("FRAUD_EMBEDDED")
    known = read_endpoints(Path(folder)) if folder else {}
    for name, key in (("AWS_ACCESS_KEY_ID", "access"), ("AWS_SECRET_ACCESS_KEY", "secret")):
        if f"local_s3_{key}_key" in known:
            known[name] = known[f"local_s3_{key}_key"]
    return {name: value for name, value in environment.items() if known.get(name) != value}


def read_endpoints(data_dir: Path) -> dict[str, str]:
    """Where the embedded services of `data_dir` listen; empty when they were never started.

    Raises:
        ConfigurationError: the folder is none, or not ours to read.
    """
    try:
        found = json.loads((data_dir / ENDPOINTS_FILE).read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        raise ConfigurationError(
            f"The data folder {data_dir} cannot be read ({why}); set FRAUD_DATA_DIR to a folder of yours."
        ) from None
    return {str(name): str(value) for name, value in found.items()}


def _kafka_properties(environment: Mapping[str, str]) -> dict[str, str]:
    """`KAFKA_<PROPERTY>` as librdkafka properties; security belongs to a broker of the user's own alone."""
    own_broker = bool(environment.get("KAFKA_BOOTSTRAP_SERVERS"))
    return {
        name.removeprefix(_KAFKA).lower().replace("_", "."): value
        for name, value in environment.items()
        if name.startswith(_KAFKA)
        and value
        and name != "KAFKA_BOOTSTRAP_SERVERS"
        and not _KAFKA_TOOLS.fullmatch(name)
        and (own_broker or not _KAFKA_SECURITY.fullmatch(name))
    }


def _parse_replicas(text: str) -> dict[str, int]:
    """`2` or `validation=3,lake=2` -> slots per stage; the empty key is the default."""
    replicas = {"": 1}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, equals, number = part.partition("=")
        if not equals:
            name, number = "", part
        if name and name not in STAGES:
            raise ValueError(f"names no stage: {name!r}; the stages are {', '.join(STAGES)}")
        if not number.isdigit() or not 1 <= int(number) <= 64:  # noqa: PLR2004 - the sentence says it
            raise ValueError("takes numbers from 1 to 64, as in `2` or `validation=3,lake=2`")
        replicas[name] = int(number)
    return replicas


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _sentences(error: ValidationError) -> str:
    lines = []
    for fault in error.errors(include_input=False, include_url=False):
        name = str(fault["loc"][0]) if fault["loc"] else ""
        message = fault["msg"].removeprefix("Value error, ")
        lines.append(f"{name}: {message}" if name else message)
    return "The settings are wrong: " + "; ".join(lines)
