"""From settings to the sources that are asked: Prometheus, SQL, JSON over HTTP. A part of wiring_signals.py."""

from collections.abc import Mapping

from bluegreen.adapters.postgres.connections import Access
from bluegreen.adapters.postgres.dsn import Dsn
from bluegreen.adapters.signals.fetching import Fetcher
from bluegreen.adapters.signals.http_json import Document, JsonQuestions
from bluegreen.adapters.signals.json_place import JsonPlace
from bluegreen.adapters.signals.polled import Polled
from bluegreen.adapters.signals.prometheus import PrometheusQuestions
from bluegreen.adapters.signals.questions import Pace, Questions
from bluegreen.adapters.signals.sql import SqlQuestions
from bluegreen.domain.traffic import Colour, Service
from bluegreen.ports import Clock, SignalSource
from bluegreen.settings import Settings
from bluegreen.settings.sections_signals import Asked, HttpJsonSignal, PrometheusSignal, SqlSignal
from bluegreen.wiring_checks import revealed_values


def polled_sources(settings: Settings, services: Mapping[str, Service], clock: Clock) -> tuple[SignalSource, ...]:
    """Every number that is asked for, as a source of its own."""
    watch = settings.watch
    asked: list[tuple[str, Asked, Questions]] = [
        *(("watch.prometheus", signal, _prometheus(signal)) for signal in watch.prometheus),
        *(("watch.sql", signal, _sql(signal, settings)) for signal in watch.sql),
        *(("watch.http_json", signal, _http_json(signal, services)) for signal in watch.http_json),
    ]
    return tuple(
        Polled(signal.name, questions, clock, Pace(signal.interval, signal.timeout, signal.errors), manual)
        for manual, signal, questions in asked
    )


def _prometheus(signal: PrometheusSignal) -> Questions:
    fetcher = Fetcher(signal.timeout, revealed_values(signal.headers), signal.verify)
    return PrometheusQuestions(signal.url, signal.query, fetcher, signal.total)


def _sql(signal: SqlSignal, settings: Settings) -> Questions:
    database = next(one for one in settings.databases if one.name == signal.database)
    environments = settings.environments
    return SqlQuestions(
        signal.name,
        Access(Dsn.parse(database.dsn.get_secret_value()), signal.timeout, signal.timeout),
        signal.built_in or signal.query or "",
        signal.total,
        built_in=signal.built_in is not None,
        applications={colour: environments.of(colour).application_name or "" for colour in Colour},
    )


def _http_json(signal: HttpJsonSignal, services: Mapping[str, Service]) -> Questions:
    return JsonQuestions(
        _documents(signal, services),
        JsonPlace.written(signal.value),
        Fetcher(signal.timeout, revealed_values(signal.headers), signal.verify),
        None if signal.total is None else JsonPlace.written(signal.total),
    )


def _documents(signal: HttpJsonSignal, services: Mapping[str, Service]) -> tuple[Document, ...]:
    if signal.service is not None:
        return tuple(
            Document(colour, signal.url.replace("{colour}", colour).replace("{address}", address), address)
            for colour, addresses in services[signal.service].addresses.items()
            for address in addresses
        )
    if "{colour}" in signal.url:
        return tuple(Document(colour, signal.url.replace("{colour}", colour)) for colour in Colour)
    return (Document(None, signal.url),)
