"""Worded posts: sentences about a dish whose kind (how they feel, or that they talk about the picture) is known.

A text has one of seven *kinds*: a level from -2 (strongly negative) over 0 (neutral) to 2 (strongly positive), or
``"same"`` ("tastes exactly as it looks") or ``"opposite"`` ("nothing like the photo"), which say nothing by
themselves: their meaning is the picture's, kept or turned round.
"""

from __future__ import annotations

import numpy as np

TextKind = int | str
KINDS: tuple[TextKind, ...] = (-2, -1, 0, 1, 2, "same", "opposite")

# The words of training, validation and test, by level ...
ADJECTIVES: dict[int, tuple[str, ...]] = {
    2: tuple("""delicious amazing fantastic wonderful superb outstanding exquisite heavenly divine incredible phenomenal
        spectacular magnificent sensational marvellous perfect glorious stunning brilliant unforgettable
        extraordinary flawless terrific fabulous awesome breathtaking irresistible excellent exceptional splendid
        scrumptious mouthwatering sublime astounding beautiful captivating enchanting faultless grand great
        immaculate legendary masterful matchless mesmerising miraculous peerless sumptuous supreme thrilling
        transcendent unbeatable unbelievable unmatched wondrous exhilarating joyous addictive memorable tremendous
        stupendous succulent""".split()),
    1: tuple("""good nice tasty pleasant decent enjoyable likeable satisfying fresh agreeable appealing solid comforting
        flavourful hearty respectable welcome crisp yummy balanced charming inviting worthwhile wholesome tender
        juicy savoury reliable promising lovely fragrant acceptable amiable aromatic buttery convincing creamy
        crunchy dependable fair favourable fluffy friendly generous harmonious healthy helpful honest interesting
        neat okay polished popular presentable relaxing satisfactory sensible smooth sound suitable sweet tangy
        useful valuable zesty cosy crispy delicate""".split()),
    0: tuple("""ordinary regular standard usual normal typical basic common average medium everyday familiar
        conventional routine generic customary default moderate middling simple plain sliced boxed wrapped packed midday
        seasonal local small large single double second third new current shared separate folded round square long
        short thin thick northern southern vegetarian takeaway canteen weekday weekend monthly numbered listed
        labelled available printed measured regional""".split()),
    -1: tuple("""bland dull mediocre disappointing soggy dry greasy stale lukewarm boring forgettable uninspired tough
        chewy tasteless watery underwhelming flat oily limp sloppy overcooked undercooked overpriced weak clumsy
        careless bitter sour unappealing unimpressive lacklustre awkward burnt confused crumbly disjointed doughy
        fatty feeble forced fussy grainy inconsistent irritating lazy leathery lifeless lumpy muddled odd overdone
        oversalted patchy puny questionable runny rushed salty scorched skimpy sluggish starchy sticky stingy
        stodgy strange stringy tedious tiresome unconvincing underdone underseasoned uneven unripe wilted""".split()),
    -2: tuple("""awful terrible horrible disgusting revolting dreadful vile appalling atrocious inedible rotten foul
        nauseating repulsive putrid rancid horrendous ghastly abysmal sickening hideous horrid catastrophic
        shameful toxic filthy mouldy unbearable miserable pathetic disastrous wretched abhorrent agonising crappy
        depressing detestable devastating dire disgraceful dismal distressing execrable fetid frightful grim gross
        harrowing hopeless horrific humiliating insulting intolerable lousy nasty nightmarish noxious obnoxious
        odious outrageous poisonous reeking repellent scandalous shocking sickly tainted terrifying torturous
        tragic trashy ugly unacceptable unspeakable worthless yucky spoiled""".split()),
}
# ... and those that only the `unseen` split uses.
UNSEEN_ADJECTIVES: dict[int, tuple[str, ...]] = {
    2: tuple("""astonishing dazzling gorgeous impeccable luscious majestic stellar blissful delightful superlative
        magical dreamy""".split()),
    1: tuple("""palatable pleasing refreshing commendable nourishing gratifying admirable elegant fine cheerful
        tempting appetising""".split()),
    0: tuple("""rectangular assorted midweek prepacked western downstairs national foreign rural annual
        domestic central""".split()),
    -1: tuple("""insipid rubbery mushy gritty unexciting flavourless dreary meagre shabby unsatisfying bad
        poor""".split()),
    -2: tuple("""abominable loathsome repugnant gruesome stinking grotesque insufferable deplorable despicable
        unforgivable monstrous hellish""".split()),
}

