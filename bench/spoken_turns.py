"""What is said in the synthetic turns of ``bench.turn_scenes``: a list of stretches, one breath each, per turn.

Two sets, divided before anything was tuned on them: other words, other voices, other dice for the pauses. ``DEVELOPMENT`` is
what constants may be chosen by; ``HELD_OUT`` is only ever reported.
"""

from __future__ import annotations

Turns = dict[str, tuple[tuple[str, ...], ...]]

DEVELOPMENT: Turns = {
    "list": (
        ("Put milk on the list,", "eggs,", "some butter,", "and a loaf of bread."),
        ("I need screws,", "a hammer,", "and two litres of white paint."),
        ("Invite Anna,", "Peter,", "both of the twins,", "and my grandmother."),
    ),
    "address": (
        ("Send it to twelve Oak Street,", "second floor,", "Springfield."),
        ("My address is forty Mill Lane,", "near the old station,", "in Bristol."),
    ),
    "thinking": (
        ("Let me think.", "Book a table for four on Friday."),
        ("Well.", "I am not sure.", "Maybe we should take the train."),
        ("Remind me to call,", "um,", "the dentist tomorrow morning."),
    ),
    "telephone": (
        ("My number is five five five,", "zero one two,", "eight nine four seven."),
        ("Call six two three,", "four four one,", "nine eight."),
    ),
    "context, then a question": (
        ("I am going to visit my sister next week.", "She lives in the north.", "What will the weather be like there?"),
        ("My flight leaves at nine in the morning.", "It takes an hour to the airport.", "When should I get up?"),
        ("We have three eggs and some flour.", "There is no milk.", "What can I bake?"),
    ),
    "dictation": (
        (
            "Dear Tom.",
            "Thank you for the lovely evening.",
            "The food was wonderful.",
            "We hope to see you soon.",
            "Best wishes.",
        ),
        ("The meeting began at ten.", "Everybody was there.", "We talked about the budget.", "Nothing was decided."),
        (
            "It rained all day.",
            "We stayed in the house.",
            "My brother read a book.",
            "I wrote some letters.",
            "Then we slept.",
        ),
    ),
}

HELD_OUT: Turns = {
    "list": (
        ("Please order pens,", "paper,", "three boxes of staples,", "and a new lamp."),
        ("On the trip we need boots,", "a tent,", "warm sleeping bags,", "and enough water."),
        ("Add apples,", "rice,", "and something sweet for the children."),
        ("I speak English,", "a little French,", "and some words of Greek."),
    ),
    "address": (
        ("Deliver the parcel to nine Park Road,", "apartment six,", "Manchester."),
        ("I live at seventy two Hill Street,", "on the left side,", "behind the church."),
        ("The office is in King Square,", "number eleven,", "third door."),
    ),
    "thinking": (
        ("Hold on.", "I will have the soup, please."),
        ("That is a good question.", "I think it was in nineteen ninety."),
        ("Play something by,", "what was the name,", "the man with the trumpet."),
        ("Hmm.", "Give me a moment.", "Set the alarm for half past six."),
    ),
    "telephone": (
        ("You can reach me at two one two,", "six seven eight,", "three three zero one."),
        ("The code is four nine,", "seven one,", "eight eight."),
        ("Her number is one eight hundred,", "five two six,", "nine nine four three."),
    ),
    "context, then a question": (
        ("My car makes a strange noise.", "It began yesterday.", "Can I still drive it?"),
        ("I bought a plant on Monday.", "The leaves are yellow now.", "How much water does it need?"),
        ("We are six people.", "Two of us do not eat meat.", "Where can we have dinner tonight?"),
        ("There is a parcel at the door.", "Nobody has ordered anything.", "Who could have sent it?"),
    ),
    "dictation": (
        (
            "Good morning.",
            "I am writing about the apartment.",
            "It has two rooms.",
            "The rent is too high for us.",
            "Kind regards.",
        ),
        ("The ship left the harbour at dawn.", "The sea was calm.", "Nobody spoke.", "By noon we saw the island."),
        (
            "First you cut the onions.",
            "Then you heat the oil.",
            "You wait until it is hot.",
            "Add the rice and stir it well.",
        ),
        ("The patient slept well.", "She has no fever.", "Her heart is strong.", "She may go home on Thursday."),
    ),
}

SHORT_DEVELOPMENT = (
    "What time is it?", "Turn off the lights.", "Set a timer for ten minutes.", "How far is the moon?", "Stop the music.",
    "Call my mother.", "Is it going to rain tomorrow?", "Yes please.", "Tell me a joke.", "Where is the nearest bakery?",
)  # fmt: skip
SHORT_HELD_OUT = (
    "What day is it today?", "Close the garage door.", "Wake me up at seven.", "Who wrote this song?", "Make it louder.",
    "Send a message to Paul.", "Are there any trains tonight?", "No thank you.", "Read me the news.",
    "How do I get to the museum?", "Open the window in the kitchen.", "What is the capital of Norway?",
)  # fmt: skip
