"""metalab_slurm."""
