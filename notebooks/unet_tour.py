# %% [markdown]
# # A tour of the network
#
# How does a network fill in what it cannot see? U-Net-Pred is a U-Net of *partial convolutions*:
# an encoder looks at ever larger parts of an image in ever fewer units, a decoder goes back to
# pixels, and at every size the encoder hands the decoder what it saw (the *skip connections*).
# A mask goes along with the image, 1 where a pixel is visible and 0 where it is missing, and no
# layer ever looks at what is missing.
#
# What a layer gives is again a stack of images, its *channels*, one for each kernel; a position in
# it is called a *unit* here. Layers of one size make a *block*.

# %%
# %matplotlib inline
import logging
import sys

sys.path.insert(0, "..")  # the clone, where unetpred is not installed

from unetpred.backends.keras_import import import_keras

import_keras()
logging.getLogger("tensorflow").setLevel("ERROR")  # its advice on compiling for every size

import numpy as np
import skimage.data

import unetpred
from unetpred import plots
from unetpred.holes.masks import hole_mask
from unetpred.network.layer_outputs import layer_masks
from unetpred.network.model import config_of
from unetpred.network.receptive_fields import list_layers

# %% [markdown]
# ## A partial convolution by hand
#
# A convolution multiplies the numbers in a window with a kernel and adds them up. Where some of
# them are missing, a partial convolution adds up those that are there, and multiplies the sum by
# (cells of the window) / (visible cells), as if the missing ones were like the others on average.
# A window in which nothing is visible gives nothing but the bias. The mask is renewed: after the
# layer, a unit is missing only if its whole window was.
#
# Here is an array of ones with a hole of five by five, and a kernel that takes the mean of three
# by three.

