"""Mode "pointer" with both at once: the daemon is dead or new, and Caddy's admin endpoint hangs."""

from tests.e2e.admin_proxy import AdminProxy, Mode
from tests.e2e.conftest import MakeYard


async def test_a_daemon_that_is_started_while_the_admin_endpoint_hangs_brings_users_back(
    make_yard: MakeYard, proxy: AdminProxy
) -> None:
    """The open card says that every service follows the file, so the daemon that reads it may believe the file."""
    yard = await make_yard(mode="pointer", admin=proxy.url)
    id = await yard.deploy()
    await yard.reached(id, "WATCHING")
    await yard.kill_daemon()
    proxy.mode = Mode.SWALLOW_ALL
    await yard.start_daemon()
    await yard.order("cutback", "looks odd")
    back = await yard.ended(id)
    assert (back.phase, back.cause) == ("REVERTED", "operator"), back.reason
    assert await yard.colours() == {"blue"}
