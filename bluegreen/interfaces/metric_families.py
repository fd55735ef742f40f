"""What `GET /metrics` shows of one moment: each metric with its words, made of what happened and of what stands now.

Labels are names from the configuration or closed sets: no id, no version, no text of others.
"""

import platform
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from bluegreen import __version__
from bluegreen.app.chronicle import Spread, Sums
from bluegreen.app.gauges import Gauges
from bluegreen.domain.evidence import Evidence, Judgement, Verdict
from bluegreen.domain.parts import PartState
from bluegreen.domain.traffic import Colour

PREFIX = "bluegreen"
KEPT = "Added up from the journal: it survives restarts."

Values = Mapping[tuple[str, ...], float]
"""By the values of the labels."""

Key = TypeVar("Key", bound=tuple[str, ...])
Family = TypeVar("Family", CounterMetricFamily, GaugeMetricFamily)


def families(sums: Sums, now: Gauges) -> Iterator[Metric]:
    """All metrics of one moment, each family once, also where it is empty."""
    built = {(__version__, platform.python_version()): 1.0}
    yield _gauges("build_info", "Which bluegreen runs on which Python; always 1.", ["version", "python"], built)
    yield from _happened(sums)
    yield from _traffic(now)
    yield from _daemon(now)
    yield from _deployment(now)
    yield from _running(now)
    yield from _sources(now)
    yield from _logs(now)
    yield from _connections(now)
    yield from _notices(now)
    yield from _judged(now.judgement)


def _happened(sums: Sums) -> Iterator[Metric]:
    text = "Deployments that ended, by their final phase, and by their cause: empty where all went well."
    yield _counters("deployments", f"{text} {KEPT}", ["kind", "outcome", "cause"], sums.ended)
    text = "How long phases took, and how they ended."
    yield spreads("phase_duration_seconds", f"{text} {KEPT}", sums.phases, ["phase", "outcome"])
    text = "From the first bad event of the signal that convicted a release to the decision to go back."
    yield spreads("detection_seconds", f"{text} {KEPT}", {(): sums.convicted})
    text = "From the decision to go back until the balancer was read back on the old colour."
    yield spreads("cutback_seconds", f"{text} {KEPT}", {(): sums.returned})
    text = (
        "Server errors (5xx) in the access log from the forward write to its proof, one value for each proved switch. "
        "Connections that the balancer broke off stand in no log."
    )
    yield spreads("switch_failed_requests", f"{text} {KEPT}", {(): sums.failed})


def _traffic(now: Gauges) -> Iterator[Metric]:
    text = "1 for the colour that users are sent to; both 0 where it is neither, both (as in a canary), or unknown."
    yield _gauges("live", text, ["colour"], {(colour,): colour is now.live for colour in Colour})
    text = "1 for the colour that should serve, by the journal; both 0 before the first switch."
    yield _gauges("wanted", text, ["colour"], {(colour,): colour is now.wanted for colour in Colour})
    text = "1 while nothing is deployed and users are not sent where the journal says they should be."
    yield _gauge("drift", text, now.drift)
    yield _gauge("caddy_up", "1 where the balancer's admin endpoint answered the last look.", now.caddy_answers)


def _daemon(now: Gauges) -> Iterator[Metric]:
    yield _gauge("start_time_seconds", "When the daemon began, in Unix time.", now.started_at.timestamp())
    yield _gauge("ready", "1 where GET /readyz answers 200.", now.ready)
    yield _gauge("paused", "1 while automatic action is paused.", now.paused)
    yield _gauge("journal_readable", "1 where the journal could be read just now.", now.journal_read)
    yield _gauge("journal_writable", "0 from a refused write to the next one that succeeds.", now.journal_writable)


def _connections(now: Gauges) -> Iterator[Metric]:
    known = {name: found for name, found in now.connections.items() if found is not None}
    opened: Values = {
        (name, whose): float(n)
        for name, found in known.items()
        for whose, n in ({str(colour): n for colour, n in found.open.items()} | {"others": found.others}).items()
    }
    text = "Connections open on the database's server, a colour's by its application_name; nothing where unknown."
    yield _gauges("database_connections", text, ["database", "colour"], opened)
    text = "Connections that a colour could still open: without those that the server reserves."
    yield _gauges("database_connections_free", text, ["database"], {(n,): float(f.free) for n, f in known.items()})


def _deployment(now: Gauges) -> Iterator[Metric]:
    running: Values = {(now.phase,): 1.0} if now.phase else {}
    elapsed: Values = {(now.phase,): now.elapsed} if now.phase else {}
    text = "1 for the phase of the running deployment; nothing while none runs."
    yield _gauges("deployment_phase", text, ["phase"], running)
    text = "How long the running deployment has been in its phase; nothing while none runs."
    yield _gauges("deployment_phase_elapsed_seconds", text, ["phase"], elapsed)
    yield _gauge("deployment_held", "1 while the watch does not end by itself and a person must decide.", now.held)
    states: Values = {(state,): state == now.standby for state in ("ready", "degraded", "lost")} if now.standby else {}
    text = "1 for whether the old colour could take users back; nothing while there is no way back to keep."
    yield _gauges("standby", text, ["state"], states)
    text = "Requests and streams under way on the old colour after a switch; nothing while nobody can tell."
    yield _gauges("open_requests", text, ["colour"], {(colour,): n for colour, n in now.open_requests.items()})
    yield _gauge("stranded", "1 while a STRANDED deployment waits for a person.", now.stranded)


