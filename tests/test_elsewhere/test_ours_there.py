"""Our parts in the config of another project, under its scope, with nothing of ours imported."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

# One process loads MMEngine and forks for each case: a fresh interpreter each would take minutes.
DRIVER = """
import gc, json, os, sys, traceback
import matplotlib.pyplot, torch, torchvision
from mmengine.config import Config
from mmengine.runner import Runner
from mmengine.utils.dl_utils import collect_env

torch.set_num_threads(1)
# What Runner would load and collect in each child, half a second each time.
collect_env(), Config(dict(a=1)).pretty_text, gc.freeze()


def is_ours(name):
    return name.split('.')[0] in ('mmgan_lite', 'otherproject')


def origin(part):
    return f'{type(part).__module__}.{type(part).__name__}'


def train(cfg):
    imported = [name for name in sys.modules if is_ours(name)]
    runner = Runner.from_cfg(cfg)
    before = {k: v.clone() for k, v in runner.model.state_dict().items()}
    runner.train()
    after = runner.model.state_dict()
    moved = {k.split('.')[0] for k in after if not torch.equal(before[k], after[k])}
    return dict(
        imported=imported,
        iterations=runner.iter,
        moved=sorted(moved),
        model=origin(runner.model),
        generator=origin(runner.model.generator),
        discriminator=origin(runner.model.discriminator),
        loss=origin(runner.model.loss),
        dataset=origin(runner.train_dataloader.dataset),
        optim_wrapper=origin(runner.optim_wrapper),
        hooks=[origin(hook) for hook in runner.hooks],
        seen=getattr(runner.model, 'seen', None),
    )


for name, cfg in json.load(open('cases.json')).items():
    if os.fork() == 0:
        try:
            result = train(cfg)
        except BaseException:
            result = dict(error=traceback.format_exc())
        json.dump(result, open(f'{name}.json', 'w'))
        os._exit(0)
    os.wait()
