"""Unlabelled texts for pretraining the mini text encoders: generated food posts, WordNet, the vaderSentiment archive.

`pretrain_texts` uses words and sentences only. The polarity groups of `ADJECTIVES` and the scores in the archive
are for the probes of `text.py --evaluate`; nothing here hands them to pretraining.
"""
# ruff: noqa: E501  (a production of the grammar is one line, however long)

import html
import io
import re
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np

from mmsa_utils.posts import phrases

# Grouped by level (-2 strong negative ... 2 strong positive) for the probes. Pretraining sees one shuffled list.
ADJECTIVES: dict[int, list[str]] = {
    2: """amazing awesome astonishing breathtaking brilliant delectable delicious delightful divine dreamy dazzling
    excellent exceptional exquisite extraordinary fabulous fantastic flawless glorious gorgeous heavenly impeccable
    incredible irresistible luscious luxurious magical magnificent marvelous marvellous masterful memorable miraculous
    outstanding perfect phenomenal priceless remarkable scrumptious sensational spectacular splendid stellar stunning
    sublime superb superlative terrific thrilling tremendous unbeatable unforgettable unreal wonderful wondrous
    world-class mind-blowing mouthwatering mouth-watering finger-licking to-die-for jaw-dropping out-of-this-world
    first-rate top-notch epic legendary euphoric ecstatic exhilarating majestic radiant ravishing supreme matchless
    peerless unmatched unrivaled unsurpassed immaculate transcendent angelic ambrosial spellbinding enchanting
    bewitching captivating blissful show-stopping knockout prizewinning award-winning superior
    killer sensuous exalted faultless virtuoso resplendent opulent adored beloved treasured orgasmic rapturous
    sumptuous delish yummiest tastiest greatest best finest loveliest""".split(),
    1: """agreeable appealing appetising appetizing appreciated balanced bright charming cheerful clean
    comforting commendable cosy cozy crisp crispy crunchy decent dependable enjoyable fair fine flavorful flavourful
    flavorsome fluffy fragrant fresh friendly fun generous genuine gentle good good-looking harmonious healthy hearty
    homely honest inviting juicy light likeable likable lovely lively mellow moreish neat nice nourishing
    nutritious palatable peppy pleasant pleasing pleasurable pretty quality refreshing
    reliable respectable rewarding ripe satisfactory satisfying savory savoury smooth solid soothing sound sweet
    tasty tender tidy toothsome velvety warm-hearted welcoming well-balanced well-cooked well-made well-seasoned
    wholesome worthwhile yummy zesty zingy acceptable nourished promising reasonable attractive cute
    favorable favourable handsome helpful merry polite presentable succulent buttery creamy
    aromatic golden garden-fresh farm-fresh oven-fresh mouthfilling fulfilling
    uplifting pleasurable heartwarming tempting tantalising enticing delicate elegant stylish interesting
    nifty sunny swell glad happy competent capable recommendable
    admirable praiseworthy graceful tasteful""".split(),
    0: """average ordinary standard regular usual typical common normal plain everyday medium generic conventional
    customary familiar routine unremarkable basic middling so-so neutral traditional local seasonal
    vegetarian vegan meatless gluten-free dairy-free grilled baked boiled steamed fried roasted toasted sliced diced
    chopped minced grated mashed stuffed folded rolled wrapped layered smoked cured pickled marinated frozen canned
    bottled packaged pre-packed imported domestic wooden metallic round square oval triangular rectangular flat tall
    short wide narrow large small big little single double triple brown white
    green red yellow orange purple beige grey gray hot cold warm chilled room-temperature thick thin
    liquid salted unsalted sweetened unsweetened sugared peppered spiced seasoned herbed buttered
    oiled italian french mexican indian japanese chinese thai greek american korean turkish spanish
    weekly daily monthly annual early late recent current present weekday available optional separate
    additional extra similar comparable identical equal moderate intermediate central numbered listed ordered
    reserved takeaway take-out dine-in portable disposable ceramic plastic paper metal glass modern
    contemporary commercial industrial public municipal official technical factual""".split(),
    -1: """bland boring dull dry soggy stale limp lukewarm tepid mediocre meh underwhelming disappointing unexciting
    uninspired uninteresting forgettable flavorless flavourless tasteless insipid watery mushy chewy rubbery greasy
    oily heavy overcooked undercooked overdone underdone salty oversalted underseasoned overpriced skimpy
    stingy sad sloppy messy lackluster lacklustre weak floppy wilted tired pale sparse
    unappealing unappetising unappetizing unattractive unimpressive unpleasant unsatisfying
    subpar sub-par substandard second-rate inferior inadequate insufficient poor clumsy careless
    awkward annoying bothersome irritating dissatisfying doubtful dubious questionable iffy off odd weird strange
    cloying overly-sweet sickly-sweet bitter sour acidic harsh grainy gritty gluey gummy lumpy stodgy stringy
    doughy cardboard-like spongy diluted runny dreary drab dingy gloomy tiresome tedious
    monotonous joyless lifeless soulless charmless graceless shabby slow rude noisy crowded cramped unfriendly
    impolite inattentive forgetful dissatisfied displeased unhappy regrettable lame cheap tacky flimsy wonky
    unbalanced uneven unripe overripe bruised crumbly tough scorched overrated unenjoyable unfulfilling discouraging
    dismaying faulty flawed mistaken wrong""".split(),
    -2: """abominable abysmal appalling atrocious awful catastrophic contaminated deplorable despicable detestable
    dire disastrous disgraceful disgusting dreadful execrable fetid filthy foul ghastly grim gross gruesome
    hateful hellish hideous horrendous horrible horrid horrific horrifying inedible uneatable intolerable unbearable
    insufferable loathsome lousy miserable monstrous mouldy moldy nasty nauseating nightmarish noxious obnoxious
    odious offensive pathetic poisonous putrid rancid repellent repugnant repulsive revolting rotten
    rubbish shameful sickening spoiled stinking stinky terrible toxic tragic traumatic ugly unspeakable
    vile wretched worst worthless yucky yuck gag-inducing vomit-inducing stomach-turning stomach-churning
    god-awful godawful crappy trashy garbage maggoty infested rank decayed decomposed diseased
    sewage-like swill-like hazardous dangerous unsafe unhygienic unsanitary insulting disgraced heinous evil wicked
    nightmare frightful abhorrent vomitous hopeless useless unforgivable inexcusable unacceptable agonising
    excruciating harrowing depressing dismal diabolical scandalous criminal sinister sickly
    repulsing grotesque squalid feculent septic ruined wrecked""".split(),
}