# %%
image = np.ones((7, 9))
mask = np.ones((7, 9))
mask[1:6, 2:7] = 0
by_hand, new_mask = np.zeros((7, 9)), np.zeros((7, 9))
for row in range(7):
    for column in range(9):
        window = np.s_[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
        visible = mask[window].sum()
        if visible:
            by_hand[row, column] = (image[window] * mask[window] / 9).sum() * 9 / visible
            new_mask[row, column] = 1
print(np.round(by_hand, 6).astype(int))

# %% [markdown]
# Every window that sees anything gives 1, the mean of what it sees: not less at the rim of the
# hole, as zeros in place of the missing values would. The hole has lost a unit on each side. The
# layer of the package gives the same:

# %%
layer = unetpred.PConv2D(1, 3, kernel_initializer=lambda shape, dtype: np.full(shape, 1 / 9, dtype))
y, m = layer([image[None, ..., None].astype("float32"), mask[None, ..., None].astype("float32")])
y, m = (np.asarray(values)[0, :, :, 0] for values in (y, m))
np.testing.assert_allclose(y, by_hand, atol=1e-6)
np.testing.assert_array_equal(m, new_mask)

# %% [markdown]
# ## The hole closes on the way down
#
# The network, a photograph, and the published hole of 52 px. In the encoder every layer takes a
# unit off each side of the hole, and every pooling halves what is left, until, in block 4, each
# unit sees something beyond it.

# %%
model = unetpred.load_model("lite")
photograph = skimage.data.astronaut()[:224, 100:324]
hole = hole_mask((224, 224))
closing = ["vblock[1-3]_*", "vblock4_conv_1"]
plots.mask_evolution({"input": hole, **layer_masks(model, hole, closing)}, columns=5)

# %% [markdown]
# ## Sizes: down, and up again
#
# Rows and columns, channels, the distance of neighbouring units in pixels (stride), and the side
# of the part of the image that a unit depends on (receptive field). Blocks 1 to 5 are the encoder,
# 6 to 10 the decoder. Each block of the decoder joins the units from below with those that the
# encoder had at the same size: that is why details come back after the narrow middle.

# %%
print("layer             h    w    c  stride  receptive field")
for layer in list_layers(config_of(model)):
    print(
        "{:15} {:3}  {:3}  {:3}  {:6}  {:8}".format(
            layer.name, *layer.shape, layer.stride, layer.receptive_field
        )
    )

# %% [markdown]
# ## What the first layer looks for
#
# The kernels of the first layer, three by three pixels in colour; mid grey stands for 0. A unit
# answers most where the image has the kernel's own pattern. To the eye they are patches of colour
# rather than edges or lines: most of their weight is in differences between red, green and blue, as
# the number below says, and in three pixels there is no room for the Gabor functions that larger
# kernels learn. Those take several layers.

# %%
kernels = np.asarray(model.get_layer("vblock1_conv_1").kernel)  # (3,3,3,16)
grey = kernels.mean(axis=2, keepdims=True).repeat(3, axis=2)
of_colour = ((kernels - grey) ** 2).sum() / (kernels**2).sum()
print(f"{of_colour:.2f} of the squared weights are differences between the colours")
plots.filters(kernels)

# %% [markdown]
# ## What layers answer, without and with the hole
#
# Eight channels of the third block's last layer, those that vary most: for the whole photograph in
# the upper row, with the hole in the lower one. Within the reach of the hole the answers change, and
# where the mask is still 0 there is only the bias.

# %%
name = "vblock3_conv_3"
whole = unetpred.features(photograph[None], name, weights=model)[name][0]
holed = unetpred.features(photograph[None], name, mask=hole, weights=model)[name][0]
liveliest = np.argsort(-whole.std(axis=(0, 1)), kind="stable")[:8]
both = np.concatenate([whole[..., liveliest], holed[..., liveliest]], axis=-1)
labels = [str(channel) for channel in liveliest] * 2
plots.activation_grid(both, range(16), title=f"{name}, without and with the hole", labels=labels)

# %% [markdown]
# ## What each block of the decoder adds
#
# The mean over channels after each block, as parts of its largest value: from a few coarse units to
# pixels. Each block joins what comes up from below with what the skip connection brings, the
# outlines of what is visible, sharper in every block. How far that reaches into the hole the masks
# above tell: all through it at blocks 6 and 7, where the encoder's hole has closed, and 18, 6 and
# 2 px deep at blocks 8, 9 and 10. Further inside, a block has only what came up from below.
#
# A border of 32 px is left out: there the maps of blocks 6 and 7 are two to four times as bright. It
# is the border of the image, not what is seen in it: what lies beyond counts as missing, so a sum over
# fewer cells is multiplied by up to 9 / 4, layer after layer. Where the same pixels are in the middle
# of a larger image, nothing of this is seen, as the numbers below say.

# %%
blocks = [f"vblock{block}_conv_2" for block in (6, 7, 8, 9, 10)]
found = unetpred.features(photograph[None], blocks, mask=hole, weights=model, channel_mean=True)
maps = []
for values in found.values():
    factor = 224 // values.shape[1]
    shown = values[0].repeat(factor, 0).repeat(factor, 1)[32:-32, 32:-32]
    maps.append(shown / shown.max())


def outermost(values):
    return np.concatenate([values[[0, -1]].ravel(), values[1:-1, [0, -1]].ravel()]).mean()


larger = skimage.data.astronaut()[32:480, 32:480]
options = {"weights": model, "channel_mean": True}
alone = unetpred.features(larger[None, 112:336, 112:336], blocks[:2], **options)
within = unetpred.features(larger[None], blocks[:2], **options)
for name in blocks[:2]:
    units = alone[name].shape[1]
    same = within[name][0, units // 2 : -units // 2, units // 2 : -units // 2]
    print(f"{name}, outermost units: {outermost(alone[name][0]):.2f} at the border of an image, "
          f"{outermost(same):.2f} within a larger one")
scale = "mean activation, parts of the largest"
plots.activation_grid(np.stack(maps, -1), range(5), labels=blocks, scale=scale, vmax=1)

# %% [markdown]
# ## And what comes out
#
# The last layer turns the features and the image, hole and all, into three colours. The score
# compares the filling with the original, in the hole.

# %%
result = unetpred.Predictor("lite")(photograph[None], hole)
plots.triptych(photograph, hole, result.filled[0], f"structure {result.structure[0]:.2f}")
