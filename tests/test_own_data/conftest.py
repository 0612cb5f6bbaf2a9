import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def make_images(tmp_path):
    """Write random images, a folder of them; returns the folder."""

    def make(num=20, size=(16, 16), mode='RGB', folder='photos', dtype=np.uint8):
        stream = np.random.default_rng(num)
        channels = {'L': (), 'RGB': (3,), 'RGBA': (4,)}[mode]
        path = tmp_path / folder
        path.mkdir(parents=True, exist_ok=True)
        for number in range(num):
            pixels = stream.integers(0, 256, (size[1], size[0], *channels)).astype(dtype)
            Image.fromarray(pixels).save(path / f'{number:03}.png')
        return path

    return make
