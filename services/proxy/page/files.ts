// The live page's files: what the browser gets, by its path. Each is read when it is first asked for.
import { hash } from 'node:crypto';
import { globSync, readFileSync, statSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

type PageFile = Readonly<{ body: Buffer; type: string; etag: string }>;

export type Page = {
  /** The file at a URL's path, `/` or `/page/…`; null where there is none. */
  file: (path: string) => PageFile | null;
};

/** What the page may load and connect to: this listener, and nothing else. */
export const PAGE_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "font-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const BROWSER = fileURLToPath(new URL('browser/', import.meta.url));
const MODULES = fileURLToPath(new URL('../../../node_modules/', import.meta.url));

/** By the name that the page's modules import, where a package has one → the path below /page/, the file. */
const LIBRARIES = [
  { name: 'preact', path: 'lib/preact.js', file: 'preact/dist/preact.mjs' },
  { name: 'preact/hooks', path: 'lib/hooks.js', file: 'preact/hooks/dist/hooks.mjs' },
  { name: 'htm', path: 'lib/htm.js', file: 'htm/dist/htm.mjs' },
  { name: null, path: 'lib/echarts.js', file: 'echarts/dist/echarts.esm.min.mjs' },
  {
    name: null,
    path: 'lib/inter.woff2',
    file: '@fontsource-variable/inter/files/inter-latin-wght-normal.woff2',
  },
  {
    name: null,
    path: 'lib/jetbrains-mono.woff2',
    file: '@fontsource-variable/jetbrains-mono/files/jetbrains-mono-latin-wght-normal.woff2',
  },
] as const;

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.ts': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};

/** Finds all of the page; throws the system's error when one of its files is not there. */
export function findPage(): Page {
  const makers = new Map<string, () => PageFile>();
  for (const { path, file } of LIBRARIES) {
    const source = join(MODULES, file);
    statSync(source);
    const isModule = file.startsWith('preact');
    makers.set(`/page/${path}`, () => {
      const body = readFileSync(source);
      return fileOf(path, isModule ? Buffer.from(withPaths(body.toString())) : body);
    });
  }
  const paths = globSync('**/*.{ts,css,svg}', { cwd: BROWSER }).sort();
  for (const path of paths) {
    makers.set(`/page/${path}`, () => {
      const body = readFileSync(join(BROWSER, path));
      return fileOf(path, path.endsWith('.ts') ? moduleOf(body.toString()) : body);
    });
  }
  makers.set('/', () => {
    const index = readFileSync(join(BROWSER, 'index.html'), 'utf8');
    return fileOf('index.html', Buffer.from(index.replace('<!-- modules -->', preloads(paths))));
  });
  const files = new Map<string, PageFile>();
  return {
    file: (path) => {
      const made = files.get(path) ?? makers.get(path)?.() ?? null;
      if (made !== null) files.set(path, made);
      return made;
    },
  };
}

function moduleOf(text: string): Buffer {
  return Buffer.from(withPaths(withoutTypes(text)));
}

// A browser knows no packages, and an import map would be an inline script, which the policy forbids.
function withPaths(text: string): string {
  return LIBRARIES.reduce((result, { name, path }) => {
    return name === null
      ? result
      : result.replaceAll(new RegExp(`from\\s*['"]${name}['"]`, 'g'), `from '/page/${path}'`);
  }, text);
}

// Node warns that this function may change; the log of a proxy is no place for that.
function withoutTypes(text: string): string {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return stripTypeScriptTypes(text);
  } finally {
    process.emitWarning = emitWarning;
  }
}

// Modules that import each other would else be fetched one depth after the other.
function preloads(paths: readonly string[]): string {
  const early = LIBRARIES.filter(({ name }) => name !== null).map(({ path }) => path as string);
  const modules = [...early, ...paths.filter((path) => path.endsWith('.ts') && !path.startsWith('charts/'))];
  return modules.map((path) => `<link rel="modulepreload" href="/page/${path}">`).join('\n    ');
}

function fileOf(path: string, body: Buffer): PageFile {
  const type = TYPES[extname(path)] ?? 'application/octet-stream';
  return Object.freeze({ body, type, etag: `"${hash('sha1', body, 'hex').slice(0, 16)}"` });
}
