"""The error codes of the API and the exit codes of the command line: what each means, and what to do."""

ERRORS: dict[str, tuple[str, str]] = {
    # what was asked for and cannot be had
    "error": ("Something went wrong that has no code of its own.", "Read the text; the daemon's log has the rest."),
    "configuration": ("The configuration cannot be used.", "bluegreen config check names file, line and key."),
    "not-possible": ("This cannot be done now, as things stand.", "Type what the refusal offers as next."),
    "not-found": ("There is no deployment, plan, backup or name like this.", "bluegreen history lists the ids."),
    "wrong-phase": (
        "The deployment is in a phase where this verb does nothing.",
        "bluegreen status says which; docs/operations.md has the table of verbs and phases.",
    ),
    "deployment-in-progress": (
        "Another deployment runs, or one is STRANDED and nobody settled it. With `superseding`: it is being ended.",
        "Watch it, abort it, or deploy with --supersede; settle a STRANDED one with retry, cutback or resolve.",
    ),
    "plan-stale": (
        "The plan was made for another state: routes, release, migrations or settings changed, or an hour passed.",
        "Plan again, read it, deploy that plan.",
    ),
    "gate-refused": (
        "A gate refuses: a rehearsal, the schema, quarantine (it was cut back), version policy, pins, or secrets.",
        "The text says which and what to type. What gives way to --force --reason names that command.",
    ),
    "observe-only": (
        'The daemon only watches (automation = "observe"): it changes nothing, and says what it would have done.',
        'Set automation = "act" and type bluegreen reload; docs/guides/first-steps.md.',
    ),
    "not-permitted": ("Your user does not have the right for this.", "Ask for a group of [access] that has it."),
    "release-invalid": ("The release file cannot be read, or its name is none.", "Correct it: the text says where."),
    "deployment-moved-on": (
        "If-Match named a state in which the deployment is no more.",
        "Look again, then decide again.",
    ),
    "validation": ("The request has fields that are missing, unknown or wrong.", "Each is named; correct it."),
    "malformed": (
        "The request is no JSON, or not of the shape that HTTP asks for.",
        "Correct the program that sends it.",
    ),
    "method-not-allowed": ("The path exists, and does not take this method.", "GET /v1/openapi.json lists them."),
    "body-too-large": ("The body is larger than is taken.", "Send less."),
    "body-timeout": ("The body came too slowly.", "Send it again."),
    "too-many-streams": ("Too many clients follow events.", "Close some; who follows twice needs one stream only."),
    "unauthorized": ("The hook's token is wrong or missing.", "Compare [hooks.NAME] token with the sender's."),
    "too-many-requests": ("This sender asks too often.", "Wait as long as Retry-After says."),
    "caller-gone": ("The caller went away before its request was read.", "Ask again."),
    "http": ("HTTP itself refuses the request.", "Correct the program that sends it."),
    "internal": ("The daemon has a bug or a broken part.", "journalctl -u bluegreen -p warning says more."),
    "peer-unmapped": (
        "The kernel shows you as nobody: user namespaces map your credentials, so you might be anybody.",
        "systemctl show -p PrivateUsers bluegreen; it must be no.",
    ),
    # what the outside world answered
    "outside": ("A part outside the daemon failed.", "The text names it."),
    "step-failed": (
        "A step could not make true what its phase promises.",
        "The reason names it; bluegreen logs shows what its commands printed.",
    ),
    "balancer": ("The balancer failed in a way of its own.", "systemctl status caddy; the text names it."),
    "caddy-unreachable": (
        "Caddy's admin endpoint (or another balancer's API) does not answer; nothing was sent. Users are as before.",
        "systemctl status caddy; check the rights on its socket and [caddy] admin. Otherwise: bluegreen doctor.",
    ),
    "route-not-found": (
        "No route of Caddy serves a configured service.",
        "Compare [[services]] site with the Caddyfile; the JSON paths are in the text.",
    ),
    "route-ambiguous": ("More than one route of Caddy fits a service.", "Make site more exact, or set every_route."),
    "address-invalid": ("An address of a service cannot be dialled.", "Correct blue or green of that [[services]]."),
    "change-refused": ("Caddy refused the change; nothing of it took effect.", "Its answer is in the text."),
    "foreign-change": (
        "Somebody else changed Caddy's configuration between our read and our write.",
        "Find who; a reload in a loop is the usual one.",
    ),
    "moved-outside": ("Traffic is not where the journal says: somebody else moved it.", "Find out who and why first."),
    "change-unknown": (
        "A write to Caddy got no answer and may land late. The daemon settles it by a write with a higher number.",
        "Nothing, unless the deployment ends STRANDED.",
    ),
    "connection-lost": (
        "The connection to Caddy broke before the answer; a read settles whether it took effect.",
        "Nothing, unless the deployment ends STRANDED.",
    ),
    "signal-failed": (
        "A source of signals cannot be heard.",
        "Correct its section under [watch]; bluegreen doctor tries each of them.",
    ),
    "runner-failed": ("`up`, `down` or `logs` of a colour failed.", "bluegreen logs shows what it printed."),
    "live-colour-protected": (
        "The colour that users are on is never started or stopped; also where nobody can read which that is.",
        "bluegreen status says where the traffic is.",
    ),
    "database-unreachable": ("Postgres does not answer. A cutback does not need it.", "Check Postgres and the DSN."),
    "migration-failed": (
        "A migration failed; the ledger knows how far it came.",
        "bluegreen migrate status; then correct the file or the schema and deploy again.",
    ),
    "rehearsal-failed": (
        "The migrations could not be tried on a scratch copy; production was not touched.",
        "The text says what is missing; then: bluegreen migrate plan",
    ),
    "lock-busy": ("A lock could not be had in its time.", "The holder is named; wait for it or end it."),
    "backup-failed": ("The backup could not be taken or verified.", "The text says which step; nothing was changed."),
    "variables-unreadable": (
        "A file of variables ([environments.<colour>] env_files) is not there, or is none; no value was told.",
        "The text says which, and the line. bluegreen env check looks again.",
    ),
    "notifier-failed": ("A message could not be delivered.", "bluegreen notify test NAME"),
    "hook-failed": ("The hook listener did not take the test.", "Check [hooks] listen and the token."),
    "state-failed": ("The journal failed. Traffic does not depend on it.", "Check the state directory."),
    "state-unwritable": (
        "The state directory cannot be written: full, read-only or slow. Nothing new starts; a cutback works.",
        "Make room or remount; what is in memory is written then.",
    ),
    "state-unreadable": (
        "The state file is damaged, or of a newer program.",
        "Install the newer program, or see docs/operations.md on the damaged file.",
    ),
    "already-running": ("Another daemon holds the lock of this state directory.", "Stop that one first."),
    "not-ready": ("The daemon turns, and is not fully able to work.", "The reasons are in the answer."),
    "starting": ("The daemon has not looked at Caddy yet.", "Ask again in a second."),
    # what the command line finds
    "not-running": ("Nobody listens on the socket.", "systemctl status bluegreen"),
    "no-answer": ("The daemon went away or was too slow; what was asked may still happen.", "bluegreen status"),
    "denied": ("The kernel does not let you connect to the socket.", "ls -l the socket; your groups: id"),
    "version": ("Program and daemon are of different versions.", "bluegreen --version on both sides."),
    "timeout": ("--timeout is over; what was begun goes on.", "bluegreen watch attaches again."),
}

