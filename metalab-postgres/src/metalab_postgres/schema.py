r"""The schema of the index: its tables, and what may be read from them.

One PostgreSQL schema holds the index of one store. Everything in it is derived from the
store's files and can be dropped at any time. All statements of metalab set ``search_path`` to
the schema alone, within their transaction, so tables stand unqualified there.

**runs** has one row for each run that any ``run``, ``start`` or ``forget`` line is about: its
greatest line by the order of ``metalab.store.fold``, which is (``epoch``, ``rank``,
``attempt``, ``writer``, ``part``, ``seq``). *A run whose row has ``rank = -1`` was forgotten:
it counts as never run, so every query says ``rank >= 0``.* ``exp`` is the experiment's number
in ``experiments``; a scoped store's queries say ``exp = ...``.

===================  ======================================================================
column               of the line, as ``metalab.store.document`` describes it
===================  ======================================================================
run_id status code   as in the line; all texts compare by code point (``COLLATE "C"``)
experiment_id        as in the line; ``plan_index`` is ``index``, 0 where that is missing
seed tags error      jsonb, null where missing; ``error`` without its traceback
replicate manifest launch notes params_fingerprint
started_at           ``time.start`` and ``time.end``, the very texts
finished_at
duration_ms          ``ms``: numeric, whose text has a point where the JSON number had one
params metrics       jsonb objects, null where empty
crc                  the line's checksum, by which derived values name their record
seg off len          the pointer: segment, and where in its (uncompressed) text the line lies
line                 null, or the whole line, see below
===================  ======================================================================

**Exactness.** In a line everything that JSON cannot hold is tagged (``{"$float": "nan"}``,
``{"$int": "..."}``, ``{"$tuple": [...]}``; ``metalab.identity.values``), and jsonb keeps that
and all other values exactly: numbers are numeric, with the point that tells a float from an
integer. Only the order of keys in objects is lost. *A row with ``line is not null`` is odd*:
jsonb cannot hold it as it is (it has U+0000 in a text, where the columns have U+FFFD), or
``params`` or ``metrics`` are no plain object of names (``{"$dict": [...]}``). Whatever depends
on values of such a row is to be worked out from ``line``; there are next to none.

**attempts** holds the lines about runs that another has displaced, keys and pointers alone;
with the rows of ``runs`` they are every attempt. **losses** are the attempts that have no end,
**forgotten** the epochs in which forgotten runs begin anew, **releases** the units that
writers gave up.

**series** has a row for each chunk of a metric series, with a summary of its points and a
pointer; the view **series_current** adds up the chunks that count. **derived** has every line
of derived values; the view **derived_current** shows those that count, ``stale`` where they
were made from another record. **artifacts** lists the artifacts of current records.

**fields** is the catalogue of the names of params and metrics: for each a bitmask of the
``kinds`` met (see ``KINDS``). It only ever grows until the index is rebuilt: a name that is not
in it has no value anywhere, one that is in it may have values in displaced lines alone.

**segments** holds the watermarks: how far each file was read (``ingested``, in detail
``position``), in the same transaction as the rows made of it. ``head_size`` and ``head_crc``
tell a file from another that took its name. **meta** has ``store_id``, ``schema_version`` and
``metric_indexes``, the sections and names of params and metrics that have an index of their own.

``num(object, name)`` is the float8 of a number that stands under a name in a jsonb object, null
for everything else, tagged numbers too. An index on it, which ``PostgresIndex.index_field``
makes, serves ``where num(metrics, 'acc') > 0.9 order by num(metrics, 'acc') desc nulls last``.

The view **records** is for people: current records with the experiment's id, forgotten runs
left out.
"""

from __future__ import annotations

__all__ = ["INDEXES", "KINDS", "TABLES", "VERSION", "VIEWS"]

VERSION = 1
"""The version of the schema that this module describes."""

KINDS = {
    "null": 1,
    "boolean": 2,
    "integer": 4,
    "float": 8,
    "string": 16,
    "array": 32,
    "object": 64,
}
"""The bits of ``fields.kinds``; tagged values, non-finite floats among them, are objects."""

