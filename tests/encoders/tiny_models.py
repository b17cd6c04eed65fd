"""Models of two layers and 32 dimensions over a toy vocabulary, which tests write themselves."""

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    BertModel,
    RobertaConfig,
    RobertaForSequenceClassification,
)

NOUNS = "red white wine bread cheese milk water fish meat salt sugar oil corn rice bean soup tea"
OTHERS = "what which is the a of and to in how many where cat dog bird tree river house sky rain"
WORDS = f"{NOUNS} {OTHERS}".split()
PIECES = [f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
LETTERS = list("abcdefghijklmnopqrstuvwxyz0123456789.,!?-'")
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *LETTERS[1:], *PIECES]
POSITIONS = 64


def write_tokenizer(folder: Path, roberta: bool = False) -> None:
    """A WordPiece tokenizer as BERT's; or with RoBERTa's special tokens."""
    ids = {token: i for i, token in enumerate(VOCABULARY)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    if roberta:
        tokenizer.post_processor = processors.RobertaProcessing(
            ("[SEP]", ids["[SEP]"]), ("[CLS]", ids["[CLS]"]), add_prefix_space=False
        )
    else:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]",
            pair="[CLS] $A [SEP] $B:1 [SEP]:1",
            special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])],
        )
    # Folders in the wild declare such things; plackett must not let them cut or pad.
    tokenizer.enable_truncation(16)
    tokenizer.enable_padding(length=16)
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
    settings = {
        "model_max_length": POSITIONS,
        "tokenizer_class": "PreTrainedTokenizerFast",
        **{f"{name}_token": token for name, token in names.items()},
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def _config(**more: object) -> BertConfig:
    return BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=POSITIONS,
        initializer_range=0.4,  # far apart, so that scores of different texts are too
        **more,
    )


def write_pair_model(folder: Path, labels: int = 1, seed: int = 0) -> str:
    """A cross-encoder."""
    torch.manual_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    BertForSequenceClassification(_config(num_labels=labels)).eval().save_pretrained(folder)
    write_tokenizer(folder)
    return str(folder)


def write_roberta_pair_model(folder: Path, seed: int = 0) -> str:
    """A cross-encoder whose positions begin after the padding index, without token types."""
    torch.manual_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    config = RobertaConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=POSITIONS,
        initializer_range=0.4,
        type_vocab_size=1,
        pad_token_id=0,
        num_labels=1,
    )
    RobertaForSequenceClassification(config).eval().save_pretrained(folder)
    write_tokenizer(folder, roberta=True)
    return str(folder)


def write_dense_model(folder: Path, seed: int = 0) -> str:
    """A bi-encoder in the layout of sentence-transformers: mean pooling, length 1, a prompt."""
    torch.manual_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    BertModel(_config()).eval().save_pretrained(folder)
    write_tokenizer(folder)
    prefix = "sentence_transformers.models"
    modules = [
        {"idx": 0, "name": "0", "path": "", "type": f"{prefix}.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": f"{prefix}.Pooling"},
        {"idx": 2, "name": "2", "path": "2_Normalize", "type": f"{prefix}.Normalize"},
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    pooling = {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 32}))
    prompts = {"prompts": {"query": "what is ", "document": ""}}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    return str(folder)


def write_plain_model(folder: Path, seed: int = 0) -> str:
    """A transformer that declares no pooling."""
    torch.manual_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    BertModel(_config()).eval().save_pretrained(folder)
    write_tokenizer(folder)
    return str(folder)


def write_lexical_model(folder: Path, seed: int = 0) -> str:
    """A masked language model."""
    torch.manual_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    BertForMaskedLM(_config()).eval().save_pretrained(folder)
    write_tokenizer(folder)
    return str(folder)
