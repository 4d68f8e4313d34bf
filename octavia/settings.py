"""The settings, all read from environment variables (``OCTAVIA_…``)."""

import json
from datetime import date
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Final, Literal, get_origin

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from octavia.environment import PREFIX, Environment, folder, parts, plain
from octavia.links import checked_root
from octavia.signing import check_secret
from octavia.url_checks import checked_brokers, checked_database, checked_storage, checked_web
from octavia.urls import without_logins

_SHOWN_CHARACTERS: Final = 60


class Settings(BaseSettings):
    """The operator's settings; each field's variable is ``OCTAVIA_`` and its name in capitals."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", allow_inf_nan=False, hide_input_in_errors=True)

    # Where things are
    data_dir: Path = Field(
        Path("~/.local/share/octavia"),
        validate_default=True,
        description="State and files of the embedded mode, and temporary files in any mode. "
        "/var/lib/octavia for a user without a home folder.",
    )
    models_dir: Path = Field(
        Path("~/.cache/octavia/models"),
        validate_default=True,
        description="Folder for installed models. /var/cache/octavia/models for a user without a home folder.",
    )
    database_url: str = Field("", repr=False, description="SQLAlchemy URL; empty: SQLite in data_dir.")
    database_direct_url: str = Field(
        "",
        repr=False,
        description="The same PostgreSQL past a pooler such as PgBouncer, for NOTIFY; empty: database_url.",
    )
    broker_url: str = Field(
        "", repr=False, description="amqp:// or amqps:// URL, several separated by ';'; empty: embedded, no broker."
    )
    storage_url: str = Field(
        "", repr=False, description="Folder, or fsspec URL (file://, s3://); empty: a folder in data_dir."
    )
    queue_prefix: str = Field("octavia", description="First part of the queue names in RabbitMQ.")
    ready_queues: tuple[Literal["default", "transcribe", "translate", "synthesize", "maintenance"], ...] = Field(
        ("default", "transcribe", "translate", "synthesize"),
        description="Queues that need a living worker for /readyz to be 200; []: none.",
    )
    queue_type: Literal["classic", "quorum"] = Field(
        "classic", description="Type of the queues in RabbitMQ; quorum: replicated over a cluster."
    )
    hub_url: str = Field("https://huggingface.co", repr=False, description="Base URL of the model hub.")

    # HTTP
    host: str = Field("127.0.0.1", description="Address that the API listens on; loopback unless keys are used.")
    port: int = Field(8000, ge=1, le=65535, description="Port of the API.")
    root_path: str = Field("", description="Path under which a proxy serves the API, such as /octavia; empty: the top.")
    trusted_proxies: str = Field(
        "",
        description="Addresses or networks, comma-separated, whose X-Forwarded-Prefix gives that path instead, "
        "and to which max_connections_per_address does not apply.",
    )
    auth: Literal["auto", "keys", "off"] = Field(
        "auto", description="Authentication by keys; auto: required unless the API listens on loopback only."
    )
    requests_per_minute: int = Field(600, ge=0, description="Limit per key; 0: no limit. A key may have its own.")
    jobs_in_flight: int = Field(100, ge=0, description="Unfinished jobs per key; 0: no limit. A key may have its own.")
    max_queued_jobs: int = Field(10_000, ge=1, description="New jobs get 503 while more jobs than this wait.")
    min_free_bytes: int = Field(
        512 * 1024**2,
        ge=0,
        description="Uploads leave so much of the storage's disk free, for results; new jobs get 503 below.",
    )
    keep_alive_seconds: int = Field(
        75, ge=1, description="How long an idle connection is kept; longer than the proxy in front keeps its own."
    )
    header_timeout_seconds: float = Field(15, gt=0, description="Longest time for a request's headers.")
    body_timeout_seconds: float = Field(
        60, gt=0, description="Longest pause within a request's body, or in the reading of an answer."
    )
    body_bytes_per_second: int = Field(
        1024, ge=1, description="Bodies and readers that are slower are cut off after body_timeout_seconds."
    )
    max_connections: int = Field(
        0, ge=0, description="Most connections at once, if the limit on open files allows it; 0: 1024."
    )
    max_connections_per_address: int = Field(
        0, ge=0, description="Most connections of one address other than this machine's; 0: a quarter of all."
    )
    outbound_allow: str = Field(
        "", description="Private hosts or networks, comma-separated, that input_url and webhooks may reach."
    )
    webhook_secret: str = Field(
        "", repr=False, description="Secret for webhooks of jobs without a key: whsec_ and base64."
    )
    sync_sunset: str = Field(
        "", description="ISO date after which the old, blocking POST …/process may go; sent in its Sunset header."
    )
    max_upload_bytes: int = Field(2 * 1024**3, description="Larger uploads get 413.")
    max_text_chars: int = Field(100_000, description="Longer text gets 413.")
    max_media_seconds: float = Field(6 * 3600, description="Longer media fails with media_too_long.")
    max_wait_seconds: float = Field(300, description="Longest wait for Prefer: wait.")

    # Engines
    engine_threads: int = Field(1, ge=1, description="Threads per engine; the worker's processes give the parallelism.")
    engine_cache_mb: int = Field(1100, description="Size on disk of the models kept loaded per process.")
    engine_idle_seconds: float = Field(900, description="A model that is unused for so long is unloaded.")
    auto_pull: bool = Field(True, description="Workers may fetch a catalogued model that is not installed.")
    default_speech_model: str = Field("", description="Model id; empty: the best installed for the language.")
    default_translation_model: str = Field("", description="Model id; empty: the best installed for the pair.")

    dub_loudness: float = Field(-16.0, ge=-40, le=-5, description="Loudness of the voice track, in LUFS (EBU R 128).")

    # Work
    chunk_seconds: float = Field(29.0, gt=1, description="Longest chunk; 29 s is one window of Whisper.")
    worker_slots: int = Field(2, ge=1, description="Worker processes per queue (embedded: in total).")
    lease_seconds: float = Field(30, description="Longest time until another worker takes over from a dead one.")
    lease_renew_seconds: float = Field(5, description="Interval at which a worker renews its leases.")
    sweep_seconds: float = Field(5, description="Interval of the search for expired leases.")
    repair_seconds: float = Field(60, description="A task so long unclaimed on an empty queue is published again.")
    retry_delays: tuple[float, ...] = Field((60, 180, 600), description="Seconds before the 2nd, 3rd … attempt.")
    retry_jitter: float = Field(0.1, ge=0, le=1, description="Share of the delay added or taken at random.")
    soft_limit_seconds: float = Field(300, description="Least soft time limit of a task.")
    hard_limit_seconds: float = Field(600, description="Least hard time limit of a task.")
    load_limit_seconds: float = Field(
        1800, description="Hard time limit for loading or fetching a model, and for a round of maintenance."
    )
    stop_grace_seconds: float = Field(
        30, description="Time for a stopping worker to finish its piece of work, or an API its requests."
    )
    recycle_tasks: int = Field(1000, ge=1, description="A worker process is replaced after so many tasks.")
    recycle_memory_mb: int = Field(2500, description="A worker process is replaced above this resident size.")
    retention_days: float = Field(7, gt=0, description="Results expire after so many days.")

    # Dubs
    dub_min_rate: float = Field(0.85, ge=0.5, le=1, description="Slowest speech of a dub; 1 is natural speed.")
    dub_max_rate: float = Field(
        1.25, ge=1, le=2, description="Fastest speech of a dub; longer text is said in fewer words if possible."
    )
    dub_hurried_rate: float = Field(
        1.5,
        ge=1,
        le=3,
        validate_default=True,
        description="Fastest speech of an utterance that fits in no other way; if still too long, the next is late.",
    )

    # Metrics
    metrics_port: int = Field(
        0, ge=0, le=65533, description="Port on which this process shows Prometheus its metrics; 0: none."
    )
    metrics_host: str = Field("127.0.0.1", description="Address of that port. It asks for no key.")
    metrics_owners: bool = Field(False, description="Count jobs by owner, too. Then the port names all owners.")
    metrics_interval: float = Field(
        15, ge=1, le=3600, description="Seconds between two counts of what is in the database, for all processes."
    )

    # Logs
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least severe level to log.")
    log_format: Literal["console", "json"] = Field("json", description="console is for humans, json for machines.")

    @field_validator("*", mode="before")
    @classmethod
    def _read(cls, value: Any, info: ValidationInfo) -> Any:
        kind = cls.model_fields[str(info.field_name)].annotation
        if kind is Path:
            return folder(value)
        if not isinstance(value, str):
            return value
        text = plain(value)
        if get_origin(kind) is tuple:
            return parts(text)
        return text.lower() if get_origin(kind) is Literal else text

    @field_validator("database_url", "database_direct_url", "broker_url", "storage_url", "hub_url")
    @classmethod
    def _check_url(cls, value: str, info: ValidationInfo) -> str:
        check = {
            "database_url": checked_database,
            "database_direct_url": checked_database,
            "broker_url": checked_brokers,
            "storage_url": checked_storage,
            "hub_url": checked_web,
        }[str(info.field_name)]
        return check(value) if value else value

    @field_validator("outbound_allow", "trusted_proxies")
    @classmethod
    def _check_networks(cls, value: str, info: ValidationInfo) -> str:
        hosts = [str(part) for part in parts(value)]
        for host in hosts:
            # A proxy is known by its address only; others may have names.
            if "/" in host or info.field_name == "trusted_proxies":
                ip_network(host, strict=False)
        return ",".join(hosts)

    @field_validator("root_path")
    @classmethod
    def _check_root(cls, value: str) -> str:
        return checked_root(value)

    @field_validator("dub_hurried_rate")
    @classmethod
    def _check_rates(cls, value: float, info: ValidationInfo) -> float:
        if value < info.data.get("dub_max_rate", value):
            raise ValueError("must not be less than OCTAVIA_DUB_MAX_RATE")
        return value

    @field_validator("sync_sunset")
    @classmethod
    def _check_sunset(cls, value: str) -> str:
        return date.fromisoformat(value).isoformat() if value else value

    @field_validator("webhook_secret")
    @classmethod
    def _check_webhook_secret(cls, value: str) -> str:
        return check_secret(value) if value else value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The sources of values: arguments, then the environment."""
        return init_settings, Environment(settings_cls)

    @classmethod
    def variables(cls) -> list[str]:
        """The names of the settings' environment variables."""
        return [f"{PREFIX}{name.upper()}" for name in cls.model_fields]

    def environment(self) -> dict[str, str]:
        """Return these settings as environment variables for a child process, which may run in another folder."""
        return {
            f"{PREFIX}{name.upper()}": value if isinstance(value, str) else json.dumps(value)
            for name, value in self.model_dump(mode="json").items()
        }

    def beside(self, places: int) -> "Settings":
        """Return the settings of another process of one command: its metrics port is so many numbers higher."""
        return self.model_copy(update={"metrics_port": self.metrics_port and self.metrics_port + places})

    @property
    def embedded(self) -> bool:
        """True without a broker: everything runs over the database on this machine."""
        return not self.broker_url

    @property
    def trusted_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The networks of ``trusted_proxies``; one address is a network, too."""
        return tuple(ip_network(str(part), strict=False) for part in parts(self.trusted_proxies))

    @property
    def brokers(self) -> list[str]:
        """The URLs of RabbitMQ, in the order in which they are tried."""
        return self.broker_url.split(";") if self.broker_url else []

    @property
    def max_attempts(self) -> int:
        """Number of attempts of a task: the first one, and one after each delay."""
        return len(self.retry_delays) + 1

    @property
    def database(self) -> str:
        """The effective database URL."""
        return self.database_url or f"sqlite:///{self.data_dir / 'octavia.db'}"

    @property
    def url(self) -> str:
        """The URL at which this machine reaches its own API."""
        return f"http://[{self.host}]:{self.port}" if ":" in self.host else f"http://{self.host}:{self.port}"

    @property
    def storage(self) -> str:
        """The effective storage URL."""
        return self.storage_url or f"file://{(self.data_dir / 'storage').absolute()}"


def complaints(error: ValidationError) -> list[str]:
    """Each thing that is wrong with the settings: the variable, its value unless that may be secret, what is right."""
    return [
        _complaint(
            PREFIX + "_".join(map(str, each["loc"][:1])).upper(),
            each["input"],
            each["msg"].removeprefix("Value error, "),
        )
        for each in error.errors(include_url=False, include_context=False)
    ]


def _complaint(variable: str, value: object, wrong: str) -> str:
    if variable.endswith("_URL"):
        return f"{variable} {wrong}"
    if variable.endswith("_SECRET"):
        return f"{variable} is wrong: {wrong}"
    given = without_logins(str(value))
    return f"{variable} is {given[:_SHOWN_CHARACTERS]!r}{'…' if len(given) > _SHOWN_CHARACTERS else ''}: {wrong}"


@lru_cache
def get_settings() -> Settings:
    """Return the settings of this process, read once."""
    return Settings()
