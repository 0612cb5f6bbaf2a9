"""Regularizers against their closed forms on discriminators whose gradient is known."""

import inspect
import math

import pytest
import torch
from torch import nn

import mmgan_lite.models
from mmgan_lite.models import (
    BalancedConsistencyRegularizer,
    ConsistencyRegularizer,
    DRAGANRegularizer,
    DriftRegularizer,
    GradientPenalty,
    LeCamRegularizer,
    MLPDiscriminator,
    OrthogonalRegularizer,
    R1Regularizer,
    R2Regularizer,
    Regularizer,
)
from mmgan_lite.registry import MODELS

REGULARIZERS = [
    part
    for part in MODELS.module_dict.values()
    if inspect.isclass(part)
    and issubclass(part, Regularizer)
    and part.player == 'discriminator'
    # Of networks with more than logits, which have tests of their own.
    and not part.takes_network
]
SLOPES = [R1Regularizer, R2Regularizer, GradientPenalty, DRAGANRegularizer]
CONSISTENCIES = [ConsistencyRegularizer, BalancedConsistencyRegularizer]


class Linear(nn.Module):
    """D(x) = <w, x> + b, with ||w|| = 3: the gradient is w everywhere."""

    def __init__(self, bias=0.0):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([2.0, -1.0, 2.0, 0.0]))
        self.bias = nn.Parameter(torch.tensor(bias))
        self.seen = []

    def forward(self, images, labels=None):
        self.seen.append((images, labels))
        return images.flatten(1) @ self.weight + self.bias


class Quadratic(nn.Module):
    """D(x) = a ||x||^2 / 2: the gradient is a x."""

    def __init__(self, factor):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, images, labels=None):
        return 0.5 * self.factor * images.flatten(1).square().sum(1)


class Add(nn.Module):
    """An augmentation whose effect on a linear discriminator is known."""

    def __init__(self, amount):
        super().__init__()
        self.amount = amount

    def forward(self, images):
        return images + self.amount


def make(regularizer, **kwargs):
    augmentation = dict(augmentation=Add(1.0)) if regularizer in CONSISTENCIES else {}
    return regularizer(**{**augmentation, **kwargs})


def images(num=5):
    return torch.randn(num, 1, 2, 2)


def assert_value(scalar, expected):
    torch.testing.assert_close(scalar.detach(), torch.tensor(float(expected)))


def make_mlp(num_classes=None):
    return MLPDiscriminator(image_shape=(1, 2, 2), hidden_dims=(8,), num_classes=num_classes)


# --- R1, R2 -----------------------------------------------------------------------------------


@pytest.mark.parametrize('regularizer', [R1Regularizer, R2Regularizer])
def test_squared_slope_of_a_linear_discriminator(regularizer):
    """gamma / 2 ||w||^2, with ||w||^2 = 9."""
    assert_value(regularizer(weight=10.0)(Linear(), images(), images()), 45)


def test_r1_and_r2_of_a_quadratic_discriminator():
    """gamma / 2 E ||a x||^2: R1 on the real images, R2 on the fakes."""
    real = torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 1.0, 1.0]]).view(2, 1, 2, 2)  # 1, 3
    fake = torch.tensor([[2.0, 0.0, 0.0, 0.0], [0.0, 1.0, 1.0, 0.0]]).view(2, 1, 2, 2)  # 4, 2
    discriminator = Quadratic(3.0)
    r1 = MODELS.build(dict(type='R1Regularizer', weight=0.5))(discriminator, real, fake)
    r2 = MODELS.build(dict(type='R2Regularizer', weight=0.5))(discriminator, real, fake)
    assert_value(r1, 0.25 * 9 * 2)
    assert_value(r2, 0.25 * 9 * 3)
    # d/da of gamma / 2 a^2 E ||x||^2
    (gradient,) = torch.autograd.grad(r1, discriminator.parameters())
    assert_value(gradient, 0.5 * 3 * 2)


