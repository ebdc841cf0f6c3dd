// pure · the colours of a flame graph, for light, dark and paper, and how its page looks.
// Must never load anything: no font, no picture.

const LIGHT = `--c-ours:#f2a33c;--c-library:#d3b5e6;--c-node:#9cc7ea;--c-native:#a9d3b5;--c-program:#c9ced5;--c-gc:#f0a2a2;--c-idle:#eceff2;`;
const DARK = `--c-ours:#8f5a12;--c-library:#5f4775;--c-node:#2c557b;--c-native:#2d5f46;--c-program:#454d57;--c-gc:#80363b;--c-idle:#22272d;`;

/** The colours, by the reader's preference, by the page's switch (`data-theme`), and always light on paper. */
const FLAME_PALETTE = `:root{${LIGHT}}
@media (prefers-color-scheme:dark){:root:not([data-theme=light]){${DARK}}}
:root[data-theme=dark]{${DARK}}
@media print{:root:not(#screen){${LIGHT}}}
`;

const CATEGORY_RULES = ['ours', 'library', 'node', 'native', 'program', 'gc', 'idle']
  .map(
    (category) =>
      `.c-${category} rect,.key.c-${category}::before{fill:var(--c-${category});background:var(--c-${category})}`,
  )
  .join('\n');

export const FLAME_STYLE = `${FLAME_PALETTE}
.flame{display:block;width:100%;height:auto;font:11px ui-monospace,"Cascadia Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace}
.flame g{cursor:pointer}.flame text{fill:var(--ink);pointer-events:none}
.flame rect{stroke:var(--paper);stroke-width:.4}.flame g:hover rect{stroke:var(--ink);stroke-width:1}
.flame.searched g:not(.hit){opacity:.45}.flame .hit rect{stroke:var(--ink);stroke-width:1.2}
${CATEGORY_RULES}
.legend{display:flex;flex-wrap:wrap;gap:4px 20px;margin:14px 0 12px;padding:0;list-style:none;font-size:13px}
.key::before{content:"";display:inline-block;width:12px;height:12px;margin-right:6px;vertical-align:-1px;border:1px solid var(--rule)}
.tools{display:flex;flex-wrap:wrap;gap:10px;align-items:center;margin:0 0 10px;font-size:13px;color:var(--ink-2)}
.tools input,.tools button{font:inherit;color:var(--ink);background:none;border:1px solid var(--rule);border-radius:4px;padding:3px 9px}
.tools button{cursor:pointer}
.costs td{font-size:13px;padding-top:3px;padding-bottom:3px}
.costs code{font:12.5px ui-monospace,"Cascadia Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace}
@media print{.tools{display:none}}
`;
