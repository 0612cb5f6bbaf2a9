"""R3GAN of its authors: pickles of plain modules.

Huang et al. 2024, The GAN is dead; long live the GAN! A Modern GAN Baseline, arXiv:2501.05441.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from mmgan_lite.checkpoints.foreign.ledger import Ledger
from mmgan_lite.checkpoints.foreign.pickles import PickledModule
from mmgan_lite.checkpoints.foreign.snapshots import (
    Network,
    convert_players,
    drop_filters,
    transposed,
)
from mmgan_lite.checkpoints.foreign.source import Conversion, ForeignFile

_BLOCK = {
    r'LinearLayer1\.Layer\.weight': r'layers.0.weight',
    r'NonLinearity1\.Bias': r'layers.0.bias',
    r'LinearLayer2\.Layer\.weight': r'layers.2.weight',
    r'NonLinearity2\.Bias': r'layers.2.bias',
    r'LinearLayer3\.Layer\.weight': r'layers.4.weight',
}
_BATCH_SIZE = 64
_STAGE = 'Model.MainLayers.{}.Layers.'


def recognizes(file: ForeignFile) -> bool:
    """A dict of modules, of which ``G_ema`` has a ``Model`` with ``MainLayers``."""
    found = file.content.get('G_ema') if isinstance(file.content, Mapping) else None
    return isinstance(found, PickledModule) and 'Model.MainLayers' in found.modules()


def convert(file: ForeignFile) -> Conversion:
    """``G_ema``, ``G`` and ``D`` as a GAN with an average."""
    ledger, notes = file.ledger(), list[str]()
    if images := file.content.get('cur_nimg'):
        notes.append(f'It was trained on {images:,} images; schedules and optimizers start anew.')
    players = convert_players(file, ledger, _generator, _discriminator, _turned_round, notes)
    for name in ('G_opt_state', 'D_opt_state', 'augment_pipe'):
        ledger.drop(ledger.names(f'{name}.'), f'of {name}, which starts anew')
    # What the authors' schedule ends with.
    adam = dict(optimizer=dict(type='Adam', lr=5e-5, betas=(0.0, 0.99), fused=True))
    return Conversion(
        model=_model(players.generator, players.discriminator),
        state=players.state,
        ledger=ledger,
        optim_wrapper=dict(generator=adam, discriminator=adam),
        batch_size=_BATCH_SIZE,
        fresh=players.fresh,
        notes=notes,
    )


def _model(generator: Mapping[str, Any], discriminator: Mapping[str, Any]) -> dict[str, Any]:
    """With the weights that the authors' schedule for CIFAR-10 ends with."""
    penalties = [dict(type=f'{name}Regularizer', weight=0.005) for name in ('R1', 'R2')]
    return dict(
        type='GAN',
        generator=generator,
        discriminator=discriminator,
        loss=dict(type='RelativisticPairingGANLoss'),
        regularizers=penalties,
        ema=dict(
            type='HalfLifeMovingAverage',
            half_life=500_000,
            images_per_update=_BATCH_SIZE,
            ramp_up=None,
        ),
    )


def _turned_round(generator: Mapping[str, Any]) -> dict[str, Any]:
    """A discriminator like a generator."""
    per_stage = ('channels', 'blocks_per_stage', 'cardinality')
    reverse = {name: generator[name][::-1] for name in per_stage}
    rest = {k: v for k, v in generator.items() if k not in ('latent_dim', *per_stage)}
    return rest | reverse | dict(type='R3GANDiscriminator')


def _generator(
    network: PickledModule, ledger: Ledger, file: ForeignFile, notes: list[str]
) -> Network:
    start = _STAGE.format(0) + '0'
    last = ledger.peek('Model.AggregationLayer.Layer.weight')
    stages = _Stages(network, ledger, file, notes)
    embedding_dim, num_classes = stages.labels
    side = ledger.peek(f'{start}.Basis').shape[1] << (stages.number - 1)
    inputs = ledger.peek(f'{start}.LinearLayer.weight').shape[1]
    config = dict(
        type='R3GANGenerator',
        latent_dim=inputs - (embedding_dim if num_classes else 0),
        image_shape=(last.shape[0], side, side),
        **stages.config(),
    )
    state = stages.state(up=True)
    state['basis'] = ledger.take(f'{start}.Basis')
    state['coefficients.weight'] = ledger.take(f'{start}.LinearLayer.weight')
    state[f'layers.{stages.length}.weight'] = ledger.take('Model.AggregationLayer.Layer.weight')
    return Network(config, state)


