"""CycleGAN: two generators, two discriminators, a cycle loss and an image pool (1703.10593)."""

import torch
from torch import nn

from mmgan_lite.models import AdversarialModel, Player, TrainingBatch
from mmgan_lite.registry import DATASETS, MODELS


@DATASETS.register_module()
class TwoDomains(torch.utils.data.Dataset):
    def __len__(self):
        return 32

    def __getitem__(self, index):
        source = torch.rand(1, 8, 8, generator=torch.Generator().manual_seed(index)) * 2 - 1
        return dict(source=source, target=-source.roll(1))


@MODELS.register_module()
class TinyTranslator(nn.Sequential):
    def __init__(self, channels=4):
        convolutions = (nn.Conv2d(1, channels, 3, padding=1), nn.Conv2d(channels, 1, 3, padding=1))
        super().__init__(convolutions[0], nn.InstanceNorm2d(channels), convolutions[1], nn.Tanh())


@MODELS.register_module()
class TinyCycleGAN(AdversarialModel):
    def __init__(self, generator, discriminator, loss, cycle_weight=10.0, pool_size=4):
        names = ('generators', 'discriminators')
        super().__init__({name: Player((name,), name) for name in names})
        both = ('source', 'target')
        self.generators = nn.ModuleDict({name: MODELS.build(generator) for name in both})
        self.discriminators = nn.ModuleDict({name: MODELS.build(discriminator) for name in both})
        self.loss, self.cycle_weight = MODELS.build(loss), cycle_weight
        for name in both:  # the pools of earlier fakes are in checkpoints
            self.register_buffer(f'{name}_pool', torch.zeros(pool_size, 1, 8, 8))

    def losses(self, player, batch: TrainingBatch):
        if player == 'discriminators':
            return {f'loss_disc_{name}': self.judge(name, batch) for name in self.generators}
        to_source, to_target = self.generators['source'], self.generators['target']
        batch.outputs = dict(source=to_source(batch.target), target=to_target(batch.source))
        losses = {}
        for name, fakes in batch.outputs.items():
            logits = self.discriminators[name](fakes)
            losses[f'loss_gen_{name}'] = self.loss.generator(logits)
        back = to_source(batch.outputs['target']), to_target(batch.outputs['source'])
        cycle = (back[0] - batch.source).abs().mean() + (back[1] - batch.target).abs().mean()
        return losses | dict(loss_cycle=self.cycle_weight * cycle)

    def judge(self, name, batch):
        fakes, pool = batch.outputs[name].detach(), self.get_buffer(f'{name}_pool')
        pool[torch.randint(len(pool), (1,))] = fakes[:1]
        seen = torch.cat([fakes[1:], pool[torch.randint(len(pool), (1,))]])
        real = self.discriminators[name](getattr(batch, name))
        return self.loss.discriminator(real, self.discriminators[name](seen))


def test_cyclegan(prove_open, optim_wrapper):
    patches = dict(type='DCGANDiscriminator', image_shape=(1, 8, 8), base_channels=4)
    runner = prove_open(
        model=dict(type='TinyCycleGAN', generator=dict(type='TinyTranslator'),
                   discriminator=patches, loss=dict(type='LeastSquaresGANLoss')),
        train_dataloader=dict(batch_size=4, dataset=dict(type='TwoDomains'),
                              sampler=dict(type='InfiniteSampler', shuffle=True),
                              collate_fn=dict(type='default_collate')),
        optim_wrapper=optim_wrapper('generators', 'discriminators'))  # fmt: skip
    assert runner.model.source_pool.abs().sum() > 0
