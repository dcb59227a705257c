"""The table of exercises: their numbers, the checks that judge them, and the marks that a verdict gets."""

from ..figures.panels import GREEN, GREY, ORANGE

# Number of the exercise -> name of its check, in the order of the course.
EXERCISES: dict[str, str] = {
    "1.1": "optimist_label",
    "1.2": "chance_band",
    "1.3": "highest_accuracy",
    "1.4": "peeking",
    "2.1": "token_average",
    "2.2": "pad_batch",
    "2.3": "nearest_rows",
    "2.4": "order_counts",
    "3.1": "map_size",
    "3.2": "patch_rows",
    "3.3": "cover_and_measure",
    "3.4": "food_or_table",
    "4.1": "head_parameters",
    "4.2": "head_input",
    "4.3": "steady_softmax",
    "4.4": "sum_can",
    "4.5": "meet_or_add",
    "5.1": "epoch_accuracy",
    "5.2": "binary_loss",
    "5.3": "chosen_run",
    "5.4": "learning_curve",
    "6.1": "softened",
    "6.2": "calibration_gap",
    "6.3": "seed_interval",
    "6.4": "four_readers",
    "7.1": "relation_between",
    "7.2": "slice_scores",
    "7.3": "deal_pictures",
    "7.4": "heads_compared",
    "8.1": "warning_scores",
    "8.2": "silent_below",
    "9.1": "gate",
    "9.2": "tensor_fusion",
    "9.3": "look",
    "9.4": "hit_rate",
}
# Number of the notebook -> module of this room that holds its checks.
MODULES = {"1": "posts", "2": "text", "3": "picture", "4": "fusion", "5": "training", "6": "alignment",
           "7": "conflict", "8": "dashboard", "9": "meeting"}
MARKS = {"right": ("✓", GREEN), "wrong": ("✗", ORANGE), "not yet": ("…", GREY)}
