"""Fill the missing values of a table in a scikit-learn pipeline.

Run it with scikit-learn installed: ``python examples/fill_missing_values.py``. A table of 20
measurements that follow from three hidden quantities has lost 40 % of its numbers; a regression
on the table is compared with column means and with `matfact.Imputer` in front of it.
"""

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from matfact import ALS, Imputer


def measurements(n_rows: int = 600, n_columns: int = 20, seed: int = 0):
    """Draw a table with holes, and a target that depends on what is hidden behind it."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(n_rows, 3))
    table = hidden @ rng.normal(size=(3, n_columns)) + 0.3 * rng.normal(size=(n_rows, n_columns))
    target = hidden @ np.array([1.0, -2.0, 0.5]) + 0.1 * rng.normal(size=n_rows)
    table[rng.random(table.shape) < 0.4] = np.nan
    return table, target


def main() -> None:
    """Compare the two ways of filling, and let a grid search choose the rank."""
    table, target = measurements()
    folds = KFold(5, shuffle=True, random_state=0)
    model = ALS(n_factors=3, regularization=0.1, random_state=0)
    for name, imputer in (("column means", SimpleImputer()), ("matfact", Imputer(model))):
        pipeline = make_pipeline(StandardScaler(), imputer, Ridge())
        score = cross_val_score(pipeline, table, target, cv=folds).mean()
        print(f"{name:>12}: R2 = {score:.3f}")

    pipeline = make_pipeline(StandardScaler(), Imputer(model), Ridge())
    grid = {"imputer__model__n_factors": [1, 2, 3, 5]}
    search = GridSearchCV(pipeline, grid, cv=folds).fit(table, target)
    print(f"   best rank: {search.best_params_['imputer__model__n_factors']}")


if __name__ == "__main__":
    main()
