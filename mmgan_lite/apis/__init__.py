"""What one does with a config or a trained GAN from Python; the tools are thin shells of it."""

from mmgan_lite.apis.config import check_param_scheduler
from mmgan_lite.apis.sampling import draw_images, load_gan

__all__ = ['check_param_scheduler', 'draw_images', 'load_gan']
