"""What another machine runs so that a command runs there as it would here: one text for its POSIX shell.

sshd gives a remote command no signal when the one who asked for it goes away: a cancelled `up` would run on. What it
does is close the command's input (session_close_by_channel in OpenSSH's session.c). So the shell gets everything over
its input: first this text, with argv and variables in it (they stand in no argv but the command's own), then what the
command shall read; after that the input stays open for as long as the command is wanted.

Tools: a POSIX shell with `dd` and `sleep`, and `mktemp` for what has an input; `setsid` and `flock` (util-linux or
busybox) where they are there: without the first, only the command itself is ended and not what it started; without the
second, `alone` is not kept.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

GRACE = 5
"""Seconds between SIGTERM and SIGKILL of a command and what it started."""

LEFT_RUNNING = 20
"""Seconds in which what an earlier command left running must have ended."""

CANNOT = 126
"""Exit code where a command was not begun: no such directory, or what ran before it does not end."""

FIELD = re.compile("@([a-z]+)@")

BOOTSTRAP = "exec sh -c 'eval \"$(dd bs=1 count={size} 2>/dev/null)\"'"
"""`dd bs=1` takes exactly so many bytes and leaves the rest to who comes next. Any login shell can read this line."""

WHOLE = "{{\n{text}}}\n"
"""A shell runs line by line what it reads. In braces it must have read all of it: where the link is lost in the middle,
nothing is begun, and no argv is cut short."""

TEXT = """\
bg_end() {
  kill -s TERM -- "$bg_g$1" 2>/dev/null || { [ -n "$2" ] && kill -s TERM "$1" 2>/dev/null; } || return 0
  bg_n=0
  while kill -s 0 -- "$bg_g$1" 2>/dev/null; do
    bg_n=$((bg_n+1)); [ "$bg_n" -lt @grace@0 ] || { kill -s KILL -- "$bg_g$1" 2>/dev/null; return 0; }
    sleep 0.1 2>/dev/null || sleep 1
  done
}
bg_tell() { [ -z "$bg_word" ] || printf '%s %s\\n' "$bg_word" "$1"; }
bg_cannot() { printf '%s\\n' "$1"; bg_tell @cannot@; exit @cannot@; }
bg_hold() {
  for bg_d in "$HOME" "$XDG_RUNTIME_DIR" /tmp; do
    bg_d=$bg_d/.bluegreen-$(id -u)
    mkdir -m 700 "$bg_d" 2>/dev/null
    [ -O "$bg_d" ] && [ -w "$bg_d" ] && bg_f=$bg_d/$bg_alone && break
  done
  [ -n "$bg_f" ] || bg_cannot "no directory to keep a lock in: neither HOME, XDG_RUNTIME_DIR nor /tmp can be written"
  exec 9>>"$bg_f"
  bg_i=0
  while ! flock -n 9; do
    read -r bg_old <"$bg_f" && bg_end "$bg_old"
    bg_i=$((bg_i+1)); [ "$bg_i" -lt @left@0 ] || bg_cannot "what an earlier command left running does not end"
    sleep 0.1 2>/dev/null || sleep 1
  done
  : >"$bg_f"
}
bg_take() {
  for bg_d in "$XDG_RUNTIME_DIR" /dev/shm "${TMPDIR:-/tmp}"; do
    bg_t=$(mktemp "$bg_d/.bluegreen.XXXXXX" 2>/dev/null) && break
  done
  [ -n "$bg_t" ] || bg_cannot "no place for the input of the command"
  bg_b=$((bg_size/4096))
  { dd bs=4096 count="$bg_b" iflag=fullblock || dd ibs=1 count=$((bg_b*4096))
    dd ibs=1 count=$((bg_size%4096)); } >"$bg_t" 2>/dev/null
  exec 5<"$bg_t"
  bg_b=$(wc -c <"$bg_t")
  rm -f "$bg_t"
  [ "$bg_b" -eq "$bg_size" ] || bg_cannot "the input of the command did not come through: $bg_b of $bg_size bytes"
}
bg_run() {
  ( exec 4<&- 9>&-
    cd -- "$bg_cwd" >/dev/null 2>&1 || { printf '%s\\n' "$bg_cwd: there is no such directory"; exit @cannot@; }
@variables@
    exec $bg_s "$@" <&5 5<&- ) &
  bg_p=$!
  exec 5<&-
  [ -z "$bg_f" ] || printf '%s\\n' "$bg_p" >"$bg_f"
  ( while read -r bg_x; do :; done; bg_end "$bg_p" even ) <&4 4<&- 9>&- >/dev/null 2>&1 &
  bg_e=$! bg_w=
  [ -z "$bg_limit" ] || {
    ( bg_q= bg_x=
      trap 'bg_q=1; [ -z "$bg_x" ] || kill -s KILL "$bg_x"' TERM
      sleep "$bg_limit" &
      bg_x=$!
      [ -z "$bg_q" ] || kill -s KILL "$bg_x"
      wait "$bg_x"
      [ -z "$bg_q" ] || { wait "$bg_x"; exit; }
      bg_end "$bg_p" even ) \\
      </dev/null >/dev/null 2>&1 4<&- 9>&- &
    bg_w=$!
  }
  wait "$bg_p" 2>/dev/null
  bg_c=$?
  [ -n "$bg_keep" ] && [ "$bg_c" -eq 0 ] || bg_end "$bg_p"
  kill -s KILL "$bg_e" 2>/dev/null
  wait "$bg_e" 2>/dev/null
  [ -z "$bg_f" ] || : >"$bg_f"
  bg_tell "$bg_c"
  [ -z "$bg_w" ] || { kill "$bg_w" 2>/dev/null; wait "$bg_w" 2>/dev/null; }
  exit "$bg_c"
}
bg_s=$(command -v setsid) && bg_g=- || bg_g=
bg_f= bg_t=
exec 4<&0 5</dev/null 2>&1
[ -z "$bg_word" ] || printf '%s<\\n' "$bg_word"
[ "$bg_size" -eq 0 ] || bg_take
[ -z "$bg_alone" ] || ! command -v flock >/dev/null 2>&1 || bg_hold
bg_run @argv@
"""


@dataclass(frozen=True, slots=True)
class Errand:
    """A command for another machine. `word`: what frames its output there, "" for none; `limit`: whole seconds after
    which it is ended; `keep`: what it leaves running after a success stays."""

    argv: Sequence[str]
    variables: Mapping[str, str]
    cwd: Path | None = None
    stdin: bytes = b""
    limit: int | None = None
    alone: str = ""
    word: str = ""
    keep: bool = False

    def text(self) -> bytes:
        """The text that the other shell runs."""
        settings = {
            "bg_word": self.word,
            "bg_alone": self.alone,
            "bg_limit": "" if self.limit is None else str(self.limit),
            "bg_keep": "1" if self.keep else "",
            "bg_size": str(len(self.stdin)),
            "bg_cwd": "." if self.cwd is None else str(self.cwd),
        }
        fields = {
            "grace": str(GRACE),
            "left": str(LEFT_RUNNING),
            "cannot": str(CANNOT),
            "variables": "\n".join(f"export {name}={shlex.quote(value)}" for name, value in self.variables.items()),
            "argv": shlex.join(self.argv),
        }
        said = "".join(f"{name}={shlex.quote(value)}\n" for name, value in settings.items())
        text = FIELD.sub(lambda match: fields[match[1]], TEXT)
        return WHOLE.format(text=said + text).encode(errors="surrogateescape")

    def call(self) -> tuple[str, bytes]:
        """The line that ssh takes to the other side, and what then goes into its input."""
        text = self.text()
        return BOOTSTRAP.format(size=len(text)), text + self.stdin
