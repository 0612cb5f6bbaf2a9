import enum

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from mmgan_lite.registry import HOOKS


class Colour(enum.IntEnum):
    RED = 1


def _settings(by_epoch=False, **hook):
    return {
        'default_hooks': {
            'checkpoint': {'type': 'CheckpointHook', 'by_epoch': by_epoch, 'interval': 1},
            'safe_checkpoint': {'type': 'SafeCheckpointHook', **hook},
        },
        'optim_wrapper': {'optimizer': {'type': 'SGD', 'lr': 1.0, 'momentum': 0.9}},
        'param_scheduler': {'type': 'LinearLR', 'by_epoch': by_epoch, 'end': 10},
    }


def test_checkpoint_loads_with_plain_torch_load(make_runner, fake_gan, tmp_path):
    make_runner(fake_gan(), **_settings()).train()
    checkpoint = torch.load(tmp_path / 'iter_4.pth', weights_only=True)
    scalar = checkpoint['message_hub']['log_scalars']['train/loss']
    # The loss that the fake model reports is its level. SGD with momentum and a warm-up is what
    # moves it, so only its number and its last value are known by hand.
    assert len(scalar['log_history']) == 4
    assert scalar['log_history'][-1] == checkpoint['state_dict']['level'].item()
    assert scalar['count_history'] == [1, 1, 1, 1]
    assert type(checkpoint['message_hub']['runtime_info']['eta']) is float
    assert checkpoint['message_hub']['resumed_keys']['train/loss'] is True
    assert checkpoint['meta']['iter'] == 4


@pytest.mark.parametrize(
    'scheduler',
    [
        {'type': 'OneCycleLR', 'eta_max': 0.1, 'total_steps': 4},  # keeps a function in its state
        {'type': 'CosineAnnealingLR', 'T_max': 4},
        {'type': 'MultiStepLR', 'milestones': [1, 2]},
        {'type': 'PolyLR'},
        {'type': 'LinearMomentum'},
    ],
    ids=lambda scheduler: scheduler['type'],
)
def test_schedulers_resume_from_a_plain_file(make_runner, fake_gan, tmp_path, scheduler):
    settings = {**_settings(), 'param_scheduler': {'by_epoch': False, **scheduler}}
    whole = make_runner(fake_gan(), work_dir=tmp_path / 'whole', **settings)
    whole.train()
    torch.load(tmp_path / 'whole' / 'iter_2.pth', weights_only=True)
    settings['load_from'] = str(tmp_path / 'whole' / 'iter_2.pth')
    resumed = make_runner(fake_gan(), work_dir=tmp_path / 'rest', resume=True, **settings)
    resumed.train()
    assert resumed.optim_wrapper.get_lr() == whole.optim_wrapper.get_lr()
    assert resumed.optim_wrapper.get_momentum() == whole.optim_wrapper.get_momentum()


@pytest.mark.parametrize('by_epoch', [False, True])
def test_resumed_run_ends_like_an_uninterrupted_one(make_runner, fake_gan, tmp_path, by_epoch):
    def train(folder, length, resume=False):
        counter = 'max_epochs' if by_epoch else 'max_iters'
        train_cfg = {'by_epoch': by_epoch, counter: length}
        runner = make_runner(
            fake_gan(step=0.01),
            work_dir=tmp_path / folder,
            train_cfg=train_cfg,
            resume=resume,
            **_settings(by_epoch),
        )
        runner.train()
        return runner

    whole = train('whole', 4)
    train('parts', 2)
    resumed = train('parts', 4, resume=True)

    assert resumed.iter == whole.iter
    assert resumed.epoch == whole.epoch
    for key, value in whole.model.state_dict().items():
        torch.testing.assert_close(resumed.model.state_dict()[key], value, rtol=0, atol=0)
    momentum = [
        list(runner.optim_wrapper.optimizer.state.values())[0]['momentum_buffer']
        for runner in (whole, resumed)
    ]
    torch.testing.assert_close(momentum[1], momentum[0], rtol=0, atol=0)
    assert resumed.optim_wrapper.get_lr() == whole.optim_wrapper.get_lr()
    for key in ('train/loss', 'train/lr'):
        history, counts = resumed.message_hub.get_scalar(key).data
        expected_history, expected_counts = whole.message_hub.get_scalar(key).data
        np.testing.assert_array_equal(history, expected_history)
        np.testing.assert_array_equal(counts, expected_counts)
        assert history.dtype == expected_history.dtype


def test_checkpoint_can_be_loaded_from(make_runner, fake_gan, tmp_path):
    make_runner(fake_gan(), max_iters=2, work_dir=tmp_path / 'first', **_settings()).train()
    model = fake_gan()
    checkpoint = str(tmp_path / 'first' / 'iter_2.pth')
    runner = make_runner(model, load_from=checkpoint, **_settings())
    runner.load_or_resume()
    saved = torch.load(checkpoint, weights_only=True)['state_dict']
    torch.testing.assert_close(model.level.data, saved['level'], rtol=0, atol=0)


