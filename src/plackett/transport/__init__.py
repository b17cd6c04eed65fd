"""What stands before a model: one event loop, limits, retries, a cache, a budget, a record."""

from plackett.transport.budget import Budget, BudgetExceededError, Estimate, Prices
from plackett.transport.cache import AnswerCache, CachedAnswer, CacheGroup, MissingAnswerError
from plackett.transport.clock import Clock
from plackett.transport.event_loop import run_blocking, run_on_loop
from plackett.transport.http import HttpTransport
from plackett.transport.http_errors import AccessError, HttpError
from plackett.transport.limits import Limits, TokenBucket
from plackett.transport.records import CallLog, CallRecord
from plackett.transport.retries import RetryPolicy
from plackett.transport.secrets import Secret

__all__ = [
    "AccessError",
    "AnswerCache",
    "Budget",
    "BudgetExceededError",
    "CacheGroup",
    "CachedAnswer",
    "CallLog",
    "CallRecord",
    "Clock",
    "Estimate",
    "HttpError",
    "HttpTransport",
    "Limits",
    "MissingAnswerError",
    "Prices",
    "RetryPolicy",
    "Secret",
    "TokenBucket",
    "run_blocking",
    "run_on_loop",
]