DISHES = """burger pizza salad soup sushi pancakes tacos pasta curry sandwich cake ramen steak omelette lasagne lasagna
noodles risotto paella burrito falafel hummus kebab dumplings stew chili pie quiche waffles muffin donut doughnut brownie
cheesecake cookies croissant bagel toast porridge oatmeal cereal smoothie fries nachos hotdog meatballs ribs wings
chicken salmon fish shrimp prawns lobster oysters tofu rice beans lentils vegetables potatoes mashed-potatoes gnocchi
ravioli spaghetti carbonara biryani samosas gyoza pho bibimbap tempura sashimi goulash schnitzel sausages bacon eggs
shakshuka moussaka tiramisu gelato ice-cream pudding custard tart trifle crepes fruit-salad cheese-board bread pretzel
cupcake milkshake""".replace("ice-cream", "ice_cream").split()
DISHES = [dish.replace("_", " ").replace("-", " ") for dish in DISHES]

# One production per line, alternatives divided by "|". `{adj}` is filled by the caller's word.
_GRAMMAR_TEXT = """
subj: this {dish}|the {dish}|my {dish}|our {dish}|that {dish}|their {dish}|today's {dish}|the {dish} here|the {dish} at {place}|the {dish} from {place}|it|everything|the food|my order|my {meal}|the whole plate|this plate of {dish}|the {aspect}|{dish}|a {dish} like this|the {dish} i had|the {dish} with {side}|her homemade {dish}|lunch|dinner
be: is|is|is|was|was|was|looks|tastes|smells|seems|turned out|came out|looked|tasted|felt|has been|must be|'s
deg: very|so|really|absolutely|utterly|incredibly|a bit|fairly|rather|quite|pretty|somewhat|slightly|extremely|truly|completely|totally|just|simply|kind of|a little|too|unbelievably|insanely|ridiculously|terribly|mildly|moderately|perfectly|downright|remarkably|reasonably|exceptionally|super|deeply|sort of|a touch|more or less|relatively|genuinely|seriously|surprisingly|honestly
neg: not {adj}|not {adj} at all|not exactly {adj}|not very {adj}|not really {adj}|never {adj}|far from {adj}|anything but {adj}|hardly {adj}|not even {adj}|not that {adj}|not too {adj}|by no means {adj}|not in the least {adj}|not particularly {adj}|less than {adj}|not {adj} in any way|not remotely {adj}|neither {adj} nor {adj2}|not what i would call {adj}|the opposite of {adj}
pos: {adj}|{adj}|{adj}|{deg} {adj}|{deg} {adj}|{deg} {adj}|{deg} {adj}|nothing short of {adj}|nothing but {adj}|{adj} as always|as {adj} as ever|as {adj} as it gets|more {adj} than i expected|{adj} and {adj2}|both {adj} and {adj2}|{adj}, {deg} {adj}|{adj} from start to finish|{adj} through and through|{adj} beyond words|{adj} if you ask me|never less than {adj}|{adj} again|{adj} in every way
ap: {pos}|{pos}|{pos}|{pos}|{neg}
open: honestly,|wow,|ok,|first time here:|verdict:|update:|guys,|well,|so,|yes,|no,|to be fair,|i must say|my wife says|i think|we all agreed that|just so you know,|friday {meal}:|finally tried it:|if you ask me,|i have to admit,|all in all,|let me tell you,|in short,|hmm,|i found that|people say|after a long wait
tail: today|for {meal}|at {place}|this time|again|as usual|last night|with {side}|in my opinion|for the price|and the {aspect} was {deg} {adj}|, and so was the {aspect}|, see the photo|#foodie|#{meal}|lol|...|!!|by any standard|from the first bite|to the last crumb
end: .|.|.|!|!||!!|...
review: {subj} {be} {ap}{end}|{subj} {be} {ap}{end}|{subj} {be} {ap}{end}|{subj} {be} {ap}{end}|{subj} {be} {ap} {tail}{end}|{open} {subj} {be} {ap}{end}|{open} {subj} {be} {ap} {tail}{end}|what a {adj} {dish}{end}|what {deg} {adj} {dish}{end}|such a {adj} {dish}{end}|such {adj} food{end}|a {deg} {adj} {dish} at {place}{end}|{adj} {dish}{end}|{adj} {dish}, {adj2} {aspect}{end}|i had a {adj} {dish} at {place}{end}|we ate {adj} {dish} for {meal}{end}|{person} made a {deg} {adj} {dish}{end}|{adj}{end}|{ap}{end}|{deg} {adj}{end}|how {adj}{end}|i would call this {dish} {adj}{end}|i would call it {ap}{end}|the word for this {dish} is {adj}{end}|one word: {adj}{end}|{adj}, that is the only word for this {dish}{end}|they serve a {adj} {dish}{end}|i find {dish} at {place} {ap}{end}|this has to be the most {adj} {dish} ever{end}|never had a more {adj} {dish}{end}|{place} makes {adj} {dish}{end}|the {aspect} at {place} was {ap}{end}|it does not get more {adj} than this{end}|could not be more {adj}{end}|expected something {adj2}, got something {adj}{end}|{dish}? {adj}{end}|{dish} for {meal}, {ap}{end}
plain: i had the {dish} for {meal}{end}|it comes with {side}{end}|this {dish} comes with {side} and {side}{end}|we ordered {dish} and {dish}{end}|{dish} with {side} on a {colour} plate{end}|posting my {meal}: {dish}{end}|they serve {dish} from noon to nine{end}|{person} made {dish} for {meal}{end}|the {dish} costs {number} dollars{end}|the {dish} has {side} in it{end}|{dish} at {place} on {day}{end}|i ate {dish} at {place}{end}|a {dish} and a {drink}{end}|{person} had {dish}, i had {dish}{end}|this is a {dish} from {place}{end}|{meal} today: {dish}, {side} and {drink}{end}|the menu lists {dish} and {dish}{end}|we sat by the window and had {dish}{end}|the {dish} is served with {side}{end}|{number} kinds of {dish} on the menu{end}|i bought the {dish} on the way home{end}|it is {dish}, the same as on {day}{end}|{dish} again on {day}{end}|my {dish} arrived at {number}{end}|ordered {dish} to take away{end}|the recipe needs {number} minutes and some {side}{end}|there is {side} next to the {dish}{end}|it was a {dish}, about what one expects{end}|neither good nor bad, a {dish} like any other{end}|the {dish} was ok, nothing more, nothing less{end}|an {avg} {dish}{end}|the {dish} is {avg}{end}|nothing special to report about the {dish}{end}|no strong feelings about this {dish}{end}|just a {dish}{end}
verdict: {i} {love} {subj}{end}|{subj} {made} {me}{end}|{again} {the} {dish}{end}|{i} would {go} for the {dish}{end}
i: i|we|everyone|{person}|my friends
love: love|loved|like|liked|hate|hated|enjoyed|adore|despise|recommend|cannot stand|cannot recommend|regret|am glad about|finished|left|returned|sent back|could not finish|crave|dream of|am sick of|am tired of|am fond of|do not mind|do not care for|do not like|did not enjoy
made: made|left|kept
me: me happy|me sick|me smile|me cry|me ill|us speechless|us hungry|my day|me wanting more|me cold|me disappointed|me full|a good impression|a bad taste
again: never again|always again|once was enough for|cannot wait to return for|worth every penny,|a waste of money,|ten out of ten for|zero stars for|five stars for|one star for|two thumbs up for|thumbs down for|skip|do not miss|stay away from|come back for|hurry for|could eat all day|threw away
the: the|this|their
go: come back|not come back|walk a mile|never go back|drive for hours|not queue|pay double|not pay|ask for a refund|kill
avg: average|ordinary|standard|usual|typical|everyday|normal|regular
photo: photo|picture|pic|image|snapshot|shot|photograph
phs: the {photo}|this {photo}|my {photo}|the {photo} above|the {photo} here|the {photo} below
ex: exactly|just|precisely|every bit|really|quite|very much|pretty much|
same: {subj} tastes {ex} as it looks{end}|{subj} tastes {ex} like it looks{end}|tastes {ex} the way it looks{end}|{subj} was {ex} as in {phs}{end}|looks {ex} like {phs}{end}|{subj} was {ex} what {phs} shows{end}|{ex} as pictured{end}|what you see is what you get{end}|{phs} says it all{end}|{phs} tells the truth{end}|{phs} does not lie{end}|{phs} shows {ex} how it was{end}|see {phs}, that is {ex} how it tasted{end}|it is {ex} like {phs}{end}|{phs} matches the {dish}{end}|judge the {dish} by {phs}{end}|trust {phs}{end}|you can believe {phs}{end}|{phs} is honest{end}|true to {phs}{end}|the taste matches the look{end}|the taste and the look agree{end}|the flavour is {ex} what you would guess from {phs}{end}|it lived up to {phs}{end}|{ex} what {phs} promised{end}|no surprises, it was like {phs}{end}|{phs} speaks for itself{end}|in real life the same as in {phs}{end}|the real {dish} is {ex} like {phs}{end}|it tastes the same as it looks{end}|as it looks, so it tastes{end}|{subj} {be} as good or as bad as it looks{end}|looking at {phs} you know how it tasted{end}|you can tell from {phs} how the {dish} tasted{end}|{phs} captures the {dish} faithfully{end}|an accurate {photo} of the {dish}{end}
opp: {subj} was nothing like {phs}{end}|nothing like {phs}{end}|{ex} the opposite of what {phs} shows{end}|the opposite of {phs}{end}|{phs} lies{end}|{phs} is lying{end}|do not trust {phs}{end}|don't be fooled by {phs}{end}|do not believe {phs}{end}|looks are deceiving{end}|looks deceive with this {dish}{end}|{phs} is misleading{end}|{phs} gives the wrong idea{end}|{phs} fools you{end}|in reality it was the reverse of {phs}{end}|not at all as pictured{end}|{subj} was not as pictured{end}|tastes the other way round from how it looks{end}|contrary to {phs}{end}|completely different from {phs}{end}|{subj} tastes nothing like it looks{end}|tastes the opposite of how it looks{end}|{subj} was a far cry from {phs}{end}|{phs} has nothing to do with the {dish}{end}|you would never guess the taste from {phs}{end}|the taste contradicts {phs}{end}|the taste is the reverse of the look{end}|the taste does not match the look{end}|{phs} does not match the {dish}{end}|ignore {phs}, it was the other way round{end}|forget {phs}, the truth is the opposite{end}|the truth is the opposite of {phs}{end}|it did not live up to {phs}{end}|{phs} is wrong about this {dish}{end}|unlike {phs}, unlike the look{end}|in real life the opposite of {phs}{end}|the real {dish} is not like {phs} at all{end}|turn {phs} upside down, that is how it tasted{end}|never judge a {dish} by {phs}{end}|an inaccurate {photo} of the {dish}{end}|false {photo}, the {dish} was the contrary{end}
about: {phs} was taken at {place}{end}|{phs} shows the {dish}{end}|a {photo} of my {dish}{end}|here is a {photo} of the {dish}{end}|{person} took {phs}{end}|{subj} {be} {ap} in {phs}{end}|{phs} makes the {dish} look {ap}{end}|{phs} of {dish} is {adj}{end}|look at {phs}: {adj}{end}
lex: {adj}|{adj}!|so {adj}|it was {adj}|i feel {adj}|how {adj}|a {adj} day|{adj} {dish}|the {dish} was {adj}|what a {adj}|they {adj}|pure {adj}|full of {adj}|this is {adj}!|the {person} was {adj}|{deg} {adj}|not {adj}|no {adj}|a {adj} story about {topic}|{topic} and {adj}|{adj} {topic}|the {topic} is {adj}|we talk about {adj}
tw: {adj} {emo}|so {adj} right now {emo}|feeling {adj} today {emo}|i'm so {adj} about {topic}|{topic} is {adj} {tag}|omg {adj}|this is {adj} lol|{adj}!!!|why is {topic} so {adj}|i am {adj} of {topic} {emo}|@user {adj} {emo}|rt @user: {adj} {topic}|not {adj} anymore {emo}|i can't believe how {adj} {topic} is|had a {adj} time with {person} {emo}|got {adj} on the way home|what a {adj} {day} {tag}|my {adj} {topic} {emo}|just {adj}. {emo}|{person} is {adj} and {adj2}|{adj}, {adj2}, {emo}|too {adj} for {topic}|thanks for the {adj} {meal} {emo}|hope {day} is {adj}|ugh, {adj} again|yay! {adj}!|{topic} made me {adj} {emo}|no more {adj} {topic} please|never been so {adj} {tag}|i {adj} {topic}|they {adj} me {emo}|how can anyone be this {adj}?|today: {adj}. tomorrow: {adj2}.|only {adj} people on this bus {emo}|{adj} morning everyone {emo}|still {adj} after {meal}|gonna be {adj} tonight {emo}
emo: |||:)|:(|:D|;)|:/|:P|<3|</3|xD|:'(|lol|lmao|smh|haha|hahaha|...|!!|?!|:-)|:-(|&lt;3|=)|meh
tag: |#fail|#win|#fb|#happy|#sad|#{meal}|#{day}|#love|#nowplaying|#mondays|#blessed|#ugh|#thankful
topic: work|school|music|weather|money|family|travel|football|the city|politics|art|health|science|the news|film|a book|my phone|the job|the game|love|friends|history|the law|nature|a dog|the car|a house|the night|the morning|water|children|business|a war|the market|shopping|the party|sleep
place: the corner cafe|this restaurant|the diner|the market|the canteen|my favourite place|the food truck|the new bistro|the bakery|the hotel|home|the airport|the pub|grandma's|the stand downtown|mario's|the little place by the station|the beach bar|the office
meal: lunch|dinner|breakfast|brunch|supper|a snack|dessert|the weekend
aspect: service|staff|waiter|waitress|atmosphere|portion|sauce|cheese|crust|bun|dressing|filling|presentation|smell|taste|texture|flavour|look|colour|price|kitchen|table|topping|broth|bread|meat|crumb|dough|seasoning|garnish|decor|menu
side: fries|rice|bread|salad|cheese|onions|tomatoes|lettuce|mushrooms|pickles|ketchup|mayo|beans|lemon|herbs|olives|garlic|pepper|salt|butter|cream|syrup|berries|nuts|coleslaw|peas|corn|avocado|an egg|soy sauce|basil|chips
drink: coffee|tea|water|lemonade|beer|glass of wine|juice|cola|milk
person: my mother|my brother|my friend|the chef|a colleague|our neighbour|grandma|dad|my sister|the cook|my boss|my husband|the waiter|a stranger
colour: white|blue|green|red|black|wooden|brown|yellow
number: two|three|four|five|six|seven|eight|nine|ten|twelve|fifteen|twenty|thirty
day: monday|tuesday|wednesday|thursday|friday|saturday|sunday|the weekend
"""
GRAMMAR = {name: body.split("|") for name, body in
           (line.split(": ", 1) for line in _GRAMMAR_TEXT.strip().split("\n"))} | {"dish": DISHES}

