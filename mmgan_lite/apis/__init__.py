"""What one does with a config or a trained GAN from Python; the commands are thin shells of it."""

from mmgan_lite.apis.config_check import check_config
from mmgan_lite.apis.inferencer import GANInferencer
from mmgan_lite.apis.interpolation import lerp, slerp
from mmgan_lite.apis.model import get_model
from mmgan_lite.apis.pictures import enlarge, make_picture, save_gif, save_png
from mmgan_lite.apis.processes import connect_processes
from mmgan_lite.apis.publishing import publish_generator, read_published
from mmgan_lite.apis.sampling import draw_images

__all__ = ['check_config', 'connect_processes', 'draw_images', 'get_model']
__all__ = [
    'GANInferencer',
    'connect_processes',
    'draw_images',
    'enlarge',
    'get_model',
    'lerp',
    'make_picture',
    'publish_generator',
    'read_published',
    'save_gif',
    'save_png',
    'slerp',
]