def test_r1_of_a_network_is_the_slope_by_finite_differences():
    discriminator = make_mlp().double()
    point = torch.randn(1, 1, 2, 2, dtype=torch.float64)
    steps = 1e-6 * torch.eye(4, dtype=torch.float64).view(4, 1, 2, 2)
    slope = (discriminator(point + steps) - discriminator(point - steps)) / 2e-6
    expected = 0.5 * slope.square().sum().item()
    value = R1Regularizer(weight=1.0)(discriminator.float(), point, point)
    assert value.item() == pytest.approx(expected, rel=1e-4)


# --- slopes of 1 ------------------------------------------------------------------------------


@pytest.mark.parametrize('regularizer', [GradientPenalty, DRAGANRegularizer])
def test_slope_of_a_linear_discriminator(regularizer):
    """10 (||w|| - 1)^2 wherever the slope is taken, with ||w|| = 3."""
    assert_value(regularizer()(Linear(), images(), images()), 40)


@pytest.mark.parametrize('regularizer', [GradientPenalty, DRAGANRegularizer])
def test_finite_where_the_slope_is_zero(regularizer):
    """The norm has no gradient there; PyTorch takes 0."""
    discriminator = Linear()
    nn.init.zeros_(discriminator.weight)
    value = regularizer()(discriminator, images(), images())
    value.backward()
    assert_value(value, 10)
    assert discriminator.weight.grad.isfinite().all()


def test_gradient_penalty_is_taken_between_the_pairs():
    """One uniform number for each pair, the same for all its pixels."""
    discriminator = Linear()
    real, fake = torch.zeros(64, 1, 2, 2), torch.full((64, 1, 2, 2), 4.0)
    GradientPenalty()(discriminator, real, fake)
    ((between, _),) = discriminator.seen
    shares = between.detach().flatten(1) / 4
    assert torch.equal(shares, shares[:, :1].expand_as(shares))
    assert len(shares[:, 0].unique()) == 64
    assert 0 <= shares.min() < 0.2
    assert 0.8 < shares.max() <= 1


def test_gradient_penalty_by_hand():
    """D(x) = ||x||^2 / 2 has slope ||x||; between x and x there is only x, of norm 2."""
    ones = torch.ones(3, 1, 2, 2)
    assert_value(GradientPenalty(weight=5.0)(Quadratic(1.0), ones, ones), 5)


def test_gradient_penalty_needs_pairs():
    with pytest.raises(ValueError, match=r'same shape, got \(5, 1, 2, 2\) and \(1, 1, 2, 2\)'):
        GradientPenalty()(Linear(), images(5), images(1))


def test_dragan_perturbs_by_half_a_standard_deviation():
    discriminator = Linear()
    real = images(64)
    DRAGANRegularizer()(discriminator, real, images(64))
    ((around, _),) = discriminator.seen
    moved = around.detach() - real
    half = 0.5 * real.numpy().std()
    assert moved.min() >= 0
    assert 0.8 * half < moved.max() <= half
    # The product of two uniform numbers has mean 1/4.
    assert moved.mean().item() == pytest.approx(half / 4, rel=0.2)


@pytest.mark.parametrize('regularizer', [GradientPenalty, DRAGANRegularizer])
def test_random_points_follow_the_seed(regularizer):
    real, fake, discriminator = images(), images(), make_mlp()
    values = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        values.append(regularizer()(discriminator, real, fake).item())
    assert values[0] == values[1] != values[2]


# --- logits -----------------------------------------------------------------------------------


def test_drift_by_hand():
    discriminator = Linear(bias=1.0)
    real = torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 5.0]]).view(2, 1, 2, 2)  # 3, 0
    assert_value(DriftRegularizer()(discriminator, real, images(2)), 1e-3 * 4.5)
    assert_value(DriftRegularizer(weight=2.0)(discriminator, real, images(2)), 9)