def _round_trip(tmp_path, runner, info):
    """What of ``info`` is left after the hook, plain ``torch.save`` and ``load``, and the hook."""
    hook = HOOKS.build({'type': 'SafeCheckpointHook'})
    runner.message_hub.update_info_dict(info)
    runner.message_hub.update_scalar('train/real_logits', 0.5, count=2)
    checkpoint = {
        'meta': {'iter': 3, 'dataset_meta': {'palette': np.array([[1, 2]], dtype=np.uint8)}},
        'message_hub': runner.message_hub.state_dict(),
    }
    hook.before_save_checkpoint(runner, checkpoint)
    torch.save(checkpoint, tmp_path / 'checkpoint.pth')
    loaded = torch.load(tmp_path / 'checkpoint.pth', weights_only=True)
    hook.after_load_checkpoint(runner, loaded)
    return loaded


def test_every_kind_of_entry_survives(make_runner, fake_gan, tmp_path):
    info = {
        'eta': np.float64(1.5),
        'best': np.int64(7),
        'classes': ('zero', 'one'),
        'nested': {'weights': [np.float32(0.25), None, True]},
        'tensor': torch.arange(3),
        'table': np.array([[1.0, 2.0]], dtype=np.float32),
    }
    runner = make_runner(fake_gan())
    loaded = _round_trip(tmp_path, runner, info)

    found = loaded['message_hub']['runtime_info']
    assert found['eta'] == 1.5
    assert found['best'] == 7
    assert found['classes'] == ('zero', 'one')
    assert found['nested'] == {'weights': [0.25, None, True]}
    assert torch.equal(found['tensor'], torch.arange(3))
    np.testing.assert_array_equal(found['table'], info['table'])
    assert found['table'].dtype == np.float32
    palette = loaded['meta']['dataset_meta']['palette']
    np.testing.assert_array_equal(palette, np.array([[1, 2]], dtype=np.uint8))
    history = loaded['message_hub']['log_scalars']['train/real_logits']
    assert isinstance(history, HistoryBuffer)
    assert history.mean() == 0.25  # 0.5 counted twice
    assert loaded['message_hub']['resumed_keys']['eta'] is True


def test_live_message_hub_is_untouched(make_runner, fake_gan, tmp_path):
    runner = make_runner(fake_gan())
    _round_trip(tmp_path, runner, {'eta': np.float64(1.5)})
    assert type(runner.message_hub.get_info('eta')) is np.float64
    assert isinstance(runner.message_hub.get_scalar('train/real_logits'), HistoryBuffer)


def test_entry_that_cannot_be_plain_is_left_out_and_named(make_runner, fake_gan, tmp_path):
    runner = make_runner(fake_gan())
    loaded = _round_trip(tmp_path, runner, {'colour': Colour.RED, 'kept': 1})
    hub = loaded['message_hub']
    assert 'colour' not in hub['runtime_info']
    assert 'colour' not in hub['resumed_keys']
    assert hub['runtime_info']['kept'] == 1
    log = next(tmp_path.rglob('*.log')).read_text()
    assert "message_hub['colour'] is left out of the checkpoint: " in log
    assert 'Colour is not a plain type. A resumed run starts without it.' in log


def test_checkpoint_of_a_run_without_the_hook_passes_through(make_runner, fake_gan):
    history = HistoryBuffer([1.0], [1])
    checkpoint = {'message_hub': {'log_scalars': {'train/loss': history}}, 'state_dict': {}}
    hook = HOOKS.build({'type': 'SafeCheckpointHook'})
    hook.after_load_checkpoint(make_runner(fake_gan()), checkpoint)
    assert checkpoint['message_hub']['log_scalars']['train/loss'] is history


def test_history_is_bounded_live_and_in_the_file(make_runner, fake_gan, tmp_path):
    settings = _settings(history_length=30)
    settings['default_hooks']['checkpoint']['interval'] = 130
    runner = make_runner(fake_gan(step=0.001), max_iters=130, **settings)
    runner.train()
    history, _ = runner.message_hub.get_scalar('train/loss').data
    assert len(history) == 30
    assert history[-1] == runner.model.level.item()
    saved = torch.load(tmp_path / 'iter_130.pth', weights_only=True)
    assert saved['message_hub']['log_scalars']['train/loss']['log_history'] == history.tolist()


def test_history_length_below_one_is_refused():
    message = 'history_length must be an int of at least 1, got 0.'
    with pytest.raises(ValueError, match=message):
        HOOKS.build({'type': 'SafeCheckpointHook', 'history_length': 0})
