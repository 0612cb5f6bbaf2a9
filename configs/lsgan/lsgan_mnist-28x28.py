_base_ = '../dcgan/dcgan_mnist-28x28.py'
model = dict(loss=dict(type='LeastSquaresGANLoss'))