def test_given_logits_save_the_pass():
    discriminator = Linear()
    for regularizer, expected in ((DriftRegularizer(weight=1.0), 4.0), (LeCamRegularizer(1.0), 18)):
        logits = torch.full((5,), 2.0), torch.full((5,), -1.0)
        value = regularizer(discriminator, images(), images(), None, *logits)
        assert_value(value, expected)
    assert discriminator.seen == []


def test_lecam_by_hand_over_three_calls():
    """Corrected average with decay 1/2: weights 1; 1/3, 2/3; 1/7, 2/7, 4/7 of the batch means."""
    regularizer = LeCamRegularizer(weight=2.0, decay=0.5)
    assert regularizer.real_anchor.item() == regularizer.fake_anchor.item() == 0
    anchors = ((4, -2), (8 / 3, -2 / 3), (4 / 7 + 4 / 7 + 20 / 7, -2 / 7 + 0 + 4 / 7))
    batches = (((5.0, 3.0), (-2.0, -2.0)), ((2.0, 2.0), (1.0, -1.0)), ((5.0, 5.0), (1.0, 1.0)))
    for (real_anchor, fake_anchor), (real, fake) in zip(anchors, batches, strict=True):
        real_logits, fake_logits = torch.tensor(real), torch.tensor(fake)
        value = regularizer(None, images(2), images(2), None, real_logits, fake_logits)
        assert_value(regularizer.real_anchor, real_anchor)
        assert_value(regularizer.fake_anchor, fake_anchor)
        expected = sum((r - fake_anchor) ** 2 for r in real) / 2
        expected += sum((f - real_anchor) ** 2 for f in fake) / 2
        assert_value(value, 2 * expected)


def test_lecam_anchors_settle_as_an_average_of_the_decay():
    """Once the start is forgotten, a call moves an anchor by 1 - decay of the way."""
    regularizer = LeCamRegularizer(decay=0.9)
    ones, zeros = torch.ones(2), torch.zeros(2)
    for _ in range(300):
        regularizer(None, images(2), images(2), None, ones, zeros)
    assert_value(regularizer.real_anchor, 1)
    assert_value(regularizer.memory, 10)
    regularizer(None, images(2), images(2), None, zeros, zeros)
    assert_value(regularizer.real_anchor, 0.9)


def test_lecam_anchors_carry_no_gradient_and_stay_in_eval_mode():
    regularizer, discriminator = LeCamRegularizer(), Linear()
    first = regularizer(discriminator, images(), images())
    second = regularizer(discriminator, images(), images())
    assert not regularizer.real_anchor.requires_grad
    # The second call wrote to the anchors before the first one's backward pass.
    (first + second).backward()
    state = {name: value.clone() for name, value in regularizer.state_dict().items()}
    regularizer.eval()(discriminator, images(), images())
    assert all(torch.equal(value, state[name]) for name, value in regularizer.state_dict().items())


def test_lecam_state_survives_save_and_load(tmp_path):
    regularizer, discriminator = LeCamRegularizer(), Linear()
    for _ in range(3):
        regularizer(discriminator, images(), images())
    torch.save(regularizer.state_dict(), tmp_path / 'state.pth')
    loaded = LeCamRegularizer()
    loaded.load_state_dict(torch.load(tmp_path / 'state.pth'))
    real, fake = images(), images()
    assert torch.equal(regularizer(discriminator, real, fake), loaded(discriminator, real, fake))
    assert set(loaded.state_dict()) == {'real_anchor', 'fake_anchor', 'memory'}


@pytest.mark.parametrize('decay', [-0.1, 1.0, math.nan, '0.9'])
def test_lecam_decay_out_of_its_range(decay):
    with pytest.raises(ValueError, match=r'decay must be a number in \[0, 1\), got'):
        LeCamRegularizer(decay=decay)


# --- consistency ------------------------------------------------------------------------------


