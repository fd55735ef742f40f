-- What sowing a row into each table of a copy asks (postgres/queries.py).

-- name: empty_tables
-- The tables that hold nothing, in the order made, with their columns, checks and references. Of a partitioned table
-- its leaves, with the bound as a check. Foreign tables lie on other servers and are left alone.
SELECT c.oid::bigint AS oid, format('%I.%I', n.nspname, c.relname) AS name,
    (SELECT p.relid::oid::bigint FROM pg_partition_root(c.oid) AS p (relid) WHERE c.relispartition) AS root,
    (
        SELECT json_agg(json_build_object(
            'attnum', a.attnum, 'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
            'domain', CASE t.typtype WHEN 'd' THEN t.oid::bigint END,
            'base', CASE t.typtype WHEN 'd' THEN format_type(t.typbasetype, t.typtypmod)
                ELSE format_type(a.atttypid, a.atttypmod) END,
            'category', t.typcategory, 'required', a.attnotnull OR t.typnotnull,
            'filled', a.atthasdef OR a.attidentity <> '',
            'labels', (SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum AS e
                WHERE e.enumtypid = CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END)
        ) ORDER BY a.attnum)
        FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
    ) AS columns,
    (
        SELECT json_agg(json_build_object('name', k.conname, 'columns', k.conkey,
            'condition', pg_get_expr(k.conbin, k.conrelid)) ORDER BY k.conname)
        FROM pg_constraint AS k WHERE k.conrelid = c.oid AND k.contype = 'c'
    ) AS checks,
    CASE WHEN c.relispartition THEN pg_get_partition_constraintdef(c.oid) END AS bound,
    (
        SELECT json_agg(json_build_object('parent', k.confrelid::bigint, 'columns', k.conkey,
            'name', (SELECT format('%I.%I', pn.nspname, p.relname) FROM pg_class AS p
                JOIN pg_namespace AS pn ON pn.oid = p.relnamespace WHERE p.oid = k.confrelid),
            'theirs', (SELECT array_agg(quote_ident(a.attname) ORDER BY place)
                FROM unnest(k.confkey) WITH ORDINALITY AS f (attnum, place)
                JOIN pg_attribute AS a ON a.attrelid = k.confrelid AND a.attnum = f.attnum)) ORDER BY k.conname)
        FROM pg_constraint AS k WHERE k.conrelid = c.oid AND k.contype = 'f'
    ) AS parents
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND pg_relation_size(c.oid) = 0
    AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'bluegreen')
    AND NOT EXISTS (SELECT FROM pg_depend AS d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY c.oid;

-- name: sow
-- Runs the statements in bluegreen.seeds (JSON) until one fails, whose work alone is undone; bluegreen.sown says how many
-- went well. All in one round trip.
DO $bluegreen$
DECLARE
    statement text;
    sown integer := 0;
BEGIN
    FOR statement IN SELECT * FROM jsonb_array_elements_text(current_setting('bluegreen.seeds')::jsonb) LOOP
        BEGIN
            EXECUTE statement;
        EXCEPTION WHEN OTHERS THEN
            EXIT;
        END;
        sown := sown + 1;
    END LOOP;
    PERFORM set_config('bluegreen.sown', sown::text, true);
END
$bluegreen$;

-- name: domains
-- The conditions of each domain, where VALUE is the value, and what it stands on.
SELECT contypid::bigint AS domain, format_type(t.typbasetype, t.typtypmod) AS base,
    array_agg(pg_get_constraintdef(k.oid)) AS definitions
FROM pg_constraint AS k JOIN pg_type AS t ON t.oid = k.contypid
WHERE k.contype = 'c' GROUP BY 1, 2;

-- name: positions
-- Where production's sequences stand; last is NULL for those that were never used, or may not be seen.
SELECT format('%I.%I', schemaname, sequencename) AS name, last_value AS last
FROM pg_sequences WHERE schemaname NOT IN ('pg_catalog', 'information_schema', 'bluegreen');

-- name: set_positions
-- Sets sequences $1 to where they stood ($2; NULL: to their start, unused).
SELECT count(setval(s.seqrelid::regclass, coalesce(wanted.last, s.seqstart), wanted.last IS NOT NULL))
FROM unnest($1::text[], $2::bigint[]) AS wanted (name, last)
JOIN pg_sequence AS s ON s.seqrelid = to_regclass(wanted.name)
WHERE coalesce(wanted.last, s.seqstart) BETWEEN s.seqmin AND s.seqmax;

-- name: populated
-- Materialised views that hold rows.
SELECT format('%I.%I', n.nspname, c.relname) AS name
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'm' AND c.relispopulated ORDER BY c.oid;

-- name: unpopulated
-- Materialised views without rows, in the order in which they were made.
SELECT format('%I.%I', n.nspname, c.relname) AS name
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'm' AND NOT c.relispopulated ORDER BY c.oid;
