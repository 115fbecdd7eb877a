#!/bin/sh
# Train on a Ray cluster, as a job of the cluster that outlives this terminal:
#
#     RAY_ADDRESS=http://HEAD:8265 deploy/ray/submit.sh EXPERIMENT.toml OUT [WORKERS [OPTION…]]
#
# EXPERIMENT.toml is a file of this repository. OUT and the folders of the data are absolute paths on
# storage that all nodes share. Options after WORKERS go to "hyperfocal train fit" (--resume).
# The job runs the committed tree, whatever lies in the checkout, and is named after its commit.
set -eu
if [ $# -lt 2 ]; then
    echo "usage: $0 EXPERIMENT.toml OUT [WORKERS [OPTION...]]" >&2
    exit 2
fi
experiment=$1
out=$2
workers=${3:-2}
case $out in
    /*) ;;
    *)
        # It would lie in the folder that the job is unpacked into, which the cluster deletes.
        echo "$0: $out must be an absolute path, on storage that all nodes share" >&2
        exit 2
        ;;
esac
if [ $# -gt 2 ]; then shift 3; else shift 2; fi

cd "$(dirname "$0")/../.."
if ! git cat-file -e "HEAD:$experiment" 2>/dev/null; then
    echo "$0: $experiment is not in the last commit; the job would not find it" >&2
    exit 3
fi
commit=$(git rev-parse --short=12 HEAD)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
git archive HEAD pyproject.toml src experiments "$experiment" | tar -x -C "$tree"

# The nodes have the libraries; the program itself travels with the job.
environment=$(python3 -c '
import json, os
sent = {"PYTHONPATH": "src"}
for name in ("HYPERFOCAL_DATA", "MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
    if os.environ.get(name):
        sent[name] = os.environ[name]
print(json.dumps({"env_vars": sent}))')
metadata=$(python3 -c '
import json, sys
print(json.dumps({"commit": sys.argv[1], "experiment": sys.argv[2]}))' "$commit" "$experiment")

ray job submit \
    --submission-id "hyperfocal-$(basename "$experiment" .toml)-$commit-$(date -u +%Y%m%dT%H%M%SZ)" \
    --metadata-json "$metadata" \
    --working-dir "$tree" \
    --runtime-env-json "$environment" \
    -- python -m hyperfocal train fit "$experiment" --out "$out" \
    --ray auto --ray-workers "$workers" --quiet "$@"
