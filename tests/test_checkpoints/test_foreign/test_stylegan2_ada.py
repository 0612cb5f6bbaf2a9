"""StyleGAN2 in the pickles of its authors: all options, against what their code computes."""

import pytest
import torch

from mmgan_lite.checkpoints.foreign import convert_checkpoint, read_pickle, stylegan2_ada
from mmgan_lite.checkpoints.foreign.source import ForeignFile
from mmgan_lite.inference import GANInferencer, load_model
from mmgan_lite.registry import MODELS

GOLDENS = 'stylegan2_ada_{}_{}'
FILTER = torch.tensor([1.0, 3.0, 3.0, 1.0]).outer(torch.tensor([1.0, 3.0, 3.0, 1.0])) / 64


@pytest.fixture
def write(write_pickle, persistent):
    """A pickle of networks; the rest as the authors' code has it."""

    def write(**networks):
        content = {name: found and persistent(found) for name, found in networks.items()}
        return write_pickle(content | dict(training_set_kwargs=dict(use_labels=False)))

    return write


@torch.no_grad()
@pytest.mark.parametrize('kind', ['uncond', 'cond'])
def test_generator_computes_what_the_authors_do(golden, ada_tree, write, assert_like, kind):
    state, io, arguments = golden(GOLDENS.format('generator', kind))
    path = write(G=None, D=None, G_ema=ada_tree(state, arguments))
    gan = GANInferencer(weights=path, device='cpu').model
    network, labels = gan.sampled_generator(True), io.get('labels')
    ws = network.mapping(io['latents'], labels)
    assert_like(ws, io['ws'])
    assert_like(network(io['latents'], labels), io['images'])
    assert_like(network.synthesis(network.truncate(ws, 0.7)[:2]), io['images_psi_0_7'])
    assert gan.num_classes == (arguments['c_dim'] or None)
    for name, tensor in gan.generator.state_dict().items():
        assert torch.equal(tensor, gan.generator_ema.module.state_dict()[name])


@torch.no_grad()
@pytest.mark.parametrize('kind', ['uncond', 'cond', 'orig'])
def test_discriminator_computes_what_the_authors_do(
    golden, ada_tree, write, assert_like, tmp_path, kind
):
    state, io, arguments = golden(GOLDENS.format('discriminator', kind))
    file = ForeignFile(tmp_path, dict(D=read_pickle(write(D=ada_tree(state, arguments)))['D']))
    ledger, notes = file.ledger(), []
    config, state = stylegan2_ada._discriminator(file.content['D'], ledger.under('D.'), file, notes)
    ledger.close()
    network = MODELS.build(config)
    network.load_state_dict(state)
    assert_like(network(io['images'], io.get('labels')), io['logits'])
    assert config['architecture'] == arguments.get('architecture', 'resnet')


@pytest.fixture
def tiny():
    """The names and shapes of the authors' networks for 8x8 images, with options."""

    def tiny(architecture='skip', noisy=True, num_classes=0, fp16=0):
        shapes = {
            'mapping.fc0.weight': (6, 5 + 6 * bool(num_classes)),
            'mapping.fc0.bias': (6,),
            'mapping.w_avg': (6,),
            'synthesis.b4.const': (4, 4, 4),
        }
        if num_classes:
            shapes |= {'mapping.embed.weight': (6, num_classes), 'mapping.embed.bias': (6,)}
        convs = {'b4.conv1': (4, 4, 3), 'b8.conv0': (3, 4, 3), 'b8.conv1': (3, 3, 3)}
        convs |= {'b8.torgb': (2, 3, 1)}
        if architecture == 'skip':
            convs |= {'b4.torgb': (2, 4, 1)}
        for name, (outputs, inputs, side) in convs.items():
            place = f'synthesis.{name}'
            shapes[f'{place}.weight'] = (outputs, inputs, side, side)
            shapes[f'{place}.bias'] = (outputs,)
            shapes[f'{place}.affine.weight'], shapes[f'{place}.affine.bias'] = (
                (inputs, 6),
                (inputs,),
            )
            if noisy and 'conv' in name:
                size = int(name[1])
                shapes |= {f'{place}.noise_strength': (), f'{place}.noise_const': (size, size)}
        if architecture == 'resnet':
            shapes['synthesis.b8.skip.weight'] = (3, 4, 1, 1)
        state = {name: torch.randn(shape) for name, shape in shapes.items()}
        state['synthesis.b8.conv0.resample_filter'] = FILTER
        settings = dict(architecture=architecture, num_fp16_res=fp16)
        return state, settings | (dict(conv_clamp=256) if fp16 else {})

    return tiny