def _running(now: Gauges) -> Iterator[Metric]:
    states: dict[tuple[str, str], float] = {}
    for colour, seen in now.running.items():
        for state in PartState:
            states[colour, state] = sum(part.state is state for part in seen.parts)
    text = "Containers or units of a colour, by how they fare; nothing where nobody can tell."
    yield _gauges("parts", text, ["colour", "state"], states)
    text = "Parts of a colour that are not as they were started, and no deployment did it."
    yield _gauges("parts_drifted", text, ["colour"], {(c,): len(seen.differences) for c, seen in now.running.items()})
    text = "1 where what runs of a colour cannot be told now; the numbers are then those of the last look."
    yield _gauges("parts_unknown", text, ["colour"], {(c,): seen.unknown != "" for c, seen in now.running.items()})


def _sources(now: Gauges) -> Iterator[Metric]:
    labels = ["signal", "colour"]
    text = "Events of a signal, by the colour that they are about, since the daemon began."
    yield _counters("signal_events", text, labels, {key: n for key, (n, _) in now.counted.items()})
    text = "Those of bluegreen_signal_events_total that were bad."
    yield _counters("signal_bad_events", text, labels, {key: bad for key, (_, bad) in now.counted.items()})
    ages = {(source,): age for source, (age, _) in now.sources.items() if age is not None}
    text = "Time since a source last showed that it is alive; nothing before it did so first."
    yield _gauges("signal_source_age_seconds", text, ["source"], ages)
    heard = {(source,): heard for source, (_, heard) in now.sources.items()}
    yield _gauges("signal_source_up", "1 where nothing keeps a source from being heard.", ["source"], heard)


def _logs(now: Gauges) -> Iterator[Metric]:
    lines, matches, deprecations = [
        {(colour,): numbers[at] for colour, numbers in now.log_lines.items()} for at in range(3)
    ]
    yield _counters("log_lines", "Lines read of a colour's own log since the daemon began.", ["colour"], lines)
    text = "Matches of those lines with a pattern of [[watch.log_lines]]."
    yield _counters("log_matches", text, ["colour"], matches)
    yield _counters("log_deprecations", "Those lines that warn of what is deprecated.", ["colour"], deprecations)


def _notices(now: Gauges) -> Iterator[Metric]:
    waiting = {(receiver,): number for receiver, number in now.undelivered.items()}
    yield _gauges("notices_undelivered", "Messages that wait to be delivered.", ["receiver"], waiting)
    failed = {(receiver,): number for receiver, number in now.undeliverable.items()}
    text = "Messages given up after all attempts, since the daemon began."
    yield _counters("notices_failed", text, ["receiver"], failed)


def _judged(judgement: Judgement | None) -> Iterator[Metric]:
    """How the release on trial stands; nothing while none is."""
    verdicts: Values = {(each,): each is judgement.verdict for each in Verdict} if judgement else {}
    yield _gauges("watch_verdict", "1 for the verdict on the release on trial.", ["verdict"], verdicts)
    needed: Values = {(): judgement.odds_needed} if judgement else {}
    text = "Odds from which a release is taken back (1 / alpha): the sum of bluegreen_watch_odds is held against it."
    yield _gauges("watch_odds_needed", text, [], needed)
    signals = judgement.signals if judgement else ()
    text = "Odds, x to 1, that this signal holds against the release on trial: its part of the account's wealth."
    yield _of_signals("watch_odds", text, signals, "odds")
    yield _of_signals("watch_events", "Events of this signal in this trial.", signals, "n")
    yield _of_signals("watch_bad_events", "Bad events of this signal in this trial.", signals, "bad")
    text = "Share of bad events that is tolerated, by what the live colour showed before."
    yield _of_signals("watch_tolerated_ratio", text, signals, "tolerated")


def _of_signals(name: str, text: str, signals: Sequence[Evidence], attribute: str) -> Metric:
    values = {(evidence.signal,): getattr(evidence, attribute) for evidence in signals}
    return _gauges(name, text, ["signal"], values)


def _gauge(name: str, text: str, value: float) -> Metric:
    return _gauges(name, text, [], {(): value})


def _gauges(name: str, text: str, labels: Sequence[str], values: Mapping[Key, float]) -> Metric:
    return _filled(GaugeMetricFamily(f"{PREFIX}_{name}", text, labels=labels), values)


def _counters(name: str, text: str, labels: Sequence[str], values: Mapping[Key, float]) -> Metric:
    return _filled(CounterMetricFamily(f"{PREFIX}_{name}", text, labels=labels), values)


def _filled(family: Family, values: Mapping[Key, float]) -> Family:
    for key, value in values.items():
        family.add_metric([str(label) for label in key], float(value))
    return family


def spreads(name: str, text: str, by_labels: Mapping[Key, Spread], labels: Sequence[str] = ()) -> Metric:
    """A histogram, by the values of its labels."""
    family = HistogramMetricFamily(f"{PREFIX}_{name}", text, labels=labels)
    for key, spread in by_labels.items():
        buckets = [("+Inf" if bound == float("inf") else str(bound), number) for bound, number in spread.up_to]
        family.add_metric(list(key), buckets, spread.total)
    return family
