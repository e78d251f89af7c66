# %% [markdown]
# # The method in figures
#
# How predictable is a patch of an image from what surrounds it? Hide the patch, let the network fill
# it in, and compare the filling with what was there: the correlation of the two is the *structure*
# score. Vision scientists relate it to the activity of neurons in V1 whose receptive field the patch
# covers (Uran et al., Neuron 2022).
#
# The weights here are `lite`, the smaller of the two that ship with `unetpred`: they take a tenth of the
# time of `full`, and fill in a little less well. They are not the original's, so the scores are not the
# published numbers.

# %%
# %matplotlib inline
import logging
import sys

sys.path.insert(0, "..")  # the clone, where unetpred is not installed

from unetpred.backends.keras_import import import_keras

import_keras()
logging.getLogger("tensorflow").setLevel("ERROR")  # its advice on compiling for every size

import matplotlib
import numpy as np
import skimage.data
from matplotlib.figure import Figure
from PIL import Image

import unetpred
from unetpred import plots
from unetpred.fillings.simple import harmonic_fill
from unetpred.holes.masks import hole_box, hole_mask
from unetpred.network.vgg16 import CONTENT_LAYERS
from unetpred.scoring.luminance import structure_luminance
from unetpred.scoring.scores import content, structure

matplotlib.rcParams.update({"font.size": 7, "figure.dpi": 200, "lines.markersize": 4})
MM = 1 / 25.4  # inches; a column of a journal has 85 mm, two have 180

vgg_weights = None  # or a file of VGG-16, if not ImageNet's; for content
predictor = unetpred.Predictor("lite", vgg_weights=vgg_weights)
sample = np.asarray(Image.open("../examples/sample_img.png"))
photographs = np.concatenate([sample[None], np.load("../examples/samples.npy")])  # (N,224,224,3)
hole = hole_mask((224, 224))  # 52 px in the middle; 1 = visible, 0 = missing

# %% [markdown]
# ## Input, masked, filled in, score

# %%
result = predictor(photographs, hole)
plots.triptych(sample, hole, result.filled[0], f"structure {result.structure[0]:.2f}")

# %% [markdown]
# ## From predictable to unpredictable
#
# The photographs of the examples in the order of their scores: originals above, fillings below, with
# structure r and, beneath, r of luminance alone. Colours count in structure: on a patch of one
# saturated colour, such as the red saucer, any filling of about that colour scores high, whatever
# its pattern. In luminance it does not.

# %%
order = np.argsort(-result.structure)
originals = [(photographs[i], "") for i in order]
grey_r = [structure_luminance(f, i, hole).value for f, i in zip(result.filled, photographs)]
fillings = [(result.filled[i], f"r {result.structure[i]:.2f}\nY {grey_r[i]:.2f}") for i in order]
plots.gallery([originals, fillings], [""] * len(order), side=100)

# %% [markdown]
# ## Structure against content
#
# Content is the distance of VGG-16's features of filling and original, the mean of five layers: higher
# = *less* predictable. VGG-16 comes with the repository. Every photograph is there twice: filled in by
# the network, and by the harmonic filling, a soap film in the frame of the hole.
#
# The two scores go along, but are not the same: structure is about pixels, content about what VGG-16
# sees. Gravel and grass, the two at the lower end of structure, have a content of more than 1 with either
# filling: both are smooth where there was texture.

# %%
scored = predictor(photographs, hole, output=("content",))
simple = np.stack([harmonic_fill(image, hole) for image in photographs])
top, left, bottom, right = hole_box((224, 224))
patch = np.s_[:, top:bottom, left:right]
simple_content = content(simple[patch], photographs[patch], predictor.vgg())
simple_structure = [structure(f, i, hole).value for f, i in zip(simple, photographs, strict=True)]

