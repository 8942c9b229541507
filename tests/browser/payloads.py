"""Two hundred ways to have a script run on a page, made for these tests: what is tried, in each of eight surroundings."""

from typing import Final

_CALL: Final = "hit()"
TRIED: Final = (
    f"<script>{_CALL}</script>",
    f"<img src=x onerror={_CALL}>",
    f"<svg/onload={_CALL}>",
    f"<svg><animate onbegin={_CALL} attributeName=x dur=1s>",
    f"<svg><script>{_CALL}</script></svg>",
    f"<math><mtext></mtext><mglyph><style><img src=x onerror={_CALL}></style></mglyph></math>",
    f"<details open ontoggle={_CALL}>",
    f"<input autofocus onfocus={_CALL}>",
    f"<iframe srcdoc='<script>parent.{_CALL}</script>'></iframe>",
    f"<a href=javascript:{_CALL}>here</a>",
    f"<form action=javascript:{_CALL}><button>Do it</button></form>",
    "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
    "<base href=https://evil.example/>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    f"<div hx-get=/register hx-trigger=load hx-on:load={_CALL}></div>",
    f'<hx-partial hx-target="#main"><script>{_CALL}</script></hx-partial>',
    f"{{{{ self.__init__.__globals__ }}}}${{{_CALL}}}<%= {_CALL} %>#{{{_CALL}}}",
    f'[here](javascript:{_CALL}) ![x](x"onerror="{_CALL})',
    f'=HYPERLINK("javascript:{_CALL}","here")',
    f"@SUM(1)*cmd|' /C {_CALL}'!A0",
    f"\uff1cscript\uff1e{_CALL}\uff1c/script\uff1e",
    f"\u202e<scr\u200bipt>{_CALL}</scr\u200bipt>\u202c",
    f"data:text/html,<script>{_CALL}</script>",
    f"java\tscript:{_CALL}",
    f"%3Cscript%3E{_CALL}%3C/script%3E&lt;script&gt;{_CALL}&lt;/script&gt;&#60;script&#62;",
)
AROUND: Final = (
    "",
    "\"'>",
    "</title></textarea></style>",
    "--><!--",
    "' autofocus onfocus=hit() x='",
    "]]>",
    "</script>",
    '\\"}]);hit();//',
)
PAYLOADS: Final = tuple(before + tried for tried in TRIED for before in AROUND)


def chunks(longest: int) -> list[str]:
    """All of them in as few texts as hold at most so many characters; each text begins with one of them."""
    found = [""]
    for each in PAYLOADS:
        together = f"{found[-1]} {each}" if found[-1] else each
        if len(together) <= longest:
            found[-1] = together
        else:
            found.append(each)
    return found
