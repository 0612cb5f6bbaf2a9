import torch

from mmgan_lite.checkpoints.foreign import Ledger
from mmgan_lite.checkpoints.foreign.transfer import Transfer, numbers


def transfer_of(reverse=True, **tensors):
    ledger = Ledger({name.replace('__', '.'): t for name, t in tensors.items()}, 'a.pth')
    return Transfer(ledger, reverse)


def test_layer_without_colors_stays_as_it_is():
    weight = torch.randn(2, 3, 1, 1)
    transfer = transfer_of(conv__weight=weight, conv__bias=torch.ones(2), other=torch.ones(1))
    transfer.move('layers.0', 'conv')
    assert transfer.state['layers.0.weight'] is weight
    assert list(transfer.state) == ['layers.0.weight', 'layers.0.bias']
    assert transfer.ledger.names() == ['other']
    transfer.move('layers.1', 'norm')  # without parameters
    assert len(transfer.state) == 2


def test_colors_of_both_ends_are_reversed():
    first, last = torch.randn(2, 3, 1, 1), torch.randn(3, 2, 1, 1)
    transfer = transfer_of(
        a__weight=first, a__bias=torch.tensor([1.0, 2.0]), b__weight=last, b__bias=torch.arange(3.0)
    )
    transfer.move('a', 'a', 'in', [3])
    transfer.move('b', 'b', 'out', [3])
    assert torch.equal(transfer.state['a.weight'], first.flip(1))
    assert transfer.state['a.bias'].tolist() == [1, 2]
    assert torch.equal(transfer.state['b.weight'], last.flip(0))
    assert transfer.state['b.bias'].tolist() == [2, 1, 0]
    text = '1 tensors taken, 3 derived (3 blue, green, red to red, green, blue)'
    assert transfer.ledger.summary().startswith(text)


def test_each_image_of_a_pair_is_reversed_by_itself_and_gray_stays():
    weight = torch.arange(6.0)[None, :, None, None]
    transfer = transfer_of(a__weight=weight, b__weight=weight[:, :4], c__weight=weight[:, :1])
    transfer.move('a', 'a', 'in', [3, 3])
    transfer.move('b', 'b', 'in', [1, 3])
    transfer.move('c', 'c', 'in', [1])
    assert transfer.state['a.weight'].flatten().tolist() == [2, 1, 0, 5, 4, 3]
    assert transfer.state['b.weight'].flatten().tolist() == [0, 3, 2, 1]
    assert transfer.state['c.weight'].flatten().tolist() == [0]


def test_spectral_norm_is_that_of_the_reversed_weight():
    network = torch.nn.utils.parametrizations.spectral_norm(torch.nn.Conv2d(3, 4, 3)).eval()
    state = {
        name.replace('original', 'weight_orig').rpartition('.')[2]: tensor
        for name, tensor in network.state_dict().items()
    }
    theirs = dict(
        conv__weight_orig=state['weight_orig'],
        conv__weight_u=state['_u'],
        conv__weight_v=state['_v'],
        conv__bias=state['bias'],
    )
    images = torch.randn(2, 3, 5, 5)
    transfer = transfer_of(**theirs)
    transfer.move('layer', 'conv', 'in', [3])
    expected = network(images.flip(1))
    network.load_state_dict({k.removeprefix('layer.'): t for k, t in transfer.state.items()})
    torch.testing.assert_close(network(images), expected)


def test_spectral_norm_of_the_authors_of_biggan_takes_one_iteration_more():
    weight, u0 = torch.randn(3, 5), torch.randn(1, 3)
    for reverse in (False, True):
        transfer = transfer_of(reverse, a__weight=weight, a__u0=u0, a__sv0=torch.ones(1))
        transfer.move('a', 'a', 'out', [3])
        weight_, u, v = (
            transfer.state[f'a.parametrizations.weight.{n}'] for n in ('original', '0._u', '0._v')
        )
        v_ = torch.nn.functional.normalize(u0 @ weight)
        sigma = torch.linalg.vector_norm(v_ @ weight.T)
        torch.testing.assert_close(u @ weight_ @ v, sigma)
        assert torch.equal(weight_, weight.flip(0) if reverse else weight)


def test_count_of_batches_is_0_where_the_file_has_none():
    transfer = transfer_of(bn__running_mean=torch.ones(2), bn__running_var=torch.ones(2))
    transfer.move('norm', 'bn')
    assert transfer.state['norm.num_batches_tracked'].item() == 0


def test_numbers():
    assert numbers(['10.a', '2.b', '2.c', 'x.d']) == [2, 10]
