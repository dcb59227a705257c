"""The file for Slurm, run with stand-ins for Slurm's own programs: what it starts is what torchrun and train take."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from prose import ROOT

from mmsa_utils.apps.cli import parser

FILE = ROOT / "docs" / "scaling" / "train.sbatch"
SHOW = '#!/bin/bash\nprintf "threads %s\\n" "$OMP_NUM_THREADS"\nprintf "%q " "$@"\n'
pytestmark = pytest.mark.skipif(os.name == "nt" or not shutil.which("bash"), reason="there is no bash")


def submitted(folder: Path, *options: str, **slurm: str) -> tuple[str, list[str]]:
    """→ the threads of a process, and the words that srun is given on each machine."""
    # More names than a pipe holds (64 KiB): who stops reading after the first would end the job.
    many = "#!/bin/bash\necho node7\nfor ((i = 9; i < 9000; i++)); do echo a-longer-name-of-node$i; done\n"
    for name, script in (("srun", SHOW), ("scontrol", many)):
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    environment = {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "SLURM_JOB_NODELIST": "node[7,9]", **slurm}
    done = subprocess.run(["bash", FILE, *options], env=environment, capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    threads, words = done.stdout.split("\n", 1)
    return threads, shlex.split(words)


@pytest.mark.parametrize(("nodes", "cards", "cores", "threads"), [("2", "4", "16", "threads 4"),
                                                                  ("1", "8", "4", "threads 1")])
def test_what_the_file_starts_is_understood(tmp_path, nodes, cards, cores, threads):
    run = pytest.importorskip("torch.distributed.run")
    options = ["--data", "my posts.csv", "--size", "full", "--batch-size", "256", "--out", "m"]
    said, words = submitted(tmp_path, *options, SLURM_JOB_ID="1234567", SLURM_JOB_NUM_NODES=nodes,
                            SLURM_GPUS_ON_NODE=cards, SLURM_CPUS_PER_TASK=cores)
    assert said == threads
    assert words[:4] == [f"--cpus-per-task={cores}", "python", "-m", "torch.distributed.run"]
    told = run.get_args_parser().parse_args(words[4:])
    assert (told.nnodes, told.nproc_per_node, told.rdzv_backend) == (nodes, cards, "c10d")
    assert told.rdzv_endpoint == "node7:34567"  # the same on every machine, and another for each job
    assert (told.module, told.training_script, told.training_script_args[0]) == (True, "mmsa_utils", "train")
    train = parser().parse_args(told.training_script_args)
    assert (train.data, train.batch_size, train.out) == ("my posts.csv", 256, "m")


def test_what_slurm_reads_stands_before_the_first_command():
    lines = FILE.read_text(encoding="utf8").splitlines()
    first = next(i for i, line in enumerate(lines) if line and not line.startswith("#"))
    asked = dict(re.fullmatch(r"#SBATCH --([\w-]+)=(\S+)", line).groups() for line in lines if "SBATCH " in line)
    assert all(i < first for i, line in enumerate(lines) if line.startswith("#SBATCH"))
    assert asked["ntasks-per-node"] == "1"  # torchrun starts the others
    assert {"nodes", "gpus-per-node", "cpus-per-task", "time"} <= set(asked)


def test_a_failure_within_is_a_failure_of_the_job(tmp_path):
    (tmp_path / "scontrol").write_text("#!/bin/bash\nexit 3\n")
    (tmp_path / "scontrol").chmod(0o755)
    done = subprocess.run(["bash", FILE], capture_output=True, cwd=tmp_path, env={
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "SLURM_JOB_NODELIST": "x", "SLURM_JOB_ID": "1",
        "SLURM_JOB_NUM_NODES": "1"})
    assert done.returncode != 0