figure = Figure(figsize=(85 * MM, 65 * MM), layout="constrained")
axes = figure.subplots()
dots = {"s": 14}
axes.scatter(result.structure, scored.content, color="#0072B2", label="unetpred", **dots)
axes.scatter(
    simple_structure, simple_content.total, color="#D55E00", marker="s", label="harmonic", **dots
)
axes.set(
    xlabel="structure r  (higher = more predictable)",
    ylabel="content  (higher = less predictable)",
    xlim=(0, 1.02),
    ylim=(0, 1.4),
)
axes.legend(frameon=False)
figure

# %% [markdown]
# Per layer, from fine to coarse: the deeper a layer, the larger the distance. In the first layer, of
# colours and fine edges, a filling is near its original. In the last one, which knows parts of objects,
# it is often not much nearer than a patch of another photograph would be, which is 1.7 away on average.
# So the mean is mostly that of the deep layers.

# %%
figure = Figure(figsize=(180 * MM, 50 * MM), layout="constrained")
pairs = zip(CONTENT_LAYERS, scored.content_layers.T, simple_content.layers.T, strict=True)
for axes, (layer, ours, theirs) in zip(figure.subplots(1, 5, sharey=True), pairs, strict=True):
    axes.scatter(result.structure, ours, color="#0072B2", s=14)
    axes.scatter(simple_structure, theirs, color="#D55E00", marker="s", s=10)
    axes.set(title=layer, xlim=(-0.05, 1.05), ylim=(0, 2), xlabel="structure r")
    axes.set(xticks=(0, 0.5, 1), yticks=(0, 0.5, 1, 1.5, 2))
    axes.title.set_size(7)
figure.axes[0].set_ylabel("distance")
figure

# %% [markdown]
# ## Hole size against score
#
# Mean structure of the same photographs, in grey, for holes of several sizes, and that of the harmonic
# filling, which knows nothing about photographs and is the best of the simple ones on many of them.
# In grey, because of the saturated colours. Means are taken over Fisher's z. The lead over a simple
# filling is what the network has learnt. On these few it is larger than on others: on 207
# photographs held out it is 0.062 (see `weights/README.md`).
#
# The larger the hole, the farther its centre from anything visible; over many photographs the score
# falls with size. Yet the curve of a few need not fall from the start: holes of different sizes hide
# different things, and what is in a very small one is mostly fine texture, which has little that
# could be predicted.


# %%
def fisher_mean(r):
    return np.tanh(np.nanmean(np.arctanh(np.clip(r, -0.999999, 0.999999))))


grey = photographs.mean(axis=-1, keepdims=True).repeat(3, axis=-1)
sizes = (16, 26, 38, 52, 76, 104)
curves = {"unetpred": [], "harmonic": []}
for size in sizes:
    mask = hole_mask((224, 224), size)
    curves["unetpred"].append(fisher_mean(predictor(grey, mask).structure))
    scores = [structure(harmonic_fill(image, mask), image, mask).value for image in grey]
    curves["harmonic"].append(fisher_mean(scores))
figure = Figure(figsize=(85 * MM, 65 * MM), layout="constrained")
axes = figure.subplots()
for (name, values), color, marker in zip(curves.items(), ("#0072B2", "#D55E00"), "os", strict=True):
    axes.plot(sizes, values, color=color, marker=marker, label=name)
axes.set(xlabel="side of the hole, px", ylabel="mean structure r", ylim=(0, 1))
axes.legend(frameon=False)
figure

# %% [markdown]
# ## A map of predictability
#
# The score of a hole at every 32nd pixel, each from the 224 px crop around it. Sky and long outlines
# are predictable; fine texture, such as the grass, is not. In the black coat there is almost nothing
# but the noise of the camera: there a low correlation does not mean that a surface is a surprise.

# %%
scene = np.repeat(skimage.data.camera()[..., None], 3, axis=-1)
scores = unetpred.predictability_map(scene, stride=32, predictor=predictor)
plots.map_overlay(scene, scores, mask_size=52)
