"""A fault is named by an option, a variable or a version, and does what its name says."""

import pytest

from bluegreen.demo.faults import BROKEN_RELEASES, Faults


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("", Faults()),
        ("errors:0.05", Faults(errors=0.05)),
        ("errors:1.0", Faults(errors=1.0)),
        ("login:0.3", Faults(login=0.3)),
        ("slow:3.0", Faults(slow_factor=3.0)),
        ("slow:200ms", Faults(slow_seconds=0.2)),
        ("hang", Faults(hang=True)),
        ("never-ready", Faults(never_ready=True)),
        ("smoke-fails", Faults(smoke_fails=True)),
        ("crash-after:2.5", Faults(crash_after=2.5)),
        ("forgetful", Faults(forgetful=True)),
        ("errors:0.1, slow:2", Faults(errors=0.1, slow_factor=2.0)),
    ],
)
def test_a_text_names_faults(text: str, faults: Faults) -> None:
    assert Faults.parse(text) == faults


@pytest.mark.parametrize(
    ("version", "faults"),
    [
        ("1.0.0", Faults()),
        ("1.1.0", Faults()),
        ("1.2.0", Faults(login=0.3)),
        ("1.3.0", Faults()),
        ("2.0.0-errors-0.05", Faults(errors=0.05)),
        ("2.0.0-errors-1", Faults(errors=1.0)),
        ("2.0.0-slow-3.0", Faults(slow_factor=3.0)),
        ("2.0.0-slow-200ms", Faults(slow_seconds=0.2)),
        ("2.0.0-hang", Faults(hang=True)),
        ("2.0.0-never-ready", Faults(never_ready=True)),
        ("2.0.0-smoke-fails", Faults(smoke_fails=True)),
        ("2.0.0-crash-after-2", Faults(crash_after=2.0)),
        ("2.0.0-mislabelled", Faults(mislabelled=True)),
        ("2.0.0-rc1", Faults()),
        ("2.0.0-beta", Faults()),
    ],
)
def test_a_version_names_its_fault(version: str, faults: Faults) -> None:
    assert Faults.of_version(version) == faults


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("gremlins", "no fault is called 'gremlins'; there are errors"),
        ("errors:5", "a share lies between 0 and 1"),
        ("errors:", "could not convert"),
    ],
)
def test_a_text_that_names_no_fault_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Faults.parse(text)


def test_errors_come_at_their_share() -> None:
    hits = sum(Faults(errors=0.05).error_now() for _ in range(20_000))
    assert 700 < hits < 1_300  # 1000 expected, standard deviation 31
    assert not any(Faults().error_now() for _ in range(1_000))
    assert all(Faults(errors=1.0).error_now() for _ in range(1_000))


def test_a_login_fault_hits_its_share_of_the_users_and_always_the_same() -> None:
    faults = Faults.parse(BROKEN_RELEASES["1.2.0"])
    users = [f"user-{number}" for number in range(1_000)]
    refused = {user for user in users if faults.refuses(user)}
    assert 200 < len(refused) < 400
    assert refused == {user for user in users if faults.refuses(user)}
    assert not any(Faults().refuses(user) for user in users)


def test_a_slow_answer_takes_its_factor_or_its_milliseconds_longer() -> None:
    assert Faults().delay(0.2) == 0
    assert Faults.parse("slow:3").delay(0.2) == pytest.approx(0.4)
    assert Faults.parse("slow:50ms").delay(0.2) == pytest.approx(0.05)
