"""Multimodal sentiment analysis, step by step: the package that the notebooks are built on.

Rooms, from the ground up: `posts`, `encoders`, `fusion`, `model`, `learning`, `figures`, `exercises` and `reading`,
`explorers` and `grading`, `apps`. A room knows those below it, never those above.

Each public name is imported when it is first asked for, so that `import mmsa_utils` costs next to nothing
(PEP 562). The names, and where each lives, are in `_HOME`; editors and type checkers read the block below it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# room or module -> names
_HOME: dict[str, tuple[str, ...]] = {
    "posts.post": ("BINARY_LABELS", "LABELS", "Post", "Posts"),
    "posts.rules": ("MVSA", "RELATIONS", "ceiling", "judge", "post_table"),
    "posts.food": ("PIXELS", "FoodPosts", "burger_example", "make_post"),
    "posts.noise": ("SyntheticDataset",),
    "posts.own": ("load_posts",),
    "posts.places": ("PlacePosts", "twin"),
    "posts.sound": ("RATE", "Sound", "open_sound", "wav_bytes"),
    "posts.voices": ("CUES", "HEARD", "SPEAKERS", "UNSEEN_SPEAKERS", "Prosody", "Speaker", "prosody_of", "speak"),
    "posts.spoken": ("TONES", "SpokenPosts", "judge_three", "make_spoken"),
    "posts.camera": ("photo_example",),
    "posts.pictures": ("open_picture", "picture_from_bytes", "to_rgb"),
    "errors": ("EncoderUnavailable",),
    "encoders.base": ("Encoded", "Encoder", "masked_mean"),
    "encoders.table": ("load_image_encoder", "load_text_encoder", "load_voice_encoder"),
    "fusion.absent": ("Absent", "drop_sides", "missing", "without"),
    "fusion.base": ("Fusion",),
    "fusion.concat": ("Concat", "join"),
    "fusion.table": ("FUSIONS", "make_fusion"),
    "model.head": ("Dropout", "Scale", "mlp_head", "probabilities_of", "random_head"),
    "model.model": ("PAIRS", "MultimodalSentimentModel", "load_model"),
    "learning.device": ("best_device",),
    "learning.losses": ("balanced_weights", "loss_of"),
    "learning.batches": ("make_loader",),
    "learning.evaluation": ("answers", "evaluate"),
    "learning.training": ("history_table", "train"),
    "learning.familiarity": ("learn_familiarity",),
    "learning.features": ("Features", "extract_features", "given", "shuffled"),
    "learning.alignment": ("align", "fit_temperature", "head_answers", "measure"),
    "learning.correction": ("correction_phase",),
    "learning.absence": ("WAYS", "best_without_picture", "ways_to_miss"),
    "learning.comparison": ("compare_fusions", "known_boards", "subsets"),
    "learning.metrics": (
        "accuracy", "calibration_error", "confusion", "interval", "log_loss", "macro_f1", "reliability",
        "slice_accuracy", "summary", "who_won"),
    "reading.reader": ("Reader",),
    "explorers.guess": ("guess_explorer",),
    "explorers.posts": ("post_explorer",),
    "explorers.picture": ("picture_explorer",),
    "explorers.text": ("text_explorer",),
    "explorers.conflict": ("conflict_explorer",),
    "explorers.fusion": ("fusion_explorer",),
    "explorers.gaze": ("gaze_explorer",),
    "explorers.reading": ("prediction_explorer",),
    "explorers.voice": ("voice_explorer",),
    "explorers.training": ("alignment_explorer", "training_explorer"),
    "exercises": ("checks", "progress"),
    "figures": ("plots",),
    "learning": ("metrics",),
    "posts": ("phrases", "scenes"),
}
_NAMES = {name: home for home, names in _HOME.items() for name in names}

if TYPE_CHECKING:
    from .encoders.base import Encoded as Encoded
    from .encoders.base import Encoder as Encoder
    from .encoders.base import masked_mean as masked_mean
    from .encoders.table import load_image_encoder as load_image_encoder
    from .encoders.table import load_text_encoder as load_text_encoder
    from .encoders.table import load_voice_encoder as load_voice_encoder
    from .errors import EncoderUnavailable as EncoderUnavailable
    from .exercises import checks as checks
    from .exercises import progress as progress
    from .explorers.conflict import conflict_explorer as conflict_explorer
    from .explorers.fusion import fusion_explorer as fusion_explorer
    from .explorers.gaze import gaze_explorer as gaze_explorer
    from .explorers.guess import guess_explorer as guess_explorer
    from .explorers.picture import picture_explorer as picture_explorer
    from .explorers.posts import post_explorer as post_explorer
    from .explorers.reading import prediction_explorer as prediction_explorer
    from .explorers.text import text_explorer as text_explorer
    from .explorers.training import alignment_explorer as alignment_explorer
    from .explorers.training import training_explorer as training_explorer
    from .explorers.voice import voice_explorer as voice_explorer
    from .figures import plots as plots
    from .fusion.absent import Absent as Absent
    from .fusion.absent import drop_sides as drop_sides
    from .fusion.absent import missing as missing
    from .fusion.absent import without as without
    from .fusion.base import Fusion as Fusion
    from .fusion.concat import Concat as Concat
    from .fusion.concat import join as join
    from .fusion.table import FUSIONS as FUSIONS
    from .fusion.table import make_fusion as make_fusion
    from .learning import metrics as metrics
    from .learning.absence import WAYS as WAYS
    from .learning.absence import best_without_picture as best_without_picture
    from .learning.absence import ways_to_miss as ways_to_miss
    from .learning.alignment import (
        align as align,
    )
    from .learning.alignment import (
        fit_temperature as fit_temperature,
    )
    from .learning.alignment import (
        head_answers as head_answers,
    )
    from .learning.alignment import (
        measure as measure,
    )
    from .learning.batches import make_loader as make_loader
    from .learning.comparison import compare_fusions as compare_fusions
    from .learning.comparison import known_boards as known_boards
    from .learning.comparison import subsets as subsets
    from .learning.correction import correction_phase as correction_phase
    from .learning.device import best_device as best_device
    from .learning.evaluation import answers as answers
    from .learning.evaluation import evaluate as evaluate
    from .learning.familiarity import learn_familiarity as learn_familiarity
    from .learning.features import Features as Features
    from .learning.features import extract_features as extract_features
    from .learning.features import given as given
    from .learning.features import shuffled as shuffled
    from .learning.losses import balanced_weights as balanced_weights
    from .learning.losses import loss_of as loss_of
    from .learning.metrics import (
        accuracy as accuracy,
    )
    from .learning.metrics import (
        calibration_error as calibration_error,
    )
    from .learning.metrics import (
        confusion as confusion,
    )
    from .learning.metrics import (
        interval as interval,
    )
    from .learning.metrics import (
        log_loss as log_loss,
    )
    from .learning.metrics import (
        macro_f1 as macro_f1,
    )
    from .learning.metrics import (
        reliability as reliability,
    )
    from .learning.metrics import (
        slice_accuracy as slice_accuracy,
    )
    from .learning.metrics import (
        summary as summary,
    )
    from .learning.metrics import (
        who_won as who_won,
    )
    from .learning.training import history_table as history_table
    from .learning.training import train as train
    from .model.head import (
        Dropout as Dropout,
    )
    from .model.head import (
        Scale as Scale,
    )
    from .model.head import (
        mlp_head as mlp_head,
    )
    from .model.head import (
        probabilities_of as probabilities_of,
    )
    from .model.head import (
        random_head as random_head,
    )
    from .model.model import (
        PAIRS as PAIRS,
    )
    from .model.model import (
        MultimodalSentimentModel as MultimodalSentimentModel,
    )
    from .model.model import (
        load_model as load_model,
    )
    from .posts import phrases as phrases
    from .posts import scenes as scenes
    from .posts.camera import (
        photo_example as photo_example,
    )
    from .posts.food import (
        PIXELS as PIXELS,
    )
    from .posts.food import (
        FoodPosts as FoodPosts,
    )
    from .posts.food import (
        burger_example as burger_example,
    )
    from .posts.food import (
        make_post as make_post,
    )
    from .posts.noise import SyntheticDataset as SyntheticDataset
    from .posts.own import load_posts as load_posts
    from .posts.pictures import (
        open_picture as open_picture,
    )
    from .posts.pictures import (
        picture_from_bytes as picture_from_bytes,
    )
    from .posts.pictures import (
        to_rgb as to_rgb,
    )
    from .posts.places import PlacePosts as PlacePosts
    from .posts.places import twin as twin
    from .posts.post import BINARY_LABELS as BINARY_LABELS
    from .posts.post import LABELS as LABELS
    from .posts.post import Post as Post
    from .posts.post import Posts as Posts
    from .posts.rules import (
        MVSA as MVSA,
    )
    from .posts.rules import (
        RELATIONS as RELATIONS,
    )
    from .posts.rules import (
        ceiling as ceiling,
    )
    from .posts.rules import (
        judge as judge,
    )
    from .posts.rules import (
        post_table as post_table,
    )
    from .posts.sound import RATE as RATE
    from .posts.sound import Sound as Sound
    from .posts.sound import open_sound as open_sound
    from .posts.sound import wav_bytes as wav_bytes
    from .posts.spoken import TONES as TONES
    from .posts.spoken import SpokenPosts as SpokenPosts
    from .posts.spoken import judge_three as judge_three
    from .posts.spoken import make_spoken as make_spoken
    from .posts.voices import CUES as CUES
    from .posts.voices import HEARD as HEARD
    from .posts.voices import SPEAKERS as SPEAKERS
    from .posts.voices import UNSEEN_SPEAKERS as UNSEEN_SPEAKERS
    from .posts.voices import Prosody as Prosody
    from .posts.voices import Speaker as Speaker
    from .posts.voices import prosody_of as prosody_of
    from .posts.voices import speak as speak
    from .reading.reader import Reader as Reader

__all__ = ["__version__", *_NAMES]


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = import_module(f"{__name__}.{_NAMES[name]}")
    # A name is a thing in a module, or a module in a room.
    value = getattr(home, name) if "." in _NAMES[name] or hasattr(home, name) else import_module(
        f"{home.__name__}.{name}")
    globals()[name] = value  # asked for once, found at once from then on
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
