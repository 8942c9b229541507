"""How a page looks: light and dark, on a telephone, and in grey on paper."""

from typing import Final

STYLE: Final = """\
:root { color-scheme: light dark; --ink: #1c2430; --paper: #ffffff; --quiet: #5b6675; --rule: #d9dee5;
  --good: #2f6f9f; --bad: #b5482f; --aim: #1c2430; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6eaf0; --paper: #14181e; --quiet: #a3adba; --rule: #333c48; --good: #6db3e6; --bad: #f0906f; --aim: #e6eaf0; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 56rem; padding: 1rem; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; line-height: 1.2; }
h2 { font-size: 1.25rem; margin-top: 3rem; border-top: 1px solid var(--rule); padding-top: 1rem; }
h3 { font-size: 1rem; margin: 1.5rem 0 .25rem; }
blockquote { margin: .5rem 0; padding-left: .75rem; border-left: 4px solid var(--good); font-size: 1.1rem; }
.quiet { color: var(--quiet); font-size: .875rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .875rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--quiet); padding: .25rem 0; white-space: normal; }
th, td { padding: .2rem .5rem; text-align: right; border-bottom: 1px solid var(--rule); white-space: nowrap; }
th:first-child, td:first-child, .text { text-align: left; }
td.text + td.text { white-space: normal; overflow-wrap: anywhere; min-width: 8rem; }
dl { display: flex; flex-wrap: wrap; gap: .25rem 1.5rem; margin: .5rem 0; font-variant-numeric: tabular-nums; }
dt { color: var(--quiet); font-size: .875rem; } dd { margin: 0; font-size: 1.1rem; }
.chart { display: flex; } .chart div { flex: 1; min-width: 0; }
td.beam { min-width: 5rem; width: 30%; }
svg text { fill: var(--quiet); font: 12px system-ui, sans-serif; }
svg .rule { stroke: var(--rule); } svg .aim { stroke: var(--aim); stroke-dasharray: 4 3; }
svg text.aim { stroke: var(--paper); stroke-width: 4px; stroke-dasharray: none; paint-order: stroke; fill: var(--ink); }
svg .good { fill: var(--good); } svg .bad { fill: var(--bad); } svg .open { fill: var(--quiet); }
.key { display: inline-block; width: .75em; height: .75em; margin-right: .3em; }
.key.good { background: var(--good); } .key.bad { background: var(--bad); }
@media print {
  :root { --ink: #000000; --paper: #ffffff; --quiet: #444444; --rule: #bbbbbb; --good: #4a4a4a; --bad: #9c9c9c; --aim: #000000; }
  body { max-width: none; padding: 0; font-size: 11pt; } .wide { overflow: visible; }
  svg, tr, dl, h2, h3, blockquote { break-inside: avoid; } h2, h3, blockquote { break-after: avoid; }
  * { print-color-adjust: exact; }
}
"""
