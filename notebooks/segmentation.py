# %% [markdown]
# # Segmenting cells
#
# A U-Net gives each pixel a class as readily as it fills a hole: it needs another last layer,
# labels, and another measure. Here a small one learns in two minutes, on an ordinary computer, to
# tell cells from what is between them. The cells are drawn, so everything about them is known; and
# then we look into the network, layer by layer.

# %%
# %matplotlib inline
import os
import sys
import tempfile

sys.path.insert(0, "..")  # the clone, where unetpred is not installed

from unetpred.backends.keras_import import import_keras

import_keras()

import keras
import numpy as np

import unetpred
from unetpred import plots
from unetpred.images.colour import to_network
from unetpred.plots.confusion import confusion
from unetpred.segmentation import Segmenter, train
from unetpred.segmentation.pictures import overlay

minutes = float(os.environ.get("UNETPRED_MINUTES", 2))

# %% [markdown]
# ## Cells
#
# Discs of all sizes with a dark membrane, one on the other, on noise, a little brighter than the
# ground: brightness alone does not tell a cell, since it varies more from place to place. What the
# network is trained on is a class with two methods: how many images there are, and an image with
# its label. Files in two folders, PASCAL VOC folders and TIFF stacks are such classes that come
# with the package.


# %%
class Cells(unetpred.segmentation.Dataset):
    def __init__(self, first, count):
        self.first, self.count = first, count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        rng = np.random.default_rng(self.first + index)
        y, x = np.mgrid[:160, :160]
        kind = np.zeros((160, 160), "uint8")  # 0 ground, 1 cell, 2 membrane
        ground = 110 + 40 * np.sin(x / rng.uniform(20, 40) + rng.uniform(0, 6))
        for _ in range(22):  # each lies on those before it
            radius = rng.uniform(8, 22)
            distance = np.hypot(y - rng.uniform(0, 160), x - rng.uniform(0, 160))
            kind[distance < radius + 3] = 2
            kind[distance < radius] = 1
        shade = np.where(kind == 2, 60, ground + 18 * (kind == 1))
        image = np.clip(shade + rng.normal(0, 22, shade.shape), 0, 255)
        return image.astype("uint8"), (kind == 1).astype("uint8")


training, held_out = Cells(0, 40), Cells(1000, 8)
rows = []
for index in range(3):
    image, label = training[index]
    picture = np.repeat(image[..., None], 3, -1)
    rows.append([(picture, ""), (np.repeat(255 * label[..., None], 3, -1), "")])
plots.gallery(rows, ["image", "label"])

# %% [markdown]
# ## Two minutes of training
#
# A sixteenth of the published filters, crops of 96 px that are mirrored, turned, deformed like
# rubber and varied in size and contrast, label and image alike. Eight images are held out. The best
# network by what is called *intersection over union* is kept: the pixels that mask and label have
# in common, over those that either has.

# %%
folder = tempfile.mkdtemp()
run = train(
    training,
    held_out,
    checkpoint_dir=folder,
    width=0.0625,
    image_size=96,
    batch_size=8,
    augmentation="turned",
    elastic=4,
    max_minutes=minutes,
    val_interval=100,
    seed=1,
)
segmenter = Segmenter(f"{folder}/best.weights.h5")
print(f"{segmenter.model.count_params():,} parameters")

# %% [markdown]
# ## How good is it?
#
# On the images that were held out. Beside it, what the mask that is all one class would have:
# numbers that look high may be no more than that. The score by which connected parts are compared,
# `v_rand`, is low for a mask that merges two cells, however few pixels that takes.

# %%
images, labels = zip(*(held_out[index] for index in range(len(held_out))))
masks = [segmenter(image) for image in images]
scores = unetpred.segmentation.evaluate(labels, masks)
ground = unetpred.segmentation.evaluate(labels, [np.ones_like(label) for label in labels])
print("measure          network   all one class")
for name in ("pixel_accuracy", "mean_iou", "v_rand"):
    print(f"{name:15}  {scores[name]:7.3f}   {ground[name]:7.3f}")

# %%
confusion(scores.confusion, ["between", "cell"])

# %% [markdown]
# ## Where it is wrong
#
# Orange is what the network takes for ground, blue for cells, over the image. In the last column
# white pixels are wrong: along borders, where one pixel decides, and where brightness misleads: dim
# cells that are taken for ground, and bright ground between cells that is taken for one of them.
# Longer training mends more of the second than of the first.

# %%
rows = []
for image, label, mask in list(zip(images, labels, masks))[:3]:
    picture = np.repeat(image[..., None], 3, -1)
    drawn = overlay(picture, mask, segmenter.classes)
    wrong = np.repeat(255 * (mask != label)[..., None].astype("uint8"), 3, -1)
    iou = unetpred.segmentation.evaluate(label, mask).iou[1]
    rows.append([(picture, ""), (drawn, f"IoU of cells {iou:.2f}"), (wrong, "")])
plots.gallery(rows, ["image", "mask", "wrong"])

# %% [markdown]
# ## What the first layer looks for
#
# Its kernels, three by three pixels in three colours. The images are grey, so that colours in them
# are left from the random numbers that it began with.

# %%
plots.filters(np.asarray(segmenter.model.get_layer("vblock1_conv_1").kernel))

# %% [markdown]
# ## Layer by layer: down
#
# Four channels of the last layer of each block of the encoder, those that vary most. Going down,
# units become fewer and see more: edges and noise first, then membranes, then places.


# %%
def activations(names, image):
    layers = [segmenter.model.get_layer(name).output for name in names]
    part = keras.Model(segmenter.model.inputs, layers)
    inputs = to_network(np.repeat(image[None, ..., None], 3, -1).astype("float32"))
    return {name: np.asarray(x)[0] for name, x in zip(names, part.predict_on_batch(inputs))}


def shown(names, image, channels):
    maps, titles = [], []
    for name, values in activations(names, image).items():
        factor = image.shape[0] // values.shape[0]
        liveliest = np.argsort(-values.std(axis=(0, 1)), kind="stable")[:channels]
        for channel in liveliest:
            one = values[..., channel].repeat(factor, 0).repeat(factor, 1)
            maps.append(one / max(one.max(), 1e-6))
            titles.append(f"{name} {channel}")
    scale = "activation, parts of the largest"
    maps = np.stack(maps, -1)
    return plots.activation_grid(
        maps, range(maps.shape[-1]), columns=channels, labels=titles, scale=scale
    )


down = [f"vblock{block}_conv_{last}" for block, last in ((1, 2), (2, 2), (3, 3), (4, 3))]
shown(down, images[0], 4)

# %% [markdown]
# ## And up
#
# The decoder joins what comes from below with what the encoder had at the same size. Its last layers
# have the cells; the head weighs their channels, and gives the probability of a cell.

# %%
shown([f"vblock{block}_conv_2" for block in (7, 8, 9, 10)], images[0], 4)

# %%
shares = segmenter.probabilities(images[0])
both = np.stack([1 - shares, shares], -1)
plots.activation_grid(both, range(2), columns=2, labels=["between", "cell"], scale="probability")
