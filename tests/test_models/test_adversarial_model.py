"""The training step of any number of players."""

import pytest
import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import nn
from torch._dynamo.utils import counters

from mmgan_lite.models import GAN, AdversarialModel, Player, TrainingBatch


class Scale(nn.Module):
    """x -> weight * x."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))

    def forward(self, x):
        return self.weight * x


class Three(AdversarialModel):
    """Networks a, b and c; each player minimizes a * b * c * x."""

    def __init__(self, **players):
        defaults = dict(
            first=Player(('a',), 'a'),
            second=Player(('b',), 'b', steps=2, every=2),
            third=Player(('c',), 'c', frozen=('a',)),
        )
        super().__init__({**defaults, **players})
        self.a, self.b, self.c = Scale(1.0), Scale(2.0), Scale(3.0)
        self.played, self.updated = [], []

    def losses(self, player, batch):
        self.played.append(player)
        trained = {n for n, p in self.named_parameters() if p.requires_grad}
        product = self.a(self.b(self.c(batch.images))).mean()
        return {f'loss_{player}': product, 'trained': torch.tensor(float(len(trained)))}

    def after_update(self, player, batch, stepped):
        self.updated.append((player, stepped))


def wrappers(model, **counts):
    return OptimWrapperDict(
        **{
            name: OptimWrapper(
                torch.optim.SGD(getattr(model, name).parameters(), lr=0.1),
                accumulative_counts=counts.get(name, 1),
            )
            for name in 'abc'
        }
    )


def test_each_player_plays_in_its_turn_on_its_own_weights():
    model = Three()
    optim_wrapper = wrappers(model)
    data = dict(inputs=torch.ones(2, 1))
    log = model.train_step(data, optim_wrapper)
    assert model.played == ['first', 'third']
    # The loss is a b c: a = 1 - 0.1 * 6; c = 3 - 0.1 * 0.4 * 2
    assert (log['loss_first'], round(log['loss_third'].item(), 6)) == (6.0, 2.4)
    torch.testing.assert_close(model.a.weight.item(), 0.4)
    assert model.b.weight.item() == 2.0
    torch.testing.assert_close(model.c.weight.item(), 2.92)
    # In the step of the third player only a is frozen.
    assert log['trained'] == 2.0
    assert all(p.requires_grad for p in model.parameters())

    model.train_step(data, optim_wrapper)
    assert model.played[2:] == ['first', 'second', 'second', 'third']
    assert model.step_counts(2) == {n: w.inner_count for n, w in optim_wrapper.items()}
    # The gradient on b in the third player's step went no further.
    assert model.a.weight.grad is None
    assert not any(value.requires_grad for value in log.values())


def test_updates_where_gradients_are_accumulated():
    model = Three()
    optim_wrapper = wrappers(model, a=2)
    for _ in range(2):
        model.train_step(dict(inputs=torch.ones(2, 1)), optim_wrapper)
    assert [stepped for player, stepped in model.updated if player == 'first'] == [False, True]


def test_players_that_make_no_game():
    with pytest.raises(ValueError, match=r'must begin with one that has every=1'):
        Three(first=Player(('a',), 'a', every=2))
    with pytest.raises(ValueError, match=r"optim wrapper of their own, got \['a', 'a', 'c'\]"):
        Three(second=Player(('b',), 'a'))
    with pytest.raises(ValueError, match='every must be an int of at least 1, got 0'):
        Player(('a',), 'a', every=0)


def test_optim_wrapper_that_lacks_a_player():
    model = Three()
    lacking = OptimWrapperDict(a=wrappers(model)['a'])
    with pytest.raises(ValueError, match=r'one wrapper each for a and b and c, got .a.\. Set'):
        model.train_step(dict(inputs=torch.ones(1, 1)), lacking)


def test_compiled_networks_train_as_they_do_uncompiled(make_batch, make_optim_wrapper):
    """With lazy R1 and path length, mixed styles and noise, in four graphs that stay."""
    torch.compiler.reset()
    counters.clear()
    common = dict(image_shape=(1, 8, 8), channel_max=4, num_mapping_layers=1)
    batches = [make_batch(4, (1, 8, 8)) for _ in range(20)]
    found = []
    for is_compiled in (False, True):
        torch.manual_seed(0)
        gan = GAN(
            generator=dict(type='StyleGAN2Generator', latent_dim=6, style_dim=6, **common),
            discriminator=dict(type='StyleGAN2Discriminator', **common),
            loss=dict(type='NonSaturatingGANLoss'),
            regularizers=[
                dict(type='R1Regularizer', interval=4),
                dict(type='PathLengthRegularizer', interval=2),
            ],
        ).train()
        wrappers = make_optim_wrapper(gan, lr=1e-2)
        if is_compiled:  # without a C++ compiler, but with that of gradients
            gan.compile(backend='aot_eager')
        logs, graphs = [], []
        for batch in batches:
            logs.append(gan.train_step(batch, wrappers))
            graphs.append(counters['stats']['unique_graphs'])
        found.append((logs, gan.state_dict(), gan.probe(torch.rand(4, 1, 8, 8))))
    torch.testing.assert_close(found[1], found[0], rtol=1e-3, atol=1e-4)
    # Of the generator without gradient and with it, of the discriminator trained and frozen.
    assert set(graphs) == {4}
    assert not counters['graph_break']
    assert counters['stats']['unique_graphs'] == 4


def test_compile_needs_no_cuda_graph():
    model = Three()
    model.cuda_graph = True
    with pytest.raises(ValueError, match=r'compile needs .* got .* and cuda_graph=True'):
        model.compile()


def test_a_model_without_forward_says_what_evaluation_needs():
    with pytest.raises(NotImplementedError, match=r'Three cannot be evaluated by a val_loop'):
        Three()(inputs=torch.ones(1, 1), mode='predict')


def test_batch_has_the_fields_of_the_preprocessor():
    source, target = torch.zeros(1), torch.ones(1)
    batch = TrainingBatch.from_dict(dict(source=source, target=target))
    assert batch.source is source
    assert batch.target is target
    assert tuple(batch) == (None, None)
    copy = batch.clone()
    assert copy.source is not source
    assert copy.tensors() == (None, None, source, target)
