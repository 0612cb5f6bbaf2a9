"""MMEngine's own loops drive the model."""

import pytest
from mmengine.evaluator import BaseMetric
from mmengine.runner import Runner

from mmgan_lite.registry import METRICS


@METRICS.register_module()
class ImagesSeen(BaseMetric):
    """Counts what the loop hands over, and holds it against the contract."""

    default_prefix = 'seen'

    def process(self, data_batch, data_samples):
        for image, sample in zip(data_batch['inputs'], data_samples, strict=True):
            assert sample['fake_image'].shape == image.shape
            assert sample['fake_image'].dtype == image.dtype
            self.results.append(1)

    def compute_metrics(self, results):
        return dict(images=len(results))


def with_evaluation(cfg, prefix):
    loader = dict(cfg.train_dataloader, sampler=dict(type='DefaultSampler', shuffle=False))
    loader['dataset'] = dict(loader['dataset'], indices=11)
    cfg[f'{prefix}_dataloader'] = loader
    cfg[f'{prefix}_cfg'] = dict()
    cfg[f'{prefix}_evaluator'] = dict(type='ImagesSeen')
    return cfg


def test_validation_during_training(repo, shrunk_config):
    cfg = with_evaluation(shrunk_config(repo / 'configs/gan/gan_mlp_digits-28x28.py'), 'val')
    cfg.train_cfg.val_interval = 1
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert runner.message_hub.get_scalar('val/seen/images').data[0].tolist() == [11, 11]


def test_test_loop_alone(repo, shrunk_config):
    path = repo / 'configs/gan/gan_mlp_digits-28x28_conditional.py'
    metrics = Runner.from_cfg(with_evaluation(shrunk_config(path), 'test')).test()
    assert metrics == {'seen/images': 11}


def test_epoch_based_training(repo, shrunk_config):
    cfg = shrunk_config(repo / 'configs/gan/gan_mlp_digits-28x28.py')
    cfg.train_dataloader.sampler = dict(type='DefaultSampler', shuffle=True)
    cfg.train_dataloader.dataset.indices = 20  # batches of 8, 8 and 4
    cfg.train_cfg = dict(by_epoch=True, max_epochs=2)
    cfg.param_scheduler = []
    cfg.log_processor.by_epoch = True
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', interval=1, by_epoch=True)
    cfg.default_hooks.samples = dict(type='SampleVisualizationHook', interval=1, by_epoch=True)
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert (runner.epoch, runner.iter) == (2, 6)


def test_setup_mistake_is_found_before_the_first_iteration(repo, shrunk_config):
    cfg = shrunk_config(repo / 'configs/gan/gan_mlp_digits-28x28.py')
    cfg.train_dataloader.dataset.image_size = 32
    runner = Runner.from_cfg(cfg)
    with pytest.raises(ValueError, match=r'got \(1, 28, 28\) for images of \(1, 32, 32\)'):
        runner.train()
    assert runner.iter == 0


def test_seed_decides_the_run(repo, shrunk_config):
    def losses(seed):
        cfg = shrunk_config(repo / 'configs/gan/gan_mlp_digits-28x28.py', iterations=3)
        cfg.randomness.seed = seed
        runner = Runner.from_cfg(cfg)
        runner.train()
        return runner.message_hub.get_scalar('train/loss_disc').data[0].tolist()

    first = losses(1)
    assert losses(1) == first
    assert losses(2) != first