@pytest.mark.parametrize('regularizer', CONSISTENCIES)
def test_nothing_moves_without_augmentation(regularizer):
    value = regularizer(augmentation=nn.Identity())(make_mlp(), images(), images())
    assert_value(value, 0)


@pytest.mark.parametrize(
    ('regularizer', 'kinds'), [(ConsistencyRegularizer, 1), (BalancedConsistencyRegularizer, 2)]
)
def test_known_augmentation_of_a_linear_discriminator(regularizer, kinds):
    """Adding 1 to each pixel moves the logit by sum(w) = 3."""
    value = regularizer(augmentation=Add(1.0), weight=2.0)(Linear(), images(), images())
    assert_value(value, 2 * 9 * kinds)


def test_cr_looks_at_real_images_and_bcr_at_both():
    """D(x) = ||x||^2 / 2 of images of 1 and of 2, which T makes 2 and 3."""
    real, fake = torch.ones(2, 1, 2, 2), torch.full((2, 1, 2, 2), 2.0)
    discriminator = Quadratic(1.0)
    cr = ConsistencyRegularizer(augmentation=Add(1.0), weight=1.0)
    bcr = BalancedConsistencyRegularizer(augmentation=Add(1.0), weight=1.0)
    assert_value(cr(discriminator, real, fake), (2 - 8) ** 2)
    assert_value(bcr(discriminator, real, fake), (2 - 8) ** 2 + (8 - 18) ** 2)


@pytest.mark.parametrize('regularizer', CONSISTENCIES)
def test_given_logits_stand_for_the_images_themselves(regularizer):
    discriminator = Linear()
    real, fake = images(), images()
    logits = discriminator(real), discriminator(fake)
    expected = make(regularizer)(discriminator, real, fake)
    discriminator.seen.clear()
    value = make(regularizer)(discriminator, real, fake, None, *logits)
    torch.testing.assert_close(value, expected)
    assert len(discriminator.seen) == (1 if regularizer is ConsistencyRegularizer else 2)


@pytest.mark.parametrize('regularizer', CONSISTENCIES)
def test_logits_of_an_autocast_pass_are_not_compared_with(regularizer):
    """An augmentation that does nothing costs nothing, also where D(x) came in bfloat16."""
    discriminator, real, fake = make_mlp(), images(), images()
    with torch.autocast('cpu', torch.bfloat16):
        logits = discriminator(real).float(), discriminator(fake).float()
        value = regularizer(augmentation=nn.Identity())(discriminator, real, fake, None, *logits)
    assert_value(value, 0)
    assert not torch.equal(logits[0], discriminator(real))


@pytest.mark.parametrize('regularizer', CONSISTENCIES)
def test_augmentation_is_built_from_its_config(regularizer):
    cfg = dict(type='mmengine.BaseDataPreprocessor')  # any module that a config can name
    built = MODELS.build(dict(type=regularizer.__name__, augmentation=cfg))
    assert type(built.augmentation).__name__ == 'BaseDataPreprocessor'
    with pytest.raises(ValueError, match='augmentation must be a config or an object, got None'):
        regularizer(augmentation=None)


# --- of the generator -------------------------------------------------------------------------


def test_orthogonal_by_hand():
    """Rows (1, 2), (0, 3), (2, 0): products 6, 2, 0, each twice. A convolution: 1 * 2 + 2 * 1."""
    linear, conv = nn.Linear(2, 3), nn.Conv2d(1, 2, (1, 2))
    linear.weight.data = torch.tensor([[1.0, 2.0], [0.0, 3.0], [2.0, 0.0]])
    conv.weight.data = torch.tensor([[1.0, 2.0], [2.0, 1.0]]).view(2, 1, 1, 2)
    transposed = nn.ConvTranspose2d(1, 2, (1, 2))
    transposed.weight.data = conv.weight.data.transpose(0, 1)  # the same two filters
    regularizer = MODELS.build(dict(type='OrthogonalRegularizer', weight=0.5))
    assert (regularizer.name, regularizer.player) == ('orthogonal', 'generator')
    for layers, expected in (((linear,), 80), ((linear, conv), 112), ((transposed,), 32)):
        network = nn.Sequential(*layers, nn.BatchNorm2d(2), nn.Embedding(3, 2))
        assert_value(regularizer(network, images(), images()), 0.5 * expected)


