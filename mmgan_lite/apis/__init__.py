"""What one does with a config or a trained GAN from Python; the commands are thin shells of it."""

from mmgan_lite.apis.config_check import check_config
from mmgan_lite.apis.model import get_model
from mmgan_lite.apis.processes import connect_processes
from mmgan_lite.apis.sampling import draw_images

__all__ = ['check_config', 'connect_processes', 'draw_images', 'get_model']
