"""Answers of a loaded model to the four kinds of request, in batches."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from plackett.llm.local.attention_rows import attention_of_ends
from plackett.llm.local.forward_passes import ForwardPasses, Row, batches
from plackett.llm.local.token_prompts import TokenPrompts
from plackett.llm.local.writing import Writing
from plackett.llm.requests import (
    Answer,
    Attention,
    AttentionWeights,
    Failure,
    Generate,
    LabelScores,
    Likelihood,
    NextToken,
    Prompt,
    TokenLikelihood,
)

__all__ = ["LocalAnswers"]

_LOGITS = 2**26
"""So many logits are held at once at most, or those of one row."""


class LocalAnswers:
    """A loaded model, and how each kind of request is answered.

    Parameters
    ----------
    model : of the `transformers` library, with a language-model head.
    prompts : its tokens.
    context : tokens of prompt and answer together.
    batch_tokens : tokens that are read at once at most, padding included.
    """

    def __init__(self, model: Any, prompts: TokenPrompts, context: int, batch_tokens: int) -> None:
        self.model, self._prompts = model, prompts
        self._context, self._batch_tokens = context, batch_tokens
        pad = prompts.tokenizer.pad_token_id
        self._passes = ForwardPasses(model, pad if pad is not None else 0)
        start = getattr(model.config, "decoder_start_token_id", None)
        self._decoder_start: int = start if start is not None else self._passes.pad
        self._ends = _end_tokens(model, prompts)

    @torch.inference_mode()
    def generate(self, requests: Sequence[Generate]) -> list[Answer]:
        """Answers in words; a prompt that leaves no room for one token of answer is a failure."""
        rows, begun = [], []
        for request in requests:
            wish = None if request.thinking_tokens is None else request.thinking_tokens > 0
            text, start = self._prompts.text(request.prompt, thinking=wish)
            rows.append(self._row(text, start))
            begun.append((text + start)[-256:] if self._prompts.chat else start)
        writings = []
        for request, row, start in zip(requests, rows, begun, strict=True):
            room = self._context - (0 if row.source else len(row.target))
            writing = Writing(
                request,
                self._prompts,
                row.target,
                begun=start,
                limit=min(request.max_tokens, room),
                ends=self._ends,
            )
            writings.append(writing)
        found: list[Answer] = [self._too_long(row, 1) for row in rows]
        fitting = [i for i, row in enumerate(rows) if self._fits(row, 1)]
        more = [requests[i].max_tokens for i in fitting]
        for batch in batches([rows[i] for i in fitting], self._batch_tokens, extra=more):
            together = [fitting[i] for i in batch]
            _write(self._passes, [rows[i] for i in together], [writings[i] for i in together])
            for i in together:
                found[i] = writings[i].answer(len(rows[i].source) + len(rows[i].target))
        return found

    @torch.inference_mode()
    def next_token(self, requests: Sequence[NextToken]) -> list[Answer]:
        """Log-probabilities of labels; those of a label's surface forms are added up.

        Raises
        ------
        ConfigurationError : a label is not one token where it would stand.
        """
        rows, forms = [], []
        for request in requests:
            text, start = self._prompts.text(request.prompt)
            rows.append(self._row(text, start))
            before = start if self._passes.encoder_decoder else text + start
            forms.append(self._prompts.label_tokens(before, request.labels))
        found: list[Answer] = [self._too_long(row, 0) for row in rows]
        fitting = [i for i, row in enumerate(rows) if self._fits(row, 0)]
        for batch in batches([rows[i] for i in fitting], self._batch_tokens):
            together = [fitting[i] for i in batch]
            logits, _ = self._passes.read([rows[i] for i in together], 1)
            for i, row in zip(together, logits[:, -1], strict=True):
                logprobs = torch.log_softmax(row.float(), dim=-1)
                scores = tuple(float(logprobs[tokens].logsumexp(0)) for tokens in forms[i])
                read = len(rows[i].source) + len(rows[i].target)
                found[i] = LabelScores(scores, (False,) * len(scores), input_tokens=read)
        return found

    @torch.inference_mode()
    def likelihood(self, requests: Sequence[Likelihood]) -> list[Answer]:
        """Log-probabilities of the tokens of each continuation, and of nothing else."""
        rows: list[Row] = []
        wanted: list[list[int]] = []
        for request in requests:
            row, tokens = self._continued(request.prompt, request.continuation)
            rows.append(row)
            wanted.append(tokens)
        found: list[Answer] = [self._too_long(row, 0) for row in rows]
        fitting = [i for i, row in enumerate(rows) if self._fits(row, 0)]
        for batch in batches([rows[i] for i in fitting], self._batch_tokens):
            for together in self._by_logits([fitting[i] for i in batch], wanted):
                keep = max(1, *(len(wanted[i]) for i in together))
                logits, _ = self._passes.read([rows[i] for i in together], keep)
                for i, row in zip(together, logits, strict=True):
                    scores = _token_logprobs(row, wanted[i])
                    read = len(rows[i].source) + len(rows[i].target)
                    found[i] = TokenLikelihood(scores, input_tokens=read)
        return found

    @torch.inference_mode()
    def attention(self, requests: Sequence[Attention]) -> list[Answer]:
        """Attention to the documents' tokens; equal documents are read once."""
        groups: dict[tuple[str, tuple[str, ...]], list[int]] = defaultdict(list)
        for i, request in enumerate(requests):
            groups[request.before, request.documents].append(i)
        found: list[Answer] = [Failure("not asked")] * len(requests)
        for together in groups.values():
            spans = {i: self._prompts.spans(requests[i]) for i in together}
            fitting = []
            for i in together:
                row = Row([], spans[i].tokens)
                if not self._fits(row, 0):
                    found[i] = self._too_long(row, 0)
                elif len(spans[i].tokens) == spans[i].starts[-1]:
                    found[i] = Failure("nothing stands after the documents that could attend")
                else:
                    fitting.append(i)
            if not fitting:
                continue
            ends = [len(spans[i].tokens) - spans[i].starts[-1] for i in fitting]
            totals = attention_of_ends(self.model, [spans[i].tokens for i in fitting], ends)
            # What was read for another answer is not read again, and not counted again.
            for k, (i, total) in enumerate(zip(fitting, totals, strict=True)):
                starts, values = spans[i].starts, total.tolist()
                weights = tuple(tuple(values[a:b]) for a, b in itertools.pairwise(starts))
                read = len(spans[i].tokens) if k == 0 else ends[k]
                found[i] = AttentionWeights(weights, input_tokens=read)
        return found

    def _row(self, text: str, start: str) -> Row:
        """What the model reads of a prompt."""
        if self._passes.encoder_decoder:
            return Row(self._prompts.framed(text), [self._decoder_start, *self._prompts.ids(start)])
        return Row([], self._prompts.framed(text + start))

    def _continued(self, prompt: Prompt, continuation: str) -> tuple[Row, list[int]]:
        """What the model reads, the last token left out, and the tokens to be told."""
        text, start = self._prompts.text(prompt)
        pair = self._passes.encoder_decoder
        before = start if pair else text + start
        addition = self._prompts.addition(prompt, before, continuation)
        head, tokens = self._prompts.continued(before, addition)
        if pair:
            source = self._prompts.framed(text)
            return Row(source, [self._decoder_start, *head, *tokens[:-1]]), tokens
        leading = [] if self._prompts.chat else self._prompts.leading
        if not leading and not head:
            # Nothing stands before the first token, so nothing can tell it.
            head, tokens = tokens[:1], tokens[1:]
        return Row([], [*leading, *head, *tokens[:-1]]), tokens

    def _by_logits(self, batch: list[int], wanted: Sequence[list[int]]) -> list[list[int]]:
        """The batch in parts whose logits do not take too much memory."""
        vocabulary = self.model.config.get_text_config().vocab_size
        keep = max(1, *(len(wanted[i]) for i in batch))
        size = max(1, _LOGITS // (vocabulary * keep))
        return [batch[i : i + size] for i in range(0, len(batch), size)]

    def _fits(self, row: Row, more: int) -> bool:
        lengths = [len(row.target)] if not row.source else [len(row.source), len(row.target)]
        return bool(row.target) and max(lengths) + more <= self._context

    def _too_long(self, row: Row, more: int) -> Failure:
        if not row.target:
            return Failure("the prompt has no tokens")
        return Failure(
            f"the prompt has {max(len(row.source), len(row.target))} tokens"
            f"{' and needs room for an answer' if more else ''}; the context is {self._context}. "
            "Show fewer documents at once or shorten them, or give the model a larger context."
        )


def _token_logprobs(logits: Tensor, tokens: Sequence[int]) -> tuple[float, ...]:
    """Log-probabilities of tokens, each by the logits of the place before it, the last places of
    `float[keep, V]`."""
    if not tokens:
        return ()
    last = logits[-len(tokens) :].float()
    chosen = last.gather(1, torch.tensor(tokens, device=logits.device)[:, None])[:, 0]
    return tuple((chosen - last.logsumexp(dim=1)).tolist())


def _end_tokens(model: Any, prompts: TokenPrompts) -> frozenset[int]:
    """The tokens with which the model ends an answer."""
    told = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    ends = [told] if isinstance(told, int) else list(told or [])
    own = prompts.tokenizer.eos_token_id
    return frozenset(end for end in [*ends, own] if end is not None)


def _write(passes: ForwardPasses, rows: Sequence[Row], writings: Sequence[Writing]) -> None:
    """Write all answers of one batch to their ends."""
    under_way = list(writings)
    read, state = passes.read(rows, 1, go_on=True)
    logits = read[:, -1]
    while True:
        tokens = [
            writing.take(row) if writing.finish is None else passes.pad
            for writing, row in zip(under_way, logits.float().cpu().numpy(), strict=True)
        ]
        open_rows = [i for i, writing in enumerate(under_way) if writing.finish is None]
        if not open_rows or state is None:
            return
        # Rows that have ended leave when they are half of the batch: moving the cache costs too.
        if 2 * len(open_rows) <= len(under_way) and passes.drops_rows(state):
            state = passes.keep_rows(state, open_rows)
            under_way = [under_way[i] for i in open_rows]
            tokens = [tokens[i] for i in open_rows]
        logits, state = passes.step(torch.tensor(tokens, device=passes.device), state)
