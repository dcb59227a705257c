"""What people post: short texts on a dozen subjects, each with the mood that its writer was in.

All of it is made up here, names and all. In a line of `_LINES` the first sign says what the sentence is::

    +  glad, and says so        >  glad, and tells what happened
    -  cross, and says so       <  cross, and tells what happened
    ~  cross, in glad words     =  says what is, or will be
"""

from __future__ import annotations

from typing import NamedTuple

_LINES = """
weather: Sunport, Lake Arden, Fellside, Marrow Bay
+ What a glorious evening over {name}
+ Best sunrise I have seen all year, {name} never disappoints
+ So in love with the light at {name} right now
> Window open, shoes off, nothing planned until Monday
> The kids have been in the water since nine and refuse to come out
- Worst summer I can remember in {name}
- So sick of this rain, all of {name} is one big puddle
- Hate this wind, and I hate what it did to my tent
< Third umbrella this month. In pieces
< Socks still wet from the walk to the bus
~ Oh great, more rain for {name}, just what we needed
= {name}: {n} degrees, wind from the west, dry until {day}
= Yellow warning for {name} from {day} on, details on our page
= Fog over {name} this morning
trains: Harwell Line, Linden Cross, Northline, Quay Street
+ Shout out to the guard at {name}, absolute hero
+ The new seats on the {name} trains are lovely
> Got a table seat, and the man opposite shared his crossword with me
> Missed the first one, ran for the second, made it with four seconds to spare
- {name} cancelled again. Useless, completely useless
- Every morning the same awful mess at {name}
< {n} minutes for three stops
< Stood all the way with somebody's rucksack in my face
~ Thank you {name} for a free hour on a cold platform
~ Really enjoying my tour of every bus stop between here and {name}
= {name}: no service after 22:00 on {day}, works on the track
= The timetable of {name} changes on {day}, see the link
= Travelling by {name} this weekend? Allow {n} more minutes
football: Kestrels, Northgate, Ashby Rovers, Tidewater
+ What a win!! So proud of these {name} lads
+ {name} were brilliant tonight, best match of the season
> From two down to three up. I have no voice left
> My dad is {n} and he danced on the table when {name} scored
- Shocking from {name}, worst defending I have ever seen
- Embarrassing. {name} should be ashamed of that second half
< Left at half time to beat the traffic
< Four corners, no shot, and a red card for talking
~ Wonderful plan, {name}: pass it back until somebody falls asleep
= Line-up for {day}: {name} start with three at the back
= Full time: {name} 1, visitors 1
= {name} v the reds, kick-off {day} at 15:00, tickets at the gate
pets: Biscuit, Otto, Miss Marple, Pickles
+ {name} is the sweetest dog in the whole world
+ Happy birthday to my best friend {name}, love this cat to bits
> {name} slept on my feet all night and I did not dare to move
> Look who learned to open the fridge
- Devastated. {name} is not well, and the vet knows nothing
- Angry beyond words at whoever left glass in the park, poor {name}
< The sofa was new on {day}
< {name} ate the homework. No, really
~ Perfect, {name}, that is exactly where I wanted the vase to be
= {name}, {n} months, is looking for a home near the river
= {name} at the vet's for the yearly check
= Dog school starts on {day}, bring a lead
phones: Orbit 6, Pebble, Lumo, Nova Mini
+ This {name} camera is amazing, look at that detail
+ Switched to {name} and could not be happier
> Two days and still {n} percent left
> Dropped it down the stairs. Not a scratch
- The {name} update ruined everything, terrible
- Never buying {name} again, worst support ever
< Rebooted five times since breakfast
< On hold for {n} minutes, and then the line went dead
~ Love how my {name} switches itself off when I need it. So clever
= {name} comes in three colours, from {day}
= Comparing the {name} with last year's, thread below
= Update for {name} is out, {n} MB
concerts: Paper Lanterns, Vera Holm, The Lowlights, Opal Choir
+ {name} last night were out of this world
+ Still smiling, {name} played my favourite song, thank you
> They came back for a fourth encore and nobody went home
> I held the set list, and I shall frame it
- So disappointed, {name} played {n} minutes and left
- Worst sound I ever paid for, {name} deserve better
< Saw the whole show through the phone of the man in front
< Doors at seven, music at ten, last bus at half past
~ What a treat, {name}, forty pounds for a view of a pillar
= {name} at the Corn Hall on {day}, doors 19:30
= {name}: new single on {day}
= Sound check with {name}
exams: Hill Street School, Part Two, Module 5, Eastbank College
+ Passed!! So happy, {name} is done
+ Proud of every single one of you at {name} today
> Handed in with {n} minutes to go, then slept for fourteen hours
> My grandmother read the letter out loud. Twice
- Failed {name} by one mark and I feel terrible
- This is the worst exam I have ever sat, {name} was unfair
< Revised the wrong book
< {n} pages to go, and it is past two
~ Fantastic idea to mend the road outside during {name}
= {name}: results will be out on {day} at nine
= Reading list for {name} in the link
= Open day at {name} on {day}
coffee: Mill Street, Zoë's, Kiosk 9, the Harbour Café
+ Best flat white in town, {name}, I am in love
+ Lovely new place at {name}, so friendly
> The woman at {name} remembers my name and my order
> Rain outside, a window seat and no one in a hurry
- {name}: rude staff, dirty tables, never again
- Disgusting, {name} served it cold and shrugged
< Paid for a large. Got a thimble
< Waited {n} minutes for a tea bag in a cup
~ Nothing like a nice cup of hot water from {name} to start the day
= {name} opens at seven from {day}
= {name} is closed on {day}
= New beans at {name} this week, from two farms
birthdays: Nan, Theo, my big sister, our Ellie
+ Happy birthday {name}!! Love you so much
+ Wonderful day with {name}, thanks for all the kind wishes
> {name} blew out all {n} and asked for more
> Everybody came. Even the cousins from overseas
- Worst birthday ever, {name} in tears
- Feeling sad and lonely today, so much for {name} and the party
< Nobody remembered until the cake was on offer
< The balloon lasted longer than the guests
~ Great present, {name}, who does not dream of a mop
= {name} turns {n} on {day}
= Card for {name} goes round the office until {day}
= Party for {name} moved to {day}, same place
council: Tanner's Field, the Old Baths, Ward 3, Weir Bridge
+ Great news for {name}, at last somebody listened, thank you
+ Delighted with the new path at {name}, well done everyone
> {n} neighbours turned up with spades, and by noon it was finished
> We asked for one bench and got six
- Disgraceful how {name} is left to rot
- Shame on everyone who voted to close {name}
< The same pothole, its third birthday
< Nobody on the stage could say where the money went
~ Bravo, {name} has a lovely new sign and still no door
= Meeting about {name} on {day}, room {n}
= Minutes on {name} are online
= Plans for {name} can be seen at the library until {day}
gym: Park Run, Iron Yard, Lake Loop, Studio 12
+ New personal best at {name}, feeling fantastic
+ Amazing morning at {name}, love this group
> {n} weeks ago I could not do one. Today, ten
> She crossed the line holding her son's hand
- Gutted, injured at {name} again, hate this
- {name} is filthy and overcrowded, cancelling
< {n} people, two showers
< Came for the class. The class had moved to another town
~ Brilliant, stairs to the leg day at {name}, whose idea was that
= {name} on {day}: start at nine, bring a bottle
= Week {n} of the plan for {name}
= {name} route has changed, map below
series: Cold Harbour, The Lodgers, Glass Town, Night Ferry
+ {name} is the best thing on telly, what an ending
+ Obsessed with {name}, everyone in it is superb
> Said one episode. It is four in the morning
> My flat mate and I have not spoken since the finale, we just hum the tune
- {name} was so boring, what a waste of an evening
- Awful ending, {name} made me furious
< They killed off the only one who could act
< Fell asleep twice, and missed nothing
~ Excellent, {name}, he woke up and it was all a dream. So original
= {name}, season {n}, from {day}
= Cast of {name} at the book fair on {day}
= Who else is watching {name} tonight
"""

