"""Utterances as a recogniser writes them: finished ones and ones that go on.

The first two lists were looked at while the word lists were written; the ``HELD_OUT`` ones only to count.
"""

FINISHED = """
what time is it
what's the weather like today
turn off the lights
turn the lights off
set a timer for five minutes
set an alarm for seven tomorrow morning
yes
no
yes please
no thanks
thank you
thank you very much
stop
cancel that
never mind
play some music
pause the music
how are you
how old are you
where are you from
who are you talking to
what is two plus two
what's the capital of france
tell me a joke
can you help me
can you tell me a story
could you repeat that
could you speak a little slower please
repeat that please
good morning
hello
hi there
goodbye
see you later
i don't know
that's right
that's all for now
remind me to call my mother tomorrow
call my mother
what day is it tomorrow
how far is the moon
is it going to rain today
do you like music
did you hear me
are you there
why is the sky blue
when does the train leave
open the window please
close the door
read me the news
convert ten miles to kilometres
add milk to my shopping list
i think so
i agree
sounds good
okay
i want to go home now
i'd like a cup of coffee please
my name is john smith
we went to the cinema yesterday
turn the volume up
speak louder please
how do i get to the station
what did you say
flip a coin
show me the way
i have a question about my bill
""".strip().splitlines()

GOING_ON = """
and
i want to
i want
my number is
my number is five five
my number is five five five one two
it's spelled a b
it's spelled s m i
the
um
uh i
so um
what is the
what's the weather in
turn off the
turn on
set a timer for
set an alarm for seven and
can you
can you tell me
could you please
i'd like to
i would like
i was wondering if
i think that
i think
because
because i
if you
when i was
when i was young i used to
my name is
my address is
the problem is that
the thing is
remind me to
remind me to call my
call my
tell me about the
tell me
give me
what about
how about
is there a
are there any
do you
do you know if
where is the
who is the
how many
how much is a
play something by
send a message to
and then i went to
we went to the cinema and
i bought apples bananas and
it was a very
he said that
she is
they have been
i'm looking for
i'm going to
i don't
there is a
put it in the
it depends on whether
not only but
please
""".strip().splitlines()[:-1]

HELD_OUT_FINISHED = """
what's on my calendar today
how tall is mount everest
who wrote hamlet
switch on the kitchen light
dim the bedroom lights to twenty percent
what is your name
i need a taxi to the airport
let's play a game
wake me up at six thirty
how long does it take to boil an egg
where can i buy stamps
did my package arrive
that doesn't make sense
i'm hungry
i changed my mind
it's too loud
you're wrong
book a table for two tonight
what happened in the news
skip this song
next song please
i lost my credit card
my dog is sick
how do you spell necessary
translate good morning to spanish
can i pay with cash
will it snow this weekend
what's that
tell me more
go back
i can't hear you
that was great
absolutely not
maybe later
one more time please
the second one
i'll take it
have a nice day
do it again
send her an email
""".strip().splitlines()

HELD_OUT_GOING_ON = """
what's on my
how tall is
who wrote the
switch on the kitchen
dim the bedroom lights to
i need a
let's play
wake me up at
how long does it take to
where can i buy
did my
i changed my
it's too
book a table for
book a table for two at
what happened in
i lost my credit card and
my dog is
translate good morning to
can i pay with
will it
i was thinking about
we should probably
the reason i'm calling is
i'm calling because my
on monday i have to
if it rains then
he told me he
my order number is four seven
the code is one nine
it's spelled m a r
send her an
my email is john at
first i'd like to know
well actually i
you know when
i've been trying to
maybe we could
she works at the
yeah but
""".strip().splitlines()
