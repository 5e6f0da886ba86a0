#!/bin/bash
# On each of two machines:  two_machines.sh NUMBER ADDRESS_OF_THE_FIRST my-recipe.yaml runs/mine
# NUMBER is 0 on the first and 1 on the second. Every GPU gets a process; PROCESSES=1 is for machines without.
# A process that dies lets all begin again from the last checkpoint, at most three times.

exec torchrun \
    --nnodes=2 --node-rank="$1" --master-addr="$2" --master-port="${PORT:-29500}" \
    --nproc-per-node="${PROCESSES:-gpu}" --max-restarts=3 --signals-to-handle=SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1 \
    -m tunekit finetune "$3" --output "$4"
