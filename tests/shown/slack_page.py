"""Slack's message laid out about as Slack lays it out, to look at it before anybody is sent it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_COLOURS = {"danger": "#a30200", "warning": "#daa038", "good": "#2eb886"}
_MARKS = {"🔴": "#e01e5a", "🟠": "#ecb22e", "🔵": "#36c5f0", "✅": "#2eb67d"}
_STYLE = (
    "body{font:14px/1.4 Lato,system-ui,sans-serif;margin:0;padding:16px;background:#fff;color:#1d1c1d;width:600px}"
    ".m{display:flex;gap:10px;margin-bottom:14px}.i{flex:0 0 36px;height:36px;border-radius:6px;background:#3a6ea5;color:#fff;"
    "font-weight:700;text-align:center;line-height:36px}.a{border-left:4px solid;padding:2px 12px;margin-top:4px}"
    "a{color:#1264a3;text-decoration:none}.t{font-weight:700}.f{display:flex;flex-wrap:wrap}.f div{width:45%;margin:4px 5% 4px 0}"
    ".g{color:#616061;font-size:12px}.r{border-left:2px solid #ddd;padding-left:12px;margin-top:8px}"
)


def page(payload: Mapping[str, Any]) -> str:
    """The message with its thread's line."""
    (one,) = payload["attachments"]
    colour = _COLOURS.get(one["color"], one["color"])
    fields = "".join(f"<div><b>{each['title']}</b><br>{each['value']}</div>" for each in one.get("fields", ()))
    title = f"<a class=t href='{one['title_link']}'>{one['title']}</a>" if "title_link" in one else one["title"]
    return (
        f"<!doctype html><meta charset=utf-8><style>{_STYLE}</style><div class=m><div class=i>T</div><div><b>Tocsin</b> "
        f"<span class=g>APP 12:01</span><br>{payload['text']}<div class=a style='border-color:{colour}'>{title}<br>"
        f"{_marked(one['text'])}<div class=f>{fields}</div><span class=g>{one['footer']}</span></div>"
        f"<div class=r><span class=g>1 reply</span><br>{_marked(payload['reply']['text'])}</div></div></div>"
    )


def _marked(text: str) -> str:
    """Slack's mrkdwn as HTML: links, bold, italic and line ends."""
    linked = re.sub(r"<(https?://[^|>]+)\|([^>]+)>", r"<a href='\1'>\2</a>", text)
    for mark, colour in _MARKS.items():  # Not every machine has a font with these.
        linked = linked.replace(mark, f"<span style='color:{colour}'>●</span>")
    return re.sub(r"\*([^*\n]+)\*", r"<b>\1</b>", linked).replace("\n", "<br>")
