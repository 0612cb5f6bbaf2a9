"""200 configs with one mistake each: each trains as it should, or has an error that names it."""

import importlib.util
from collections import Counter
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.runner import Runner

from mmgan_lite.config_validation import check_config

_spec = importlib.util.spec_from_file_location(
    'mutations', Path(__file__).with_name('mutations.py')
)
mutations = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(mutations)

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
PATHS = sorted(p for p in CONFIGS.rglob('*.py') if '_base_' not in p.relative_to(CONFIGS).parts)
# What a config may leave out: each has a documented default.
HAVE_DEFAULTS = {
    *('model_wrapper_cfg', 'visualizer', 'vis_backends', 'randomness', 'seed', 'work_dir'),
    *('param_scheduler', 'log_processor', 'window_size', 'default_hooks', 'custom_hooks'),
    *('runtime_info', 'timer', 'logger', 'sampler_seed', 'checkpoint'),
    *('setup_check', 'samples', 'progress_bar', 'max_keep_ckpts', 'interval'),
    *('weight', 'ema', 'momentum', 'warm_up', 'start', 'channels_last', 'regularizers'),
    *('latent_dim', 'image_shape', 'hidden_dims', 'channels', 'base_channels', 'cardinality'),
    *('conditioning', 'spectral_norm', 'discriminator_steps', 'augmentation', 'p', 'ramp_up'),
    *('lr', 'betas', 'fused', 'dtype', 'start_factor', 'end_factor', 'begin', 'end'),
    *('num_workers', 'persistent_workers', 'pin_memory', 'shuffle', 'collate_fn'),
    *('data_root', 'split', 'num_images', 'image_size', 'shape', 'steps'),
    *('log_metric_by_epoch', 'by_epoch', 'health', 'guard'),
}
IN_QUICK_TEST = 12


def outcome(number, shrunk_config):
    """The result of a mutated config: a row (mutation, path, verdict, message)."""
    cfg = shrunk_config(PATHS[number % len(PATHS)])
    # Nothing reads the variables of a config once its bases are merged.
    plain = {key: value for key, value in cfg.to_dict().items() if not key.startswith('_')}
    name = plain.pop('experiment_name')
    assert check_config(plain) == []
    # A dataset of the tests stands for one that is not there.
    stands_in = plain['train_dataloader']['dataset']['type'] == 'TinyDataset'
    spared = ('train_dataloader', 'dataset', 'image_shape') if stands_in else ()
    mutated, mutation = mutations.mutate_config(plain, number, spared)
    problems = check_config(mutated)
    path = '.'.join(map(str, mutation.path))
    if problems:
        return mutation, path, judge(mutation, problems), problems[0]
    try:
        runner = Runner.from_cfg(Config({'work_dir': 'work', **mutated, 'experiment_name': name}))
        runner.train()
    except Exception as error:
        verdict = 'refused' if names(mutation, str(error)) else 'UNCLEAR'
        return mutation, path, verdict, f'{type(error).__name__}: {error}'
    if runner.iter != 2:
        return mutation, path, 'STOPPED', f'after {runner.iter} iterations'
    return mutation, path, *why_it_is_right(mutation, plain)


def names(mutation, text):
    """Whether an error names the mistake or its place."""
    return mutation.key in text or (mutation.value is not None and str(mutation.value) in text)


def judge(mutation, problems):
    return 'refused' if any(names(mutation, problem) for problem in problems) else 'UNCLEAR'


def why_it_is_right(mutation, cfg):
    """The reason for which a config may train although something is changed, else 'IGNORED'."""
    parent = cfg
    for key in mutation.path[:-1]:
        parent = parent[key]
    where = mutation.path[0]
    if (mutation.kind == 'drop' or mutation.value is None) and mutation.key in HAVE_DEFAULTS:
        return 'right', 'default'
    if mutation.kind == 'rename' and len(mutation.path) == 2 and where == 'default_hooks':
        return 'right', 'a hook of that name'
    if mutation.path[0].startswith('test_') and mutation.path[-1] == 'data_root':
        return 'right', 'another folder, which only mmgan-lite test opens'
    if mutation.path[-1] in ('work_dir', 'experiment_name'):
        return 'right', 'another folder'
    if mutation.kind == 'retype' and isinstance(
        parent[mutation.path[-1]], (int, float, type(None))
    ):
        return 'right', f'a value that it may have: {mutation.value!r}'
    return 'IGNORED', repr(mutation.value)


def run(numbers, shrunk_config, show):
    rows = [outcome(number, shrunk_config) for number in numbers]
    table = Counter((mutation.kind, verdict) for mutation, _, verdict, _ in rows)
    for number, (mutation, path, verdict, text) in zip(numbers, rows, strict=True):
        if show:
            print(
                f'{number:3} {mutation.kind:8} {verdict:8} {path} -> {mutation.key}: {text[:150]}'
            )
    if show:
        for row, count in sorted(table.items()):
            print(*row, count)
    bad = [row for row in rows if row[2] not in ('refused', 'right')]
    assert bad == []


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """A config without a work_dir, or with another, writes here."""
    monkeypatch.chdir(tmp_path)


def test_a_few(shrunk_config):
    run(range(IN_QUICK_TEST), shrunk_config, show=False)


@pytest.mark.slow
def test_two_hundred(shrunk_config):
    run(range(200), shrunk_config, show=True)


def test_a_number_is_always_the_same_mutation():
    cfg = dict(model=dict(type='GAN', steps=1), hooks=[dict(type='Hook')], name='abc')
    for number in range(40):
        first, again = (mutations.mutate_config(cfg, number) for _ in range(2))
        assert first == again
        assert first[0] != cfg
    assert {mutations.mutate_config(cfg, number)[1].kind for number in range(4)} == {
        'drop',
        'rename',
        'mistype',
        'retype',
    }
