#!/usr/bin/env bash
# Train `full` within a given number of minutes, from what lies in one folder; see README.md beside
# this file.
#
#   examples/train_full/run.sh MINUTES MATERIAL OUTPUT [options of train.py]
#
# MATERIAL holds photographs*.tar (or a folder photographs), vgg16.h5 and, where Keras is not
# installed, wheels of it in whl/.
set -euo pipefail

minutes=$1 material=$2 output=$3
shift 3
root=$(cd "$(dirname "$0")/../.." && pwd)
work=${WORK:-$(mktemp -d)}
mkdir -p "$output" "$work/photographs"
began=$SECONDS

export KERAS_BACKEND=torch PYTHONPATH=$root PYTHONUNBUFFERED=1
if compgen -G "$material/whl/*.whl" >/dev/null; then
  python3 -m pip install --quiet --no-index --no-deps --no-compile --no-cache-dir \
    --upgrade --target "$work/site" "$material"/whl/*.whl
  export PYTHONPATH=$root:$work/site
fi
for archive in "$material"/photographs*.tar; do
  if [ -e "$archive" ]; then tar -xf "$archive" -C "$work/photographs"; fi
done

# what is left after installing, less what starting and exporting may take on a busy machine
left=$(python3 -c "print($minutes - ($SECONDS - $began + ${RESERVE:-40}) / 60)")
python3 "$root/train.py" --dataset_dir "$work/photographs" --checkpoint_dir "$work/run" \
  --preset full --init lite --vgg_weights "$material/vgg16.h5" \
  --loss_weight correlation=3 --loss_weight content=0.25 \
  --max_minutes "$left" --image_size 128 --window 96 --batch_size 64 --lr 1.5e-3 --warmup 100 \
  --decay 0.85 --final 0.4 --ema 0.999 --augmentation vivid --patterns 0.1 --seed 11 \
  --val_limit 69 --val_interval 3000 --checkpoint_interval 4000 --log_interval 100 \
  --mixed_precision --jit_compile --workers "${WORKERS:-14}" "$@" 2>&1 | tee "$work/log.txt"

cd "$root"
python3 -m unetpred weights export --format keras --weights "$work/run/last.weights.h5" \
  --output "$output/full.weights.json"
cp "$work/run/history.csv" "$output/"
tar -cf "$output/run.tar" -C "$work" log.txt run/config.json run/preview.png
