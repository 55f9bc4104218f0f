"""The MLflow pages worth opening: the releases as rows with the headline as columns, their charts,
two of them compared.

MLflow 3.17 opens an experiment on a page for language models and hides all metrics. What its button
"Share view" keeps, an experiment tag that a link names, opens the table as wanted:
`mlflow.sharedViewState.<key>` holds {"name", "createdAt", "updatedAt" (ms), "state": text}, where
the text is the page's state as JSON (plain, or "deflate;" and the base64 of its zlib stream), and
`runs?viewStateShareKey=<key>` opens it. `workflowType` leaves the pages for language models out of
the menu.
"""

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from mlflow import MlflowClient

KEY = "duli-releases"
TAG = f"mlflow.sharedViewState.{KEY}"
VERDICT = "duli.verdict"
# MLflow's own: else the colour goes by the run's id, and two of three may be alike
COLOUR = "mlflow.runColor"
# Okabe and Ito, "Color Universal Design", 2008: told apart by colour-blind people too, here without
# black and yellow.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
# columns that are always there, by MLflow's own names
RUN, CREATED = "attributes.`Run Name`", "runDateAndNestInfo"
# what the score is drawn over
COSTS = ("unit_cost_usd_per_million", "latency_ms", "model_kb", "train_seconds")
MODE = "workflowType=machine_learning"
HOME = f"/#/experiments?{MODE}"
MODELS = f"/#/models?{MODE}"


def save(
    client: "MlflowClient", experiment_id: str, name: str, metrics: Iterable[str], score: str
) -> None:
    """Keeps the view of the experiment's runs with `metrics` as columns and charts of `score`;
    writes only what changed.
    """
    experiment = client.get_experiment(experiment_id)
    value = json.dumps(
        {
            "name": f"{name}: releases",
            "createdAt": experiment.creation_time,
            "updatedAt": experiment.creation_time,
            "state": json.dumps(_state(list(metrics), score)),
        }
    )
    if experiment.tags.get(TAG) != value:
        client.set_experiment_tag(experiment_id, TAG, value)


def colour(before: str | None) -> str:
    """The colour of a run that follows one of the colour `before`; only the sixth after it has the
    same again.
    """
    return COLOURS[(COLOURS.index(before) + 1) % len(COLOURS)] if before in COLOURS else COLOURS[0]


def table(experiment_id: str) -> str:
    """Path of the runs table with the headline columns."""
    return f"/#/experiments/{experiment_id}/runs?viewStateShareKey={KEY}&{MODE}"


def charts(experiment_id: str) -> str:
    """Path of the same runs as charts."""
    return f"{table(experiment_id)}&compareRunsMode=CHART"


def compare(experiment_id: str, run_ids: Sequence[str]) -> str:
    """Path of a comparison of runs, side by side."""
    runs, experiments = quote(json.dumps(list(run_ids))), quote(json.dumps([experiment_id]))
    return f"/#/compare-runs?runs={runs}&experiments={experiments}&{MODE}"


def run(experiment_id: str, run_id: str) -> str:
    """Path of one run."""
    return f"/#/experiments/{experiment_id}/runs/{run_id}?{MODE}"


def _state(metrics: list[str], score: str) -> dict[str, Any]:
    measures = [f"tags.`{VERDICT}`", *(f"metrics.`{metric}`" for metric in metrics)]
    widths = {
        RUN: 150,
        CREATED: 140,
        **{f"metrics.`{metric}`": _pixels(metric) for metric in metrics},
    }
    return {
        "searchFilter": "",
        "orderByKey": "attributes.start_time",
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "modelVersionFilter": "All Runs",
        "datasetsFilter": [],
        "selectedColumns": measures,
        "columnOrder": [RUN, CREATED, *measures],
        "columnWidths": widths,
        "runsHiddenMode": "SHOW_ALL",
        "viewMaximized": True,
        "runListHidden": False,
        "hideEmptyCharts": True,
        "groupBy": None,
        "groupsExpanded": {},
        "useGroupedValuesInCharts": True,
        "isAccordionReordered": True,
        "globalLineChartConfig": {
            "xAxisKey": "step",
            "lineSmoothness": 0,
            "selectedXAxisMetricKey": "",
        },
        **_charts(score),
    }


def _pixels(title: str) -> int:
    """A width that shows the whole name of a column."""
    return max(24 + 66 * len(title) // 10, 76)


def curves(score: str) -> list[str]:
    """The metrics that are drawn over the steps of the training."""
    names = ("train_loss", "validation_loss", f"validation_{score}")
    return [f"values/curves/{name}" for name in names]


def _charts(score: str) -> dict[str, Any]:
    """The score over each cost, the params that differ, and the training curves; MLflow itself puts
    all metrics below them.

    No bars of the headline: MLflow writes two digits on a bar, and 99.5 and 99.7 % are as long to
    the eye.
    """
    # and the charts in a row of each
    sections = [("trade", "Trade-offs", 2), ("params", "Params", 1), ("curves", "Training", 3)]
    dots: list[dict[str, Any]] = [
        {
            "type": "SCATTER",
            "metricSectionId": "trade",
            "xaxis": {"key": cost, "type": "METRIC"},
            "yaxis": {"key": score, "type": "METRIC"},
        }
        for cost in COSTS
    ]
    params = {
        "type": "DIFFERENCE",
        "metricSectionId": "params",
        "chartName": "Params that differ",
        "compareGroups": ["Parameters"],
        "showChangeFromBaseline": False,
        "showDifferencesOnly": True,
        "baselineColumnUuid": "",
    }
    lines: list[dict[str, Any]] = [
        {
            "type": "LINE",
            "metricSectionId": "curves",
            "metricKey": metric,
            "selectedMetricKeys": [metric],
            "lineSmoothness": 0,
            "scaleType": "linear",
            "xAxisKey": "step",
            "xAxisScaleType": "linear",
            "selectedXAxisMetricKey": "",
            "yAxisKey": "metric",
            "yAxisExpressions": [],
            "range": {},
            "ignoreOutliers": False,
            "useGlobalXaxisKey": True,
            "useGlobalLineSmoothing": True,
        }
        for metric in curves(score)
    ]
    return {
        "compareRunCharts": [
            {
                "uuid": f"duli-{index}",
                "runsCountToCompare": 20,
                "deleted": False,
                "isGenerated": False,
                **chart,
            }
            for index, chart in enumerate([*dots, params, *lines])
        ],
        "compareRunSections": [
            {
                "uuid": key,
                "name": name,
                "columns": columns,
                "display": True,
                "isReordered": True,
                "deleted": False,
                "isGenerated": False,
            }
            for key, name, columns in sections
        ],
    }