"""

SGD = dict(optimizer=dict(type='SGD', lr=0.5))
OUR_MLP = dict(image_shape=(1, 8, 8), hidden_dims=(8,))
CASES = dict(
    nothing={},
    generator=dict(
        model=dict(generator=dict(type='mmgan_lite.MLPGenerator', latent_dim=4, **OUR_MLP))
    ),
    discriminator=dict(
        model=dict(discriminator=dict(type='mmgan_lite.MLPDiscriminator', **OUR_MLP))
    ),
    loss=dict(model=dict(loss=dict(type='mmgan_lite.NonSaturatingGANLoss'))),
    digits_pseudo=dict(dataset=dict(type='mmgan_lite.DigitsDataset', image_size=8)),
    digits_default=dict(
        dataset=dict(type='mmgan_lite.DigitsDataset', image_size=8), collate='default_collate'
    ),
    digits_image_collate=dict(
        dataset=dict(type='mmgan_lite.DigitsDataset', image_size=8),
        collate='mmgan_lite.image_collate',
    ),
    digits_pipeline=dict(
        dataset=dict(
            type='mmgan_lite.DigitsDataset', image_size=8, pipeline=[dict(type='PackImage')]
        )
    ),
    digits_negative=dict(
        dataset=dict(
            type='mmgan_lite.DigitsDataset',
            image_size=8,
            pipeline=[dict(type='Negative'), dict(type='PackImage')],
        )
    ),
    digits_repeated=dict(
        dataset=dict(
            type='RepeatDataset',
            times=2,
            dataset=dict(type='mmgan_lite.DigitsDataset', image_size=8),
        )
    ),
    samples_hook=dict(hook=dict(type='mmgan_lite.SampleVisualizationHook', num_samples=4)),
    checkpoint_hook=dict(hook=dict(type='mmgan_lite.SafeCheckpointHook')),
    check_hook=dict(hook=dict(type='mmgan_lite.SetupCheckHook')),
    constructor=dict(
        optim_wrapper=dict(
            constructor='mmgan_lite.MultiOptimWrapperConstructor',
            generator=SGD,
            discriminator=dict(optimizer=dict(type='SGD', lr=0.0)),
        )
    ),
    constructor_prefixed=dict(
        optim_wrapper=dict(
            constructor='mmgan_lite.MultiOptimWrapperConstructor',
            generator=dict(optimizer=dict(type='otherproject.SignSGD', lr=0.5)),
            discriminator=SGD,
        )
    ),
    constructor_unprefixed=dict(
        optim_wrapper=dict(
            constructor='mmgan_lite.MultiOptimWrapperConstructor',
            generator=dict(optimizer=dict(type='SignSGD', lr=0.5)),
            discriminator=SGD,
        )
    ),
    whole=dict(
        whole=dict(
            type='mmgan_lite.GAN',
            generator=dict(type='MLPGenerator', latent_dim=4, **OUR_MLP),
            discriminator=dict(type='MLPDiscriminator', **OUR_MLP),
            loss=dict(type='NonSaturatingGANLoss'),
            ema=dict(type='ExponentialMovingAverage'),
        ),
        optim_wrapper=dict(
            constructor='mmgan_lite.MultiOptimWrapperConstructor', generator=SGD, discriminator=SGD
        ),
        hook=dict(type='mmgan_lite.SetupCheckHook'),
    ),
)


def their_config(name, folder, model=None, dataset=None, collate='pseudo_collate', whole=None,
                 hook=None, optim_wrapper=None):  # fmt: skip
    parts = dict(
        generator=dict(type='TinyGenerator'),
        discriminator=dict(type='TinyDiscriminator'),
        loss=dict(type='HingeLoss'),
    )
    return dict(
        default_scope='otherproject',
        model=whole or dict(type='AdversarialModel', **{**parts, **(model or {})}),
        train_dataloader=dict(
            batch_size=4,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type=collate),
            dataset=dataset or dict(type='EvenBlobs'),
        ),
        train_cfg=dict(by_epoch=False, max_iters=2),
        optim_wrapper=optim_wrapper or dict(constructor='TwoOptimizers', lr=0.1),
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=2, by_epoch=False)),
        custom_hooks=[hook] if hook else [],
        randomness=dict(seed=0),
        work_dir=str(folder / name),
        experiment_name=name,
    )


@pytest.fixture(scope='module')
def folder(otherproject, tmp_path_factory):
    """Where each case left its work folder and ``<case>.json``."""
    folder = tmp_path_factory.mktemp('elsewhere')
    cases = {name: their_config(name, folder, **case) for name, case in CASES.items()}
    (folder / 'cases.json').write_text(json.dumps(cases))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(otherproject))
        patch.setenv('PYTHONPATH', str(otherproject), prepend=':')
        subprocess.run([sys.executable, '-c', DRIVER], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def result_of(folder):
    def load(name):
        result = json.loads((folder / f'{name}.json').read_text())
        assert 'error' not in result, result['error']
        return result

    return load


PARTS = dict(
    model='otherproject.parts.AdversarialModel',
    generator='otherproject.parts.TinyGenerator',
    discriminator='otherproject.parts.TinyDiscriminator',
    loss='otherproject.parts.HingeLoss',
    dataset='otherproject.parts.EvenBlobs',
    optim_wrapper='mmengine.optim.optimizer.optimizer_wrapper_dict.OptimWrapperDict',
)
MODELS = 'mmgan_lite.models'
DIGITS = dict(dataset='mmgan_lite.datasets.digits.DigitsDataset')
WRAPPER = dict(optim_wrapper='mmgan_lite.engine.optimizers.multi_optim_wrapper.GANOptimWrapperDict')


@pytest.mark.parametrize(
    ('name', 'ours'),
    [
        ('nothing', {}),
        ('generator', dict(generator=f'{MODELS}.networks.mlp.MLPGenerator')),
        ('discriminator', dict(discriminator=f'{MODELS}.networks.mlp.MLPDiscriminator')),
        ('loss', dict(loss=f'{MODELS}.losses.adversarial.NonSaturatingGANLoss')),
        ('digits_pseudo', DIGITS),
        ('digits_default', DIGITS),
        ('digits_image_collate', DIGITS),
        ('digits_pipeline', DIGITS),
        ('digits_negative', DIGITS),
        ('digits_repeated', dict(dataset='mmengine.dataset.dataset_wrapper.RepeatDataset')),
        ('samples_hook', {}),
        ('checkpoint_hook', {}),
        ('constructor_prefixed', WRAPPER),
        ('constructor_unprefixed', WRAPPER),
    ],
)
def test_only_the_named_part_is_ours_and_both_networks_train(result_of, name, ours):
    result = result_of(name)
    assert result['imported'] == []
    assert {key: result[key] for key in PARTS} == {**PARTS, **ours}
    assert result['iterations'] == 2
    assert result['moved'] == ['discriminator', 'generator']


def test_whole_gan_takes_our_parts_beside_theirs_of_the_same_name(result_of):
    result = result_of('whole')
    assert result['generator'] == 'mmgan_lite.models.networks.mlp.MLPGenerator'
    assert result['discriminator'] == 'mmgan_lite.models.networks.mlp.MLPDiscriminator'
    assert result['loss'] == 'mmgan_lite.models.losses.adversarial.NonSaturatingGANLoss'
    assert result['dataset'] == 'otherproject.parts.EvenBlobs'
    assert result['iterations'] == 2
    assert result['moved'] == ['discriminator', 'generator', 'generator_ema']


def test_loss_gives_the_values_of_the_paper_in_their_model(result_of):
    for seen in result_of('loss')['seen']:
        real, fake, again = (
            np.array(seen[key]) for key in ('real_logits', 'fake_logits', 'generator_logits')
        )
        by_hand = -np.log(1 / (1 + np.exp(-real))).mean() - np.log(1 / (1 + np.exp(fake))).mean()
        assert seen['loss_disc'] == pytest.approx(by_hand, rel=1e-5)
        assert seen['loss_gen'] == pytest.approx(np.log1p(np.exp(-again)).mean(), rel=1e-5)


@pytest.mark.parametrize(
    ('name', 'container'),
    [
        ('digits_pseudo', 'list'),
        ('digits_default', 'Tensor'),
        ('digits_image_collate', 'Tensor'),
        ('digits_pipeline', 'list'),
        ('digits_repeated', 'list'),
    ],
)
def test_dataset_gives_their_model_the_digits_in_order(result_of, name, container):
    digits = load_digits()
    images = np.round(digits.images[:8] * 255 / 16).astype(int)
    first, second = result_of(name)['seen']
    assert first['container'] == second['container'] == container
    assert first['sums'] + second['sums'] == images.sum((1, 2)).tolist()
    assert first['labels'] + second['labels'] == digits.target[:8].tolist()


def test_their_step_in_the_pipeline_of_our_dataset_needs_no_prefix_under_their_scope(result_of):
    images = 255 - np.round(load_digits().images[:4] * 255 / 16).astype(int)
    assert result_of('digits_negative')['seen'][0]['sums'] == images.sum((1, 2)).tolist()


def test_samples_are_drawn_from_their_model(folder, result_of):
    hook = 'mmgan_lite.engine.hooks.sample_visualization_hook.SampleVisualizationHook'
    assert hook in result_of('samples_hook')['hooks']
    samples = folder / 'samples_hook' / 'samples'
    names = ['real.png', 'samples_iter-00000000.png', 'samples_iter-00000002.png', 'training.gif']
    assert sorted(path.name for path in samples.iterdir()) == names
    # Two by two images of 8x8, enlarged to 96x96, with 2 black pixels around each.
    real = np.asarray(Image.open(samples / 'real.png'))
    assert real.shape == (198, 198, 3)
    greys = {int(real[y, x, 0]) for y in (2, 100) for x in (2, 100)}
    assert greys <= {20 * label for label in range(10)}
    assert len(greys) > 1


@pytest.mark.parametrize(('name', 'is_plain'), [('checkpoint_hook', True), ('nothing', False)])
def test_checkpoint_of_their_run_is_plain_with_our_hook_only(folder, result_of, name, is_plain):
    result_of(name)
    path = folder / name / 'iter_2.pth'
    if is_plain:
        checkpoint = torch.load(path, weights_only=True)
        assert checkpoint['meta']['iter'] == 2
        assert checkpoint['state_dict']['generator.layer.weight'].shape == (64, 4)
    else:
        with pytest.raises(Exception, match='HistoryBuffer'):
            torch.load(path, weights_only=True)


def test_constructor_gives_each_of_their_networks_its_optimizer(result_of):
    # lr=0 for their discriminator, so only their generator may move.
    result = result_of('constructor')
    assert result['optim_wrapper'] == WRAPPER['optim_wrapper']
    assert result['moved'] == ['generator']


def test_setup_check_leaves_other_models_out(folder, result_of):
    result_of('check_hook')
    log = next((folder / 'check_hook').rglob('*.log')).read_text()
    assert log.count('SetupCheckHook does not check AdversarialModel, which has no players.') == 1