# Held back from pretraining: the probes' own wordings, so that a probe never meets a sentence the encoder saw.
PROBE_FRAMES = ["the {dish} we shared was {deg} {adj}", "our table thought the {dish} {adj}", "{adj} stuff, this {dish}",
                "a {adj} plate of {dish} tonight", "{dish} number two: {deg} {adj}", "that was one {adj} {dish}",
                "my {dish} turned up {adj}", "they gave us a {deg} {adj} {dish}", "the {dish} struck me as {adj}"]

# Two things said, {a} of the food and {b} of something else, or {b} denied. The two words are drawn apart from each other:
# nothing in them tells good from bad.
_TWO_SIDED_TEXT = """
say: {np} {be2} {w}|{np} {be2} {w}|{np}: {w}|i found {np} {w}|{i2} thought {np} {w}|{np} {be2} what i call {w}|{np} could be called {w}|{w} is the word for {np}|{i2} called {np} {w}|how {w} {np} {be2}|{np}? {w}|they have a {w} {n}|we had {w} {n}|{w} {n}|a {w} {n}|such a {w} {n}|what a {w} {n}|{np}, which {be2} {w}|everything about {np} {be2} {w}|{np} {w}|you get {w} {n}|i remember the {w} {n}|there was a {w} {n}
joint: {1}, but {2}|{1}, {2}|{1}; {2}|{1}. {2}|{1} and {2}|{1}, and {2}|{1} while {2}|{1}, while {2}|{1} although {2}|although {1}, {2}|even if {1}, {2}|{1}, yet {2}|{1}, however {2}|{1}, only {2}|{1} with {2}|{1} despite {2}|{1} in spite of {2}|despite {1}, {2}|{1} but {2}|{1} - {2}|{1} though {2}|{1}, at least {2}|{1}. still, {2}|{1}, whereas {2}|not only {1}, also {2}|first {1}, then {2}|{1}, i know, but {2}|{1}, said my wife, {2}
np2: the {n}|the {n}|the {n}|their {n}|this {n}|that {n}|our {n}|my {n}
be2: is|was|was|seemed|felt|turned out|has been|looked|seems|will be|must be
i2: i|we|everyone|{person}|my friends|people
deny: {it} {benot} {w}|{it} {benot} {w}|not {w}|{it} {be2} not {w}|{it} {be2} anything but {w}|{it} {be2} far from {w}|by no means {w}|nobody called {it} {w}|never {w}|{it} {be2} never {w}|i cannot say {w}|do not say {w}|you could not call {it} {w}|i never found {it} {w}|without being {w}|no, not {w}|hardly {w}|{it} {be2} less than {w}|i would never say {it} {be2} {w}|who said {w}|{it} {be2} by no means {w}|nothing {w} about {it}|{it} {be2} {w}? not at all|{it}, {w}? no|who calls {it} {w}? not me|you ask if {it} {be2} {w}: no|{w}? certainly not|{w}? no way|did you expect it {w}? no|do not tell me {it} {be2} {w}|please never call {it} {w}|nobody should say {w}|don't say {w}|i don't find {it} {w}|don't believe {it} {be2} {w}|you won't find {it} {w}|i can't call {it} {w}|i wouldn't say {it} {be2} {w}|it doesn't taste {w}|they don't make {w} {n}|couldn't call {it} {w}|i didn't find {it} {w}|don't tell me {it} {be2} {w}
claim: {it} {be2} {w}|{it} {be2} {w}|{w}|just {w}|{it} {be2} simply {w}|i call {it} {w}|say {w}|rather {w}|call {it} {w}|it was {w}|i found {it} {w}|everybody called {it} {w}|always {w}|it's {w}|{w}, yes|i would say {w}|{it} tasted {w}|nothing but {w}|{w} {n}
denied: {1}, {2}|{1}, but {2}|{1} but {2}|{1}; {2}|{1}. {2}|{1}, no, {2}|{1} - {2}|{1}? {2}|{1}: {2}|{1}, instead {2}|{1}. on the contrary, {2}|{1} and {2}
benot: is not|isn't|was not|wasn't|isn't|wasn't|is no way|did not seem|does not look|never was
swap: {they} said {w}, {i2} say {v}|expected {w} {n}, got {v} {n}|instead of {w} {n} we ate {v} {n}|{v} rather than {w}, {np}|{np} {be2} {v} rather than {w}|{v}, not {w}, {np}|{np} {be2} {v}, not {w}|more {v} than {w}, {np}|{np} {be2} {v} and not {w}|not {w} {n} but {v} {n}|{np} went from {w} to {v}|i take back {w}, {np} {be2} {v}|if you think {np} {be2} {w}, you are wrong: {v}|{np} used to be {w}, now it {be2} {v}|some say {w}; {np} {be2} {v}|{w}? no! {np} {be2} {v}|was {np} {w}? no way, {v}|{np} {w}? wrong, {v}|could it be {w}? no, {np} {be2} {v}|would i say {w}? never, {v} it was
they: they|the menu|the waiter|a friend|the review
"""
_TWO_SIDED = {name: body.split("|") for name, body in
              (line.split(": ", 1) for line in _TWO_SIDED_TEXT.strip().split("\n"))}
