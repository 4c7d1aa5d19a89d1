"""The page that every store holds for the people who find it."""

__all__ = ["README"]

README = """\
This folder is a metalab store: what experiments left behind, as plain files.

Each experiment has a folder <name>_<version>, and in it:

  runs/*.jsonl     the results. Each line is strict JSON and is one run that ended
                   ("t":"run"), or says something about one. If an id occurs twice, the
                   higher "epoch" counts, then success before failure, then the higher
                   "attempt". The last key of a line is its checksum.
  runs/*.jsonl.gz  the same, compressed by metalab compact: read it with zcat.
  logs/*.log       what runs logged; each line begins with the run's id.
  packs/*.tar      small artifacts, as plain tar files.
  artifacts/       large artifacts, one file each.
  manifests/       what was asked for.   launches/   who asked, when and where.
  patches/         what had been changed in the code since its last commit.
  payload/         code on its way to other machines; of no use once the runs have ended.
  cache/           columns of the lines, made anew where they are missing: delete them freely.
  checkpoints/     what runs that have not succeeded yet go on from; as above.

Nothing is ever edited in place, so copying is safe at any time, also while runs are being
written:

  rsync -a this-folder/ elsewhere/

Some ways in, from within an experiment's folder:

  one run         grep -h '"id":"9f3c' runs/*.jsonl | jq .
  progress        jq -r 'select(.t=="run") | .status' runs/*.jsonl | sort | uniq -c
  a table         duckdb -c "select * from read_json('runs/*.jsonl', union_by_name=true,
                             format='newline_delimited') where t = 'run'"
  pandas          pd.concat(pd.read_json(f, lines=True) for f in glob('runs/*.jsonl'))
  a log           grep -h ^9f3c logs/*.log
  an artifact     tar xOf packs/WRITER.tar RUN/1/curve.npy > curve.npy
  with metalab    metalab.load_results("this-folder")

Values that JSON lacks are objects with one key that begins with "$": {"$float":"nan"}.
"""