@torch.no_grad()
@pytest.mark.parametrize('options', [
    dict(architecture='skip'), dict(architecture='resnet', num_classes=3),
    dict(architecture='orig', noisy=False), dict(fp16=1),
])  # fmt: skip
def test_options_are_told_by_the_file(ada_tree, tiny, write, options):
    path = write(G_ema=ada_tree(*tiny(**options)), G=ada_tree(*tiny(**options)))
    converted = convert_checkpoint(path)
    gan = load_model(None, path, False).model
    config = load_model(None, path, False).cfg['model']['generator']
    assert config['architecture'] == options.get('architecture', 'skip')
    assert config['num_classes'] == options.get('num_classes')
    assert config['image_shape'] == (2, 8, 8)
    assert (config['latent_dim'], config['style_dim'], config['num_mapping_layers']) == (5, 6, 1)
    assert (config['noise'] == 'none') == (not options.get('noisy', True))
    assert config['clamp'] == (256 if options.get('fp16') else None)
    notes = converted['meta']['converted']['notes']
    assert 'The file has no discriminator: it starts from random weights.' in notes
    assert any('1 largest sizes in float16' in note for note in notes) == bool(options.get('fp16'))
    labels = [0, 1, 2] if gan.num_classes else None
    assert gan.eval().sample(3, labels=labels).isfinite().all()
    assert converted['state_dict']['generator_ema.steps'] == 1


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (
            {'synthesis.b8.conv0.bias': None},
            r'must make all of our network, but 2 tensors differ, such as \S*8.conv0.bias \(no',
        ),
        ({'synthesis.b8.conv0.new': torch.ones(1)}, r'2 tensors with no place .* G_ema.*conv0.new'),
        ({'mapping.fc0.weight': None}, r"must have the tensor 'G_ema.mapping.fc0.weight' for"),
        (
            {'synthesis.b8.conv0.resample_filter': FILTER.new_ones(4, 4)},
            r'no place in our networks, such as G_ema.synthesis.b8.conv0.resample_filter',
        ),
        (
            {'synthesis.b4.conv1.weight': torch.ones(2, 2, 3, 3)},
            r'must have channels that fall with',
        ),
        ({'synthesis.b64.conv1.weight': torch.ones(2, 2, 3, 3)}, r'must have blocks of 4, 8, 16'),
    ],
)
def test_other_architectures_are_refused(ada_tree, tiny, write, change, message):
    state, settings = tiny()
    state = {k: v for k, v in (state | change).items() if v is not None}
    both = [ada_tree(dict(state), settings) for _ in range(2)]
    path = write(G_ema=both[0], G=both[1] if 'new' in str(change) else None)
    with pytest.raises(ValueError, match=message):
        convert_checkpoint(path)


def test_stylegan3_is_named(write, ada_tree, tiny, tree):
    network = ada_tree(*tiny())
    network.at('synthesis.input').class_name = 'SynthesisInput'
    with pytest.raises(ValueError, match=r'is of StyleGAN3, which is not supported. StyleGAN2 of'):
        convert_checkpoint(write(G_ema=network))


def test_other_activations_are_refused(write, ada_tree, tiny):
    network = ada_tree(*tiny())
    network.at('synthesis.b8.conv1').attributes['activation'] = 'relu'
    message = r"has the activation 'relu' in synthesis.b8.conv1, .* It must be 'lrelu'"
    with pytest.raises(ValueError, match=message):
        convert_checkpoint(write(G_ema=network))


def test_networks_of_two_sizes_are_refused(write, ada_tree, tiny):
    path = write(G_ema=ada_tree(*tiny()), G=ada_tree(*tiny('resnet')))
    with pytest.raises(ValueError, match=r'has a G and a G_ema of other sizes. It is damaged'):
        convert_checkpoint(path)


def test_probability_of_the_augmentation_is_taken_over(write, ada_tree, tiny, tree):
    augmentation = tree.of({'p': torch.tensor(0.25), 'Hz_fbank': torch.ones(4, 2)})
    path = write(G_ema=ada_tree(*tiny()), augment_pipe=augmentation)
    converted = convert_checkpoint(path)
    assert converted['state_dict']['augmentation.p'] == 0.25
    assert '1 filters of the augmentation' in converted['meta']['converted']['tensors']


def test_mean_style_that_is_absent_is_said(write, ada_tree, tiny):
    state, settings = tiny()
    del state['mapping.w_avg']
    notes = convert_checkpoint(write(G_ema=ada_tree(state, settings)))['meta']['converted']['notes']
    assert 'The file has no mean style: truncation moves towards 0.' in notes


@torch.no_grad()
def test_authors_container(shared_file, golden, assert_like):
    path = shared_file('stylegan2_ada.pkl')
    gan = load_model(None, path, False).model.eval()
    _, io, _ = golden('stylegan2_ada_discriminator_uncond', shared=True)
    assert_like(gan.discriminator(io['images']), io['logits'])
    _, io, _ = golden('stylegan2_ada_generator_uncond', shared=True)
    for network in (gan.generator, gan.generator_ema):
        assert_like(network(io['latents']), io['images'])
    network = gan.generator
    near = network.truncate(network.mapping(io['latents']), 0.5, cutoff=4)
    assert_like(network.synthesis(near), io['images_psi_0_5_cutoff_4'])
    counts = convert_checkpoint(path)['meta']['converted']['tensors']
    assert counts.startswith('159 tensors taken, 0 derived, 36 dropped')


def test_what_is_built_otherwise_is_named(write, ada_tree, tiny):
    state, settings = tiny()
    network = ada_tree(state, settings)
    del network.children['mapping'].children['fc0']
    network.at('mapping').tensors['fc0.weight'] = state['mapping.fc0.weight']
    message = (
        r"is of an architecture of stylegan2-ada that is not supported \(KeyError: 'mapping.fc"
    )
    with pytest.raises(ValueError, match=message):
        convert_checkpoint(write(G_ema=network))