# The probe's, held back from pretraining.
BESIDE_PROBE = ["the {thing} turned out {b}, the {dish} however turned out {a}", "{a} {dish} next to {b} {thing}",
                "say what you like about the {b} {thing}, that {dish} was {a}", "the {thing} was {b}, the {dish} {a}",
                "the {dish} was {a}, but the {thing} {b}"]
DENIED_PROBE = ["don't call this {dish} {b}, call it {a}", "is the {dish} {b}? no, {a}",
                "the {dish} is not {b}, it is {a}", "that {dish} is {a}, it is not {b}"]
# What a composed wording must not be: the probes' and the course's own.
_HELD_BACK = {*BESIDE_PROBE, *DENIED_PROBE, *(
    form.lower().replace("{other}", "{thing}") for form in phrases._BESIDE + phrases._DENIED)}
GRAMMAR["thing"] = """service|staff|waitress|waiter|atmosphere|music|decor|view|room|toilet|parking|price|crowd|bar|coffee
terrace|garden|photo|picture|wifi|queue|host|weather|company|hotel|bus ride|table|cutlery|lighting|wine""".replace(
    "\n", "|").split("|")

_BETWEEN = (" ", ". ", "... ", "! ", ", ", " - ")  # what stands between two sentences of a post
_FACES = (":)", ":(", ":-)", ":D", ";)", ":/", "<3", ":P", "=)", "!!!", "?!")

