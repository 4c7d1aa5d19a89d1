"""Which classifier reads handwritten digits best, and how sure can we be?

Two families of models, each with its own hyperparameters, are fitted to scikit-learn's digits
on three random splits. Every split is shared by all models, so their differences come from the
models. Run the script again: nothing is fitted twice, the results come from ./experiments.
"""

import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.neighbors import KNeighborsClassifier

import metalab


@metalab.context_spec
class Study:
    """What all runs share; changing it makes other runs."""

    test_fraction: float = 0.25
    epochs: int = 8


def split(context, generator):
    """Return train and test images and labels, at random."""
    images, labels = load_digits(return_X_y=True)
    order = generator.permutation(len(labels))
    held_out = round(len(labels) * context.test_fraction)
    test, train = order[:held_out], order[held_out:]
    return images[train] / 16, labels[train], images[test] / 16, labels[test]


def fit_linear(params, context, seeds, capture, data):
    """Fit a linear model by stochastic descent, and keep its accuracy after each epoch."""
    train_x, train_y, test_x, test_y = data
    model = SGDClassifier(
        loss="log_loss", alpha=params["alpha"], random_state=seeds.seed("descent", bits=32)
    )
    for epoch in range(context.epochs):
        model.partial_fit(train_x, train_y, classes=np.unique(train_y))
        capture.metric("epoch_accuracy", model.score(test_x, test_y), step=epoch)
    capture.artifact("weights", model.coef_)
    return model


def fit_neighbours(params, data):
    """Fit a nearest-neighbour model, which learns by heart."""
    train_x, train_y, _, _ = data
    return KNeighborsClassifier(params["neighbours"]).fit(train_x, train_y)


@metalab.operation
def classify(context, params, seeds, capture):
    """Fit one model to one split."""
    data = split(context, seeds.numpy("split"))
    if params["model"] == "linear":
        model = fit_linear(params, context, seeds, capture, data)
    else:
        model = fit_neighbours(params, data)
    _, _, test_x, test_y = data
    axes = Figure(figsize=(5, 5)).subplots()
    ConfusionMatrixDisplay.from_estimator(model, test_x, test_y, ax=axes, colorbar=False)
    capture.figure("confusion", axes.figure)
    capture.metric("accuracy", model.score(test_x, test_y))


experiment = metalab.Experiment(
    name="digits",
    version="1",
    context=Study(),
    operation=classify,
    params=metalab.grid(model=["linear"], alpha=[1e-5, 1e-3, 1e-1])
    + metalab.grid(model=["neighbours"], neighbours=[1, 5, 25]),
    seeds=metalab.seeds(base=2024, replicates=3),
    tags=["example"],
)

if __name__ == "__main__":
    results = metalab.run(experiment).result()
    frame = results.to_dataframe()
    by = ["param_model", "param_alpha", "param_neighbours"]
    summary = frame.groupby(by, dropna=False)["accuracy"].agg(["mean", "std", "count"])
    print(summary.sort_values("mean", ascending=False).round(4).to_string())

    linear = results.filter(model="linear", alpha=1e-3)
    print("\nepoch by epoch, alpha=0.001, first split:")
    for epoch, accuracy in linear[0].series("epoch_accuracy"):
        print(f"  {epoch}  {accuracy:.4f}")
    print(f"weights of that run: {linear[0].artifact('weights').shape}")
