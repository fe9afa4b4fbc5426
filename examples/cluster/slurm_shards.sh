#!/bin/bash
# An array of shards: each job writes a run folder of its own. A preempted job is started again (--requeue) and continues from its log.
# Afterwards: worldgym run merge runs/shard-* --out runs/whole
#SBATCH --array=1-16
#SBATCH --time=04:00:00
#SBATCH --cpus-per-task=8
#SBATCH --requeue
#SBATCH --signal=B:TERM@120
#SBATCH --open-mode=append
# exec: SLURM's signal then reaches worldgym, which a shell between them would not tell.
exec worldgym evaluate --world bundled --policy bundled --tasks bundled --judge bundled --trials 200 \
    --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" --out "runs/shard-$SLURM_ARRAY_TASK_ID" --max-minutes 230