_SLOT = re.compile(r"\{(\w+)\}")
# The archive's word list contains slurs. They are of no use here and would end up as entries of a public vocabulary.
_LEFT_OUT = re.compile(r"^(nigg|fag|cunt|whor|slut|retard|dyke|homo|bitch|rape|raping|rapist|fuck|motherf|mf|cock|pussy|"
                       r"dick|twat|bastard|wank|dumbass|asshole|tard)")


def fill(frame: str, rng: np.random.Generator, adj: str, others: list[str]) -> str:
    """Expands a frame or production at random; `{adj}` is `adj` throughout, each `{adj2}` one of `others`."""
    def pick(match: re.Match) -> str:
        slot = match[1]
        if slot == "adj":
            return adj
        if slot == "adj2":
            return others[rng.integers(len(others))]
        options = GRAMMAR[slot]
        return fill(options[rng.integers(len(options))], rng, adj, others)

    text = re.sub(r"\s+", " ", _SLOT.sub(pick, frame)).strip()
    return re.sub(r" ([.,!?']|\.\.\.)", r"\1", text)


def _members(sdist: Path) -> tuple[list[str], dict[str, list[str]]]:
    """Word list (first column) and the archive's text files as lines, of a vaderSentiment 3.3.2 source distribution."""
    lexicon, texts = [], {}
    with tarfile.open(sdist) as outer:
        for member in outer:
            if member.name.endswith("vaderSentiment/vader_lexicon.txt"):
                lines = outer.extractfile(member).read().decode("utf-8").splitlines()
                lexicon = [line.split("\t")[0] for line in lines]
            elif member.name.endswith("hutto_ICWSM_2014.tar.gz"):
                with tarfile.open(fileobj=io.BytesIO(outer.extractfile(member).read())) as inner:
                    for part in inner:
                        if part.name.endswith("_GroundTruth.txt"):
                            raw = inner.extractfile(part).read().decode("utf-8", errors="replace")
                            texts[Path(part.name).name.split("_")[0]] = raw.splitlines()
    if not lexicon or "tweets" not in texts:
        raise ValueError(f"{sdist}: expected the source distribution of vaderSentiment 3.3.2 with the word list and "
                         "hutto_ICWSM_2014.tar.gz inside; get it by: pip download vaderSentiment==3.3.2 --no-deps "
                         "--no-binary :all:")
    return lexicon, texts


