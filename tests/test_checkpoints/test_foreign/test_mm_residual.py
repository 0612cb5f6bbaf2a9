import torch

from mmgan_lite.checkpoints.foreign import Ledger
from mmgan_lite.checkpoints.foreign.mm_residual import (
    Head,
    find_places,
    find_weight,
    has_spectral_norm,
    move_discriminator,
)
from mmgan_lite.checkpoints.foreign.transfer import Transfer


def test_attention_is_counted_by_the_blocks_before_it():
    names = [f'conv_blocks.{i}.conv1.conv.weight' for i in (0, 1, 3, 10)] + ['conv_blocks.2.gamma']
    ledger = Ledger(dict.fromkeys(names, torch.zeros(1)), 'a.pth')
    blocks, attention = find_places(ledger)
    assert blocks == ['conv_blocks.0', 'conv_blocks.1', 'conv_blocks.3', 'conv_blocks.10']
    assert attention == [(2, 'conv_blocks.2')]


def test_both_kinds_of_spectral_norm_are_seen():
    tensors = ('a.weight', 'b.weight_orig', 'b.weight_u', 'c.weight', 'c.u0')
    ledger = Ledger(dict.fromkeys(tensors, torch.zeros(2)), 'a.pth')
    assert [has_spectral_norm(ledger, name) for name in 'abc'] == [False, True, True]
    assert find_weight(ledger, 'b').shape == (2,)
    assert find_weight(ledger, 'd') is None


def test_halvings_are_told_by_shortcuts_and_that_is_said(zeros):
    tensors = zeros(decision__weight=(1, 4), decision__bias=(1,))
    for block, before in enumerate((3, 4, 4)):
        tensors[f'conv_blocks.{block}.conv1.conv.weight'] = torch.zeros(4, before, 3, 3)
        tensors[f'conv_blocks.{block}.conv2.conv.weight'] = torch.zeros(4, 4, 3, 3)
    for block, before in enumerate((3, 4)):
        tensors[f'conv_blocks.{block}.shortcut.conv.weight'] = torch.zeros(4, before, 1, 1)
    transfer = Transfer(Ledger(tensors, 'a.pth'), reverse=False)
    blocks, attention = find_places(transfer.ledger)
    head = Head(blocks, ('conv1', 'conv2'), attention, halvings=None)
    settings = move_discriminator(transfer, head, (3, 16, 16))
    assert settings == dict(
        image_shape=(3, 16, 16), channels=(4, 4, 4), halvings=2, num_classes=None
    )
    assert transfer.notes == [
        'Blocks of the discriminator with a layer in the shortcut are taken to halve the size: '
        '2 of 3; the file does not say.'
    ]
