"""The causes of a deployment's end and the pages that call people: what each means, and what to do."""

CAUSES: dict[str, tuple[str, str]] = {
    "step-failed": (
        "A phase could not make true what it promises: a check, a command, a proof.",
        "bluegreen show names it; mend it, then bluegreen retry, or deploy again.",
    ),
    "deadline": ("A phase was not done within its deadline.", "The reason says what it waited for; see [deadlines]."),
    "operator": ("A person gave it up, took it back or superseded it.", "bluegreen audit says who and why."),
    "alert": ("An alert from outside took the release back.", "Look at that alert; the release is quarantined."),
    "regressed": (
        "The new release was worse than tolerated, and the daemon took it back. The release is quarantined.",
        "bluegreen explain shows the arithmetic; mend the release.",
    ),
    "blind": (
        "Nobody could tell how users fared until the deadline, and on_blind says to go back then.",
        "Find out why the log or the probes were silent; the release is not to blame.",
    ),
    "moved-outside": (
        "Somebody else moved the traffic. The release is not to blame, and not quarantined.",
        "Find out who; then deploy again.",
    ),
    "restarted-during-switch": (
        "The daemon went away in the middle of the switch, and what Caddy serves does not prove that it was done.",
        "Deploy again: the release is not to blame.",
    ),
    "failsafe": (
        "The daemon crashed again and again while a release was watched, and the failsafe took users back.",
        "Mend the daemon first: journalctl -u bluegreen.",
    ),
    "sent-back": (
        "bluegreen sent users back and ended before it could write down why. The release is quarantined.",
        "The log of before the restart says why: journalctl -u bluegreen -p warning",
    ),
    "gate-refused": ("A gate refused it: a rehearsal, mostly.", "bluegreen migrate plan says what to write instead."),
    "internal-error": ("A bug of the daemon ended the phase, in the safe direction.", "Report it with the log."),
}

PAGES: dict[str, tuple[str, str]] = {
    "schema-hurts": (
        "Migrations were applied by hand, and users of the live colour are hurt by them.",
        "Undo them by hand; bluegreen migrate status names them.",
    ),
    "contract-hurts": (
        "The release that serves fails its checks since a contract migration ran; there is no way back by itself.",
        "Mend it with a new release, or restore the backup: bluegreen backup list.",
    ),
    "both-colours": (
        "Answers come from the old colour, though all users were sent to the new one: a second balancer on the port?",
        "Look who listens: ss -ltnp. Stop the one that is not wanted.",
    ),
    "regressed-held": (
        "The new release is worse, and only a person may go back: a rollback, or an old colour that is down.",
        "Decide: bluegreen cutback, or keep it.",
    ),
    "live-only": (
        "Workers are not where users are: those of the other colour cannot be stopped, or these do not start.",
        "bluegreen status; where the other host is dead: bluegreen env takeover COLOUR --reason.",
    ),
    "live-only-held": (
        "Workers do not come along to the new colour, and only a person may send users back.",
        "bluegreen status, then decide: bluegreen cutback, or mend what is in the way.",
    ),
    "shared-cause": (
        "Users of both colours fare badly during a canary: the release is not to blame, and gets no more users.",
        "Find what both share. Then wait, or decide: bluegreen promote, or bluegreen cutback.",
    ),
    "cutback-withheld": (
        "The new release is worse and would have been cut back, but somebody paused the automation.",
        "Decide: bluegreen cutback, or bluegreen resume.",
    ),
    "paused": (
        "A watch is past its deadline and does not end, since automation is paused.",
        "bluegreen resume, or bluegreen promote --full --reason.",
    ),
    "blind": ("Nobody can tell how users fare; the watch does not end.", "Mend log or probes; cutback if in doubt."),
    "no-traffic": ("No user came to the new colour, only our probes.", "Decide: promote --full --reason, or cutback."),
    "no-way-back": ("The old colour does not answer: there is no way back now.", "Bring it up, or mend forward."),
    "both-bad": ("Users are back, and the old colour is not well either.", "Look for a shared cause."),
    "cutback-stuck": ("Users should go back, and Caddy does not take it. It is tried on.", "systemctl restart caddy"),
    "alert-held": ("An alert about the release came, and only a person may go back now.", "bluegreen status"),
    "moved-held": (
        "Somebody else moved the traffic, and nothing is done about it while automation is paused.",
        "Find out who; then bluegreen cutback, or bluegreen resume.",
    ),
    "drift-held": (
        "Traffic is not where it should be, nothing runs, and it is not put back while automation is paused.",
        "Find out who; then bluegreen resume.",
    ),
    "drift-again": ("Users were put back again and again: somebody keeps moving them.", "Find out who, and stop that."),
    "not-restored": ("Traffic went to a colour that is stopped, and cannot be put back.", "systemctl status caddy"),
    "restored": ("Traffic was moved to a colour that is stopped, and put back.", "Find out who did it."),
    "unreadable": ("Nobody watches: after a restart Caddy cannot be read.", "systemctl status caddy"),
}

VERDICTS: dict[str, tuple[str, str]] = {
    "healthy": (
        "The release is not worse, and enough was seen to rule out a worsening of [watch] min_effect.",
        "Nothing: the phase ends when its window has passed.",
    ),
    "undecided": (
        "Nothing speaks against the release, and too little was seen to call it healthy.",
        "Nothing: the window ends with a warning. bluegreen explain says how much is missing.",
    ),
    "regressed": (
        "Worse than tolerated beyond reasonable doubt, or a limit is broken.",
        "bluegreen explain shows the arithmetic.",
    ),
    "blind": (
        "A critical signal cannot be heard, so nobody knows how users fare.",
        "bluegreen status names the source: mend it. If you can tell yourself: promote --full, or cutback.",
    ),
}
"""What a verdict means, and what to do."""

WAYS_BACK: dict[str, tuple[str, str]] = {
    "ready": ("The old colour could take users back.", "Nothing."),
    "degraded": ("The old colour failed its last checks.", "bluegreen status says which; look at that colour."),
    "lost": (
        "The old colour could not take users back: a regression calls a person, and moves nothing.",
        "bluegreen status says why. Mend that colour, or bluegreen cutback --force.",
    ),
}
"""What is said of the way back, and what to do."""