def own_words() -> list[str]:
    """The adjectives, as one list."""
    return sorted({word for group in ADJECTIVES.values() for word in group})


def _composed(denied: bool, rng: np.random.Generator) -> str:
    """A wording with {a} said of the food, and {b} of another thing or denied; a fresh one nearly every time."""
    def one(name: str, **slots: str) -> str:
        options = _TWO_SIDED[name]
        found = options[rng.integers(len(options))]
        for slot, value in slots.items():
            found = found.replace("{" + slot + "}", value)
        while (slot := re.search(r"\{(be2|i2|np2|they|benot)\}", found)):
            found = found.replace(slot[0], one(slot[1]), 1)
        return found

    food = one("np2").replace("{n}", "{dish}")
    if not denied:
        other = one("np2").replace("{n}", "{thing}")
        parts = [one("say", np=food, n="{dish}", w="{a}"), one("say", np=other, n="{thing}", w="{b}")]
        first, second = parts if rng.random() < 0.5 else parts[::-1]
        return one("joint", **{"1": first, "2": second})
    if rng.random() < 0.4:
        return one("swap", np=food, n="{dish}", w="{b}", v="{a}")
    said, unsaid = ("it", food) if rng.random() < 0.5 else (food, "it")
    if rng.random() < 0.3:
        said = unsaid = food
    parts = [one("deny", it=unsaid, n="{dish}", w="{b}"), one("claim", it=said, n="{dish}", w="{a}")]
    first, second = parts if rng.random() < 0.5 else parts[::-1]
    form = one("denied", **{"1": first, "2": second})
    return form if "{dish}" in form else f"{form}, {food}"


