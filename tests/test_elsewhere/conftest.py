"""Another MM project, made up: registries of its own, and parts that bear the names of ours."""

import sys

import pytest
import torch
from mmengine.model import BaseModule

from mmgan_lite.registry import MODELS

REGISTRY = """
import mmengine.registry
from mmengine.registry import Registry

for name, parent in list(vars(mmengine.registry).items()):
    if isinstance(parent, Registry):
        globals()[name] = Registry(
            parent.name, parent=parent, scope='otherproject', locations=['otherproject.parts']
        )
"""

PARTS = """
import torch
from mmengine.dataset import BaseDataset
from mmengine.hooks import Hook
from mmengine.model import BaseModel, BaseModule
from mmengine.optim import ExponentialLR, OptimWrapper, OptimWrapperDict
from mmengine.structures import BaseDataElement
from mmengine.visualization import Visualizer
from torch import nn

from otherproject import registry


def decoy(name):
    def __init__(self, *args, **kwargs):
        raise AssertionError(f'otherproject.{name} was built in the place of ours')

    return type(name, (), {'__init__': __init__})


for registry_name, names in dict(
    MODELS='GAN MLPGenerator MLPDiscriminator NonSaturatingGANLoss ImageBatchPreprocessor '
           'ExponentialMovingAverage',
    DATASETS='DigitsDataset InMemoryImageDataset',
    TRANSFORMS='PackImage',
    HOOKS='SampleVisualizationHook SafeCheckpointHook SetupCheckHook ProgressBarHook',
    OPTIM_WRAPPER_CONSTRUCTORS='MultiOptimWrapperConstructor',
).items():
    for name in names.split():
        getattr(registry, registry_name).register_module(module=decoy(name))


@registry.MODELS.register_module()
class TinyGenerator(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 64)

    def forward(self, latents):
        return self.layer(latents).view(-1, 1, 8, 8).tanh()


@registry.MODELS.register_module()
class TinyDiscriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(64, 1)

    def forward(self, images):
        return self.layer(images.flatten(1)).squeeze(1)


@registry.MODELS.register_module()
class HingeLoss(nn.Module):
    def discriminator(self, real_logits, fake_logits):
        return (1 - real_logits).relu().mean() + (1 + fake_logits).relu().mean()

    def generator(self, fake_logits):
        return -fake_logits.mean()


@registry.MODELS.register_module()
class AdversarialModel(BaseModel):
    # Takes lists, as the models of most MM projects do.
    num_classes = None

    def __init__(self, generator, discriminator, loss, data_preprocessor=None):
        super().__init__(data_preprocessor)
        self.generator = registry.MODELS.build(generator)
        self.discriminator = registry.MODELS.build(discriminator)
        self.loss = registry.MODELS.build(loss)
        self.seen = []

    def sample_latents(self, num, generator=None):
        return torch.randn(num, 4, generator=generator)

    def sample(self, num, labels=None, latents=None):
        return self.generator(self.sample_latents(num) if latents is None else latents)

    def forward(self, inputs, labels=None, mode='tensor'):
        return self.sample(len(inputs))

    def train_step(self, data, optim_wrapper):
        inputs = data['inputs']
        record = dict(container=type(inputs).__name__, labels=[int(i) for i in data['labels']])
        inputs = torch.stack(list(inputs))
        record['sums'] = [int(image.long().sum()) for image in inputs]
        real_logits = self.discriminator(inputs.float() / 127.5 - 1)
        fake_logits = self.discriminator(self.sample(len(inputs)).detach())
        loss_disc = self.loss.discriminator(real_logits, fake_logits)
        optim_wrapper['discriminator'].update_params(loss_disc)
        generator_logits = self.discriminator(self.sample(len(inputs)))
        loss_gen = self.loss.generator(generator_logits)
        optim_wrapper['generator'].update_params(loss_gen)
        record.update(
            real_logits=real_logits.tolist(),
            fake_logits=fake_logits.tolist(),
            generator_logits=generator_logits.tolist(),
            loss_disc=loss_disc.item(),
            loss_gen=loss_gen.item(),
        )
        self.seen.append(record)
        return dict(loss_disc=loss_disc.detach(), loss_gen=loss_gen.detach())


@registry.OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class TwoOptimizers:
    def __init__(self, optim_wrapper_cfg, paramwise_cfg=None):
        self.lr = optim_wrapper_cfg['lr']

    def __call__(self, model):
        return OptimWrapperDict(**{
            name: OptimWrapper(torch.optim.SGD(getattr(model, name).parameters(), lr=self.lr))
            for name in ('generator', 'discriminator')
        })


@registry.DATASETS.register_module()
class EvenBlobs(BaseDataset):
    '''Image number i is grey of value 20 * (i % 10), and i % 10 is its class.'''

    METAINFO = dict(classes=tuple('abcdefghij'))

    def __init__(self, size=8, answer='labels', **kwargs):
        self.size, self.answer = size, answer
        super().__init__(**kwargs)
        # Some projects keep their targets beside the items, in a list.
        self.labels = [info['label'] for info in self.load_data_list()]

    def load_data_list(self):
        return [dict(label=index % 10) for index in range(40)]

    def prepare_data(self, idx):
        label = self.get_data_info(idx)['label']
        inputs = torch.full((1, self.size, self.size), 20 * label, dtype=torch.uint8)
        if self.answer == 'labels':
            return dict(inputs=inputs, labels=label)
        gt_label = torch.tensor([label]) if self.answer == 'tensor' else label
        return dict(inputs=inputs, data_samples=BaseDataElement(gt_label=gt_label))


@registry.TRANSFORMS.register_module()
class Negative:
    def __call__(self, results):
        results['img'] = 255 - results['img']
        return results


@registry.MODELS.register_module()
class TinyBackbone(BaseModule):
    def __init__(self, in_channels=1, init_cfg=None):
        super().__init__(init_cfg)
        self.conv = nn.Conv2d(in_channels, 6, 5, stride=3)
        self.norm = nn.BatchNorm2d(6)

    def forward(self, images):
        return (self.norm(self.conv(images)).relu().mean((2, 3)),)


@registry.HOOKS.register_module()
class LogKeysHook(Hook):
    def __init__(self):
        self.keys = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.keys.append(sorted(outputs))


@registry.VISUALIZERS.register_module()
class RecordingVisualizer(Visualizer):
    def __init__(self, name='visualizer', vis_backends=None, **kwargs):
        super().__init__(name, vis_backends=vis_backends, **kwargs)
        self.images = []

    def add_image(self, name, image, step=0):
        self.images.append((name, step, image.shape, str(image.dtype)))


@registry.PARAM_SCHEDULERS.register_module()
class HalvingLR(ExponentialLR):
    def __init__(self, optimizer, **kwargs):
        super().__init__(optimizer, gamma=0.5, **kwargs)


@registry.OPTIMIZERS.register_module()
class SignSGD(torch.optim.Optimizer):
    def __init__(self, params, lr):
        super().__init__(params, dict(lr=lr))

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for parameter in group['params']:
                if parameter.grad is not None:
                    parameter.sub_(group['lr'] * parameter.grad.sign())
"""


@MODELS.register_module()
class TrunkDiscriminator(BaseModule):
    """What a user writes to have another project's backbone judge the images."""

    def __init__(self, backbone, features=6, num_classes=None):
        super().__init__()
        self.num_classes = num_classes
        self.backbone = MODELS.build(backbone)
        self.head = torch.nn.Linear(features, num_classes or 1)

    def forward(self, images, labels=None):
        logits = self.head(self.backbone(images)[-1].flatten(1))
        labels = torch.zeros(len(images), dtype=torch.int64) if labels is None else labels
        return logits.gather(1, labels[:, None]).squeeze(1)


@pytest.fixture(scope='session')
def otherproject(tmp_path_factory):
    """The folder that holds the package ``otherproject``; it can be imported here, too."""
    folder = tmp_path_factory.mktemp('projects')
    package = folder / 'otherproject'
    package.mkdir()
    (package / '__init__.py').write_text('')
    (package / 'registry.py').write_text(REGISTRY)
    (package / 'parts.py').write_text(PARTS)
    # To the end of the session: MMEngine's registries keep their children that long.
    sys.path.insert(0, str(folder))
    return folder
