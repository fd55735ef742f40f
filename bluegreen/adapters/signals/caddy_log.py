"""What users get, from Caddy's access log.

The site needs `log` with `output file <path> { mode 0640 }` (the default 0600 hides it from us), JSON with durations in
seconds, both Caddy's defaults, and `log_append upstream {http.reverse_proxy.upstream.hostport}`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from bluegreen.adapters.signals.access_fields import decoder
from bluegreen.adapters.signals.access_line import Format
from bluegreen.adapters.signals.access_lines import Answers, Witness
from bluegreen.adapters.signals.access_log import LATEST_S as LATEST_S
from bluegreen.adapters.signals.access_log import AccessLog
from bluegreen.adapters.signals.access_routes import RouteClass
from bluegreen.adapters.signals.access_sample import CADDY_ASKED
from bluegreen.domain.traffic import Service
from bluegreen.ports import Clock

FORMAT = Format(decoder, CADDY_ASKED, "give it `mode 0640` in Caddy and put us in its group")


class CaddyLog(AccessLog):
    """The SignalSource port on Caddy's access log."""

    def __init__(
        self,
        path: Path,
        services: Mapping[str, Service],
        *,
        on_witness: Witness,
        clock: Clock,
        probe_header: str = "X-Bluegreen-Probe",
        inotify: bool = True,
        routes: Sequence[RouteClass] = (),
        client_key: bytes = b"",
        on_answers: Answers | None = None,
    ) -> None:
        """As AccessLog."""
        super().__init__(
            path,
            services,
            format=FORMAT,
            on_witness=on_witness,
            clock=clock,
            probe_header=probe_header,
            inotify=inotify,
            routes=routes,
            client_key=client_key,
            on_answers=on_answers,
        )