TABLES = """
CREATE TABLE meta (key text PRIMARY KEY, value jsonb NOT NULL);

CREATE TABLE experiments (
    exp int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    experiment_id text COLLATE "C" NOT NULL UNIQUE,
    first_seen timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE segments (
    seg int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    exp int NOT NULL,
    name text COLLATE "C" NOT NULL,
    ingested bigint NOT NULL DEFAULT 0,
    position jsonb NOT NULL,
    head_size int NOT NULL DEFAULT 0,
    head_crc bigint NOT NULL DEFAULT 0,
    lines bigint NOT NULL DEFAULT 0,
    bad_lines int NOT NULL DEFAULT 0,
    sealed boolean NOT NULL DEFAULT false,
    prev_good jsonb NOT NULL DEFAULT '[]',
    replaces jsonb NOT NULL DEFAULT '[]',
    updated timestamptz NOT NULL DEFAULT now(),
    UNIQUE (exp, name)
);

CREATE TABLE runs (
    exp int NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    epoch bigint NOT NULL,
    rank smallint NOT NULL,
    attempt bigint NOT NULL,
    writer text COLLATE "C" NOT NULL,
    part bigint NOT NULL,
    seq bigint NOT NULL,
    status text COLLATE "C" NOT NULL,
    code text COLLATE "C" NOT NULL,
    experiment_id text COLLATE "C",
    manifest text COLLATE "C",
    launch text COLLATE "C",
    plan_index bigint NOT NULL,
    replicate bigint,
    seed jsonb,
    params_fingerprint text COLLATE "C",
    started_at text COLLATE "C",
    finished_at text COLLATE "C",
    duration_ms numeric,
    params jsonb,
    metrics jsonb,
    tags jsonb,
    notes text COLLATE "C",
    error jsonb,
    crc text COLLATE "C" NOT NULL,
    seg int NOT NULL,
    off bigint NOT NULL,
    len int NOT NULL,
    line bytea,
    PRIMARY KEY (exp, run_id)
);

CREATE TABLE attempts (
    exp int NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    epoch bigint NOT NULL,
    rank smallint NOT NULL,
    attempt bigint NOT NULL,
    writer text COLLATE "C" NOT NULL,
    part bigint NOT NULL,
    seq bigint NOT NULL,
    status text COLLATE "C" NOT NULL,
    code text COLLATE "C" NOT NULL,
    seg int NOT NULL,
    off bigint NOT NULL,
    len int NOT NULL,
    PRIMARY KEY (exp, run_id, epoch, rank, attempt, writer, part, seq)
);

CREATE TABLE losses (
    exp int NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    epoch bigint NOT NULL,
    attempt bigint NOT NULL,
    died text COLLATE "C" NOT NULL,
    cause text COLLATE "C" NOT NULL,
    PRIMARY KEY (exp, run_id, epoch, attempt, died, cause)
);

CREATE TABLE forgotten (
    exp int NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    epoch bigint NOT NULL,
    PRIMARY KEY (exp, run_id)
);

CREATE TABLE releases (
    exp int NOT NULL,
    plan text COLLATE "C" NOT NULL,
    unit bigint NOT NULL,
    writer text COLLATE "C" NOT NULL,
    PRIMARY KEY (exp, plan, unit, writer)
);

CREATE TABLE series (
    exp int NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    epoch bigint NOT NULL,
    attempt bigint NOT NULL,
    writer text COLLATE "C" NOT NULL,
    part bigint NOT NULL,
    seq bigint NOT NULL,
    name text COLLATE "C" NOT NULL,
    n bigint NOT NULL,
    last_step jsonb,
    last jsonb,
    min float8,
    max float8,
    seg int NOT NULL,
    off bigint NOT NULL,
    len int NOT NULL,
    PRIMARY KEY (exp, run_id, epoch, attempt, writer, part, seq)
);

CREATE TABLE derived (
    exp int NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    of_crc text COLLATE "C" NOT NULL,
    rev bigint NOT NULL,
    writer text COLLATE "C" NOT NULL,
    part bigint NOT NULL,
    seq bigint NOT NULL,
    code text COLLATE "C" NOT NULL,
    value jsonb,
    seg int NOT NULL,
    off bigint NOT NULL,
    len int NOT NULL,
    line bytea,
    PRIMARY KEY (exp, run_id, name, of_crc, rev, writer, part, seq)
);

CREATE TABLE artifacts (
    exp int NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    artifact_id text COLLATE "C",
    name text COLLATE "C",
    kind text COLLATE "C",
    format text COLLATE "C",
    uri text COLLATE "C",
    content_hash text COLLATE "C",
    size_bytes bigint
);

CREATE TABLE fields (
    exp int NOT NULL,
    section text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    kinds int NOT NULL
);
CREATE UNIQUE INDEX fields_name ON fields (exp, section, md5(name));  -- names may be of any length

CREATE FUNCTION num(object jsonb, name text) RETURNS float8
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
        SELECT CASE jsonb_typeof(object -> name) WHEN 'number' THEN (object ->> name)::float8 END
    $$;
"""

VIEWS = """
CREATE VIEW records AS
    SELECT e.experiment_id, r.run_id, r.status, r.attempt, r.plan_index, r.replicate, r.seed,
        r.params, r.metrics, r.tags, r.notes, r.error ->> 'type' AS error_type,
        r.error ->> 'message' AS error_message, r.started_at::timestamptz AS started_at,
        r.finished_at::timestamptz AS finished_at, r.duration_ms, r.code, r.params_fingerprint,
        r.manifest, r.launch
    FROM runs r JOIN experiments e USING (exp)
    WHERE r.rank >= 0;

CREATE VIEW series_current AS
    WITH own AS (
        SELECT s.*, coalesce(
            max(s.writer) FILTER (WHERE s.writer = r.writer) OVER of_run,
            max(s.writer) OVER of_run
        ) AS chosen
        FROM series s JOIN runs r USING (exp, run_id, epoch, attempt)
        WHERE r.rank >= 0
        WINDOW of_run AS (PARTITION BY s.exp, s.run_id)
    )
    SELECT exp, run_id, name, sum(n)::bigint AS n,
        (array_agg(last_step ORDER BY part DESC, seq DESC))[1] AS last_step,
        (array_agg(last ORDER BY part DESC, seq DESC))[1] AS last,
        min(min) AS min, max(max) AS max
    FROM own WHERE writer = chosen
    GROUP BY exp, run_id, name;

CREATE VIEW derived_current AS
    SELECT DISTINCT ON (d.exp, d.run_id, d.name)
        d.exp, d.run_id, d.name, d.value, d.code, d.of_crc, d.rev, d.of_crc <> r.crc AS stale,
        d.seg, d.off, d.len, d.line
    FROM derived d JOIN runs r USING (exp, run_id)
    WHERE r.rank >= 0
    ORDER BY d.exp, d.run_id, d.name, d.of_crc = r.crc DESC, d.rev DESC, d.writer DESC,
        d.part DESC, d.seq DESC;
"""

INDEXES = """
CREATE INDEX runs_status ON runs (status, exp);  -- exp first would rival the primary key
CREATE INDEX runs_odd ON runs (exp) WHERE line IS NOT NULL;
CREATE INDEX runs_params ON runs USING gin (params jsonb_path_ops);
CREATE INDEX artifacts_run ON artifacts (exp, run_id);
"""
