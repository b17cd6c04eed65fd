"""What stands before a model: one event loop, a cache, a budget, a record of calls."""

from plackett.transport.budget import Budget, BudgetExceededError, Prices
from plackett.transport.cache import AnswerCache
from plackett.transport.event_loop import run_blocking, run_on_loop
from plackett.transport.records import CallLog, CallRecord

__all__ = [
    "AnswerCache",
    "Budget",
    "BudgetExceededError",
    "CallLog",
    "CallRecord",
    "Prices",
    "run_blocking",
    "run_on_loop",
]
