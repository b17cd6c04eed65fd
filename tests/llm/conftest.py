"""Tiny language models with random weights, made once a session."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")

TEXTS = [
    "Here are some passages. Which of them answers the query best?",
    "[A] Red wine goes with cheese. [B] White bread is baked in an oven. [C] A cat sleeps.",
    "Query: what goes with red wine? Answer yes or no. Yes, No, yes, no, true, false.",
    "The longest river of the country runs from the mountains to the sea.",
    "Paragraph 1: water boils. Paragraph 2: ice melts. Find what is relevant to the query.",
    "assistant user system The passage is relevant. Write a question about this text. N/A",
]
CHAT = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>\n' + message['content'] + '</s>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}"
    "{% if enable_thinking is defined and enable_thinking %}{{ '<think>\n' }}{% endif %}{% endif %}"
)
NO_SYSTEM = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system here') }}{% endif %}"
    + CHAT
)


def bpe_tokenizer(chat_template: str | None = None, bos: bool = True):
    """A byte-level BPE tokenizer, so that no text is unknown to it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    special = ["<s>", "</s>", "<pad>"]
    trainer = trainers.BpeTrainer(
        vocab_size=480,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    inner.train_from_iterator(TEXTS * 3, trainer)
    if bos:
        inner.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", inner.token_to_id("<s>"))]
        )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )
    if chat_template:
        tokenizer.chat_template = chat_template
    return tokenizer


def unigram_tokenizer():
    """A SentencePiece-like tokenizer that ends a text with </s>, as T5's does."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.Unigram())
    inner.pre_tokenizer = pre_tokenizers.Metaspace()
    inner.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=200,
        special_tokens=["<pad>", "</s>", "<unk>"],
        unk_token="<unk>",
        show_progress=False,
    )
    inner.train_from_iterator([*TEXTS * 3, *["true", "false", "yes", "no"] * 40], trainer)
    inner.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", inner.token_to_id("</s>"))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, eos_token="</s>", pad_token="<pad>", unk_token="<unk>"
    )


def random_model(kind: str, tokenizer):
    import torch
    import transformers as tf

    torch.manual_seed(7)
    ends = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    size = len(tokenizer)
    small = {
        "vocab_size": size,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 512,
    }
    if kind == "gpt2":
        config = tf.GPT2Config(
            vocab_size=size, n_positions=256, n_embd=32, n_layer=2, n_head=4, **ends
        )
        model = tf.GPT2LMHeadModel(config)
    elif kind == "llama":
        model = tf.LlamaForCausalLM(tf.LlamaConfig(**small, num_key_value_heads=2, **ends))
    elif kind == "gemma3":
        config = tf.Gemma3TextConfig(
            **small,
            num_key_value_heads=1,
            head_dim=8,
            query_pre_attn_scalar=8,
            sliding_window=12,
            layer_types=["sliding_attention", "full_attention"],
            **ends,
        )
        model = tf.Gemma3ForCausalLM(config)
    elif kind == "gemma2":
        config = tf.Gemma2Config(
            **small, num_key_value_heads=2, head_dim=8, attn_logit_softcapping=2.0, **ends
        )
        model = tf.Gemma2ForCausalLM(config)
    else:
        config = tf.T5Config(
            vocab_size=size,
            d_model=32,
            d_kv=8,
            d_ff=48,
            num_layers=2,
            num_heads=4,
            decoder_start_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
        model = tf.T5ForConditionalGeneration(config)
    # Random weights of the usual size hardly attend; larger ones make differences visible.
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(6.0 if kind != "t5" else 1.5)
    return model.eval()


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """`tiny_model("llama", chat=True)`: the folder of a tiny model, made at first use."""
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    made: dict[tuple[object, ...], str] = {}

    def make(kind: str, *, chat: bool = False, system: bool = True, bos: bool = True) -> str:
        key = (kind, chat, system, bos)
        if key not in made:
            folder = tmp_path_factory.mktemp(kind)
            template = (CHAT if system else NO_SYSTEM) if chat else None
            tokenizer = unigram_tokenizer() if kind == "t5" else bpe_tokenizer(template, bos)
            tokenizer.save_pretrained(folder)
            random_model(kind, tokenizer).save_pretrained(folder)
            made[key] = str(folder)
        return made[key]

    return make


@pytest.fixture(scope="session")
def without_head(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folders of models that cannot write: a base model, and one whose head's weights are cut."""
    pytest.importorskip("transformers")

    def make(kind: str) -> Path:
        import json

        from safetensors.torch import load_file, save_file

        folder = tmp_path_factory.mktemp("headless")
        tokenizer = bpe_tokenizer()
        tokenizer.save_pretrained(folder)
        model = random_model("llama", tokenizer)
        (model.model if kind == "base" else model).save_pretrained(folder)
        if kind == "cut":
            weights = load_file(folder / "model.safetensors")
            del weights["lm_head.weight"]
            save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        if kind == "unnamed":
            config = json.loads((folder / "config.json").read_text())
            config["model_type"] = "no-such-type"
            (folder / "config.json").write_text(json.dumps(config))
        return folder

    return make
