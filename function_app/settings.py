"""The function app's settings: every environment variable that it reads, once."""

from typing import Annotated, Self

from pydantic import (
    AliasChoices,
    AnyHttpUrl,
    Field,
    SecretStr,
    TypeAdapter,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from contracts import params, steps

_Seconds = Annotated[float, Field(gt=0)]


class Settings(BaseSettings):
    """Names are the environment's, in upper case; units are in the names."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="ignore",
        populate_by_name=True,
        use_attribute_docstrings=True,
        env_ignore_empty=True,
        hide_input_in_errors=True,
    )

    # Where things are

    database_url: SecretStr
    """postgresql://user:password@host:port/database"""
    database_entra_auth: bool = False
    """Log in to PostgreSQL with an Entra token instead of the URL's password."""
    database_pool_connections: Annotated[int, Field(ge=1, le=50)] = 8
    """Connections that this process keeps at most."""
    database_retry_seconds: _Seconds = 5.0
    """How long a store call waits for PostgreSQL to come back before it is refused."""
    azure_storage_connection_string: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("AZURE_STORAGE_CONNECTION_STRING", "AzureWebJobsStorage"),
    )
    """With an account key: on a laptop. In Azure `storage_account_url` and an identity."""
    storage_account_url: str | None = None
    """https://ACCOUNT.blob.core.windows.net"""
    service_bus_connection_string: SecretStr | None = None
    """On a laptop. In Azure `service_bus_namespace` and an identity."""
    service_bus_namespace: str | None = None
    """NAME.servicebus.windows.net"""
    cors_allowed_origins: str = ""
    """Origins, comma-separated, whose pages may upload to a laptop's storage; in Azure the account's own."""
    public_base_url: str | None = None
    """What links begin with, where a gateway stands before the app; otherwise the request's own origin."""

    # What is accepted

    default_tenant_id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")] = "default"
    """Of everyone, as long as the app asks nobody who they are."""
    upload_url_minutes: Annotated[int, Field(ge=1, le=60)] = 60
    """How long an upload URL is good for."""
    upload_expiry_hours: Annotated[float, Field(gt=0)] = 24.0
    """A job whose upload has not come after this is expired."""
    read_url_minutes: Annotated[int, Field(ge=1, le=24 * 60)] = 60
    """How long the links of a result are good for."""
    largest_source_bytes: Annotated[int, Field(gt=0)] = 20 * 1024**3
    """Of an upload; 20 GiB."""
    largest_transcript_characters: Annotated[int, Field(gt=0)] = 400_000
    """Of a transcript in a request; a body has at most 1 MiB in any case."""
    drop_folder_settle_seconds: Annotated[float, Field(ge=0, le=3600)] = 5.0
    """How long a file in the drop folder is left alone before it is taken: its manifest may come after it."""
    longest_recording_seconds: _Seconds = 24 * 3600.0
    """Longer recordings are refused by `prepare`."""

    # How a job runs

    longest_chunk_seconds: Annotated[float, Field(gt=1, le=300)] = 300.0
    """Where `prepare` cuts at the latest."""
    lanes: Annotated[int, Field(ge=1, le=64)] = 16
    """Chunks of one job that are in flight at most."""
    max_retries: Annotated[int, Field(ge=1, le=10)] = 3
    """Attempts of a step or chunk, the first one included."""
    retry_first_delay_seconds: _Seconds = 5.0
    """Before the second attempt; doubled before each further one."""
    prepare_timeout_seconds: _Seconds = 1800.0
    """Time to live of the message of `prepare`: waiting in the queue and working together."""
    lid_timeout_seconds: _Seconds = 1800.0
    """The same, of `lid`."""
    transcribe_timeout_seconds: _Seconds = 1800.0
    """The same, of one chunk; a cold GPU pool takes ten minutes of it."""
    wait_margin_seconds: _Seconds = 60.0
    """How much longer than the time to live an orchestrator waits: the queue speaks first."""
    work_retention_hours: Annotated[float, Field(ge=1)] = 48.0
    """What a job left in `work` is removed this long after it was written: longer than any run takes."""
    instance_retention_days: Annotated[float, Field(ge=7)] = 30.0
    """Durable forgets a finished run this long after it began: longer than any run takes. Its job stays."""

    # Models; the workers have the same settings, and refuse or load what they have not

    whisper_engine: params.TranscriptionEngine = params.TranscriptionEngine.WHISPER
    whisper_model: str = "large-v3-turbo"
    whisper_model_revision: str = "main"
    beam_size: Annotated[int, Field(ge=1, le=10)] = 5
    lid_engine: params.LidEngine = params.LidEngine.TRANSFORMERS
    lid_model: str = "facebook/mms-lid-126"
    """Its weights are CC-BY-NC-4.0; `lid_engine=whisper` needs none of them."""
    lid_model_revision: str = "main"
    language_model_base_url: str | None = None
    """Any OpenAI-compatible endpoint, its /v1 included; None: extractive summaries, and no translation."""
    language_model_api_key: SecretStr | None = None
    """None sends an Entra token to Azure and no key elsewhere."""
    language_model_api_version: str | None = None
    """Azure's older form of the API, whose calls carry a version and the deployment in their path."""
    language_model_translate: str = "translate"
    """The model or, in Azure, the deployment."""
    language_model_summarize: str = "summarize"
    """The model or, in Azure, the deployment."""
    language_model_timeout_seconds: _Seconds = 120.0
    """Of one call."""

    # The sweep

    sweep_start_after_seconds: _Seconds = 30.0
    """A job queued for longer whose instance is missing is started by the sweep."""
    sweep_lost_after_seconds: _Seconds = 300.0
    """A run without news for longer is looked up in Durable."""
    sweep_batch_jobs: Annotated[int, Field(ge=1, le=1000)] = 200
    """Jobs of one status that are read at a time."""

    @field_validator("storage_account_url", "language_model_base_url", "public_base_url")
    @classmethod
    def _without_slash(cls, value: str | None) -> str | None:
        return value.rstrip("/") if value else value

    @field_validator("language_model_base_url")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value:
            TypeAdapter(AnyHttpUrl).validate_python(value)
        return value

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.azure_storage_connection_string is None and self.storage_account_url is None:
            raise ValueError("set AZURE_STORAGE_CONNECTION_STRING or STORAGE_ACCOUNT_URL")
        if self.service_bus_connection_string is None and self.service_bus_namespace is None:
            raise ValueError("set SERVICE_BUS_CONNECTION_STRING or SERVICE_BUS_NAMESPACE")
        return self

    @property
    def cors_origins(self) -> tuple[str, ...]:
        """The origins one by one."""
        return tuple(origin for part in self.cors_allowed_origins.split(",") if (origin := part.strip()))

    def step_timeout_seconds(self, step: steps.Step) -> float:
        """The time to live of the step's messages. Raises KeyError for a step that no worker does."""
        return {
            steps.Step.PREPARE: self.prepare_timeout_seconds,
            steps.Step.LID: self.lid_timeout_seconds,
            steps.Step.TRANSCRIBE: self.transcribe_timeout_seconds,
        }[step]


def read() -> Settings:
    """The settings of this process. Raises pydantic.ValidationError, which names what is missing."""
    return Settings()