def test_orthogonal_is_of_the_weight_before_spectral_norm():
    plain, normalized = nn.Linear(4, 3), nn.Linear(4, 3)
    normalized.load_state_dict(plain.state_dict())
    nn.utils.parametrizations.spectral_norm(normalized)
    values = [OrthogonalRegularizer(1.0)(n, images(), images()) for n in (plain, normalized)]
    torch.testing.assert_close(*values)


def test_orthogonal_gradient_is_that_of_the_formula():
    """2 * 2 (W W^T * (1 - I)) W."""
    network = nn.Linear(4, 3)
    OrthogonalRegularizer(1.0)(network, images(), images()).backward()
    weight = network.weight.detach()
    expected = 4 * ((weight @ weight.T) * (1 - torch.eye(3))) @ weight
    torch.testing.assert_close(network.weight.grad, expected)


def test_orthogonal_needs_layers():
    with pytest.raises(
        ValueError, match=r'needs a generator with convolutions .* Identity without'
    ):
        OrthogonalRegularizer()(nn.Identity(), images(), images())


def test_orthogonal_is_added_to_the_objective_of_the_generator(
    make_gan, make_batch, make_optim_wrapper
):
    gan = make_gan(regularizers=[dict(type='OrthogonalRegularizer', weight=1.0)])
    expected = gan.regularizers[0](gan.generator, images(), images()).detach()
    log = gan.train_step(make_batch(), make_optim_wrapper(gan))
    torch.testing.assert_close(log['loss_orthogonal'], expected)


# --- all of the discriminator ------------------------------------------------------------------


def test_all_regularizers_are_found():
    names = {part.name for part in REGULARIZERS}
    assert len(names) == len(REGULARIZERS)
    assert names >= {
        'balanced_consistency',
        'consistency',
        'dragan',
        'drift',
        'gradient_penalty',
        'lecam',
        'r1',
        'r2',
    }


