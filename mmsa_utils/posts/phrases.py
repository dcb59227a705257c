"""Worded posts: sentences about a dish whose kind (how they feel, or that they talk about the picture) is known.

A text has one of seven *kinds*: a level from -2 (strongly negative) over 0 (neutral) to 2 (strongly positive), or
``"same"`` ("tastes exactly as it looks") or ``"opposite"`` ("nothing like the photo"), which say nothing by
themselves: their meaning is the picture's, kept or turned round.

Some texts with a feeling are *two-sided*: they say two things of which one is about the dish, "The service was awful,
but the soup was wonderful", "The soup is not awful, it is delicious". Each has a *twin*, the very same words the other
way round, of the opposite level: who does not read their order cannot tell the two apart.
"""

from __future__ import annotations

import re

import numpy as np

TextKind = int | str
KINDS: tuple[TextKind, ...] = (-2, -1, 0, 1, 2, "same", "opposite")
#: Share of two-sided texts among those with a feeling: one text in five of all.
TWO_SIDED = 0.4

# The words of training, validation and test, by level ...
ADJECTIVES: dict[int, tuple[str, ...]] = {
    2: tuple("""delicious amazing fantastic wonderful superb outstanding exquisite heavenly divine incredible phenomenal
        spectacular magnificent sensational marvellous perfect glorious stunning brilliant unforgettable
        extraordinary flawless terrific fabulous awesome breathtaking irresistible excellent exceptional splendid
        scrumptious mouthwatering sublime beautiful great immaculate legendary masterful sumptuous transcendent
        unbeatable unbelievable unmatched wondrous addictive memorable tremendous stupendous""".split()),
    1: tuple("""good nice tasty pleasant decent enjoyable likeable satisfying fresh agreeable appealing solid comforting
        flavourful hearty respectable welcome moreish yummy balanced charming inviting worthwhile wholesome tender
        filling savoury reliable promising lovely fragrant acceptable aromatic convincing generous harmonious
        healthy okay presentable rewarding satisfactory delicate""".split()),
    0: tuple("""ordinary regular standard usual normal typical basic common average medium everyday familiar
        conventional routine customary simple plain traditional original midday seasonal local large small whole half
        extra single double shared new vegetarian vegan meatless takeaway canteen student school family house bakery
        party festival weekday weekend daily weekly lunchtime evening summer winter spring autumn smaller larger
        midsized lunch dinner supper brunch""".split()),
    -1: tuple("""bland dull mediocre disappointing soggy dry greasy stale lukewarm boring forgettable uninspired tough
        chewy tasteless underwhelming flat oily limp sloppy overcooked undercooked overpriced weak bitter sour
        unappealing unimpressive lacklustre burnt fatty grainy leathery lifeless odd overdone oversalted patchy
        questionable salty scorched skimpy starchy sticky stodgy strange tedious tiresome unconvincing underdone
        underseasoned uneven""".split()),
    -2: tuple("""awful terrible horrible disgusting revolting dreadful vile appalling atrocious inedible rotten foul
        nauseating repulsive putrid rancid horrendous ghastly abysmal sickening hideous horrid catastrophic
        shameful toxic filthy mouldy unbearable miserable pathetic disastrous wretched abhorrent crappy
        detestable dire disgraceful dismal frightful gross hopeless horrific intolerable lousy nasty
        nightmarish poisonous repellent scandalous shocking tainted ugly unacceptable unspeakable worthless yucky
        spoiled""".split()),
}
# ... and those that only the `unseen` split uses.
UNSEEN_ADJECTIVES: dict[int, tuple[str, ...]] = {
    2: tuple("""astonishing dazzling gorgeous impeccable luscious majestic stellar blissful delightful superlative
        magical dreamy""".split()),
    1: tuple("""palatable pleasing refreshing commendable nourishing gratifying admirable elegant fine cheerful
        tempting appetising""".split()),
    0: tuple("""midweek midnight morning afternoon breakfast holiday prepacked imported foreign domestic
        miniature oversized""".split()),
    -1: tuple("""insipid rubbery mushy gritty unexciting flavourless dreary meagre shabby unsatisfying bad
        poor""".split()),
    -2: tuple("""abominable loathsome repugnant gruesome stinking grotesque insufferable deplorable despicable
        unforgivable monstrous hellish""".split()),
}

