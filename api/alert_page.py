"""The page a message's links lead to: why one alert was told, and quiet for it for a while.

It is the same few bytes for every alert and holds no data, so it is open like /docs: a browser that follows a link has no key
to show. Its script asks the API next to it, with the key that is typed in and kept until the tab is closed; what comes back is
only ever set as text. Nothing is loaded from elsewhere, and no other script can run.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Final

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

router = APIRouter(include_in_schema=False)

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1c2330; --dim: #5b6576; --line: #dde2ea; --paper: #fff; --tint: #f5f7fa;
  --link: #0b57b0; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ef; --dim: #9aa5b5; --line: #313a48; --paper: #12161d; --tint: #1a202a;
  --link: #7db4f5; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 46rem; padding: 1.2rem 1rem 4rem; color: var(--ink); background: var(--paper);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.35rem; margin: 0 0 .3rem; } h2 { font-size: 1rem; margin: 1.6rem 0 .4rem; }
a { color: var(--link); } .dim, th, time { color: var(--dim); font-size: .88rem; font-weight: 400; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; vertical-align: top; padding: .25rem .6rem .25rem 0;
  border-bottom: 1px solid var(--line); } th { width: 9rem; }
ol { list-style: none; margin: 0; padding: 0; } li { border-left: 3px solid var(--line); padding: .1rem 0 .5rem .8rem; }
time { display: block; }
#verdict { background: var(--tint); border: 1px solid var(--line); border-radius: 6px; padding: .7rem .9rem; }
button, input { font: inherit; padding: .35rem .8rem; border: 1px solid var(--line); border-radius: 6px; background: var(--tint);
  color: inherit; margin: 0 .35rem .35rem 0; } button { cursor: pointer; color: var(--link); } [hidden] { display: none; }
"""

_SCRIPT: Final = """
const at = name => document.getElementById(name);
const alertName = decodeURIComponent(location.pathname.split('/').pop());
const base = '../api/v1/alerts/' + encodeURIComponent(alertName);
const made = (kind, text) => Object.assign(document.createElement(kind), { textContent: text });
const when = text => text ? text.slice(0, 19).replace('T', ' ') + ' UTC' : '';
async function ask(method, path, body) {
  const key = sessionStorage.getItem('tocsin-key');
  const headers = { ...(key ? { Authorization: 'Bearer ' + key } : {}), ...(body ? { 'Content-Type': 'application/json' } : {}) };
  const answer = await fetch(base + path, { method, headers, body: body && JSON.stringify(body) });
  const found = await answer.json();
  if (answer.ok) return found;
  if (answer.status === 401) at('key').hidden = false;
  throw new Error(found.detail || found.title || answer.statusText);
}
function filled(kind, ...parts) { const line = document.createElement(kind); line.append(...parts); return line; }
const row = ([name, text]) => filled('tr', made('th', name), made('td', text));
const step = one => filled('li', made('time', when(one.at)), made('span', one.reason));
function say(error) { at('said').textContent = error.message; }
async function show() {
  at('said').textContent = '';
  const [found, story] = await Promise.all([ask('GET', ''), ask('GET', '/explain')]);
  at('key').hidden = true;
  document.title = at('name').textContent = found.labels.alertname || alertName;
  const value = found.value === null ? '' : ', value ' + found.value;
  at('state').textContent = found.state + value + (found.reason ? ', ' + found.reason : '');
  at('verdict').textContent = story.summary;
  const next = story.next ? [{ at: story.next.at, reason: 'next: ' + story.next.action }] : [];
  at('steps').replaceChildren(...[...story.steps, ...next].map(step));
  at('labels').replaceChildren(...Object.entries(found.labels).map(row));
  at('annotations').replaceChildren(...Object.entries(found.annotations).map(row));
  at('found').hidden = false;
  at('silence').hidden = found.state !== 'firing' && found.state !== 'pending';
  if (location.hash === '#silence') at('silence').scrollIntoView();
}
async function quiet(wish) {
  const silence = await ask('POST', '/silence', { comment: at('comment').value, ...wish });
  await show();
  at('said').textContent = 'Silenced until ' + (wish.duration ? when(silence.ends_at) : 'it has resolved') + '.';
}
at('key').addEventListener('submit', event => {
  event.preventDefault();
  sessionStorage.setItem('tocsin-key', at('given').value.trim());
  show().catch(say);
});
for (const button of document.querySelectorAll('#silence button')) {
  const wish = button.value ? { duration: button.value } : { until_resolved: true };
  button.addEventListener('click', () => quiet(wish).catch(say));
}
show().catch(say);
"""

PAGE: Final = (
    "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
    "<meta name='viewport' content='width=device-width, initial-scale=1'>"
    f"<title>Tocsin: alert</title><link rel='icon' href='data:,'><style>{_STYLE}</style></head><body>"
    "<h1 id='name'>Alert</h1><p class='dim' id='state'></p><p id='said' role='status'></p>"
    "<form id='key' hidden><label>API key <input id='given' type='password' autocomplete='off' required></label>"
    "<button>Show</button><p class='dim'>It is kept until this tab is closed.</p></form>"
    "<div id='found' hidden><h2 id='explain'>Why</h2><p id='verdict'></p><ol id='steps'></ol>"
    "<section id='silence'><h2>Silence</h2><label>Comment <input id='comment'></label><br>"
    "<button value='1h'>1 hour</button><button value='4h'>4 hours</button><button value='1d'>1 day</button>"
    "<button value=''>until it has resolved</button></section>"
    "<h2>Labels</h2><table id='labels'></table><h2>Annotations</h2><table id='annotations'></table></div>"
    f"<noscript>Without JavaScript: <code>tocsin explain FINGERPRINT</code> says the same.</noscript>"
    f"<script>{_SCRIPT}</script></body></html>"
)

_OURS: Final = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
_HEADERS: Final = {
    "Content-Security-Policy": f"default-src 'none'; script-src 'sha256-{_OURS}'; style-src 'unsafe-inline'; img-src data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


@router.get("/alerts/{fingerprint}")
def alert_page(fingerprint: str) -> HTMLResponse:  # noqa: ARG001 - the page reads it from its own address
    """The page, whichever alert it is for."""
    return HTMLResponse(PAGE, headers=_HEADERS)