def _discriminator(
    network: PickledModule, ledger: Ledger, file: ForeignFile, notes: list[str]
) -> Network:
    first = ledger.take('Model.ExtractionLayer.Layer.weight')
    stages = _Stages(network, ledger, file, notes)
    state = {'layers.0.weight': first} | stages.state(up=False)
    # After the blocks of the last stage: one filter a channel, nn.Flatten, a linear layer.
    end = _STAGE.format(stages.number - 1) + str(stages.blocks[-1])
    basis = state[f'layers.{stages.length}.weight'] = ledger.take(f'{end}.Basis.weight')
    state[f'layers.{stages.length + 2}.weight'] = ledger.take(f'{end}.LinearLayer.weight')
    side = basis.shape[2] << (stages.number - 1)
    shape = (first.shape[1], side, side)
    return Network(dict(type='R3GANDiscriminator', image_shape=shape, **stages.config()), state)


class _Stages:
    """The blocks of each size, and what is between two sizes."""

    def __init__(
        self, network: PickledModule, ledger: Ledger, file: ForeignFile, notes: list[str]
    ) -> None:
        self._ledger, modules = ledger, network.modules()
        stages = modules['Model.MainLayers'].children()
        self.number, self.length = len(stages), 0
        self.blocks, self._widths, self._groups, expansions = [], [], [], set()
        self._first: list[int] = []
        for stage in stages:
            layers = modules[_STAGE.format(stage)[:-1]].children()
            places = [
                int(name) for name, layer in layers.items() if 'LinearLayer3' in layer.children()
            ]
            if not places:
                raise file.refuse(f'has no block in stage {stage}', 'It is not supported')
            block = f'{_STAGE.format(stage)}{places[0]}.LinearLayer'
            inner, width = ledger.peek(f'{block}1.Layer.weight').shape[:2]
            self._widths.append(width)
            self._groups.append(inner // ledger.peek(f'{block}2.Layer.weight').shape[1])
            self.blocks.append(len(places))
            self._first.append(places[0])
            expansions.add(inner / width)
        if len(expansions) > 1 or not (expansion := expansions.pop()).is_integer():
            raise file.refuse('has blocks of several expansions', 'It is not supported')
        self._expansion = int(expansion)
        embedding = 'Model.EmbeddingLayer.weight'
        self.labels = tuple(ledger.peek(embedding).shape) if embedding in ledger else (64, None)
        drop_filters(ledger, 'Kernel')
        note = 'Its largest sizes computed in lower precision, here in float32.'
        if note not in notes and any(
            module.get('DataType') in (torch.float16, torch.bfloat16) for module in modules.values()
        ):
            notes.append(note)

    def config(self) -> dict[str, Any]:
        """Arguments that both networks have."""
        return dict(
            channels=tuple(self._widths),
            blocks_per_stage=tuple(self.blocks),
            cardinality=tuple(self._groups),
            expansion=self._expansion,
            num_classes=self.labels[1],
            embedding_dim=self.labels[0],
        )

    def state(self, up: bool) -> dict[str, Tensor]:
        """Of the blocks, what is between them, and the labels; sets ``length`` of the layers."""
        state: dict[str, Tensor] = {}
        place = 0 if up else 1  # after the first convolution
        for stage in range(self.number):
            if stage > 0:
                # In the generator before the doubling, in the discriminator after the halving.
                before = self._widths[stage - 1] != self._widths[stage]
                there = _STAGE.format(stage) + '0' if up else None
                there = there or f'{_STAGE.format(stage - 1)}{self.blocks[stage - 1]}'
                if before:
                    name = f'layers.{place if up else place + 1}.weight'
                    state[name] = self._ledger.take(f'{there}.LinearLayer.Layer.weight')
                place += 1 + before
            for block in range(self.blocks[stage]):
                theirs = f'{_STAGE.format(stage)}{self._first[stage] + block}.'
                state |= self._ledger.under(theirs).take_renamed(_BLOCK, f'layers.{place}.')
                place += 1
        self.length = place
        if self.labels[1]:
            state['label_embedding.weight'] = transposed(
                self._ledger, 'Model.EmbeddingLayer.weight'
            )
        return state
