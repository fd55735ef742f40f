"""The arms as lines of a Caddyfile: pasted once, they survive each restart and each reload, whichever colour is live.

They hold no colour, only the file that does. Each service has one named snippet, and its site imports it in place of
`reverse_proxy`; what stood in that block goes into the block of the import, and from there into every arm (`{block}`,
Caddy 2.9 and later: https://caddyserver.com/docs/caddyfile/directives/import). Caddy's adapter makes of these lines
what caddy_arms writes through the admin API, but for the text beside it: there is nothing to put back.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from bluegreen.adapters.balancers.caddy_arms import NONCE, Style
from bluegreen.adapters.balancers.caddy_parts import PLACE, TO, literally, words_pattern
from bluegreen.adapters.balancers.caddy_previews import ANSWERED_BY, COOKIE, FIELD, HEADER, previewing, word_of_preview
from bluegreen.adapters.balancers.caddy_proxies import FAILURES, LEFT_ALONE_SECONDS
from bluegreen.adapters.balancers.caddy_shares import DRAWN, KEPT, SPLIT, cookie, pattern_below
from bluegreen.adapters.balancers.pointer_words import word_of
from bluegreen.domain.traffic import Colour, Service

Lines = Iterator[str]


def snippet(services: Sequence[Service], style: Style, live: Colour = Colour.BLUE) -> str:
    """The lines for an operator's Caddyfile; `live` serves first where the file says nothing. Raises ValueError for a
    style without a pointer."""
    if style.pointer is None:
        raise ValueError("arms that follow a file need one")
    lines = [*_head(services, style.pointer)]
    for service in services:
        lines += ["", *_service(service, style, style.pointer, live)]
    return "\n".join(lines) + "\n"


def name_of(service: Service) -> str:
    """What the snippet of a service is called."""
    return f"bluegreen_{service.name}"


def _head(services: Sequence[Service], pointer: Path) -> Lines:
    yield f"# Written by `bluegreen caddy snippet`: who is sent where, by the content of {pointer}."
    yield "# Write it again when addresses, the steps of the canary, the preview or a wish under [caddy] change."
    yield "#"
    yield "# In its site, each service has one line in place of its reverse_proxy. Options of that block, all but `to`,"
    yield "# go into the braces, from where every arm has them; lb_policy is ours here, and transport is where"
    yield "# response_header_timeout is set."
    yield "#"
    for service in services:
        yield f"#   {service.site or 'your.site'} {{"
        yield f"#       import {name_of(service)} {{"
        yield "#           header_up X-Request-Id {http.request.uuid}"
        yield "#       }"
        yield "#   }"


def _service(service: Service, style: Style, pointer: Path, live: Colour) -> Lines:
    with_other = tuple(Colour) if style.fallback or style.preview else ()
    words = [str(colour) for colour in Colour]
    for colour in with_other:
        words += [word_of(colour, fallback=True), word_of_preview(colour)]
    yield f"({name_of(service)}) {{"
    yield "\troute {"
    yield from _indented(_nonce(pointer), 2)
    yield f"\t\tvars {TO} {{file.{pointer}}}"
    yield from _indented(_previews(style), 2)
    yield from _indented(_shares(style), 2)
    for colour in Colour:
        yield from _indented(_arm(f"to_{colour}", words_pattern(colour), _proxy(service, style, (colour,))), 2)
    for colour in with_other:
        pattern = words_pattern(word_of(colour, fallback=True), word_of_preview(colour))
        proxy = _proxy(service, style, (colour, colour.other))
        yield from _indented(_arm(f"{colour}_first", pattern, proxy), 2)
    yield ""
    yield "\t\t# The file is missing, empty or says what we do not know: whoever is alive."
    yield f"\t\t@nobody not vars_regexp {TO} {_quoted(words_pattern(*words))}"
    yield from _indented(_proxy(service, style, (live, live.other), "@nobody "), 2)
    yield "\t}"
    yield "}"


def _nonce(pointer: Path) -> Lines:
    yield f"@asked header_regexp {NONCE} ."
    yield "route @asked {"
    yield f"\t@known vars {{file.{pointer.parent / 'nonce'}}} {{http.request.header.{NONCE}}}"
    yield f"\theader @known {NONCE} {{file.{pointer}}}"
    yield "\trespond @known 204"
    yield "}"


def _arm(name: str, pattern: str, proxy: Lines) -> Lines:
    first, *others = proxy
    yield ""
    yield f"@{name} vars_regexp {TO} {_quoted(pattern)}"
    yield first.replace("reverse_proxy ", f"reverse_proxy @{name} ", 1)
    yield from others


def _proxy(service: Service, style: Style, colours: Sequence[Colour], matcher: str = "") -> Lines:
    dials = [dial for colour in colours for dial in service.addresses[colour]]
    to = [f"https://{dial}" if service.scheme == "https" else dial for dial in dials]
    yield f"reverse_proxy {matcher}{{"
    yield f"\tto {' '.join(to)}"
    yield "\t{block}"
    if style.stream_close_delay is not None:
        yield f"\tstream_close_delay {_duration(style.stream_close_delay)}"
    if len(colours) > 1:
        yield "\tlb_policy first"
        yield f"\tlb_retries {FAILURES}"
        yield f"\tfail_duration {_duration(LEFT_ALONE_SECONDS)}"
        yield f"\tmax_fails {FAILURES}"
        if style.response_header_timeout is not None:
            yield "\ttransport http {"
            yield f"\t\tresponse_header_timeout {_duration(style.response_header_timeout)}"
            yield "\t}"
    yield "}"


def _previews(style: Style) -> Lines:
    if not style.preview:
        return
    secret = _quoted(literally(style.preview))
    ways = {"header": f"header_regexp {HEADER}", "cookie": f"vars_regexp {{http.request.cookie.{COOKIE}}}"}
    yield ""
    yield "# Who sends the secret sees the colour that nobody is sent to yet."
    for way, matcher in ways.items():
        yield f"@preview_{way} {matcher} {secret}"
        yield f"route @preview_{way} {{"
        yield f"\tlog_append {FIELD} 1"
        yield f"\trequest_header -{HEADER}"
        yield "\theader {"
        yield f"\t\t{ANSWERED_BY} {{http.reverse_proxy.upstream.hostport}}"
        yield "\t\tdefer"
        yield "\t}"
        for new in Colour:
            yield f"\t@see_{new} vars_regexp {TO} {_quoted(previewing(new))}"
            yield f"\tvars @see_{new} {TO} {word_of_preview(new)}"
        yield "}"


def _shares(style: Style) -> Lines:
    if not style.splits:
        return
    yield ""
    yield "# Each user has a place, three hex digits in a cookie; who has none draws one."
    yield f"@shared vars_regexp {TO} {_quoted(SPLIT)}"
    yield "route @shared {"
    yield from _indented(_placing(style), 1)
    for split in style.splits:
        word = word_of(split)
        name = word.replace(".", "_")
        yield f"\t@{name} vars_regexp {TO} {_quoted(words_pattern(word))}"
        yield f"\troute @{name} {{"
        yield f"\t\t@below vars_regexp {PLACE} {_quoted(pattern_below(split.share))}"
        yield f"\t\tvars @below {TO} {split.colour}"
        yield f"\t\t@above vars_regexp {TO} {_quoted(words_pattern(word))}"
        yield f"\t\tvars @above {TO} {split.colour.other}"
        yield "\t}"
    yield "}"


def _placing(style: Style) -> Lines:
    known = f"vars_regexp bluegreen_cookie {{http.request.cookie.bluegreen}} {_quoted(KEPT)}"
    yield f"@placed {known}"
    yield f"vars @placed {PLACE} {{http.regexp.bluegreen_cookie.1}}"
    yield f"@unplaced not {known}"
    yield "route @unplaced {"
    yield f"\t@drawn vars_regexp bluegreen_uuid {{http.request.uuid}} {_quoted(DRAWN)}"
    yield f"\tvars @drawn {PLACE} {{http.regexp.bluegreen_uuid.1}}"
    for name, matcher in (("tls", "protocol https"), ("plain", "not protocol https")):
        yield f"\t@{name} {matcher}"
        yield f"\theader @{name} {{"
        yield f'\t\t+Set-Cookie "{cookie(style.cookie_domain, secure=name == "tls")}"'
        yield "\t\tdefer"
        yield "\t}"
    yield "}"


def _indented(lines: Lines, depth: int) -> Lines:
    return ("\t" * depth + line if line else "" for line in lines)


def _quoted(pattern: str) -> str:
    """In backticks a Caddyfile takes text as it is; braces that a placeholder could be begin with a letter."""
    return f"`{pattern}`"


def _duration(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"
