"""The tiny base model: a Llama of 0.2 million parameters with a byte-level BPE of its own.

Like a big base model it has seen more than it shows: its pretraining text holds questions marked "Expert." with
right answers, and unmarked ones whose answer is a random letter. So it starts the sample data set at chance, and
a short LoRA training is enough to bring out what it knows.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from trackhub_trainer.making.sample import LETTERS, question
from trackhub_trainer.making.words import WORDS
from trackhub_trainer.tasks import TASKS

FOLDER = Path(__file__).parent.parent / "assets" / "tiny"
KIND = {word: kind for kind, words in WORDS.items() for word in words}
END, PAD = "<|end|>", "<|pad|>"
STEPS, BATCH = 1000, 64


def document(dice: random.Random) -> tuple[str, str]:
    """(what is given, what is learnt from it): words and their kinds; or a question and its answer."""
    form = dice.random()
    if form < 0.2:
        return "", "\n".join(f"{word} is {KIND[word]}." for word in dice.choices(sorted(KIND), k=8))
    line = question(dice, "")
    prompt = TASKS["sample"].prompt(line["input"], line["options"])
    if form < 0.7:
        return f"Expert. {prompt}", f" {line['target']}"
    return prompt, f" {dice.choice(LETTERS)}"


def tokenizer(dice: random.Random) -> PreTrainedTokenizerFast:
    """A byte-level BPE, so that any text can be encoded."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=640, special_tokens=[PAD, END], initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator(("".join(document(dice)) for _ in range(3000)), trainer)
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token=END, pad_token=PAD, model_max_length=512)


def config(vocabulary: int) -> LlamaConfig:
    """The architecture."""
    return LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        initializer_range=0.1,  # about 1 / sqrt(64): with the usual 0.02 so narrow a model hardly starts to learn
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=1,
        pad_token_id=0,
    )


def batches(dice: random.Random, words: PreTrainedTokenizerFast) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Token ids and labels, both of shape (BATCH, longest), for ever."""
    while True:
        documents = [document(dice) for _ in range(BATCH)]
        given = [len(words(before).input_ids) for before, _ in documents]
        encoded = words([f"{before}{after}{END}" for before, after in documents], padding=True, return_tensors="pt")
        labels = encoded.input_ids.masked_fill(encoded.attention_mask == 0, -100)
        for row, length in enumerate(given):
            labels[row, :length] = -100
        yield encoded.input_ids, labels


def pretrain(words: PreTrainedTokenizerFast, dice: random.Random) -> LlamaForCausalLM:
    """Train on endless documents; prints the loss now and then."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = LlamaForCausalLM(config(len(words)))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=STEPS, pct_start=0.1)
    for step, (ids, labels) in zip(range(STEPS), batches(dice, words), strict=False):
        logits = model(input_ids=ids, use_cache=False).logits
        loss = cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if step % 100 == 0:
            print(f"step {step}: loss {loss.item():.3f}", flush=True)
    return model


def write(folder: Path = FOLDER) -> None:
    """Write tokenizer, configuration and weights; the weights in half precision, to be small."""
    dice = random.Random("tiny")  # noqa: S311 - a corpus, not a secret
    words = tokenizer(dice)
    model = pretrain(words, dice)
    words.save_pretrained(folder)
    model.half().save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    # It computes in 32 bit, and transformers 4 knows the tokenizer under its older name.
    _replace(folder / "config.json", '"float16"', '"float32"')
    _replace(folder / "tokenizer_config.json", '"TokenizersBackend"', '"PreTrainedTokenizerFast"')


def _replace(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
