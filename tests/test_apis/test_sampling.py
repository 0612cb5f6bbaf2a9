"""Loading a trained GAN and drawing from it."""

import pickle

import pytest
import torch

from mmgan_lite.apis import draw_images, load_gan


def config(num_classes=None, hidden_dims=(8, 8)):
    """The model that make_gan builds, as a config."""
    networks = dict(image_shape=(1, 4, 4), num_classes=num_classes)
    return dict(
        model=dict(
            type='GAN',
            generator=dict(type='MLPGenerator', latent_dim=6, hidden_dims=hidden_dims, **networks),
            discriminator=dict(type='MLPDiscriminator', hidden_dims=(8,), **networks),
            loss=dict(type='NonSaturatingGANLoss'),
            ema=dict(type='ExponentialMovingAverage'),
        )
    )


@pytest.fixture
def checkpoint(make_gan, tmp_path):
    gan = make_gan(ema=dict(type='ExponentialMovingAverage'))
    torch.save(dict(state_dict=gan.state_dict(), meta=dict(iter=3)), tmp_path / 'iter_3.pth')
    return tmp_path / 'iter_3.pth'


class TestLoad:
    def test_weights_are_those_of_the_file(self, checkpoint):
        gan = load_gan(config(), checkpoint)
        saved = torch.load(checkpoint)['state_dict']
        assert not gan.training
        assert all(torch.equal(value, saved[name]) for name, value in gan.state_dict().items())

    def test_missing_file(self, tmp_path):
        with pytest.raises(ValueError, match=r"checkpoint must be a file, but .*no.pth' is none"):
            load_gan(config(), tmp_path / 'no.pth')

    @pytest.mark.parametrize('content', [b'', b'not a checkpoint', b'PK\x03\x04 cut off'])
    def test_damaged_file(self, tmp_path, content):
        (tmp_path / 'bad.pth').write_bytes(content)
        with pytest.raises(ValueError, match=r"checkpoint '.*bad.pth' is damaged"):
            load_gan(config(), tmp_path / 'bad.pth')

    def test_truncated_file(self, checkpoint):
        checkpoint.write_bytes(checkpoint.read_bytes()[:-500])
        with pytest.raises(ValueError, match=r'is damaged'):
            load_gan(config(), checkpoint)

    def test_code_in_the_file_does_not_run(self, tmp_path):
        class Malicious:
            def __reduce__(self):
                return (open, (str(tmp_path / 'written'), 'w'))

        torch.save(dict(state_dict=Malicious()), tmp_path / 'bad.pth')
        with pytest.raises(ValueError, match=r'objects that could run code'):
            load_gan(config(), tmp_path / 'bad.pth')
        (tmp_path / 'plain.pth').write_bytes(pickle.dumps(Malicious()))
        with pytest.raises(ValueError, match=r'objects that could run code'):
            load_gan(config(), tmp_path / 'plain.pth')
        assert not (tmp_path / 'written').exists()

    def test_file_without_weights(self, tmp_path):
        torch.save(dict(weights=1), tmp_path / 'other.pth')
        with pytest.raises(ValueError, match=r"has no 'state_dict'"):
            load_gan(config(), tmp_path / 'other.pth')

    def test_checkpoint_of_another_model(self, checkpoint):
        with pytest.raises(
            ValueError,
            match=r'generator.label_embedding.weight \(absent in the file, \(3, 3\) in the model\)',
        ):
            load_gan(config(num_classes=3), checkpoint)

    def test_checkpoint_of_another_size(self, checkpoint):
        with pytest.raises(
            ValueError,
            match=r'generator.layers.0.weight \(\(8, 6\) in the file, \(9, 6\) in the model\)',
        ):
            load_gan(config(hidden_dims=(9, 8)), checkpoint)


class TestDraw:
    def test_image_depends_on_seed_and_index_alone(self, make_gan):
        gan = make_gan(num_classes=3)
        images, labels = draw_images(gan, 130, seed=5)
        for num in (1, 63, 64, 65):
            fewer, fewer_labels = draw_images(gan, num, seed=5)
            assert torch.equal(fewer, images[:num])
            assert torch.equal(fewer_labels, labels[:num])
        assert not torch.equal(draw_images(gan, 130, seed=6)[0], images)

    def test_dtype_and_shape(self, make_gan):
        images, labels = draw_images(make_gan(), 3)
        assert images.dtype == torch.uint8
        assert images.shape == (3, 1, 4, 4)
        assert labels is None

    def test_labels_are_taken_in_turn(self, make_gan):
        _, labels = draw_images(make_gan(num_classes=9), 5, labels=[3, 7])
        assert labels.tolist() == [3, 7, 3, 7, 3]

    def test_images_match_a_plain_call_of_the_generator(self, make_gan):
        gan = make_gan(num_classes=9)
        images, _ = draw_images(gan, 2, seed=1, labels=[8])
        stream = torch.Generator().manual_seed(1)
        latents = []
        for _ in range(2):
            latents.append(torch.randn(1, 6, generator=stream))
            torch.randint(9, (1,), generator=stream)  # the label it would have drawn
        gan.eval()
        plain = gan.generator(torch.cat(latents), torch.tensor([8, 8]))
        torch.testing.assert_close(images.float(), (plain + 1) * 127.5, atol=0.51, rtol=0)

    def test_average_or_last_weights(self, make_gan):
        gan = make_gan(ema=dict(type='ExponentialMovingAverage'))
        gan.generator.layers[-2].bias.data.fill_(50.0)
        assert draw_images(gan, 2)[0].min() < 255
        assert draw_images(gan, 2, use_ema=False)[0].min() == 255

    def test_bad_arguments(self, make_gan):
        with pytest.raises(ValueError, match=r'num must be at least 1, got 0'):
            draw_images(make_gan(), 0)
        with pytest.raises(ValueError, match=r'labels must be None for a model without classes'):
            draw_images(make_gan(), 2, labels=[1])
        with pytest.raises(ValueError, match=r'labels must name at least one class'):
            draw_images(make_gan(num_classes=3), 2, labels=[])
        with pytest.raises(ValueError, match=r'labels must lie in \[0, 3\), got 0 to 3'):
            draw_images(make_gan(num_classes=3), 2, labels=[0, 3])