# What can be said of a dish and of a waiter alike, by level: the words of texts with two things in them.
ANYWHERE: dict[int, tuple[str, ...]] = {
    2: tuple("""amazing fantastic wonderful superb outstanding incredible phenomenal spectacular magnificent sensational
        marvellous perfect brilliant unforgettable extraordinary terrific fabulous awesome excellent exceptional
        splendid great memorable tremendous""".split()),
    1: tuple("""good nice pleasant decent likeable agreeable appealing respectable charming inviting lovely acceptable
        satisfactory presentable""".split()),
    -1: tuple("""dull mediocre disappointing boring forgettable uninspired underwhelming sloppy weak unappealing
        unimpressive lacklustre odd strange unconvincing""".split()),
    -2: tuple("""awful terrible horrible dreadful appalling atrocious horrendous ghastly abysmal hideous horrid
        shameful unbearable miserable pathetic disastrous wretched dire disgraceful dismal hopeless horrific lousy
        nightmarish shocking unacceptable""".split()),
}
UNSEEN_ANYWHERE: dict[int, tuple[str, ...]] = {
    2: tuple("astonishing dazzling gorgeous impeccable majestic stellar delightful magical".split()),
    1: tuple("pleasing refreshing commendable gratifying admirable elegant fine cheerful".split()),
    -1: tuple("unexciting dreary shabby unsatisfying bad poor".split()),
    -2: tuple("""abominable loathsome grotesque insufferable deplorable despicable unforgivable monstrous hellish
        gruesome""".split()),
}
_THINGS = ("service", "waiter", "music", "view", "room", "place", "terrace", "decor", "coffee", "wine", "photo",
           "company")
_UNSEEN_THINGS = ("staff", "garden", "tea", "lighting", "bar", "picture")
_PEOPLE = ("waiter", "staff")

ADVERBS: dict[int, tuple[str, ...]] = {
    2: ("absolutely", "truly", "simply", "really", "just", "honestly"),
    1: ("fairly", "quite", "reasonably", "rather", "pretty", "mostly"),
    -1: ("a bit", "a little", "slightly", "rather", "somewhat", "kind of"),
    -2: ("absolutely", "truly", "simply", "really", "just", "honestly"),
}

_OPINIONS = (
    "This {dish} is {adj}", "The {dish} was {adj}{when}", "My {dish} turned out {adj}{when}",
    "I found the {dish} {adj}{when}", "We all thought the {dish} was {adj}", "Their {dish} was {adj}{when}",
    "If you ask me, the {dish} was {adj}{when}", "I have to say, the {dish} was {adj}{when}",
    "For me the {dish} was {adj}", "My verdict on the {dish}: {adj}",
)
_NEGATIONS = ("not {adj} at all", "not exactly {adj}", "far from {adj}", "hardly {adj}", "not what I would call {adj}")
_REMARKS = (
    "Ordered the {adj} {dish}, number four on the list", "The menu has {an_adj} {dish}",
    "They also serve {an_adj} {dish}", "The {adj} {dish} costs nine euros",
    "Table six asked for {an_adj} {dish}{when}", "The bill says water and one {adj} {dish}",
    "We are waiting for {an_adj} {dish}", "Someone at the counter ordered {an_adj} {dish}{when}",
    "The kitchen makes {an_adj} {dish} after six", "I had {an_adj} {dish}{when}",
)
_SAME = (
    "This {dish} tastes exactly as it looks", "The {dish} was just like the photo",
    "The picture says it all about this {dish}", "What you see is what you get with this {dish}",
    "The {dish} is every bit what the picture shows", "See the photo: that is how the {dish} was",
    "The photo tells the truth about the {dish}", "You can trust this picture of the {dish}",
    "The {dish} matched its picture", "Believe the photo, the {dish} tastes the way it looks",
)
_OPPOSITE = (
    "This {dish} is nothing like the photo", "The {dish} was the opposite of what the picture shows",
    "The picture lies about this {dish}", "Do not trust the photo, the {dish} was quite the reverse",
    "The {dish} tastes nothing like it looks", "Looks deceive, the {dish} was quite unlike the picture",
    "The photo got this {dish} completely wrong", "Never believe this picture of the {dish}",
    "The {dish} did not match its picture at all", "The photo misleads, the {dish} was just the opposite",
)
# Two things said, {a} of the dish and {b} of something else ...
_BESIDE = (
    "The {other} was {b}, but the {dish} was {a}", "The {dish} was {a}, but the {other} was {b}",
    "While the {other} was {b}, the {dish} was {a}", "The {dish} was {a}, the {other} {b}",
    "{b} {other}, {a} {dish}", "{a} {dish}, {b} {other}", "I thought the {dish} was {a} and the {other} {b}",
    "We found the {other} {b} and the {dish} {a}", "The {dish} was {a}, unlike the {other}, which was {b}",
    "Even though the {other} was {b}, my {dish} was {a}",
)
# ... or {a} said of the dish, and {b} denied.
_DENIED = (
    "The {dish} is not {b}, it is {a}", "This {dish} was not {b} but {a}", "My {dish} was {a}, not {b}",
    "I would not call the {dish} {b}, I would call it {a}", "It is {a}, this {dish}, and not {b}",
    "People say this {dish} is {b}, but no, it is {a}",
)
_WHERE = ("", "", "", "", "from the corner place", "at the station", "from the market", "in the old town",
          "near the office", "at the pub", "at the hotel", "at the harbour", "from the food truck", "by the lake",
          "at the airport", "from the place next door")
_WHEN = ("", "", "", "", " today", " this time", " on Friday", " last night", " again", " yesterday", " last week",
         " on Sunday")


