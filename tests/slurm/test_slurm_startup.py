"""Pilots that cannot begin: the launch ends in words, and one bad node ends no sweep."""

from __future__ import annotations

import pytest

from metalab.errors import MetalabError
from slurm.slurm_operations import quick, short
from slurm.slurm_tools import experiment, losses, output, run

pytestmark = pytest.mark.slurm


def _spoil_payload(handle):
    (payload,) = (handle.folder.parents[2] / "payload").iterdir()
    payload.unlink()


def _spoil_dispatch(handle):
    (handle.folder.parent / "dispatch.json").write_text("{")


def test_whatever_no_pilot_can_begin_for_ends_the_launch_in_words(cluster, tmp_path, monkeypatch):
    place, gate = tmp_path / "place", tmp_path / "gate"
    place.mkdir()
    handles, said = {}, {}

    def submit(name, words, *setup, **options):
        held = f"until [ -e {gate} ]; do sleep 0.1; done"
        said[name] = words
        handles[name] = run(
            experiment(quick, name, x=range(3)),
            tmp_path / name,
            pilots=2,
            attempts=1,
            setup=(held, *setup),
            **options,
        )

    submit("setup", "exit code 1 at: false", "echo preparing", "false")
    submit("module", r"module load nowhere/1\.0", modules=("nowhere/1.0",))
    submit("python", "no python", python=str(tmp_path / "no python"))
    submit("files", "File too large", "ulimit -f 64")
    submit("payload", "payload")
    _spoil_payload(handles["payload"])
    submit("dispatch", r"dispatch\.json cannot be read")
    _spoil_dispatch(handles["dispatch"])
    with monkeypatch.context() as patch:
        patch.setattr("metalab.execution.parcel._python", lambda: "3.9")
        submit("version", r"sent by Python 3\.9, and this worker is Python 3")
    with monkeypatch.context() as patch:
        patch.chdir(place)
        submit("directory", f"exit code 64 at: cd {place}")
    place.rename(tmp_path / "elsewhere")
    gate.touch()

    for name, handle in handles.items():
        with pytest.raises(MetalabError, match=said[name]) as told:
            handle.result(timeout=60)
        words = str(told.value)
        assert words.startswith(f"3 runs of {name}:1 are left, and 2 times in a row"), words
        assert str(handle.folder) in words
        assert len(words) < 3000
        assert len(handle.job_ids) == 2
        assert not any(job.is_alive for job in handle._submission.launch.jobs())
        is_of_python = name in {"files", "payload", "version"}
        assert bool(list((handle.folder / "trouble").glob("*.txt"))) is is_of_python


def test_one_bad_node_does_not_end_the_sweep(cluster, store):
    exp = experiment(short, x=range(40), seconds=[0.2])
    bad = '[ "$SLURMD_NODENAME" != n1 ]'
    handle = run(exp, store, pilots=3, cpus=16, setup=(bad,))
    results = handle.result(timeout=60)
    assert len(results.successful) == 40, output(store)
    assert not losses(store)
