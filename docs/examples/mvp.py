import metalab


@metalab.operation
def train(params, seeds, capture):
    rng = seeds.rng()
    score = rng.random() * params["scale"]
    capture.metric("score", score)


exp = metalab.Experiment(
    name="mvp",
    version="0.1",
    context={},
    operation=train,
    params=metalab.grid(scale=[0.1, 1.0, 10.0]),
    seeds=metalab.seeds(base=123, replicates=2),
)

results = metalab.run(exp).result()
results.display()