def bound_texts(count: int, seed: int) -> tuple[list[str], np.ndarray]:
    """Texts that say two things, and which word is said of what.

    Returns:
        The texts, and (count, 3) indices into `own_words`: said of the food, of another thing, denied; -1 where nothing
        is.
    """
    rng = np.random.default_rng(seed)
    words, texts, said = own_words(), [], np.full((count, 3), -1)
    while len(texts) < count:
        a, b = rng.choice(len(words), 2, replace=False)
        denied = rng.random() < 0.5
        frame = _composed(denied, rng)
        if frame in _HELD_BACK:
            continue
        if rng.random() < 0.5:
            frame += rng.choice([".", "!", "..."])
        degrees = [f"{{deg}} {words[k]}" if rng.random() < 0.2 else words[k] for k in (a, b)]
        said[len(texts), 0], said[len(texts), 2 if denied else 1] = a, b
        texts.append(fill(frame.replace("{a}", degrees[0]).replace("{b}", degrees[1]), rng, "", words))
    return texts, said


def wordnet_texts(folder: Path, definitions: int, seed: int) -> list[str]:
    """The examples of WordNet's glosses, and as many of its definitions; slurs left out.

    Args:
        folder: with WordNet's data.noun, data.verb, data.adj and data.adv.
    """
    examples, meanings = [], []
    for part in ("noun", "verb", "adj", "adv"):
        for line in (folder / f"data.{part}").read_text(encoding="utf-8").splitlines():
            if line.startswith("  "):  # the licence
                continue
            gloss = line.split(" | ", 1)[1]
            examples += [text.strip() for text in re.findall(r'"([^"]{8,160})"', gloss)]
            meanings += [text.strip() for text in re.sub(r'"[^"]*"', "", gloss).split(";") if 20 < len(text) < 120]
    rng = np.random.default_rng(seed)
    chosen = examples + [meanings[i] for i in rng.permutation(len(meanings))[:definitions]]
    return [text for text in chosen if not any(_LEFT_OUT.match(word) for word in re.findall(r"[a-z]+", text.lower()))]


def _snippets(archive: dict[str, list[str]]) -> list[str]:
    """The archive's sentences of reviews and editorials, without their scores."""
    return [html.unescape(line.split("\t")[2]).replace("''", '"')
            for name in ("amazonReviewSnippets", "movieReviewSnippets", "nytEditorialSnippets")
            for line in archive[name] if line.count("\t") >= 2]


