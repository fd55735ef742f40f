"""Judges a stream of samples again, as the daemon would have: the same baseline, the same trial, the same clock.

Time is that of the samples. What the old colour showed before the switch is the measure; from then on the trial's
clock runs in steps of a tenth of a second, events of one moment are judged together, and every bad one is judged at
once. Good events of one step may be added up before they are counted: all of a step meet the same stakes, so that
nothing comes out differently.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from math import fsum, inf

from bluegreen.app.baseline import Baseline
from bluegreen.app.replayed import Change, Outcome, Served
from bluegreen.app.samples import Sample
from bluegreen.app.survey import Survey
from bluegreen.app.trial import STEPS, Trial
from bluegreen.domain.evidence import Judgement, Verdict
from bluegreen.domain.plans import Terms
from bluegreen.domain.records import Json
from bluegreen.domain.rules import GaugeRule, SignalRule
from bluegreen.domain.signals import CLIENT_BUCKETS, Batch, Counted, Who
from bluegreen.domain.traffic import Colour

OLD, NEW = Colour.BLUE, Colour.GREEN
"""Who is who in here, whatever the stream calls them."""

ROUNDING = 1e-4
"""Steps: a time that was written with three decimals still falls into its step."""

BLOCK_S = 10.0
"""Seconds of a block of the history."""

GLANCE = 5
"""Steps between two judgements of nothing but good events."""

CLIENTS_KNOWN = 200_000
"""Names of clients whose hashes are remembered."""

OWN_WEIGHT = 0.2
"""The weight of a signal that the terms do not name, where theirs add up to 1."""


def judge_samples(samples: Iterable[Sample], survey: Survey, terms: Terms, baseline: Baseline | None = None) -> Outcome:
    """Judge samples, in the order of time, of which `survey` has seen them all and found a switch. Pure; takes some
    microseconds for each."""
    court = Court(survey, terms, baseline)
    for sample in samples:
        court.take(sample)
    return court.outcome()


def of_stream(terms: Terms, signals: Mapping[str, bool]) -> Terms:
    """The terms for a stream that has these signals (True: a gauge) and no others: what the terms do not name counts
    with a weight of its own, and a stream without a critical signal is judged by all that it has."""
    named = {rule.name: rule for rule in terms.signals}
    rules = [named.get(name) or _unnamed(name, gauge) for name, gauge in signals.items()]
    if not any(rule.critical and not rule.dry_run for rule in rules):
        rules = [replace(rule, critical=not rule.dry_run) for rule in rules]
    total = fsum(rule.weight for rule in rules)
    weighed = tuple(replace(rule, weight=rule.weight / total) for rule in rules)
    return replace(terms, signals=weighed, limits=tuple(rule for rule in terms.limits if rule.signal in signals))


def _unnamed(name: str, gauge: bool) -> SignalRule:
    return SignalRule(name, OWN_WEIGHT, gauge=GaugeRule() if gauge else None)


@dataclass(slots=True)
class _Sum:
    """Good events of one step."""

    n: int = 0
    asked: list[int] = field(default_factory=lambda: [0] * CLIENT_BUCKETS)

    def add(self, sample: Sample, client: int | None) -> None:
        self.n += sample.n
        if sample.asked is not None:
            self.asked = [one + more for one, more in zip(self.asked, sample.asked, strict=True)]
        elif client is not None:
            self.asked[client % CLIENT_BUCKETS] += sample.n


class Court:
    """Takes samples one by one and notes each change of the verdict."""

    def __init__(self, survey: Survey, terms: Terms, baseline: Baseline | None = None) -> None:
        if survey.switched_at is None:
            raise ValueError("nothing was switched in this stream")
        self._survey, self._terms = survey, terms
        self._baseline = baseline or Baseline()
        self._switched_at = survey.switched_at
        self._side_until = survey.side_until
        self._shares = deque(survey.shares)
        self._length = inf if survey.told else terms.window + terms.standby
        self._trial: Trial | None = None
        self._changes: list[Change] = []
        self._step: int | None = None
        self._looked = 0
        self._t = self._switched_at
        self._alarm_at: float | None = None
        self._pending: dict[tuple[bool, str, str, bool, str], _Sum] = {}
        self._served: dict[str, tuple[int, int]] = {}
        self._until_cut: Served | None = None
        self._hashes: dict[str, int] = {}

    def take(self, sample: Sample) -> None:
        """Take in the next sample."""
        new = sample.colour == self._survey.new
        if sample.t < self._switched_at:
            if not new:
                self._remember(sample)
            return
        if not self._over:
            self._advance(sample.t)
        if sample.about is not None:
            self._hear(sample.about)
        elif not self._over and (new or self._beside(sample.t)):
            self._keep(sample, new)
        if new and sample.value is None:
            n, bad = self._served.get(sample.signal, (0, 0))
            self._served[sample.signal] = n + sample.n, bad + sample.bad

    def outcome(self) -> Outcome:
        """What came of it, now that there are no more samples."""
        trial = self._trial or self._open()
        last = trial.judge() if self._over else self._look(trial)
        return Outcome(
            changes=tuple(self._changes),
            last=last,
            until_cut=self._until_cut,
            in_all=self._so_far(last),
            judged_until=min(self._t, self._switched_at + self._length),
            ended=self._t >= self._switched_at + self._length,
            side_by_side=self._side_until is not None,
        )

    @property
    def _over(self) -> bool:
        return self._until_cut is not None or self._t > self._switched_at + self._length

    def _remember(self, sample: Sample) -> None:
        """Of the old colour, before the switch."""
        block = int(sample.t // BLOCK_S)
        if block != self._step:
            self._settle()
            self._step = block
        self._t = sample.t
        self._keep(sample, new=False)

    def _keep(self, sample: Sample, new: bool) -> None:
        """Count it: good ones with others of their step, bad ones with those of their moment."""
        client = None if sample.client in (None, "") else self._hash(sample.client)
        if sample.bad or sample.value is not None:
            self._settle()
            self._count(sample.batch(NEW if new else OLD, client), new)
        elif sample.n:
            key = (new, sample.signal, sample.key, client is not None or sample.asked is not None, sample.version)
            good = self._pending.get(key)
            if good is None:
                good = self._pending[key] = _Sum()
            good.add(sample, client)

    def _settle(self) -> None:
        """Count the good ones that wait."""
        pending, self._pending = self._pending, {}
        for (new, signal, key, known, version), good in pending.items():
            who = Who(tuple(good.asked), ()) if known else None
            colour = NEW if new else OLD
            self._count(Counted("replay", signal, colour, good.n, 0, key, who=who, version=version), new)

    def _count(self, batch: Batch, new: bool) -> None:
        if self._trial is None:
            self._baseline.learn(batch, self._t)
        elif not new:
            self._trial.observe_other(batch)
        elif self._trial.observe(batch) and self._trial.alarming:
            self._alarm_at = self._t  # judged when all of this moment is counted

    def _advance(self, t: float) -> None:
        """It is `t` now: what came before is complete, and is judged."""
        trial = self._trial or self._open()
        step = int((t - self._switched_at) * STEPS + ROUNDING)
        if self._alarm_at is None:
            self._glance(trial, step)
        elif t > self._alarm_at or step != self._step:
            self._look(trial)
        if self._until_cut is not None:
            return
        self._t, self._step = t, step
        if step > trial.step:
            trial.tick(step / STEPS - trial.t_s)
        self._share_out(trial, t)

    def _share_out(self, trial: Trial, t: float) -> None:
        """Tell the trial how users are shared out at `t`, where that changed."""
        while self._shares and self._shares[0][0] <= t:
            trial.shared(self._shares.popleft()[1])
        if trial.side_by_side and not self._beside(t):
            trial.all_moved()

    def _glance(self, trial: Trial, step: int) -> None:
        """Only good ones came since it was judged: that it is healthy may be found a little later."""
        if step != self._step:
            self._settle()
        if step - self._looked >= GLANCE:
            self._look(trial)
            self._looked = step

    def _open(self) -> Trial:
        self._settle()
        self._alarm_at, self._step, self._t = None, 0, self._switched_at
        self._trial = Trial.of(self._terms, self._baseline, side_by_side=self._side_until is not None)
        self._look(self._trial)
        return self._trial

    def _look(self, trial: Trial) -> Judgement:
        """Judge what is there."""
        self._settle()
        self._alarm_at = None
        judgement = trial.judge()
        if self._changes and judgement.verdict is self._changes[-1].verdict:
            return judgement
        reason = "; ".join(judgement.reasons)
        after = self._t - self._switched_at
        self._changes.append(Change(self._t, after, judgement.verdict, reason, judgement.odds))
        if judgement.verdict is Verdict.REGRESSED:
            self._until_cut = self._so_far(judgement)
        return judgement

    def _hear(self, about: Mapping[str, Json]) -> None:
        """Users were moved: the recording says so."""
        trial = self._trial
        if trial is None or self._over:
            return
        self._settle()
        if "share" in about:
            trial.shared(float(about["share"]))
        if about.get("all_moved"):
            self._side_until = self._t
            trial.all_moved()

    def _beside(self, t: float) -> bool:
        return self._side_until is not None and t <= self._side_until

    def _so_far(self, judgement: Judgement) -> Served:
        """What was served, told by the signal that convicts where it is one of users' answers."""
        ranked = [evidence.signal for evidence in judgement.signals if not evidence.synthetic]
        return Served(dict(self._served), next(iter(ranked or self._served), ""))

    def _hash(self, client: str | int) -> int:
        if isinstance(client, int):
            return client
        known = self._hashes.get(client)
        if known is None:
            if len(self._hashes) >= CLIENTS_KNOWN:
                self._hashes.clear()
            known = int.from_bytes(blake2b(client.encode(errors="surrogatepass"), digest_size=8).digest()) >> 1
            self._hashes[client] = known
        return known


def in_order(samples: Iterable[Sample]) -> list[Sample]:
    """The same by their time; those of one moment stay as they came."""
    return sorted(samples, key=lambda sample: sample.t)
