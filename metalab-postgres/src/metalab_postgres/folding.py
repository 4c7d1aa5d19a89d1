"""Folding lines into the index, by the very order in which files are folded.

Statements see lines in the temporary table ``incoming`` and run one transaction at a time, so
what they find in the tables is all that was folded before; runs of which nothing is there enter
side by side. Every statement may be repeated with the same lines, or be given lines in any order,
and the tables come out the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, LiteralString

from metalab_postgres.incoming import RECORDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from psycopg import Cursor

    from metalab_postgres.incoming import Batch, Item

__all__ = ["copy", "fold", "fold_new", "forget_experiment", "prepare"]

TABLES = (
    "segments",
    "runs",
    "attempts",
    "losses",
    "forgotten",
    "releases",
    "series",
    "derived",
    "artifacts",
    "fields",
)
"""What has rows of experiments, by ``exp``."""

_INCOMING = """
    CREATE TEMPORARY TABLE IF NOT EXISTS incoming
        (kind text, off bigint, len int, doc jsonb, line bytea);
    TRUNCATE pg_temp.incoming;
"""


_ARRIVED: LiteralString = """
    SELECT %(exp)s::int AS exp, doc ->> 'id' COLLATE "C" AS run_id,
        (doc ->> 'epoch')::bigint AS epoch,
        CASE doc ->> 't' WHEN 'forget' THEN -1 ELSE
            CASE doc ->> 'status'
                WHEN 'success' THEN 3 WHEN 'failed' THEN 2 WHEN 'cancelled' THEN 1 ELSE 0
            END
        END::smallint AS rank,
        coalesce((doc ->> 'attempt')::bigint, 0) AS attempt,
        coalesce(doc ->> 'writer', '') COLLATE "C" AS writer,
        coalesce((doc ->> 'part')::bigint, 1) AS part,
        coalesce((doc ->> 'seq')::bigint, 0) AS seq,
        CASE doc ->> 't' WHEN 'forget' THEN 'forgotten' ELSE
            coalesce(doc ->> 'status', 'running')
        END AS status,
        coalesce(doc ->> 'code', '') AS code,
        %(seg)s::int AS seg, off, len, doc, line
    FROM pg_temp.incoming WHERE kind IN ('run', 'start', 'forget')
"""

_VALUES: LiteralString = """
    exp, run_id, epoch, rank, attempt, writer, part, seq, status, code,
    doc ->> 'experiment', doc ->> 'manifest', doc ->> 'launch',
    greatest((doc ->> 'index')::bigint, 0), (doc ->> 'replicate')::bigint,
    nullif(doc -> 'seed', 'null'), doc -> 'fingerprints' ->> 'params',
    doc -> 'time' ->> 'start', doc -> 'time' ->> 'end', (doc ->> 'ms')::numeric,
    nullif(doc -> 'params', 'null'), nullif(doc -> 'metrics', 'null'),
    nullif(doc -> 'tags', 'null'), doc ->> 'notes',
    nullif(doc -> 'error', 'null') - 'traceback',
    coalesce(doc ->> 'crc', ''), seg, off, len, line
"""

# What arrives about runs of which nothing is there is current as it is. In one order for all who
# do this at once, so that none of them waits for one that waits for it.
_NEW: LiteralString = f"""
INSERT INTO runs SELECT {_VALUES} FROM ({_ARRIVED}) AS arrived ORDER BY run_id
ON CONFLICT DO NOTHING
"""  # noqa: S608  of constants

# The greatest arrived line of each run becomes current unless a greater one is there; whatever
# is displaced, arrived or there before, is kept as an attempt. An equal line is a copy, and the
# pointer then goes to where it was read last.
_RUNS: LiteralString = f"""
WITH arrived AS MATERIALIZED (
{_ARRIVED}
), placed AS MATERIALIZED (
    SELECT *, row_number() OVER down AS place, dense_rank() OVER down AS distinct_place
    FROM arrived
    WINDOW down AS (PARTITION BY run_id ORDER BY epoch DESC, rank DESC, attempt DESC,
        writer DESC, part DESC, seq DESC)
), rivals AS MATERIALIZED (
    SELECT r.*, (r.epoch, r.rank, r.attempt, r.writer, r.part, r.seq)
        < (p.epoch, p.rank, p.attempt, p.writer, p.part, p.seq) AS is_less,
        (r.epoch, r.rank, r.attempt, r.writer, r.part, r.seq)
        > (p.epoch, p.rank, p.attempt, p.writer, p.part, p.seq) AS is_greater
    FROM placed p JOIN runs r USING (exp, run_id)
    WHERE p.place = 1
), displaced AS (
    SELECT exp, run_id, epoch, rank, attempt, writer, part, seq, status, code, seg, off, len,
        false AS is_new
    FROM rivals WHERE is_less
    UNION ALL
    SELECT exp, run_id, epoch, rank, attempt, writer, part, seq, status, code, seg, off, len, true
    FROM placed WHERE distinct_place > 1
        OR (exp, run_id) IN (SELECT exp, run_id FROM rivals WHERE is_greater)
), kept AS (
    INSERT INTO attempts
    SELECT DISTINCT ON (run_id, epoch, rank, attempt, writer, part, seq)
        exp, run_id, epoch, rank, attempt, writer, part, seq, status, code, seg, off, len
    FROM displaced
    ORDER BY run_id, epoch, rank, attempt, writer, part, seq, is_new DESC, off
    ON CONFLICT (exp, run_id, epoch, rank, attempt, writer, part, seq)
    DO UPDATE SET seg = excluded.seg, off = excluded.off, len = excluded.len
)
INSERT INTO runs
SELECT {_VALUES}
FROM placed WHERE place = 1 ORDER BY run_id
ON CONFLICT (exp, run_id) DO UPDATE SET
    (epoch, rank, attempt, writer, part, seq, status, code, experiment_id, manifest, launch,
    plan_index, replicate, seed, params_fingerprint, started_at, finished_at, duration_ms, params,
    metrics, tags, notes, error, crc, seg, off, len, line)
    = (excluded.epoch, excluded.rank, excluded.attempt, excluded.writer, excluded.part,
    excluded.seq, excluded.status, excluded.code, excluded.experiment_id, excluded.manifest,
    excluded.launch, excluded.plan_index, excluded.replicate, excluded.seed,
    excluded.params_fingerprint, excluded.started_at, excluded.finished_at, excluded.duration_ms,
    excluded.params, excluded.metrics, excluded.tags, excluded.notes, excluded.error,
    excluded.crc, excluded.seg, excluded.off, excluded.len, excluded.line)
