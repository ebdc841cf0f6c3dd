// What Prometheus itself makes of the metrics, the alert rules and the dashboard; Debian's is installed where it is missing.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { before, describe, type TestContext, test } from 'node:test';
import { attempt } from '../../../scripts/kit/command.ts';
import { requireInstalled } from '../../../scripts/kit/install.ts';
import { ROOT } from '../../../scripts/kit/project.ts';
import { SILENT } from '../../../scripts/kit/steps.ts';
import { ask, clientOf, eventually, fakeServer, request, testProxy } from '../../../test-support/cluster.ts';
import { type Frame, freePort } from '../../../test-support/peers.ts';
import { scrape } from '../../../test-support/scrape.ts';
import { FAMILIES } from './exposition.ts';

const OBSERVABILITY = join(ROOT, 'deploy/observability');
const DASHBOARD = join(OBSERVABILITY, 'grafana/dashboards/policy-proxy.json');
const RULES = join(OBSERVABILITY, 'rules.yml');
const ANSWER_MS = 20_000;

async function promtool(args: readonly string[], input = ''): Promise<void> {
  const child = spawn('promtool', args, { cwd: OBSERVABILITY });
  child.stdin.end(input);
  const closed = once(child, 'close');
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  assert.deepEqual([(await closed)[0], stderr], [0, ''], `${stdout}\n${stderr}`);
}

async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'policy-proxy-metrics-'));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

