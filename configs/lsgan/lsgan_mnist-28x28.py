_base_ = '../dcgan/dcgan_mnist-28x28.py'
work_dir = 'work_dirs/{{ fileBasenameNoExtension }}'
model = dict(loss=dict(type='LeastSquaresGANLoss'))
