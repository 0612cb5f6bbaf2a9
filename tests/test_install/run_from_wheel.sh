#!/usr/bin/env bash
# From the sources to a wheel, and from the wheel to what a user without a clone does: mim, our
# command and one of our parts in Python, all in an empty directory.
#
# A fresh environment downloads torch. MMGAN_VENV=/path/of/a/venv lends that venv's packages to the
# fresh one instead; nothing is written to it, and of ours the wheel is used all the same.
set -euo pipefail

repo=$(cd "$(dirname "$0")/../.." && pwd)
lender=${MMGAN_VENV:+$(cd "$MMGAN_VENV" && pwd)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset PYTHONPATH PYTHONHOME
export PYTHONWARNINGS=ignore PIP_DISABLE_PIP_VERSION_CHECK=1
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}

step() {  # run a command; its output is kept in $work/log, and shown if it fails
    local start=$SECONDS
    echo "+ ${*//"$work"\//}"
    if ! "$@" >"$work/log" 2>&1; then
        tail -n 60 "$work/log"
        echo "FAILED: $*"
        exit 1
    fi
    if [ $((SECONDS - start)) -gt 2 ]; then echo "  $((SECONDS - start)) s"; fi
}
holds() {  # is this text in the last step's output?
    if ! grep -qF -e "$1" "$work/log"; then
        tail -n 60 "$work/log"
        echo "FAILED: no '$1' in the output"
        exit 1
    fi
}

# The sources as they are, committed or not, without what was built or downloaded among them.
mkdir "$work/source" "$work/empty"
git -C "$repo" ls-files -z --cached --others --exclude-standard |
    tar -C "$repo" --null --ignore-failed-read -cf - -T - | tar -C "$work/source" -xf -

step "${lender:+$lender/bin/}python3" -m venv "$work/venv"
export PATH="$work/venv/bin:$PATH"
if [ -n "$lender" ]; then
    # Behind the fresh venv's own packages: where both have one, the fresh one is used.
    site='import sysconfig; print(sysconfig.get_path("purelib"))'
    "$lender/bin/python" -c "$site" >"$(python -c "$site")/lender.pth"
fi

step pip wheel --no-deps -w "$work/dist" "$work/source"
wheel=$(echo "$work"/dist/*.whl)
# These two with their commands, even where the lender has them.
step pip install --no-deps --ignore-installed "$wheel" openmim
step pip install "$wheel[mim]"

# mim's files are in the wheel, and in one that is made from an sdist.
cd "$work/source"
step python setup.py sdist --dist-dir "$work/sdist"
step pip wheel --no-deps --no-build-isolation -w "$work/again" "$work"/sdist/*.tar.gz
step python -m zipfile -e "$wheel" "$work/unpacked"
step python -m zipfile -e "$work"/again/*.whl "$work/unpacked_again"
step diff -r "$work/unpacked/mmgan_lite" "$work/unpacked_again/mmgan_lite"
for name in configs tools model-index.yml; do
    step diff -r "$work/source/$name" "$work/unpacked/mmgan_lite/.mim/$name"
done

cd "$work/empty"
step python -c 'import mmgan_lite; print(mmgan_lite.__file__)'
holds "$work/venv/"

short='train_cfg.max_iters=20'
step mim train mmgan_lite gan_mlp_digits-28x28.py --work-dir one --cfg-options "$short"
holds 'Training finished successfully'
step test -s one/iter_20.pth
step mim train mmgan_lite gan_mlp_digits-28x28.py --launcher pytorch --gpus 2 \
    --work-dir two --cfg-options "$short"
holds 'Training finished successfully'
step test -s two/iter_20.pth

cat >with_test.py <<'CONFIG'
_base_ = __import__('mmgan_lite').config_path('gan/gan_mlp_digits-28x28.py')
test_dataloader = dict(
    batch_size=4,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='mmgan_lite.image_collate'),
    dataset=dict(type='DigitsDataset', indices=7),
)
test_cfg = dict()
test_evaluator = dict(_delete_=True, type='DumpResults', out_file_path='fakes.pkl')
CONFIG
step mim test mmgan_lite with_test.py --checkpoint one/iter_20.pth
holds 'Testing finished successfully'
step test -s fakes.pkl

step mim run mmgan_lite sample gan_mlp_digits-28x28 two/iter_20.pth --num 4 --out samples
step test -s samples/00003.png
step mim search mmgan_lite --dataset digits
holds 'config id: gan_mlp_digits-28x28'
step mim search mmgan_lite --model gan --valid-config
holds 'gan_mlp_mnist-28x28_conditional'

step mmgan-lite list
holds 'gan_mlp_digits-28x28'
# Our loss in the config of another project, whose model builds what it is given.
mkdir otherproject
touch otherproject/__init__.py
cat >otherproject/registry.py <<'PYTHON'
from mmengine.registry import MODELS as ROOT, Registry
from torch import nn

MODELS = Registry('model', parent=ROOT, scope='otherproject')


@MODELS.register_module()
class Judge(nn.Module):
    def __init__(self, loss):
        super().__init__()
        self.loss = MODELS.build(loss)
PYTHON
cat >their_config.py <<'PYTHON'
default_scope = 'otherproject'
model = dict(type='Judge', loss=dict(type='mmgan_lite.NonSaturatingGANLoss'))
PYTHON
cat >their_run.py <<'PYTHON'
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

cfg = Config.fromfile('their_config.py')
init_default_scope(cfg.default_scope)
logits = torch.zeros(2)
print(round(MODELS.build(cfg.model).loss.discriminator(logits, logits).item(), 4))  # 2 ln 2
PYTHON
step python their_run.py
holds '1.3863'

# An editable install has links in place of the copies.
step pip install --no-deps --no-build-isolation -e "$work/source"
step diff -r "$work/source/configs" "$work/source/mmgan_lite/.mim/configs"
step test -L "$work/source/mmgan_lite/.mim/configs"
step mmgan-lite list
holds 'gan_mlp_digits-28x28'

echo "installed from the wheel and used, in $SECONDS s"