/** Runs Debian's Prometheus on the project's own configuration, with `proxy` as its target. @returns what it answers to a GET */
async function startPrometheus(t: TestContext, adminPort: number): Promise<(path: string) => Promise<Frame>> {
  const folder = await temporaryFolder(t);
  const own = await readFile(join(OBSERVABILITY, 'prometheus.yml'), 'utf8');
  const changed = own
    .replace(/dns_sd_configs:\n.*$/m, `static_configs:\n      - targets: ["127.0.0.1:${adminPort}"]`)
    .replaceAll(/(scrape|evaluation)_interval: 5s/g, '$1_interval: 200ms');
  await writeFile(join(folder, 'prometheus.yml'), changed);
  await writeFile(join(folder, 'rules.yml'), await readFile(RULES, 'utf8'));
  const port = await freePort();
  const args = [`--config.file=${folder}/prometheus.yml`, `--storage.tsdb.path=${folder}/data`];
  const child = spawn('prometheus', [...args, `--web.listen-address=127.0.0.1:${port}`], { stdio: 'ignore' });
  const closed = once(child, 'close');
  t.after(async () => {
    child.kill('SIGKILL');
    await closed;
  });
  return async (path) => {
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/${path}`).catch(() => null);
    return response?.ok ? ((await response.json()) as Frame) : {};
  };
}

type Panel = { title: string; targets: { expr: string }[] };

async function panels(): Promise<Panel[]> {
  return (JSON.parse(await readFile(DASHBOARD, 'utf8')) as { panels: Panel[] }).panels;
}

const NAME = /\b(?:policyproxy|process|nodejs)_\w+/g;

describe('Prometheus', { concurrency: false }, () => {
  before(() => {
    const isThere = async (): Promise<boolean> => {
      const tries = ['promtool', 'prometheus'].map((name) => {
        return attempt(name, ['--version'], { timeoutMs: ANSWER_MS });
      });
      return (await Promise.all(tries)).every(({ isOk }) => isOk);
    };
    return requireInstalled('Prometheus', ['prometheus'], isThere, SILENT);
  });

  test('promtool finds nothing wrong with the metrics', async (t) => {
    const proxy = await testProxy(t);
    for (const [id, policy] of [
      [1, '1'],
      [2, 'two "words"\n'],
    ] as const)
      await (await fakeServer(t, proxy, id, { policy })).join();
    await ask(proxy);
    await ask(proxy, request('p', { policy: 'none' }));
    await promtool(['check', 'metrics'], (await scrape(proxy)).text);
  });

  test('promtool finds nothing wrong with the configuration, and the alerts fire when they should', async () => {
    await promtool(['check', 'config', 'prometheus.yml']);
    await promtool(['check', 'rules', 'rules.yml']);
    await promtool(['test', 'rules', 'rules.test.yml']);
  });

  test('a Prometheus scrapes a proxy, answers what was counted, and can evaluate each alert', async (t) => {
    const proxy = await testProxy(t);
    await (await fakeServer(t, proxy, 1)).join({ keepAlive: true });
    const client = clientOf(proxy);
    for (let count = 0; count < 3; count += 1) {
      client.send(request());
      await client.nextFrame();
    }
    const get = await startPrometheus(t, proxy.adminPort);
    const query = async (expression: string): Promise<[labels: Frame, value: string][]> => {
      const { data } = await get(`query?query=${encodeURIComponent(expression)}`);
      return (data?.result ?? []).map(({ metric, value }: Frame) => [metric, value[1]]);
    };
    await eventually(async () => (await query('up == 1')).length === 1);
    const job = { job: 'policy-proxy', instance: `127.0.0.1:${proxy.adminPort}` };
    const labels = { policy: '1', outcome: 'answered' };
    await eventually(async () => (await query('policyproxy_requests_total > 0')).length > 0);
    assert.deepEqual(await query('policyproxy_requests_total > 0'), [
      [{ __name__: 'policyproxy_requests_total', ...job, ...labels }, '3'],
    ]);
    const [[, within] = []] = await query(
      'histogram_quantile(1, sum by (le) (policyproxy_request_duration_seconds_bucket))',
    );
    assert.ok(Number(within) > 0 && Number(within) < 20, within);
    const rulesOf = ({ data }: Frame): Frame[] => data?.groups.flatMap(({ rules }: Frame) => rules) ?? [];
    await eventually(async () => {
      const rules = rulesOf(await get('rules'));
      return rules.length > 0 && rules.every(({ health }) => health !== 'unknown');
    });
    for (const { name, health, lastError, state } of rulesOf(await get('rules')))
      assert.deepEqual([health, lastError, state], ['ok', undefined, 'inactive'], name);
  });

  test('the expressions of the dashboard are PromQL', async (t) => {
    const expressions = (await panels()).flatMap(({ targets }) => targets.map(({ expr }) => expr));
    const rules = expressions.map((expr, at) => {
      const filled = expr.replaceAll('$__rate_interval', '1m').replaceAll('$policy', '.*');
      return { record: `dashboard:expression:${at}`, expr: filled };
    });
    const file = join(await temporaryFolder(t), 'dashboard.json');
    await writeFile(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
    await promtool(['check', 'rules', file]);
  });
});

test('the dashboard and the alerts name no metric and no label that there is not', async () => {
  const labels = new Map<string, readonly string[]>();
  for (const family of FAMILIES) {
    const lines = family.type === 'histogram' ? ['_bucket', '_sum', '_count'] : [''];
    for (const suffix of lines) labels.set(`${family.name}${suffix}`, [...family.labels, 'le']);
  }
  for (const file of [DASHBOARD, RULES]) {
    const content = (await readFile(file, 'utf8')).replaceAll('\\"', '"');
    const names = content.match(NAME) ?? [];
    assert.ok(names.length > 5);
    for (const name of names) assert.ok(labels.has(name), `${file}: ${name}`);
    for (const [, name = '', selector = ''] of content.matchAll(/(policyproxy_\w+)\{([^}]*)\}/g))
      for (const [, label = ''] of selector.matchAll(/(\w+)(?:=~|!~|!=|=)"/g))
        assert.ok(labels.get(name)?.includes(label), `${file}: ${name} has no ${label}`);
  }
});

test('the alerts are those of docs/operating.md', async () => {
  const rules = await readFile(RULES, 'utf8');
  const documented = await readFile(join(ROOT, 'docs/operating.md'), 'utf8');
  const names = [...rules.matchAll(/- alert: (\w+)/g)].map(([, name]) => name);
  assert.deepEqual(
    [...documented.matchAll(/^\| `([A-Z]\w+)` \|/gm)].map(([, name]) => name),
    names,
  );
});

test('the dashboard shows every metric of the proxy', async () => {
  const content = await readFile(DASHBOARD, 'utf8');
  const unseen = FAMILIES.filter(({ name }) => !content.includes(name)).map(({ name }) => name);
  assert.deepEqual(unseen, ['policyproxy_build_info', 'process_start_time_seconds']);
});