def _article(word: str) -> str:
    return ("an " if word[0] in "aeio" else "a ") + word  # "a usual": no word here begins with the u of "ugly"


def _pick(rng: np.random.Generator, words: tuple[str, ...]) -> str:
    return words[rng.integers(len(words))]


def _opinion(level: int, adjectives: dict[int, tuple[str, ...]], rng: np.random.Generator) -> str:
    """The words that carry the feeling: "delicious", "a bit bland and dry", "not exactly amazing", ..."""
    mild = abs(level) == 1
    if mild and rng.random() < 0.15:  # a negated word of the other side is a mild one of this side
        opposite = -2 if level > 0 else 2
        return _pick(rng, _NEGATIONS).format(adj=_pick(rng, adjectives[opposite] + adjectives[opposite // 2]))
    chosen = rng.choice(len(adjectives[level]), 2 if rng.random() < 0.5 else 1, replace=False)
    words = " and ".join(adjectives[level][i] for i in chosen)
    return f"{_pick(rng, ADVERBS[level])} {words}" if rng.random() < 0.85 else words


def _sentence(core: str, strong: bool, rng: np.random.Generator) -> str:
    return core[0].upper() + core[1:] + ("!" if strong and rng.random() < 0.5 else ".")


def twins(level: int, dish: str, rng: np.random.Generator, unseen: bool = False) -> tuple[str, str]:
    """Write a two-sided text of a level, and its twin: the same words the other way round, of the opposite level.

    Args:
        level: -2, -1, 1 or 2, of what the first text says about the dish.
        dish, rng, unseen: as for `write`.

    Returns:
        For example "The music was dull, but the soup was good." and "The music was good, but the soup was dull."

    Raises:
        ValueError: for a level that is none of the four.
    """
    if level not in (-2, -1, 1, 2):
        raise ValueError(f"level is {level!r}, expected -2, -1, 1 or 2: of two sides one must be good, the other bad.")
    good, bad = abs(level), -abs(level)
    if rng.random() < 0.6:
        words, form = (UNSEEN_ANYWHERE if unseen else ANYWHERE), _pick(rng, _BESIDE)
        said = {side: _pick(rng, words[side]) for side in (good, bad)}
        if rng.random() < 0.5 and not form.startswith("{"):  # nobody writes "A bit dull music, ..."
            said = {side: f"{_pick(rng, ADVERBS[side])} {word}" for side, word in said.items()}
    else:
        words, form = (UNSEEN_ADJECTIVES if unseen else ADJECTIVES), _pick(rng, _DENIED)
        said = {side: _pick(rng, words[side]) for side in (good, bad)}
    things = _UNSEEN_THINGS if unseen else _THINGS
    other = _pick(rng, tuple(thing for thing in things if "which" not in form or thing not in _PEOPLE))
    cores = [form.format(dish=dish, other=other, a=said[a], b=said[-a]) for a in (level, -level)]
    end = "!" if good == 2 and rng.random() < 0.5 else "."
    first, second = (core[0].upper() + core[1:] + end for core in cores)
    return first, second


def words_of(text: str) -> list[str]:
    """A text's words in their order, in small letters and without its marks."""
    return re.findall(r"[\w']+", text.lower())


def in_any_order(text: str, rng: np.random.Generator) -> str:
    """The same words in an order that says nothing, and without the marks, which would tell where they stood."""
    return " ".join(rng.permutation(words_of(text)).tolist())


def write(kind: TextKind, dish: str, rng: np.random.Generator, unseen: bool = False, two_sided: bool = False) -> str:
    """Write one sentence about a dish.

    Args:
        kind: one of `KINDS`: a level from -2 to 2, ``"same"`` or ``"opposite"``.
        dish: the dish's name, put into the sentence as it is.
        rng: where the choices come from; the same generator state gives the same sentence.
        unseen: take the adjectives that training never sees.
        two_sided: say two things of which one is about the dish, see `twins`; for a kind with a feeling.

    Returns:
        The sentence, for example "The soup was a bit bland for lunch."

    Raises:
        ValueError: for a kind that does not exist, and for two sides of one without a feeling.
    """
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}, expected one of {KINDS}.")
    if two_sided:
        return twins(kind, dish, rng, unseen)[0]  # type: ignore[arg-type]  # it refuses what is no level
    adjectives = UNSEEN_ADJECTIVES if unseen else ADJECTIVES
    where, when = _pick(rng, _WHERE), _pick(rng, _WHEN)
    words = {"dish": f"{dish} {where}" if where else dish, "when": when}
    if kind == "same":
        core = _pick(rng, _SAME).format(**words)
    elif kind == "opposite":
        core = _pick(rng, _OPPOSITE).format(**words)
    elif kind == 0:
        adjective = _pick(rng, adjectives[0])
        core = _pick(rng, _REMARKS).format(adj=adjective, an_adj=_article(adjective), **words)
    else:
        core = _pick(rng, _OPINIONS).format(adj=_opinion(int(kind), adjectives, rng), **words)
    return _sentence(core, kind in (-2, 2), rng)
