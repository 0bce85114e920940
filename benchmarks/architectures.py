"""What the default verifier costs beside published architectures, on the same answer and passages.

    pip install torch transformers && python benchmarks/architectures.py

Five claims against five passages of 200 words. The others have random weights, since cost does not depend on them:
pairwise cross-encoders read every claim with every passage, as HHEM-2.1-Open does (T5-base encoder, 110 million
parameters) and AlignScore (RoBERTa-large, 355 million); a token classifier reads question, passages and answer in one
pass, as LettuceDetect does (ModernBERT-base, 149 million). Token ids are random, in the numbers that our own tokenizer
counts. float32, CPU time, median of a few runs, one thread each; needs no download.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable

import torch
from transformers import ModernBertConfig, ModernBertModel, RobertaConfig, RobertaModel, T5Config, T5EncoderModel

from grounded.models.entailment import VOCABULARY
from grounded.models.wordpiece import WordPiece
from grounded.verification import Verifier

REPEATS = 3
TOPICS = ("kettle", "toaster", "courier", "invoice", "garden")
WORDS = ("the", "a", "of", "with", "price", "order", "part", "colour", "water", "heat", "day", "shop", "staff", "page")


def passages(chance: random.Random) -> list[str]:
    """Five passages of 200 words, each with one sentence that a claim will be about."""
    found = []
    for number, topic in enumerate(TOPICS):
        fact = f"The {topic} was checked by the staff in the morning and had a wide blue cover with {number + 3} holes."
        rest = [" ".join(chance.choices([*WORDS, topic], k=15)).capitalize() + "." for _ in range(12)]
        rest.insert(chance.randrange(12), fact)
        found.append(" ".join(rest))
    return found


def cpu_seconds(call: Callable[[], object]) -> float:
    """Median CPU time of a call, after one that is not counted."""
    call()
    found = []
    for _ in range(REPEATS):
        started = time.process_time()
        call()
        found.append(time.process_time() - started)
    return statistics.median(found)


def main() -> None:
    """Measure and print."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    torch.set_num_threads(1)
    sources = passages(random.Random(1))
    claims = [f"Staff looked at the {topic} before noon, and its blue cover is wide." for topic in TOPICS]
    answer = " ".join(claims)
    tokenizer = WordPiece.load(VOCABULARY)
    pair = max(len(tokenizer.ids(text, 512)) for text in sources) + len(tokenizer.ids(claims[0], 64)) + 3
    whole = sum(len(tokenizer.ids(text, 512)) for text in [*sources, answer]) + 3
    verifier = Verifier()
    ours = cpu_seconds(lambda: verifier.prepare(sources).report(answer))
    print(f"{'grounded, the whole report':42} {1000 * ours:8.0f} ms CPU")
    others = {
        "T5-base encoder, 25 pairs": (
            T5EncoderModel(T5Config(d_model=768, d_ff=3072, num_layers=12, num_heads=12)), 25),
        "RoBERTa-large, 25 pairs": (
            RobertaModel(RobertaConfig(hidden_size=1024, num_hidden_layers=24, num_attention_heads=16,
                                       intermediate_size=4096, vocab_size=50265, max_position_embeddings=514)), 25),
        "ModernBERT-base, one pass": (ModernBertModel(ModernBertConfig()), 1),
    }  # fmt: skip
    for name, (model, rows) in others.items():
        model.eval()
        ids = torch.randint(10, 30000, (rows, pair if rows > 1 else whole))
        with torch.no_grad():
            spent = cpu_seconds(lambda model=model, ids=ids: model(input_ids=ids))  # type: ignore[misc]
        print(f"{name:42} {1000 * spent:8.0f} ms CPU, {spent / ours:.1f} times ours")


if __name__ == "__main__":
    main()
