"""A metric that needs the model and not only its images: perceptual path length (1812.04948)."""

import torch

from mmgan_lite.evaluation import Comparison, GANMetric, Samples
from mmgan_lite.registry import METRICS


@METRICS.register_module()
class TinyPathLengthMetric(GANMetric):
    """Mean squared distance of images whose latents differ by ``epsilon``, over ``epsilon^2``."""

    needs = ('model',)
    score_names = ('PPL',)

    def __init__(self, num=64, epsilon=1e-2):
        super().__init__()
        self.num, self.epsilon = num, epsilon

    def compute(self, comparison):
        model, stream = comparison.model, torch.Generator().manual_seed(0)
        start, end = (model.sample_latents(self.num, generator=stream) for _ in range(2))
        near = torch.lerp(start, end, self.epsilon)
        images, moved = (model.sample(self.num, latents=latents) for latents in (start, near))
        steps = (moved - images).square().sum((1, 2, 3)) / self.epsilon**2
        return dict(PPL=float(steps.mean()))


def test_model_metric(prove_open, digits, optim_wrapper):
    runner = prove_open(
        model=dict(
            type='GAN',
            generator=dict(type='MLPGenerator', latent_dim=4, hidden_dims=(8,)),
            discriminator=dict(type='MLPDiscriminator', hidden_dims=(8,)),
            loss=dict(type='NonSaturatingGANLoss'),
            ema=dict(type='ExponentialMovingAverage', momentum=0.1),
        ),
        train_dataloader=digits,
        train_cfg=dict(by_epoch=False, max_iters=8, val_interval=4),
        optim_wrapper=optim_wrapper('generator', 'discriminator'),
        val_cfg=dict(),
        val_dataloader={**digits, 'sampler': dict(type='DefaultSampler', shuffle=False)},
        val_evaluator=dict(
            type='GANEvaluator', metrics=[dict(type='TinyPathLengthMetric')], num_samples=8
        ),
    )
    values, _ = runner.message_hub.get_scalar('val/PPL').data
    last = TinyPathLengthMetric().compute(Comparison(Samples(), Samples(), model=runner.model))
    assert len(values) == 2
    assert values[-1] == last['PPL'] > 0
