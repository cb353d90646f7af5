"""The same work on brickgrad, on other libraries where they are installed, and on the bare matrix products.

Each module has `trainer(work, net, data)` or `predictor(net)`: None where it cannot do that work, else a function that
does a number of steps, or one prediction. All start from the weights of the same brickgrad net.
"""
