"""The words that the sim knows, by what they do in a sentence; the vocabulary and the text are made of them."""


def _words(text: str) -> list[str]:
    return text.split()


NOUNS = _words("""
answer apple author bag ball bank basket beach bell bench bicycle bird boat book bottle box branch bread bridge
brother builder building candle captain carpet castle cat chair child circle city clock cloud coat coffee color cook
corner cottage country cousin cow cup curtain dancer day desk diary doctor dog door dragon dream driver duck engine
evening farm farmer father feather field finger fire fish flame flower forest fountain fox friend garden gate giant
girl glass glove goat grain grandmother guest guitar hammer harbor hat hill horse hotel hour house idea island
jacket jar journey key king kitchen kite ladder lake lamp lantern leaf lemon lesson letter library light lion lock
machine map market meadow melody message mill minute mirror moment month moon morning mother mountain mouse museum
name needle neighbor nest night number ocean office orange orchard owl page painter pair paper path peach pear
pencil pepper picture pilot planet plate player pocket poem poet pond postman potato prince promise queen question
rabbit radio railway rain reason ribbon ring river road robin rocket roof room rope rose sailor school season secret
shadow sheep shell ship shoe shop sign singer sister sky song spoon spring square stair star station stone storm
story stranger street student summer sun table tailor tale teacher temple tent thread ticket tiger tower town train
traveler tree tunnel valley vase village visitor voice wagon wall watch water wave week whale wheel wind window
winter witness wizard woman word world writer
""")

VERBS = _words("""
accept admire answer appear arrange ask avoid bake borrow carry cause change clean climb collect count cover cross
dance deliver describe discover draw dream enjoy enter explain explore fill find finish follow forget gather greet
guard guide help hold imagine invite join jump keep laugh lead leave lift like listen load look love mark measure
meet mention miss move need notice offer open order own pack paint pass pick plant point print protect pull push
reach read receive remember repair repeat rest return ring sail save see send serve shape share show sing smell
smile solve sound start stay stop surprise talk taste tell thank touch trade travel trust turn understand visit wait
walk want warm wash welcome whisper wonder work write
""")

ADJECTIVES = _words("""
ancient angry big blue brave bright broken brown busy calm careful cheap clean clear clever cold colorful common
curious dark deep distant dry dusty early easy empty famous fast fine foreign fresh friendly full gentle golden good
gray great green happy heavy hidden high honest hungry kind large late lazy light little lonely long loud lucky
modern narrow new noisy old open orange pale patient plain pleasant polite poor pretty proud purple quick quiet rare
ready red rich round sad safe salty sharp shiny short shy silent silver simple slow small smooth soft strange strong
sudden sunny sweet tall thick thin tiny tired useful warm weak wet white whole wide wild wise wooden yellow young
""")

ADVERBS = _words("""
again almost already always away calmly carefully clearly early easily everywhere gently gladly happily here
honestly later loudly nearby never now often once outside quickly quietly rarely sadly seldom silently simply slowly
softly sometimes soon still suddenly then there together tomorrow twice upstairs usually warmly well yesterday
""")

DETERMINERS = _words("""
the a this that each every one another some my your our their his her its
""")

PREPOSITIONS = _words("""
in on at by near under over behind with without from to for across along after before through
""")

CONJUNCTIONS = _words("""
and but or while because so although until when
""")

PRONOUNS = _words("""
he she it they we you I nobody everybody someone
""")

CLOSERS = _words("""
Finally Anyway Altogether Overall Eventually
""")
"""First word of the last sentence: what ends a text is readable in the text, and so in its token ids."""

OTHERS = _words("""
is are was were be been being am do does did done have has had can could will would shall should may might must not
no yes what which who whom whose where why how if than as of up down out off about into onto between against during
more most less least much many few any all both either neither other such only own same too very just also even ever
hello hi please thanks sorry okay today make made take took give gave go goes went come came get got let put set say
said know knew think thought use used using user assistant system model token tokens text data code file line list
value function class object type string true false null none error test request response server client time first
second last
""")

PARTS = _words("""
ing ed er est ly tion sion ment ness able ible ful less ous ive ize ise ist ism ity ance ence al ial ic ical ish age
ary ery ory ure ant ent en ify fy ward wise hood ship dom un re in im dis mis non pre pro sub super inter trans over
under out co de ex con com per para micro macro multi poly auto bio geo tele photo graph log logy meter phone scope
th sh ch wh ph ck ng qu st nd rd nt nk ll ss ee oo ea ou ai oa ie ei tr dr br cr fr gr pr bl cl fl gl pl sl sp sc sk
sm sn sw str http https www com org html json xml css js py id url api get set
""")

SIGNS = _words("""... -- => -> == != <= >= && || :: // /* */ () [] {} ): ); ), ", ': '. #!""")

SPACES = ["  ", "   ", "    ", "        ", "\n\n", "\n\n\n", "\t\t", "\r\n", "\n  ", "\n    "]

ACCENTS = "àáâãäåæçèéêëìíîïñòóôõöøùúûüýÿßÀÁÂÄÅÆÇÈÉÊËÍÑÓÔÖØÚÜœŒčďěňřšťůžąćęłńśźżğışț°€£¥§«»—…“”"
CYRILLIC = "абвгдежзийклмнопрстуфхцчшщъыьэюяАБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЭЮЯёЁ"
HAN = "一人大中国上下日月水火木金土山川天地小子女東京北南西口手目心学生先年時今新雨雪花春夏秋冬海空風"
KANA = "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろわをん"
EMOJI = "😀😂😉😊😍😎🤔🙂🙃🎉🎈🎁🌍🌙🌟🌈🌊🌱🌸🍎🍊🍋🍞☕🚀🚂🚲🏠🏡🐱🐶🐟🐦🦊🦉📚📖📷🔑💡💧💚"


def present(verb: str) -> str:
    """Return the form of `verb` that follows "she"."""
    if verb.endswith(("ch", "sh", "s", "x")):
        return verb + "es"
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return verb[:-1] + "ies"
    return verb + "s"
