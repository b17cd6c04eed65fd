"""Forests of decision trees, scored fast: those of LightGBM, XGBoost and CatBoost."""

from plackett.rankers.forests.catboost_json import read_catboost
from plackett.rankers.forests.forest import Forest
from plackett.rankers.forests.lightgbm_text import read_lightgbm
from plackett.rankers.forests.xgboost_json import read_xgboost

__all__ = ["Forest", "read_catboost", "read_lightgbm", "read_xgboost"]
