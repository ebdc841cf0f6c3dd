// What a proxy exposes on /metrics, as tests ask for it.
import assert from 'node:assert/strict';

export const OPEN_METRICS = 'application/openmetrics-text';

export type Scrape = {
  type: string;
  text: string;
  /** The value of the one line that has this name and exactly these labels; undefined when there is none. */
  value(name: string, labels?: Readonly<Record<string, string>>): number | undefined;
  /** Which values a label has, over all lines. */
  labelValues(label: string): Set<string>;
};

const LINE = /^([a-z_:][\w:]*)(?:\{(.*)\})? (\S+)$/i;
const LABEL = /([a-z_]\w*)="((?:[^"\\]|\\.)*)"/gi;
const ESCAPED: Readonly<Record<string, string>> = { n: '\n', '"': '"', '\\': '\\' };

/** @param accept the header of the request; undefined sends what `fetch` does */
export async function scrape({ adminPort }: { adminPort: number }, accept = '*/*'): Promise<Scrape> {
  const response = await fetch(`http://127.0.0.1:${adminPort}/metrics`, { headers: { accept } });
  const text = await response.text();
  assert.equal(response.status, 200, text);
  const values = new Map<string, number>();
  const seen = new Map<string, Set<string>>();
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const [, name = '', pairs = '', value] = LINE.exec(line) ?? assert.fail(`no line of a scrape: ${line}`);
    const labels = [...pairs.matchAll(LABEL)].map(([, label = '', escaped = '']) => {
      const plain = escaped.replaceAll(/\\(.)/g, (_, character: string) => ESCAPED[character] ?? '');
      seen.set(label, (seen.get(label) ?? new Set()).add(plain));
      return [label, plain] as const;
    });
    const key = keyOf(name, Object.fromEntries(labels));
    assert.ok(!values.has(key), `twice: ${line}`);
    values.set(key, value === '+Inf' ? Number.POSITIVE_INFINITY : Number(value));
  }
  return {
    type: response.headers.get('content-type') ?? '',
    text,
    value: (name, labels = {}) => values.get(keyOf(name, labels)),
    labelValues: (label) => seen.get(label) ?? new Set(),
  };
}

function keyOf(name: string, labels: Readonly<Record<string, string>>): string {
  return JSON.stringify([name, Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1))]);
}