WHERE (runs.epoch, runs.rank, runs.attempt, runs.writer, runs.part, runs.seq)
    <= (excluded.epoch, excluded.rank, excluded.attempt, excluded.writer, excluded.part,
    excluded.seq)
"""  # noqa: S608  as above

_FORGOTTEN: LiteralString = """
INSERT INTO forgotten
SELECT %(exp)s, doc ->> 'id' COLLATE "C" AS run_id, max((doc ->> 'epoch')::bigint)
FROM pg_temp.incoming WHERE kind = 'forget'
GROUP BY 2 ORDER BY 2
ON CONFLICT (exp, run_id) DO UPDATE SET epoch = greatest(forgotten.epoch, excluded.epoch)
"""

_NO_ARTIFACTS: LiteralString = """
DELETE FROM artifacts a USING pg_temp.incoming i
WHERE a.exp = %(exp)s AND i.kind IN ('run', 'start', 'forget') AND a.run_id = i.doc ->> 'id'
    AND EXISTS (SELECT FROM runs r WHERE r.exp = a.exp AND r.run_id = a.run_id
        AND r.seg = %(seg)s AND r.off = i.off)
"""

_ARTIFACTS: LiteralString = """
INSERT INTO artifacts
SELECT r.exp, r.run_id, a ->> 'artifact_id', a ->> 'name', a ->> 'kind', a ->> 'format',
    a ->> 'uri', a ->> 'content_hash', (a ->> 'size_bytes')::bigint
FROM pg_temp.incoming i
    JOIN runs r ON r.exp = %(exp)s AND r.run_id = i.doc ->> 'id'
        AND r.seg = %(seg)s AND r.off = i.off
    CROSS JOIN LATERAL jsonb_array_elements(i.doc -> 'artifacts') a
WHERE i.kind IN ('run', 'start') AND jsonb_typeof(i.doc -> 'artifacts') = 'array' AND r.rank >= 0
"""

_SERIES: LiteralString = """
INSERT INTO series
SELECT DISTINCT ON (run_id, epoch, attempt, writer, part, seq)
    %(exp)s, doc ->> 'id' COLLATE "C" AS run_id, (doc ->> 'epoch')::bigint AS epoch,
    (doc ->> 'attempt')::bigint AS attempt, coalesce(doc ->> 'writer', '') COLLATE "C" AS writer,
    coalesce((doc ->> 'part')::bigint, 1) AS part, coalesce((doc ->> 'seq')::bigint, 0) AS seq,
    doc ->> 'name', jsonb_array_length(doc -> 'points'), doc -> 'points' -> -1 -> 0,
    doc -> 'points' -> -1 -> 1, s.low, s.high, %(seg)s, off, len
FROM pg_temp.incoming CROSS JOIN LATERAL (
    SELECT min((p ->> 1)::float8) AS low, max((p ->> 1)::float8) AS high
    FROM jsonb_array_elements(doc -> 'points') p WHERE jsonb_typeof(p -> 1) = 'number'
) s
WHERE kind = 'series'
ORDER BY run_id, epoch, attempt, writer, part, seq, off
ON CONFLICT (exp, run_id, epoch, attempt, writer, part, seq)
DO UPDATE SET seg = excluded.seg, off = excluded.off, len = excluded.len
"""

_DERIVED: LiteralString = """
INSERT INTO derived
SELECT DISTINCT ON (run_id, name, of_crc, rev, writer, part, seq)
    %(exp)s, doc ->> 'id' COLLATE "C" AS run_id, doc ->> 'name' COLLATE "C" AS name,
    coalesce(doc ->> 'of', '') COLLATE "C" AS of_crc, coalesce((doc ->> 'rev')::bigint, 1) AS rev,
    coalesce(doc ->> 'writer', '') COLLATE "C" AS writer,
    coalesce((doc ->> 'part')::bigint, 1) AS part, coalesce((doc ->> 'seq')::bigint, 0) AS seq,
    coalesce(doc ->> 'code', ''), doc -> 'values', %(seg)s, off, len, line
