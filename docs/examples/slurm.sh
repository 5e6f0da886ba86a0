#!/bin/bash
# Four machines with eight GPUs each:  sbatch slurm.sh my-recipe.yaml runs/mine
#SBATCH --job-name=tunekit
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=8
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=8
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:USR1@120
# The signal comes to this script two minutes before the time is over, and is passed on to the processes. They
# save, exit with 75, and the job goes back into the queue, where the same command continues. SIGTERM, by which
# SLURM ends a job for another one, does the same.

export OMP_NUM_THREADS="$SLURM_CPUS_PER_TASK"

srun --kill-on-bad-exit=0 tunekit finetune "$1" --output "$2" &
step=$!
trap 'scancel --signal=USR1 "$SLURM_JOB_ID.0"' USR1 TERM

# A trapped signal ends `wait` early, so it waits until the step is really over.
while kill -0 "$step" 2>/dev/null; do
    wait "$step"
    code=$?
done

if [ "$code" -eq 75 ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
