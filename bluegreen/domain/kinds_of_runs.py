"""Kinds of findings about what a file says and what its run showed.

Each: its name, its gate in expand and in contract, its meaning, what to write instead.
"""

TABLE = """
cluster-statement refuse refuse
  It changes what all databases of the server share (roles, settings, databases, tablespaces): not even run on a copy.
  Do it by hand or by what sets up the server, before the deployment; a migration changes one database.

copy-program refuse refuse
  COPY … PROGRAM runs a program on the database's server: not even run on a copy.
  Load data with INSERT, or with a command of your own (kind = "command").

other-database refuse refuse
  It reaches another database or server (dblink, foreign servers, subscriptions): not even run on a copy.
  Set the connection up by hand; a migration changes one database.

server-file refuse refuse
  It reads or writes files of the database's server: not even run on a copy.
  Load data with INSERT, or with a command of your own (kind = "command").

untrusted-language refuse refuse
  Code in an untrusted language can do anything on the server: not even run on a copy.
  Write it in SQL or plpgsql, or install it by hand.

ledger-touched refuse refuse
  It touches schema bluegreen, where the ledger lies.
  Leave that schema alone; `bluegreen migrate repair` mends the ledger.

catalogue-written refuse refuse
  It writes Postgres's own catalogue past all of its rules.
  Use the ALTER statement that does the same.

role-switched refuse refuse
  It goes on as another role, and so would our row in the ledger.
  Leave SET ROLE out and give the new thing its owner: ALTER TABLE {object} OWNER TO …;

event-trigger refuse refuse
  An event trigger runs on every change of the schema, ours too.
  Install it by hand.

triggers-switched-off refuse refuse
  Triggers and foreign keys are switched off for the session: rows can end up wrong without an error.
  Leave session_replication_role alone; bring rows to shape in a .backfill.sql file.

explicit-lock warn warn
  It takes a lock by hand.
  Leave LOCK TABLE out: each statement takes what it needs, and is tried gently.

truncated refuse warn
  All rows of a table are removed that the running version may read.
  Remove rows in a contract file, once nothing reads them.

rows-deleted refuse warn
  Rows are removed that the running version may read.
  Delete them in a contract file once nothing reads them, many of them in batches by a .backfill.sql file.

rows-updated refuse warn
  Rows are changed that the running version reads.
  Change them in a contract file; or let the new version read a new column, filled by a .backfill.sql file.

rows-filled warn warn
  A new column is filled in one go, in a table with few rows.

rows-inserted allow allow
  Rows are added to a table that the running version reads.

rows-written warn warn
  A tool writes rows of a table that the running version uses: whether it adds or changes some, nobody can tell.

rows-may-not-fit refuse refuse
  It works on production's rows, which the copy does not have, with what can fail on them (a cast, a division).
  Make it total: NULLIF(…, 0) for a divisor, CASE WHEN … around a cast; or look at the rows first, and accept it.

rows-copied warn warn
  Rows are copied in one go; what the running version writes afterwards is not among them.
  Copy in batches by a .backfill.sql file.

unbatched-update refuse refuse
  One statement changes many rows: they stay locked until it ends, and each leaves a dead one behind.
  Move it into NNNN_name.backfill.sql, beginning with: -- bluegreen: backfill table={object} key=…

unbatched-delete refuse refuse
  One statement removes many rows: they stay locked until it ends.
  Delete in batches: NNNN_name.backfill.sql, beginning with: -- bluegreen: backfill table={object} key=…

error refuse refuse
  It fails.
  Correct it and rehearse again: bluegreen migrate plan

not-seen warn warn
  It could not be judged on the copy, as the copy lacks the rows it needs.
  Rehearse from the backup's rows: [rehearsal] from = "backup"

not-rehearsed warn warn
  No copy could be made: only its text was read.

production-changed refuse refuse
  Production was changed while it was rehearsed: by a tool that does not keep to its DSN, or by somebody else.
  Find out who changed it (bluegreen migrate status), then rehearse again: bluegreen migrate plan

half-done refuse refuse
  It fails in the middle and leaves a part of itself behind.
  Split it, so that each file can be repeated, or leave the no-transaction header out.

not-a-backfill refuse refuse
  A backfill file does something else than change rows in batches.
  Move it into an .expand.sql or .contract.sql file.

query-broken refuse refuse
  A query of the running version fails after it.
  Release a version that does not ask this any more first; then do it in a contract file.

query-of-another-version warn warn
  A query fails after it that was counted, but not lately: it may be an earlier version's.

insert-misses-column refuse refuse
  An INSERT of the running version does not fill a column that must be filled now.
  Give the column a default, or leave it nullable until a contract file.

result-shape-changed warn warn
  A query of the running version (SELECT *) gives other columns now: prepared statements must be prepared again.
  Name the columns in the query.

rows-in-the-way refuse refuse
  Production holds rows that do not fit.
  Bring them to shape first, in a .backfill.sql file.

rows-unknown warn warn
  Whether production holds rows that do not fit could not be found out.

lock allow allow
  A table that is in use is locked for a moment; users wait at most [[migrations]] lock_timeout.

scan warn warn
  A table is read to its end while its users wait.
  ADD CONSTRAINT … NOT VALID first, VALIDATE CONSTRAINT in a file of its own: that one lets writers go on.

rewrite warn warn
  A table is written anew while all of its users wait.
  Add a nullable column, fill it by a .backfill.sql file, and use that one from the next release on.

index-build warn warn
  An index is built while writers of its table wait.
  Write it into a file that begins with -- bluegreen: no-transaction, as CREATE INDEX CONCURRENTLY … ON {table} …

too-long-under-lock refuse refuse
  Users of a table would wait longer than a statement under a strong lock may run: it would be cut off and fail.
  Build indexes CONCURRENTLY, validate constraints in a later file, fill new columns by a .backfill.sql file.

accepted-nothing warn warn
  The file accepts a kind of finding that was not found.
  Take the directive out.
"""
