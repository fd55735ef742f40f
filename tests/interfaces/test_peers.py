"""Rights come from the kernel's word on who is at the other end: shown with users that really are others."""

import asyncio
import grp
import json
import os
import pwd
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bluegreen.domain.errors import ConfigurationError
from bluegreen.domain.phases import Phase
from bluegreen.interfaces.peers import UNMAPPED, Access, Grants, Peer, Right, name_of
from tests.interfaces.conftest import serving
from tests.interfaces.scripts import ScriptedService, at

STRANGER, DEPLOYER, WATCHMAN = 23_456, 23_457, 23_458
GROUP = next(entry for entry in grp.getgrall() if entry.gr_gid not in (0, UNMAPPED))

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become other users")

ORDERS = {
    "read": ("GET", "/v1/status"),
    "cutback": ("POST", "/v1/cutback"),
    "operate": ("POST", "/v1/deployments/current/promote"),
    "admin": ("GET", "/v1/config"),
}


@contextmanager
def acting_as(uid: int, gid: int, groups: list[int]) -> Iterator[None]:
    """Be somebody else for a moment: what connects meanwhile keeps these credentials. Nothing else may run."""
    before = os.getgroups()
    os.setgroups(groups)
    os.setegid(gid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(before)


def connect_as(path: Path, uid: int, gid: int = STRANGER, groups: list[int] | None = None) -> socket.socket:
    """A connection made by another user."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.setblocking(False)
    with acting_as(uid, gid, groups or []):
        connection.connect(str(path))
    return connection


async def ask_as(path: Path, order: str, uid: int, gid: int = STRANGER, groups: list[int] | None = None) -> Any:
    """Status and document of one request made by another user."""
    method, target = ORDERS.get(order, ("GET", order))
    reader, writer = await asyncio.open_unix_connection(sock=connect_as(path, uid, gid, groups))
    writer.write(f"{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return int(head.split()[1]), json.loads(body)


@pytest.fixture
def open_path() -> Iterator[Path]:
    """A path that every user can reach."""
    with tempfile.TemporaryDirectory(prefix="bg-") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory) / "api.sock"


@as_root
@pytest.mark.parametrize(
    ("uid", "groups", "granted"),
    [
        pytest.param(STRANGER, [], [], id="stranger"),
        pytest.param(WATCHMAN, [], ["read"], id="by-uid"),
        pytest.param(STRANGER, [GROUP.gr_gid], ["read", "cutback"], id="by-supplementary-group"),
        pytest.param(DEPLOYER, [], ["read", "cutback", "operate"], id="operate-includes-cutback"),
        pytest.param(DEPLOYER, [GROUP.gr_gid], ["read", "cutback", "operate"], id="the-highest-counts"),
        pytest.param(0, [], ["read", "cutback", "operate", "admin"], id="root"),
    ],
)
async def test_each_right_includes_those_before_it(
    service: ScriptedService, open_path: Path, uid: int, groups: list[int], granted: list[str]
) -> None:
    service.play(at(Phase.WATCHING))
    access = Access(read=(f"uid:{WATCHMAN}",), cutback=(f"group:{GROUP.gr_name}",), operate=(f"uid:{DEPLOYER}",))
    async with serving(service, open_path, access):
        answers = {order: await ask_as(open_path, order, uid, groups=groups) for order in ORDERS}
    assert [order for order, (status, _) in answers.items() if status == 200] == granted
    assert {status for status, _ in answers.values()} <= {200, 403}


@as_root
async def test_a_refusal_names_the_user_and_the_key(service: ScriptedService, open_path: Path) -> None:
    async with serving(service, open_path):
        status, document = await ask_as(open_path, "operate", STRANGER)
    assert (status, document["code"], document["uid"]) == (403, "not-permitted", STRANGER)
    assert str(STRANGER) in document["detail"]
    assert "access.operate" in document["detail"]
    assert document["next"]
    assert service.calls == []


@as_root
@pytest.mark.parametrize("order", ["/healthz", "/readyz", "/v1/openapi.json"])
async def test_anybody_may_ask_whether_it_lives(service: ScriptedService, open_path: Path, order: str) -> None:
    async with serving(service, open_path):
        assert (await ask_as(open_path, order, STRANGER))[0] == 200


@as_root
async def test_an_unmapped_peer_is_nobody_whatever_is_configured(service: ScriptedService, open_path: Path) -> None:
    access = Access(read=(f"uid:{UNMAPPED}",), admin=(f"uid:{UNMAPPED}",))
    async with serving(service, open_path, access):
        status, document = await ask_as(open_path, "read", UNMAPPED)
    assert (status, document["code"]) == (403, "peer-unmapped")


MAPPED = """
import asyncio, ctypes, sys
from pathlib import Path
from bluegreen.interfaces.api import make_api
from bluegreen.interfaces.listening import serve_api
from bluegreen.interfaces.peers import Access
from tests.interfaces.scripts import ScriptedService

if ctypes.CDLL(None).unshare(0x10000000) != 0:  # CLONE_NEWUSER
    sys.exit("no user namespaces here")
Path("/proc/self/uid_map").write_text("0 0 1")

async def serve():
    app = make_api(ScriptedService(), access=Access(admin=("uid:65534", "uid:23456")), configuration={})
    async with serve_api(app, Path(sys.argv[1])):
        print("ready", flush=True)
        await asyncio.sleep(60)

asyncio.run(serve())
"""


@as_root
async def test_a_daemon_in_a_user_namespace_takes_nobody_for_somebody(open_path: Path) -> None:
    """As under PrivateUsers=: the kernel shows every user whose id is not mapped there as 65534."""
    argv = (sys.executable, "-c", MAPPED, str(open_path))
    environment = os.environ | {"PYTHONPATH": ":".join(sys.path)}
    server = await asyncio.create_subprocess_exec(
        *argv, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environment
    )
    assert server.stdout is not None
    try:
        if await server.stdout.readline() != b"ready\n":
            said = (await server.communicate())[1].decode()
            assert "no user namespaces" in said, said
            pytest.skip(said)
        status, document = await ask_as(open_path, "read", STRANGER)
        assert (status, document["code"]) == (403, "peer-unmapped")
        assert "PrivateUsers" in document["next"][0]
        assert (await ask_as(open_path, "read", 0))[0] == 200
    finally:
        if server.returncode is None:
            server.kill()
        await server.communicate()


@as_root
async def test_an_unmapped_group_grants_nothing(open_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(open_path))
        listening.listen()
        open_path.chmod(0o666)
        with connect_as(open_path, STRANGER, UNMAPPED, [UNMAPPED, GROUP.gr_gid]), listening.accept()[0] as accepted:
            peer = Peer.of(accepted)
    assert peer == Peer(STRANGER, frozenset({GROUP.gr_gid}))


@as_root
async def test_more_groups_than_a_socket_option_holds_are_looked_up(open_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(open_path))
        listening.listen()
        open_path.chmod(0o666)
        many = list(range(30_000, 30_300))
        with connect_as(open_path, 1, 1, many), listening.accept()[0] as accepted:
            peer = Peer.of(accepted)
    assert peer.uid == 1
    assert 1 in peer.groups
    assert peer.groups == {1, *os.getgrouplist(pwd.getpwuid(1).pw_name, 1)}


def test_our_own_user_and_root_are_admin() -> None:
    grants = Grants.resolve(Access())
    assert grants.of(Peer(os.geteuid(), frozenset())) is Right.ADMIN
    assert grants.of(Peer(0, frozenset())) is Right.ADMIN


def test_names_are_resolved_to_numbers() -> None:
    user, group = pwd.getpwuid(1), grp.getgrgid(2)
    grants = Grants.resolve(Access(read=(f"group:{group.gr_name}",), operate=(f"user:{user.pw_name}", "uid:77")))
    assert grants.of(Peer(1, frozenset())) is Right.OPERATE
    assert grants.of(Peer(77, frozenset())) is Right.OPERATE
    assert grants.of(Peer(78, frozenset({2}))) is Right.READ
    assert grants.of(Peer(78, frozenset({3}))) is Right.NONE


def test_a_name_that_does_not_exist_grants_nobody_and_is_told() -> None:
    grants = Grants.resolve(Access(read=("group:no-such-group", "user:no-such-user")))
    assert grants.unknown == ("access.read: group:no-such-group", "access.read: user:no-such-user")
    assert grants.groups == {}


@pytest.mark.parametrize("entry", ["ops", "gid:5", "uid:", "uid:x", "uid:²", "user:", "group:", ":", ""])
def test_an_entry_of_another_form_is_a_configuration_error(entry: str) -> None:
    with pytest.raises(ConfigurationError, match=r"access\.cutback"):
        Grants.resolve(Access(cutback=(entry,)))


async def test_the_audit_names_uid_and_user() -> None:
    assert await name_of(0) == "uid 0 (root)"
    assert await name_of(STRANGER) == f"uid {STRANGER}"
