"""The explorer of notebook 00: guess what an author means, by the words and then with the picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import ipywidgets
import numpy as np

from ..figures import panels, plots
from ..posts.food import make_post
from ..posts.phrases import TextKind
from ..posts.post import LABELS, Post, Posts
from ..posts.rules import RELATIONS, judge
from ..posts.scenes import TRAIN_DISHES
from .conflict import PICTURE_WORDS
from .explorer import Explorer

if TYPE_CHECKING:
    from IPython.display import Image as DisplayImage

STATES: tuple[tuple[TextKind, int], ...] = (
    (0, 0), ("same", 2), (2, -2), (-1, 1), ("opposite", -2), (0, -2), (2, -1), ("opposite", 2))
SIGNS = {"negative": "−", "neutral": "0", "positive": "+", "": "?"}
SIDE = 160  # pixels of a picture on the page


class Game:
    """Two guesses for each post, by its words alone and then with its picture.

    Attributes:
        place: the post that is shown, from 0; their number when all were shown.
        guesses: what was guessed about each post so far, none to two names of moods.
    """

    def __init__(self, posts: Sequence[Post]):
        self.posts = posts
        self.restart()

    def restart(self) -> None:
        """Forget all guesses, and show the first post."""
        self.place, self.guesses = 0, [list[str]() for _ in self.posts]

    @property
    def over(self) -> bool:
        """Whether all posts were shown."""
        return self.place == len(self.posts)

    def guess(self, mood: str) -> None:
        """Take the next guess about the post that is shown; a third one comes too late, and counts for nothing."""
        if not self.over and len(self.guesses[self.place]) < 2:
            self.guesses[self.place].append(mood)

    def go_on(self) -> None:
        """Show the next post, guessed or not; after the last, the score; after the score, begin again."""
        if self.over:
            self.restart()
        else:
            self.place += 1

    def right(self, turn: int) -> int:
        """Of the posts guessed twice, how many were right: by the words alone (turn 0), or with the picture (1)."""
        return sum(len(guessed) == 2 and guessed[turn] == LABELS[post.label]
                   for guessed, post in zip(self.guesses, self.posts))


def words_say(post: Post) -> str:
    """The mood of the words by themselves; "" where they say nothing without their picture."""
    return "" if post.relation == "refer" else LABELS[int(np.sign(post.text_kind)) + 1]


def picture_says(post: Post) -> str:
    """The mood of the picture by itself."""
    return LABELS[int(np.sign(post.picture_level)) + 1]


def guess_explorer(posts: Posts | None = None) -> Explorer:
    """Guess the moods of posts: each by its words alone, then with its picture; then its label comes with the rule.

    Controls: the buttons ``negative``, ``neutral``, ``positive`` and ``next``. The guesses are in ``game``.

    Args:
        posts: whose rule is known, such as those of `FoodPosts` or `make_post`, with the labels of LABELS; eight of
            all kinds where none are given.

    Raises:
        ValueError: without posts, and for posts that follow no rule.
    """
    if posts is None:
        shown = [make_post(*state, dish, seed) for seed, (state, dish) in enumerate(zip(STATES, TRAIN_DISHES))]
    else:
        shown = _checked([posts[place] for place in range(len(posts))], getattr(posts, "classes", LABELS))
    game = Game(shown)
    buttons = {name: ipywidgets.Button(description=name, layout={"width": "max-content", "min_width": "96px"})
               for name in (*LABELS, "next")}
    explorer = Explorer("Guessing game", buttons, lambda: _view(game), lambda: _still(shown))
    explorer.game = game

    def pressed(button: ipywidgets.Button) -> None:
        if button is buttons["next"]:
            game.go_on()
        else:
            game.guess(button.description)
        show()

    def show() -> None:
        last = game.place == len(shown) - 1
        buttons["next"].description = "begin again" if game.over else "see the score" if last else "next post"
        explorer.refresh()

    for button in buttons.values():
        button.on_click(pressed)
    show()
    return explorer


def _checked(posts: list[Post], classes: Sequence[str]) -> list[Post]:
    """The posts, if there are any and each has the words, the picture, the label and the rule that the game needs."""
    if not posts:
        raise ValueError("got no posts: expected at least one to guess about.")
    if tuple(classes) != LABELS:
        raise ValueError(f"the posts' classes are {', '.join(classes)}: expected {', '.join(LABELS)}, as those of "
                         "`FoodPosts` without `binary`.")
    for place, post in enumerate(posts):
        if post.relation not in RELATIONS or post.text is None or post.image is None:
            raise ValueError(f"post {place} has no text, no picture or no rule behind it: expected posts of "
                             "`FoodPosts` or `make_post`, whose label has a reason.")
    return posts


def _view(game: Game) -> str:
    """The post that is shown, as far as it was guessed; or the score. Always as high, so that nothing below moves."""
    inside = _score(game) if game.over else _post(game)
    return f'<div style="min-height:{SIDE + 100}px">{inside}</div>'


def _post(game: Game) -> str:
    post, guessed = game.posts[game.place], game.guesses[game.place]
    image = (panels.picture(post.image, f"{post.dish}, looks {PICTURE_WORDS[post.picture_level]}", SIDE) if guessed
             else f'<div style="width:{SIDE}px;height:{SIDE}px;box-sizing:border-box;border:1px dashed {panels.GREY};'
                  'border-radius:4px;padding:8px">The picture comes with your first guess.</div>')
    asked = ("By the words alone: what does the author mean?", "And with the picture: what does the author mean?")
    story = "".join(panels.paragraph(f"{side} you say {mood}.") for side, mood in
                    zip(("By the words", "With the picture"), guessed))
    story += _verdict(post, guessed[1]) if len(guessed) == 2 else panels.paragraph(asked[len(guessed)])
    return panels.row(image, panels.column(
        panels.heading(f"post {game.place + 1} of {len(game.posts)}"), panels.paragraph(f"“{post.text}”", lines=2),
        story, panels.paragraph(_so_far(game)), width=480))


def _so_far(game: Game) -> str:
    judged = sum(len(guessed) == 2 for guessed in game.guesses)
    return f"Right so far: {game.right(0)} of {judged} by the words, {game.right(1)} of {judged} with the picture."


def _verdict(post: Post, guess: str) -> str:
    """The label, the rule that gave it, and what each side would say alone; read out when it appears."""
    label, by_rule = LABELS[post.label], LABELS[judge(post.text_kind, post.picture_level)[0] + 1]
    said = f"Right, the label is {label}. " if guess == label else f"The label is {label}. "
    said += (f"The rule: {post.reason}." if label == by_rule else
             f"It is a slip, as annotators make them: by the rule ({post.reason}) it would be {by_rule}.")
    alone = words_say(post)
    return panels.note(said) + panels.paragraph(
        (f"The words alone say {alone}" if alone else "The words alone say nothing, they speak of their picture")
        + f"; the picture alone says {picture_says(post)}.")


def _score(game: Game) -> str:
    """Every guess beside what each side says alone, and the labels."""
    labels = [LABELS[post.label] for post in game.posts]
    rows = {"you, by the words": [guessed[0] if guessed else "" for guessed in game.guesses],
            "you, with the picture": [guessed[1] if len(guessed) == 2 else "" for guessed in game.guesses],
            "the words alone": [words_say(post) for post in game.posts],
            "the picture alone": [picture_says(post) for post in game.posts], "the label": labels}
    table = [(name, *(SIGNS[mood] for mood in row), f"{sum(a == b for a, b in zip(row, labels))} of {len(labels)}")
             for name, row in rows.items()]
    return panels.row(panels.heading("all posts: − negative, 0 neutral, + positive, ? nothing said")
                      + panels.table(("", *(str(n + 1) for n in range(len(labels))), "right"), table))


def _still(posts: Sequence[Post]) -> DisplayImage:
    """The posts, to guess about; their labels are not given away."""
    said = [f"{n}. “{post.text}”, over a picture of {post.dish} that looks {PICTURE_WORDS[post.picture_level]}"
            for n, post in enumerate(posts, 1)]
    return plots.picture_grid([post.image for post in posts], [f"{n}. {post.text}" for n, post in enumerate(posts, 1)],
                              columns=min(4, len(posts)), inches=1.7, wrap=27,
                              alt=f"{len(posts)} posts to guess about: {'; '.join(said)}.")