EXITS: dict[str, tuple[str, str]] = {
    "0": ("Done.", "Nothing."),
    "1": ("Error, not found, or the question was answered with no.", "Read the text."),
    "2": ("Wrong usage.", "Add --help to the verb."),
    "3": ("The daemon is not running, or does not answer.", "systemctl status bluegreen"),
    "4": ("Not permitted.", "See [access] in the configuration."),
    "5": ("Not possible in this state, or the plan is stale.", "Type what is offered as next."),
    "6": (
        "Refused by a gate: quarantine, a rehearsal, or the schema.",
        "The text says which; correct that, then deploy again.",
    ),
    "10": ("plan --exit-code: the release is not what serves now.", "Nothing: it is an answer."),
    "20": ("The deployment failed, and traffic never moved.", "bluegreen show says why."),
    "21": ("The daemon took the release back.", "bluegreen explain shows the verdict."),
    "22": ("An operator gave it up or took it back.", "bluegreen show says who and why."),
    "23": ("It needs an operator: STRANDED.", "bluegreen status; then retry, cutback or resolve."),
    "75": ("Another daemon holds the lock.", "Stop that one first."),
    "78": ("The configuration cannot be used.", "bluegreen config check"),
    "124": ("--timeout is over; the deployment goes on.", "bluegreen watch"),
    "130": ("Detached by Ctrl-C; the deployment goes on.", "bluegreen watch"),
}
