// pure · what the page of a profile does in a browser: zoom and search.
// Must never be needed to read the page: without it the whole graph and the table are there.
import { FLAME_WIDTH, LABELS } from './flame-svg.ts';

export const PAGE_SCRIPT = `
const width = ${FLAME_WIDTH};
const svg = document.querySelector('svg.flame');
const frames = [...svg.querySelectorAll('g')].map((g) => {
  const [title, rect, text] = g.children;
  const number = (name) => Number(rect.getAttribute(name));
  const words = title.textContent;
  return { g, rect, text, x: number('x'), y: number('y'), width: number('width'), name: words.split('\\n')[0], words: words.toLowerCase() };
});
const label = (name, room) => {
  const letters = Math.floor((room - ${2 * LABELS.padding}) / ${LABELS.letterWidth});
  return letters >= name.length ? name : letters < ${LABELS.minLetters} ? '' : name.slice(0, letters - 1) + '…';
};
const zoom = (to) => {
  const scale = width / to.width;
  for (const { g, rect, text, x, y, width: own, name } of frames) {
    const left = Math.max(0, (x - to.x) * scale);
    const right = Math.min(width, (x + own - to.x) * scale);
    const isShown = right - left > 0.2 && (y >= to.y || right - left > width - 1);
    g.style.display = isShown ? '' : 'none';
    if (!isShown) continue;
    rect.setAttribute('x', left);
    rect.setAttribute('width', right - left);
    text.setAttribute('x', left + ${LABELS.padding});
    text.textContent = label(name, right - left);
  }
};
for (const frame of frames) frame.g.addEventListener('click', () => zoom(frame));
document.getElementById('reset').addEventListener('click', () => zoom({ x: 0, y: 0, width }));
document.getElementById('search').addEventListener('input', (event) => {
  const wanted = event.target.value.trim().toLowerCase();
  let covered = 0;
  let share = 0;
  for (const { g, x, width: own, words } of frames) {
    const isHit = wanted !== '' && words.split('\\n', 2).join(' ').includes(wanted);
    g.classList.toggle('hit', isHit);
    // What lies below a hit is counted with it.
    if (!isHit || x < covered - 0.01) continue;
    share += own;
    covered = x + own;
  }
  svg.classList.toggle('searched', wanted !== '');
  document.getElementById('found').textContent = wanted === '' ? '' : (100 * share / width).toFixed(1) + ' % of the time, with what it calls';
});
`;