@pytest.mark.parametrize('regularizer', REGULARIZERS)
class TestContract:
    """What the GAN takes for granted of a regularizer, also of one that is added tomorrow."""

    def test_weight_and_interval(self, regularizer):
        built = make(regularizer, weight=0.25, interval=16)
        assert built.interval == 16
        assert built.weight.item() == 0.25
        assert built.weight.shape == ()
        assert built.weight.dtype == torch.float32
        assert 'weight' not in built.state_dict()
        assert list(built.parameters()) == []
        assert make(regularizer).interval == 1
        assert make(regularizer, weight=0).weight.item() == 0

    @pytest.mark.parametrize('interval', [0, -1, 1.0, True, None])
    def test_interval_out_of_its_range(self, regularizer, interval):
        with pytest.raises(ValueError, match='interval must be an int of at least 1, got'):
            make(regularizer, interval=interval)

    @pytest.mark.parametrize('weight', [-1.0, math.inf, math.nan, '1', None])
    def test_weight_out_of_its_range(self, regularizer, weight):
        with pytest.raises(ValueError, match='weight must be a finite number of at least 0, got'):
            make(regularizer, weight=weight)

    def test_weight_can_be_changed_where_it_is(self, regularizer):
        """As a schedule does on the device; eval mode, so that nothing else changes."""
        built, discriminator = make(regularizer, weight=3.0).eval(), Linear()
        real, fake = images(), images()
        before, address = built(discriminator, real, fake), built.weight.data_ptr()
        built.weight.fill_(1.5)
        torch.testing.assert_close(built(discriminator, real, fake), before / 2)
        assert built.weight.data_ptr() == address

    def test_gradient_reaches_the_discriminator_alone(self, regularizer):
        discriminator = make_mlp()
        generator = nn.Linear(4, 4)
        fake = generator(torch.randn(5, 4)).view(5, 1, 2, 2)
        real = images()
        value = make(regularizer)(discriminator, real, fake)
        assert value.shape == ()
        assert value.dtype == torch.float32
        value.backward()
        weights = [p for name, p in discriminator.named_parameters() if name.endswith('weight')]
        assert all(weight.grad.abs().sum() > 0 for weight in weights)
        assert all(weight.grad is None for weight in generator.parameters())
        assert real.grad is None
        assert not real.requires_grad

    def test_float32_under_autocast(self, regularizer):
        """The gradient of the gradient, and the square of a difference, need the digits."""
        discriminator, real, fake = make_mlp(), images(), images()
        torch.manual_seed(1)
        expected = make(regularizer)(discriminator, real, fake)
        torch.manual_seed(1)
        with torch.autocast('cpu', torch.bfloat16):
            value = make(regularizer)(discriminator, real, fake)
            assert discriminator(real).dtype == torch.bfloat16
        assert value.dtype == torch.float32
        assert torch.equal(value, expected)

    def test_half_precision_images(self, regularizer):
        real, fake = images().bfloat16(), images().bfloat16()
        assert make(regularizer)(make_mlp(), real, fake).dtype == torch.float32

    def test_labels_reach_the_discriminator(self, regularizer):
        discriminator, labels = Linear(), torch.arange(5)
        make(regularizer)(discriminator, images(), images(), labels)
        assert discriminator.seen
        assert all(seen is labels for _, seen in discriminator.seen)

    def test_value_without_gradient(self, regularizer):
        """As in GAN.forward(mode='loss')."""
        discriminator, real, fake = make_mlp(), images(), images()
        torch.manual_seed(1)
        expected = make(regularizer)(discriminator, real, fake)
        torch.manual_seed(1)
        with torch.no_grad():
            value = make(regularizer)(discriminator, real, fake)
        assert not value.requires_grad
        torch.testing.assert_close(value, expected.detach())

    def test_wrapped_discriminator(self, regularizer, one_process):
        """The wrapper averages the gradient of the penalty with that of the objective."""
        discriminator, real, fake = make_mlp(), images(), images()
        wrapped = nn.parallel.DistributedDataParallel(discriminator)
        gradients = []
        for network in (discriminator, wrapped, wrapped):
            torch.manual_seed(1)
            discriminator.zero_grad()
            loss = network(fake).mean() - network(real).mean()
            (loss + make(regularizer)(network, real, fake)).backward()
            gradients.append([weight.grad.clone() for weight in discriminator.parameters()])
        for other in gradients[1:]:
            torch.testing.assert_close(other, gradients[0])

    def test_is_built_by_name_and_exported(self, regularizer):
        assert getattr(mmgan_lite.models, regularizer.__name__) is regularizer
        cfg = dict(type=regularizer.__name__)
        if regularizer in CONSISTENCIES:
            cfg['augmentation'] = nn.Identity()
        assert type(MODELS.build(cfg)) is regularizer


@pytest.fixture
def one_process(tmp_path):
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{tmp_path}/store', rank=0, world_size=1
    )
    yield
    torch.distributed.destroy_process_group()


def test_a_regularizer_of_ones_own():
    """A name and a penalty are all it takes."""

    class LogitRange(Regularizer):
        name = 'logit_range'

        def penalty(self, discriminator, batch):
            return batch.real_logits.max() - batch.fake_logits.min()

    real_logits, fake_logits = torch.tensor([1.0, 2.0]), torch.tensor([-3.0, 0.0])
    value = LogitRange(weight=2.0)(Linear(), images(2), images(2), None, real_logits, fake_logits)
    assert_value(value, 10)
