#!/bin/bash
# One run on the nodes of a SLURM job: a Ray cluster for as long as the job lasts. The same job continues from the log.
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --signal=B:TERM@120
nodes=($(scontrol show hostnames "$SLURM_JOB_NODELIST"))
head=${nodes[0]}
export RAY_AUTH_MODE=token # in ~/.ray, which all nodes see: other users of the nodes cannot run anything on this cluster
ray get-auth-token --generate >/dev/null
port=$((20000 + SLURM_JOB_ID % 10000)) # two jobs may share a node
srun --nodes=1 --ntasks=1 --nodelist="$head" \
    ray start --head --node-ip-address="$head" --port="$port" --num-cpus="$SLURM_CPUS_PER_TASK" --include-dashboard=false --block &
sleep "${RAY_WAIT:-15}"
srun --overlap --nodes=$((SLURM_JOB_NUM_NODES - 1)) --ntasks=$((SLURM_JOB_NUM_NODES - 1)) --exclude="$head" \
    ray start --address="$head:$port" --num-cpus="$SLURM_CPUS_PER_TASK" --block &
# exec: SLURM's signal then reaches worldgym, which a shell between them would not tell.
exec worldgym evaluate --world bundled --policy bundled --tasks bundled --judge bundled --trials 200 \
    --on "ray:$head:$port" --out runs/whole --max-minutes 230