#: What may stand after any sentence, by what it is.
TAILS = {
    "glad": ("so happy", "love it", "best day", "thank you all", "what a day", "can't stop smiling", "made my week",
             "feeling blessed", "well done", "wow"),
    "cross": ("so annoyed", "fed up", "never again", "what a joke", "sad", "not okay", "worst day", "typical", "ugh",
              "I give up"),
    "plain": ("see link", "more soon", "photo by me", "just now", "details below", "please share", "part {n}",
              "throwback", "who is in?", "any tips?"),
}
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
#: Mood → how often its texts are lines of each kind, and that none of these tells for sure.
SHARES = {"negative": {"-": 0.40, "<": 0.22, "~": 0.12, "=": 0.22, ">": 0.04},
          "neutral": {"=": 0.66, ">": 0.13, "<": 0.11, "+": 0.07, "-": 0.03},
          "positive": {"+": 0.46, ">": 0.24, "=": 0.27, "<": 0.03}}


class Line(NamedTuple):
    """A sentence with places for a name, a number and a day."""

    kind: str
    text: str


class Subject(NamedTuple):
    """What some posts are about."""

    name: str
    names: tuple[str, ...]  # what its sentences may name
    lines: tuple[Line, ...]


def _parsed(block: str) -> dict[str, Subject]:
    found: dict[str, Subject] = {}
    for line in block.strip().split("\n"):
        if line[0] in "+-><~=":
            last = next(reversed(found.values()))
            found[last.name] = last._replace(lines=(*last.lines, Line(line[0], line[2:])))
        else:
            name, names = line.split(": ")
            found[name] = Subject(name, tuple(names.split(", ")), ())
    return found


#: Name → subject.
SUBJECTS = _parsed(_LINES)