FROM pg_temp.incoming WHERE kind = 'derived'
ORDER BY run_id, name, of_crc, rev, writer, part, seq, off
ON CONFLICT (exp, run_id, name, of_crc, rev, writer, part, seq)
DO UPDATE SET seg = excluded.seg, off = excluded.off, len = excluded.len
"""

_LOSSES: LiteralString = """
INSERT INTO losses
SELECT DISTINCT %(exp)s::int, doc ->> 'id', (doc ->> 'epoch')::bigint,
    (doc ->> 'attempt')::bigint, doc ->> 'died', doc ->> 'cause'
FROM pg_temp.incoming WHERE kind = 'lost'
ORDER BY 2, 3, 4, 5, 6
ON CONFLICT DO NOTHING
"""

_RELEASES: LiteralString = """
INSERT INTO releases
SELECT DISTINCT %(exp)s::int, doc ->> 'plan', u::bigint, doc ->> 'writer'
FROM pg_temp.incoming CROSS JOIN LATERAL jsonb_array_elements_text(doc -> 'units') u
WHERE kind = 'release'
ORDER BY 2, 3, 4
ON CONFLICT DO NOTHING
"""

_FIELDS: LiteralString = """
INSERT INTO fields
SELECT %(exp)s, * FROM unnest(%(sections)s::text[], %(names)s::text[], %(kinds)s::int[])
ON CONFLICT (exp, section, md5(name)) DO UPDATE SET kinds = fields.kinds | excluded.kinds
WHERE fields.kinds | excluded.kinds <> fields.kinds
"""

_BY_KIND: tuple[tuple[frozenset[str], LiteralString], ...] = (
    (RECORDS, _RUNS),
    (frozenset({"forget"}), _FORGOTTEN),
    (frozenset({"series"}), _SERIES),
    (frozenset({"derived"}), _DERIVED),
    (frozenset({"lost"}), _LOSSES),
    (frozenset({"release"}), _RELEASES),
)


def prepare(cursor: Cursor[Any]) -> None:
    """Make ``incoming`` empty; settings for folding hold until the transaction ends."""
    cursor.execute("SET LOCAL work_mem TO '64MB'")
    # Few lines meet many runs; without statistics of the former all of the latter might be read.
    cursor.execute("SET LOCAL enable_seqscan TO off")
    cursor.execute(_INCOMING)


def copy(cursor: Cursor[Any], items: Iterable[Item]) -> None:
    """Send lines to ``incoming``."""
    with cursor.copy("COPY pg_temp.incoming FROM STDIN") as stream:
        stream.write(b"".join(item.row() for item in items))


def fold_new(cursor: Cursor[Any], exp: int, seg: int, batch: Batch) -> bool:
    """Fold records of runs of which the index has nothing; False if it has something of one.

    Then what this did has to be rolled back. Others may do the same at the same time.
    """
    where = {"exp": exp, "seg": seg}
    cursor.execute(_NEW, where)
    if cursor.rowcount != len(batch.items):
        return False
    if batch.has_artifacts:
        cursor.execute(_ARTIFACTS, where)
    _fold_fields(cursor, batch, where)
    return True


def fold(cursor: Cursor[Any], exp: int, seg: int, batch: Batch) -> None:
    """Fold what is in ``incoming``, which is this batch of a segment of an experiment."""
    where = {"exp": exp, "seg": seg}
    kinds = batch.kinds
    for kind, statement in _BY_KIND:
        if kinds & kind:
            cursor.execute(statement, where)
    if kinds & RECORDS:
        _fold_artifacts(cursor, batch, where)
    _fold_fields(cursor, batch, where)


def _fold_fields(cursor: Cursor[Any], batch: Batch, where: dict[str, int]) -> None:
    if batch.fields:
        sections, names = zip(*batch.fields, strict=True)
        named = {"sections": list(sections), "names": list(names)}
        cursor.execute(_FIELDS, {**where, **named, "kinds": list(batch.fields.values())})


def _fold_artifacts(cursor: Cursor[Any], batch: Batch, where: dict[str, int]) -> None:
    cursor.execute("SELECT EXISTS (SELECT FROM artifacts WHERE exp = %(exp)s)", where)
    found = cursor.fetchone()
    if found is not None and found[0]:
        cursor.execute(_NO_ARTIFACTS, where)
    if batch.has_artifacts:
        cursor.execute(_ARTIFACTS, where)


def forget_experiment(cursor: Cursor[Any], exp: int) -> None:
    """Take everything of an experiment out of the index, watermarks included."""
    for table in TABLES:
        cursor.execute(f"DELETE FROM {table} WHERE exp = %s", [exp])  # noqa: S608  a constant
