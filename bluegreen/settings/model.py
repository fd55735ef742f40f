"""The whole configuration, and where its values come from: the environment over the file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, PrivateAttr, TypeAdapter, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import InitErrorDetails, PydanticCustomError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from bluegreen.domain.phases import Phase
from bluegreen.settings.entrance import Balancer, Entrance, entrance_of
from bluegreen.settings.environment import DELIMITER, PREFIX, Environment
from bluegreen.settings.rules import broken
from bluegreen.settings.sections import Access, Caddy, Daemon
from bluegreen.settings.sections_after import AfterSwitch
from bluegreen.settings.sections_canary import Canary
from bluegreen.settings.sections_cloudflare import Cloudflare
from bluegreen.settings.sections_continuity import Continuity
from bluegreen.settings.sections_data import Backup, Database, Migration
from bluegreen.settings.sections_outside import Hooks, Metrics, Notify
from bluegreen.settings.sections_rehearsal import Rehearsal
from bluegreen.settings.sections_release import Releases
from bluegreen.settings.sections_smoke import Smoke
from bluegreen.settings.sections_stack import Environments, Service
from bluegreen.settings.sections_story import Deadlines, Promotion, Retire, phase_deadlines
from bluegreen.settings.sections_traefik import Traefik
from bluegreen.settings.sections_variables import Variables
from bluegreen.settings.sections_watch import Watch
from bluegreen.settings.values import Name


class Settings(BaseSettings):
    """One stack and how it is deployed."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter=DELIMITER,
        extra="forbid",
        frozen=True,
        validate_default=True,
        hide_input_in_errors=True,
    )

    project: Name = Field(
        description="What is deployed here; it names backups, messages and metrics.", examples=["olympus"]
    )
    automation: Literal["act", "observe"] = Field(
        default="act",
        description='Whether anything is done. "act": yes. "observe": the daemon watches, plans, and says what it '
        "would have done; it changes nothing at the balancer, the colours or the databases, and refuses what would. "
        "A deployment that was begun before goes to its end.",
    )
    daemon: Daemon = Daemon()
    access: Access = Access()
    balancer: Balancer = Field(
        default="caddy",
        description="What users come through: its section below is the one that counts. Each says what a switch costs "
        "with it (docs/caddy.md, docs/traefik.md, docs/cloudflare.md).",
    )
    caddy: Caddy = Caddy()
    traefik: Traefik = Traefik()
    cloudflare: Cloudflare = Cloudflare()
    databases: tuple[Database, ...] = ()
    backup: Backup = Backup()
    rehearsal: Rehearsal = Rehearsal()
    migrations: tuple[Migration, ...] = ()
    release: Releases = Releases()
    variables: Variables = Variables()
    environments: Environments
    services: tuple[Service, ...] = Field(min_length=1)
    smoke: tuple[Smoke, ...] = ()
    continuity: tuple[Continuity, ...] = ()
    after_switch: tuple[AfterSwitch, ...] = ()
    promotion: Promotion = Promotion()
    canary: Canary = Canary()
    deadlines: Deadlines = Deadlines()
    watch: Watch = Watch()
    retire: Retire = Retire()
    metrics: Metrics = Metrics()
    hooks: Hooks = Hooks()
    notify: tuple[Notify, ...] = ()

    _file: Path | None = PrivateAttr(default=None)
    _warnings: tuple[str, ...] = PrivateAttr(default=())

    @property
    def file(self) -> Path | None:
        """The file they were loaded from."""
        return self._file

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is allowed and should not stay so; to be said at every start."""
        return self._warnings

    @property
    def routed(self) -> tuple[Service, ...]:
        """The services that users are routed to: all but the live-only ones."""
        return tuple(service for service in self.services if service.role == "both")

    @property
    def entrance(self) -> Entrance:
        """The way users come in, of the balancer that is configured."""
        return entrance_of(self.balancer, self.caddy, self.traefik, self.cloudflare)

    @property
    def phase_deadlines(self) -> dict[Phase, float]:
        """Seconds that each phase may take; every phase that is not final has one."""
        return phase_deadlines(self.deadlines, self.promotion, self.canary, self.watch)

    def loaded(self, file: Path, warnings: tuple[str, ...]) -> Self:
        """The same, told where it came from."""
        self._file, self._warnings = file, warnings
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment over what the file says; no .env file, and secrets only where a key names one."""
        return Environment(settings_cls), init_settings

    @model_validator(mode="wrap")
    @classmethod
    def _tell_all_at_once(cls, data: Any, validate: Callable[[Any], Self]) -> Self:
        """Report the rules between sections together with what is wrong inside of them."""
        try:
            settings = validate(data)
        except ValidationError as exc:
            found: list[Any] = [*exc.errors(include_url=False)]
            sound = cls._sound_sections(data, {error["loc"][0] for error in found if error["loc"]})
            raise _failure([_again(error) for error in found] + _as_errors(sound)) from exc
        if errors := _as_errors({name: getattr(settings, name) for name in cls.model_fields}):
            raise _failure(errors)
        return settings

    @classmethod
    def _sound_sections(cls, data: dict[str, Any], unsound: set[int | str]) -> dict[str, Any]:
        return {
            name: _valid(field, data[name]) if name in data else field.default
            for name, field in cls.model_fields.items()
            if name not in unsound
        }


def _valid(field: FieldInfo, value: object) -> Any:
    annotation: Any = field.annotation
    return TypeAdapter(annotation).validate_python(value)


def _failure(errors: list[InitErrorDetails]) -> ValidationError:
    return ValidationError.from_exception_data("Settings", errors, hide_input=True)


def _as_errors(sections: dict[str, Any]) -> list[InitErrorDetails]:
    return [
        InitErrorDetails(type=PydanticCustomError("rule", "{text}", {"text": text}), loc=path, input=None)
        for path, text in broken(sections)
    ]


def _again(error: Any) -> InitErrorDetails:
    kind = PydanticCustomError(error["type"], error["msg"], error.get("ctx"))
    return InitErrorDetails(type=kind, loc=error["loc"], input=error["input"])