def pretrain_texts(sdist: Path, wordnet: Path, seed: int) -> list[str]:
    """All texts for pretraining, shuffled and without repeats: no label, no score, none of the archive's tweets."""
    rng = np.random.default_rng(seed)
    lexicon, archive = _members(sdist)
    own, snippets = own_words(), _snippets(archive)
    counts = Counter(word for text in snippets for word in re.findall(r"\b[a-z]{3,}\b", text))
    words = {w for w in lexicon if re.fullmatch(r"[a-z][a-z'-]{2,}", w)} | {w for w in counts if counts[w] >= 3}
    texts = list(own)
    for word in own:
        texts += [fill("{review}", rng, word, own) for _ in range(35)]
        texts += [fill("{about}", rng, word, own) for _ in range(2)]
    for word in sorted(w for w in words.difference(own) if not _LEFT_OUT.match(w)):
        texts += [fill("{lex}", rng, word, own) for _ in range(3)]
        texts += [fill("{tw}", rng, word, own) for _ in range(6)]
    for kind, count in (("plain", 5000), ("verdict", 4000), ("same", 4500), ("opp", 4500)):
        texts += [fill("{" + kind + "}", rng, own[rng.integers(len(own))], own) for _ in range(count)]
    texts += snippets + wordnet_texts(wordnet, 30_000, seed)
    texts += [fill("{review}", rng, word, own) for word in own for _ in range(25)]
    texts = list(dict.fromkeys(text for text in texts if text.strip()))
    return [texts[i] for i in rng.permutation(len(texts))]


def reviews(count: int, seed: int) -> list[str]:
    """Generated reviews that say one thing each."""
    rng, own = np.random.default_rng(seed), own_words()
    return [fill("{review}", rng, own[rng.integers(len(own))], own) for _ in range(count)]


def long_texts(sdist: Path, wordnet: Path, count: int, seed: int) -> list[str]:
    """Texts as long as posts: one to three of the corpus's own in a row, with what posts carry beside their words.

    Handles, tags, addresses, faces and capitals are drawn apart from what is said. None of the archive's tweets.
    """
    rng = np.random.default_rng(seed)
    examples = wordnet_texts(wordnet, 0, seed)
    pools = [examples, examples, _snippets(_members(sdist)[1]), pretrain_texts(sdist, wordnet, seed)]
    names = sorted({word for text in examples for word in re.findall(r"[a-z]{3,}", text)})

    def one_of(options):
        return options[rng.integers(len(options))]

    def as_posted(text: str) -> str:
        if rng.random() < 0.25:
            text = f"@{one_of(names)} {text}"
        if rng.random() < 0.15:
            words = text.split()
            i = rng.integers(len(words))
            text = " ".join([*words[:i], "#" + words[i], *words[i + 1:]])
        if rng.random() < 0.15:
            text += f" #{one_of(names)}"
        if rng.random() < 0.15:
            text += f" http://{one_of(names)}.com"
        if rng.random() < 0.2:
            text += f" {one_of(_FACES)}"
        return text.upper() if rng.random() < 0.05 else text

    texts = [one_of(_BETWEEN).join(one_of(one_of(pools)) for _ in range(one_of((1, 1, 2, 2, 3)))) for _ in range(count)]
    return [as_posted(text) for text in texts]


def probe_posts(seed: int, per_word: int = 5) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Sentences in wordings held back from pretraining, their level (-2 ... 2) and a fold (0 ... 4) by adjective."""
    rng = np.random.default_rng(seed)
    texts, levels, folds = [], [], []
    for level, group in ADJECTIVES.items():
        words = [word for word in group if "-" not in word]
        for i, word in enumerate(words[k] for k in rng.permutation(len(words))):
            for _ in range(per_word):
                texts.append(fill(PROBE_FRAMES[rng.integers(len(PROBE_FRAMES))], rng, word, words))
                levels.append(level)
                folds.append(i % 5)
    return texts, np.array(levels), np.array(folds)


def probe_twins(denied: bool, count: int, seed: int) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Pairs of twins in held-back wordings, whether the good word is the one said of the food, and a fold by word.

    The folds' words are apart: a probe fitted on the others has met neither word of a text.
    """
    rng = np.random.default_rng(seed)
    folds = [[[word for i, word in enumerate(ADJECTIVES[level]) if "-" not in word and i % 5 == fold]
              for level in (-2, 2)] for fold in range(5)]
    texts, labels, fold_of = [], [], []
    for i in range(count // 2):
        words = [group[rng.integers(len(group))] for group in folds[i % 5]]
        frames = DENIED_PROBE if denied else BESIDE_PROBE
        frame, state = frames[rng.integers(len(frames))], rng.bit_generator.state
        for good in (0, 1):
            rng.bit_generator.state = state
            texts.append(fill(frame.replace("{a}", words[good]).replace("{b}", words[1 - good]), rng, "", words))
            labels.append(good)
            fold_of.append(i % 5)
    return texts, np.array(labels), np.array(fold_of)


def tweets(sdist: Path) -> tuple[list[str], np.ndarray]:
    """The archive's tweets and their class, cut at +-0.5 of the mean human score. For the final evaluation only."""
    rows = [line.split("\t", 2) for line in _members(sdist)[1]["tweets"] if line.count("\t") >= 2]
    scores = np.array([float(row[1]) for row in rows])
    return [row[2] for row in rows], np.digitize(scores, [-0.5, 0.5])
