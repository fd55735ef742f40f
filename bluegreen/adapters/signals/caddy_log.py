"""What users get, from Caddy's access log.

The site needs `log` with `output file <path> { mode 0640 }` (the default 0600 hides it from us), JSON with durations in
seconds, both Caddy's defaults, and `log_append upstream {http.reverse_proxy.upstream.hostport}`.
"""

from bluegreen.adapters.signals.access_fields import decoder
from bluegreen.adapters.signals.access_line import Format
from bluegreen.adapters.signals.access_log import LATEST_S as LATEST_S
from bluegreen.adapters.signals.access_log import AccessLog
from bluegreen.adapters.signals.access_sample import CADDY_ASKED


class CaddyLog(AccessLog):
    """The SignalSource port on Caddy's access log."""

    format = Format(decoder, CADDY_ASKED, "give it `mode 0640` in Caddy and put us in its group")
