"""Given names and what their bearers are called, where one does not begin like the other: Robert is Bob, Margaret is Peggy.

From general knowledge, of English, German, French, Spanish, Italian and Russian names. A short form that begins like the name
(`rob`, `marg`) needs no list. A word may belong to several names; two names of one bearer are on one line.
"""

from collections.abc import Iterator
from itertools import combinations

_NAMES = """
albert bert al
alexander alex sandy sandro sasha sascha xander lex
alexandra alex sandy sandra sasha sascha lexi
alfred fred alf freddy
andrew drew andy
anna ann anne annie nan nancy hannah anya
anthony tony toni
antonio toni tony nino
antonia toni tony
augustus gus
barbara barb babs bobbie
benjamin ben benny benji
carolina caroline carol carrie lina
catherine katherine kathryn cathy kathy kate katie kitty kit kay
charles charlie chuck chas carl
charlotte lottie charlie lotte
christian chris
christopher chris kit topher
christine christina chris tina chrissy
cornelius neil con
cynthia cindy
daniel dan danny
david dave davy
deborah debra deb debbie
dmitri dmitry dima mitya
donald don donnie
dorothy dot dottie dolly
edward ed eddie ned ted teddy
edmund ed ned ted
eleanor ellie nell nellie nora lena
elizabeth elisabeth liz lizzie beth betty bess bessie libby eliza lisa elise lisbeth lisl sissi elsie
emanuel manuel manny manolo
emily emma em millie
evelyn eve evie
evgeny zhenya
ferdinand ferdi nando
florence flo flora flossie
frances fran frankie fanny
francis frank fran
francisco paco pancho curro
franz francis frank
frederick fred freddie rick fritz
friedrich fritz fred fredi
gabriel gabe
geoffrey jeffrey geoff jeff
georg george jorg jurgen schorsch
gerald gerard gerry jerry
gertrude gertie trudy trudi
gregory greg
guillermo memo guille
harold harry hal
heinrich heinz heiner henry
helen helena nell ellen lena
henry harry hank hal
herbert bert herb
hubert bert hugh
ignacio nacho
isabella isabel bella belle izzy
ivan vanya
jacob jake jakob cob
jacqueline jackie
james jim jimmy jamie jem
jane jenny jean janet
janet jan jenny
jennifer jen jenny
jeremy jerry
jerome jerry
jessica jess jessie
jesus chucho chuy
johann johannes hans hannes john jan
john jack johnny jon jan ian
jonathan jon johnny nathan
jose pepe chepe
josef joseph joe sepp jos beppo
joseph joe joey jo beppe
josephine jo josie fifi
judith judy
karl carl charles
katharina katja kathi katrin trina kate
laurence lawrence larry laurie lars
leonard len lenny leo
leonardo leo nardo
lillian lily lil
luis lucho
louis lou louie
louisa louise lou
ludmila lyuda mila
ludwig lutz louis
magdalena lena magda maggie
manuela manu ela
margaret maggie meg peggy peg marge margie madge greta rita daisy
margarete grete greta gretchen rita
maria marie mary mia mimi mitzi masha
martha mattie patty
mary molly polly mae mamie
mathilda matilda tilly mattie
matthew matt
maximilian max
melissa missy lissa mel
michael mike mick mickey mikey misha micha
michelle shelly
mikhail misha michael
mildred millie
natalia natasha talia nat
nicholas nick nicky klaus klaas colin
nicolas nick klaus nico
nikolai kolya
olga olya
oliver ollie
pamela pam
patricia pat patty tricia trish
patrick pat paddy
paul pablo pavel
pavel pasha
peter pete pierre pedro
philip phil pip
rachel rae
rebecca becky becca
reginald reg reggie
richard dick rick ricky rich richie
robert bob bobby rob robbie bert robin
roberto beto berto
roger rodger hodge
ronald ron ronnie
rosario charo
rose rosie rosa
rudolf rudi rolf
samantha sam sammy
samuel sam sammy
sarah sally sadie sara
sebastian seb bastian basti
sergei seryozha
sigmund siggi
stephanie steph steffi
stephen steven steve
susan susanna sue susie suzy
svetlana sveta lana
tatiana tanya tania
terence terry
theodore ted teddy theo
theresa terry tess tessa resi
thomas tom tommy
timothy tim timmy
tobias toby
ursula uschi ulla
valerie val
vasily vasya
veronica ronnie vera nica
victor vic
victoria vicky tori
vincent vince vinny
virginia ginny ginger
vladimir volodya vova
walter walt wally
wilhelm willi willy helmut william
wilhelmina mina minnie willa
william bill billy will willie liam
winifred winnie freda
yekaterina katya
yelena lena
yuri yura
"""


def _pairs() -> Iterator[str]:
    for line in _NAMES.strip().splitlines():
        for one, other in combinations(sorted(set(line.split())), 2):
            if not (one.startswith(other) or other.startswith(one)):
                yield f"{one}={other}"


def _by_initial() -> dict[str, str]:
    """First letter -> all pairs that begin with it: a short text is searched faster than a long one."""
    by_initial: dict[str, list[str]] = {}
    for pair in sorted(set(_pairs())):
        by_initial.setdefault(pair[0], []).append(pair)
    return {initial: f"|{'|'.join(pairs)}|" for initial, pairs in by_initial.items()}


_CASES = " ".join(f"WHEN '{initial}' THEN '{pairs}'" for initial, pairs in _by_initial().items())


def are_one_name(left: str, right: str) -> str:
    """SQL, for Spark and DuckDB, over two names in lower-case letters: somebody of one name may be called by the other."""
    first = f"least({left}, {right})"
    pair = f"concat('|', {first}, '=', greatest({left}, {right}), '|')"
    return f"instr(CASE left({first}, 1) {_CASES} ELSE '' END, {pair}) > 0"
