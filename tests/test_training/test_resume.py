"""A resumed run goes on with all it had, on today's torch and with no environment variable."""

from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

CONFIG = 'configs/gan/gan_mlp_digits-28x28.py'


@pytest.fixture
def config(repo, shrunk_config):
    def load(iterations):
        cfg = shrunk_config(repo / CONFIG, iterations)
        cfg.default_hooks.checkpoint.interval = 3
        cfg.param_scheduler = [dict(type='StepLR', step_size=2, gamma=0.5, by_epoch=False)]
        cfg.model.discriminator_steps = 2
        return cfg

    return load


def test_checkpoint_is_read_by_plain_torch_load(config):
    cfg = config(3)
    Runner.from_cfg(cfg).train()
    checkpoint = torch.load(Path(cfg.work_dir) / 'iter_3.pth', weights_only=True)
    assert {name.split('.')[0] for name in checkpoint['state_dict']} == {
        'generator',
        'discriminator',
        'generator_ema',
    }
    assert checkpoint['meta']['iter'] == 3


class Interruption(Hook):
    """Ctrl-C after the third iteration, when its checkpoint is written."""

    priority = 'LOWEST'

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter == 2:
            raise KeyboardInterrupt


def test_everything_goes_on(config):
    runner = Runner.from_cfg(config(8))
    runner.register_hook(Interruption())
    with pytest.raises(KeyboardInterrupt):
        runner.train()
    cfg = config(8)
    cfg.resume = True
    runner = Runner.from_cfg(cfg)
    runner.train()

    assert runner.iter == 8
    wrappers = runner.optim_wrapper
    # Eight steps of D; one of G after each second: all counted from the first run on.
    assert wrappers['discriminator'].inner_count == 8
    assert wrappers['generator'].inner_count == 4
    adam_steps = {
        name: {int(s['step']) for s in wrapper.optimizer.state_dict()['state'].values()}
        for name, wrapper in wrappers.items()
    }
    assert adam_steps == dict(discriminator={8}, generator={4})
    assert runner.model.generator_ema.steps == 4
    # StepLR halves after 2, 4 and 6 iterations, and has no step after the last.
    assert wrappers['generator'].get_lr()['lr'] == pytest.approx([6e-4 * 0.5**3])
    assert len(runner.message_hub.get_scalar('train/loss_disc').data[0]) == 8


def test_resume_continues_from_the_saved_weights(config):
    cfg = config(3)
    Runner.from_cfg(cfg).train()
    saved = torch.load(Path(cfg.work_dir) / 'iter_3.pth')['state_dict']
    cfg = config(3)
    cfg.resume = True
    runner = Runner.from_cfg(cfg)
    runner.train()  # nothing is left to train
    for key, value in runner.model.state_dict().items():
        assert torch.equal(value, saved[key]), key


@pytest.mark.parametrize('resume', [True, False])
def test_a_checkpoint_of_another_model(config, resume):
    Runner.from_cfg(config(3)).train()
    cfg = config(5)
    cfg.load_from = str(Path(cfg.work_dir) / 'iter_3.pth')
    cfg.resume = resume
    cfg.model.generator.latent_dim += 1
    if resume:
        expected = r'resume must be given a checkpoint of this model, but 2 weights of .*iter_3.pth'
        with pytest.raises(ValueError, match=expected):
            Runner.from_cfg(cfg).train()
        return
    # To take over what fits is a way to begin. To take over nothing is a mistake.
    Runner.from_cfg(cfg).train()
    others = {'other': torch.zeros(1), 'generator_ema.steps': torch.tensor(3)}
    torch.save(dict(meta={}, state_dict=others), cfg.load_from)
    cfg.experiment_name += '_again'
    with pytest.raises(ValueError, match=r'load_from must be given a checkpoint of this model'):
        Runner.from_cfg(cfg).train()