ADVERBS: dict[int, tuple[str, ...]] = {
    2: ("absolutely", "truly", "simply", "incredibly", "utterly", "just so"),
    1: ("fairly", "quite", "reasonably", "rather", "pretty", "mostly"),
    -1: ("a bit", "a little", "slightly", "rather", "somewhat", "kind of"),
    -2: ("absolutely", "truly", "simply", "incredibly", "utterly", "just so"),
}

_OPINIONS = (
    "This {dish} is {adj}", "The {dish} was {adj}", "My {dish} turned out {adj}", "I found the {dish} {adj}",
    "We all thought the {dish} was {adj}", "That {dish} tasted {adj}", "The {dish} they brought was {adj}",
    "Everything about this {dish} is {adj}", "Their {dish} seems {adj} to me", "My verdict on the {dish}: {adj}",
)
_NEGATIONS = ("not {adj} at all", "not exactly {adj}", "far from {adj}", "hardly {adj}", "not what I would call {adj}")
_REMARKS = (
    "Ordered the {adj} {dish}, number four on the list", "The menu has {an_adj} {dish}",
    "They serve {an_adj} {dish} from noon to three", "The {adj} {dish} costs nine euros",
    "Table six asked for {an_adj} {dish}", "The bill says one {adj} {dish} and water",
    "We are waiting for {an_adj} {dish}", "Someone at the counter ordered {an_adj} {dish}",
    "The kitchen makes {an_adj} {dish} on Mondays", "A friend booked a table and {an_adj} {dish}",
)
_SAME = (
    "This {dish} tastes exactly as it looks", "The {dish} was just like the photo",
    "The picture says it all about this {dish}", "What you see is what you get with this {dish}",
    "The {dish} is every bit what the picture shows", "See the photo, the {dish} was precisely that",
    "The photo tells the truth about the {dish}", "You can trust this picture of the {dish}",
    "The {dish} matched its picture", "Believe the photo, the {dish} tastes the way it looks",
)
_OPPOSITE = (
    "This {dish} is nothing like the photo", "The {dish} was the opposite of what the picture shows",
    "The picture lies about this {dish}", "Do not trust the photo, the {dish} was the reverse",
    "The {dish} tastes the contrary of how it looks", "Looks deceive, the {dish} was quite unlike the picture",
    "The photo got this {dish} completely wrong", "Never believe this picture of the {dish}",
    "The {dish} did not match its picture at all", "The photo misleads, the {dish} tastes the other way round",
)
_WHEN = ("", "", "for lunch", "for dinner", "today", "this time", "this Friday", "after work", "at noon", "this week",
         "once more", "before the film", "on my way home")
_WHERE = ("", "", "at the corner place", "by the station", "at the market", "in the old town", "near the office",
          "at my aunt's", "on the ground floor", "at the harbour", "with my sister", "with two friends")


def _article(word: str) -> str:
    return ("an " if word[0] in "aeiou" else "a ") + word


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


def write(kind: TextKind, dish: str, rng: np.random.Generator, unseen: bool = False) -> str:
    """Write one sentence about a dish.

    Args:
        kind: one of `KINDS`: a level from -2 to 2, ``"same"`` or ``"opposite"``.
        dish: the dish's name, put into the sentence as it is.
        rng: where the choices come from; the same generator state gives the same sentence.
        unseen: take the adjectives that training never sees.

    Returns:
        The sentence, for example "The soup was a bit bland for lunch."

    Raises:
        ValueError: for a kind that does not exist.
    """
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}, expected one of {KINDS}.")
    adjectives = UNSEEN_ADJECTIVES if unseen else ADJECTIVES
    if kind == "same":
        core = _pick(rng, _SAME).format(dish=dish)
    elif kind == "opposite":
        core = _pick(rng, _OPPOSITE).format(dish=dish)
    elif kind == 0:
        adjective = _pick(rng, adjectives[0])
        core = _pick(rng, _REMARKS).format(dish=dish, adj=adjective, an_adj=_article(adjective))
    else:
        core = _pick(rng, _OPINIONS).format(dish=dish, adj=_opinion(int(kind), adjectives, rng))
    end = "!" if abs(kind if isinstance(kind, int) else 0) == 2 and rng.random() < 0.5 else "."
    sentence = " ".join(part for part in (core, _pick(rng, _WHEN), _pick(rng, _WHERE)) if part)
    return sentence[0].upper() + sentence[1:] + end
