// Proxies that are broken on purpose: copies of services/ with one thing changed, for the judge to find.
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../scripts/kit/project.ts';

export type Breakage = {
  name: string;
  /** What is changed in the proxy's code: each text must be there exactly once. */
  changes: readonly { file: string; from: string; to: string }[];
  /** What is changed in its settings. */
  environment: Readonly<Record<string, string>>;
};

export const BREAKAGES: readonly Breakage[] = [
  {
    name: 'health checks off',
    changes: [
      {
        file: 'services/proxy/health/health.ts',
        from: '  switch (signal.kind) {\n',
        to: "  if (health.state === 'ready' && signal.kind !== 'leave') return health;\n  switch (signal.kind) {\n",
      },
    ],
    environment: {},
  },
  {
    name: 'sticky pick',
    changes: [
      {
        file: 'services/proxy/routing/rotation/round-robin.ts',
        from: 'at + 1 === this.#members.length ? 0 : at + 1);',
        to: 'at);',
      },
    ],
    environment: {},
  },
  {
    name: 'swapped answers',
    changes: [
      {
        file: 'services/proxy/routing/forwarder.ts',
        from: '    this.#replier.reply(request, answer);\n',
        to: '    this.#replier.reply(request, swap(answer));\n',
      },
      {
        file: 'services/proxy/routing/forwarder.ts',
        from: 'export class Forwarder ',
        to: "let held = '';\nfunction swap(answer: string): string {\n  const other = held === '' ? answer : held;\n  held = answer;\n  return other;\n}\n\nexport class Forwarder ",
      },
    ],
    environment: {},
  },
  { name: 'no retry', changes: [], environment: { PROXY_RETRY: 'never' } },
];

export type BrokenProxy = {
  /** For COMPOSE_FILE: the cluster with this proxy in it. */
  composeFile: string;
  remove(): Promise<void>;
};

/** Makes the Compose files of a cluster whose proxy is broken. */
export async function breakProxy({ changes, environment }: Breakage): Promise<BrokenProxy> {
  const folder = await mkdtemp(join(tmpdir(), 'broken-proxy-'));
  await cp(join(ROOT, 'services'), join(folder, 'services'), { recursive: true });
  for (const { file, from, to } of changes) {
    const path = join(folder, file);
    const text = await readFile(path, 'utf8');
    if (text.split(from).length !== 2) throw new Error(`${file} does not hold exactly once: ${from}`);
    await writeFile(
      path,
      text.replace(from, () => to),
    );
  }
  const override = join(folder, 'broken.json');
  const volumes = changes.length === 0 ? [] : [`${folder}/services:/app/services:ro`];
  await writeFile(override, JSON.stringify({ services: { proxy: { volumes, environment } } }));
  return {
    composeFile: `${join(ROOT, 'docker-compose.yml')}:${override}`,
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
