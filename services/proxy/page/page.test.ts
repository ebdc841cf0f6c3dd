// test · the live page in a real browser, before a real proxy and real servers; scenes that take long to come about are played.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import AxeBuilder from '@axe-core/playwright';
import { type Browser, chromium, type Page } from 'playwright-core';
import { requireInstalled } from '../../../scripts/kit/install.ts';
import { SILENT } from '../../../scripts/kit/steps.ts';
import { eventually } from '../../../test-support/cluster.ts';
import { startFakeProxy } from '../../../test-support/page/fake-proxy.ts';
import { freePort } from '../../../test-support/peers.ts';
import { type Program, startProgram } from '../../../test-support/programs.ts';

const CHROMIUM = '/usr/bin/chromium';
const ROOT = join(import.meta.dirname, '../../..');
const PICTURES = join(ROOT, 'reports/page');
// Where the README's picture is to be made anew: RENEW_PICTURES=1.
const README_PICTURE = join(ROOT, 'docs/page.png');
const PATIENCE_MS = 60_000;
const TOKEN = 'a token of more than 16 bytes';
const DESKTOP = { width: 1440, height: 1000 };
const PHONE = { width: 390, height: 844 };

describe('the live page', { concurrency: false }, () => {
  let browser: Browser;
  before(async () => {
    await requireInstalled('Chromium', ['chromium'], async () => existsSync(CHROMIUM), SILENT);
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
    mkdirSync(PICTURES, { recursive: true });
  });
  after(() => browser.close());

  async function open(
    t: TestContext,
    url: string,
    more: { viewport?: { width: number; height: number }; colorScheme?: 'light' | 'dark' } = {},
  ): Promise<Page> {
    const context = await browser.newContext({ viewport: DESKTOP, ...more });
    const errors: Error[] = [];
    t.after(async () => {
      await context.close();
      assert.deepEqual(errors, []);
    });
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    page.on('pageerror', (error) => errors.push(error));
    await visit(page, url);
    return page;
  }

  // The browser cuts all requests where a network of the machine comes or goes, as those of containers do.
  async function visit(page: Page, url: string): Promise<void> {
    let isCut = true;
    page.on('requestfailed', (request) => {
      isCut ||= request.failure()?.errorText === 'net::ERR_NETWORK_CHANGED';
    });
    for (let tries = 0; isCut && tries < 5; tries += 1) {
      isCut = false;
      await page.goto(url);
    }
  }

  test('a killed server is shown as evicted, with its cause; three tabs follow, and so does a packet', async (t) => {
    const cluster = await startCluster(t);
    const tabs = [await open(t, cluster.url), await open(t, cluster.url), await open(t, cluster.url)];
    const [page] = tabs as [Page];
    const load = startProgram('scripts/load.ts', [
      '--rate',
      '200',
      '--duration',
      '60',
      '--proxy',
      cluster.address,
    ]);
    t.after(() => load.stop());
    await page.locator('.row.st-ready').nth(5).waitFor();
    await page.fill('#send-policy', '1');
    await page.click('.send .main');
    await page.getByText(/Answered by server [12] in/).waitFor();
    cluster.kill(1);
    for (const tab of tabs) {
      const row = tab.locator('.row.st-evicted[data-key="1/1"]');
      await row.waitFor();
      assert.match((await row.textContent()) ?? '', /refused|session ended/);
      assert.match((await row.textContent()) ?? '', /Back after 2 good probes/);
    }
    assert.match(await page.title(), /1 of 6 servers is not ready/);
    const picture = process.env.RENEW_PICTURES === '1' ? README_PICTURE : join(PICTURES, 'cluster.png');
    await page.screenshot({ path: picture });
  });

  test('a proxy that starts again is followed, and a reload keeps the filter', async (t) => {
    const cluster = await startCluster(t);
    const page = await open(t, cluster.url);
    await page.locator('.row.st-ready').nth(5).waitFor();
    await page.getByRole('button', { name: /Not ready/ }).click();
    await page.waitForURL(/ready/);
    const filtered = page.url();
    await page.reload();
    assert.equal(page.url(), filtered);
    await page.getByText(/beat/).waitFor();
    await cluster.restartProxy();
    await page.getByText(/The proxy restarted/).waitFor();
  });

  test('a fault that is reported becomes a shaded window with its name', async (t) => {
    const cluster = await startCluster(t);
    const page = await open(t, cluster.url);
    await page.locator('.row.st-ready').nth(5).waitFor();
    await page.fill('#send-policy', '2');
    assert.equal(await page.getByLabel('Payload').inputValue(), 'Packet for privacy policy 2');
    await page.click('.send .main');
    await page.getByText(/Answered by server [34] in/).waitFor();
    const report = async (phase: string): Promise<void> => {
      const fault = { phase, id: 'a', kind: 'pause', target: 'server 1', detail: 'by hand' };
      const headers = { authorization: `Bearer ${TOKEN}` };
      const init = { method: 'POST', headers, body: JSON.stringify(fault) };
      assert.equal((await fetch(`${cluster.url}api/faults`, init)).status, 200);
    };
    await page.locator('.canvas[aria-label*="0 faults"]').waitFor({ state: 'attached' });
    assert.equal(await page.evaluate(pixelsOfFaults), 0);
    await report('begin');
    await page.locator('.chaos', { hasText: 'pause server 1' }).waitFor();
    await page.getByText('shaded: a fault was on').waitFor();
    await page.locator('.canvas[aria-label*="1 fault."]').waitFor({ state: 'attached' });
    // Not `waitForFunction`, which takes a text for a script to be evaluated by the page itself: its policy forbids that.
    await eventually(async () => Number(await page.evaluate(pixelsOfFaults)) > 0);
    await report('end');
    await page.locator('.chaos').waitFor({ state: 'detached' });
    await page.locator('.log .fault', { hasText: 'until' }).waitFor();
    await page.getByText('The figures as a table').click();
    await page.getByRole('row', { name: /pause server 1/ }).waitFor();
    await page.screenshot({ path: join(PICTURES, 'fault.png'), fullPage: true });
  });

  for (const [name, scene, more] of [
    ['light', 'cluster', {}],
    ['dark', 'cluster', { colorScheme: 'dark' }],
    ['phone', 'cluster', { viewport: PHONE }],
    ['many', 'many', {}],
    ['empty', 'empty', {}],
  ] as const) {
    test(`${name}: a picture of it, and nothing serious for those who can't see it`, async (t) => {
      const proxy = await startFakeProxy(scene);
      t.after(proxy.close);
      const page = await open(t, proxy.url, more);
      await page
        .locator(scene === 'empty' ? '.firststeps' : '.row[data-key]')
        .first()
        .waitFor();
      const { violations } = await new AxeBuilder({ page }).analyze();
      const bad = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
      assert.deepEqual(
        bad.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`),
        [],
      );
      if (scene !== 'empty') {
        // They are loaded when they come into view.
        await page.locator('.charts').scrollIntoViewIfNeeded();
        await page.locator('.canvas canvas').waitFor();
        await page.evaluate('scrollTo(0, 0)');
      }
      await page.screenshot({ path: join(PICTURES, `${name}.png`), fullPage: true });
    });
  }

  test('charts whose library could not be fetched at once are drawn with what comes next', async (t) => {
    const proxy = await startFakeProxy('cluster');
    t.after(proxy.close);
    const page = await open(t, 'about:blank');
    let failed = 0;
    await page.route('**/echarts.js', (route) => {
      failed += 1;
      return route.abort();
    });
    await visit(page, proxy.url);
    await page.locator('.charts').scrollIntoViewIfNeeded();
    await page.locator('.canvas canvas').waitFor();
    assert.equal(failed, 1);
  });

  test('an order needs a name, a reason and the right token, which a wrong one is not taken for', async (t) => {
    const proxy = await startFakeProxy('cluster');
    t.after(proxy.close);
    const page = await open(t, proxy.url);
    await page.getByRole('button', { name: 'Acts on server-p1-1', exact: true }).click();
    const drawer = page.getByRole('complementary', { name: 'server-p1-1' });
    await drawer.getByRole('button', { name: 'Drain' }).click();
    const form = drawer.locator('.actform');
    await form.locator('label:has-text("Your name") input:focus').waitFor();
    const submit = form.getByRole('button', { name: 'Drain' });
    for (const [field, value, problem] of [
      ['Your name', 'root', /Give your name/],
      ['Reason', 'new disk', /Give a reason/],
      ['Token', 'wrong', /Give the token/],
    ] as const) {
      await submit.click();
      await form.getByRole('alert').filter({ hasText: problem }).waitFor();
      await form.getByLabel(field).fill(value);
    }
    await submit.click();
    await form.getByText('The token is not the right one.').waitFor();
    await page.getByRole('button', { name: 'Looking only' }).waitFor();
    await form.getByLabel('Token').fill('secret');
    await submit.click();
    await drawer.getByText('Drain: done.').waitFor();
    await page.getByRole('button', { name: 'root' }).waitFor();
    assert.deepEqual(
      proxy.asked.map(({ token }) => token),
      ['wrong', 'secret'],
    );
  });

  test('what is read out calls a server by its name; Orders lists what was ordered, and nothing else', async (t) => {
    const proxy = await startFakeProxy('cluster');
    t.after(proxy.close);
    const page = await open(t, proxy.url);
    const first = page.locator('p[aria-live=polite]', { hasText: /not ready/ });
    await first.waitFor({ state: 'attached' });
    proxy.change(([policy]) => {
      const server = policy?.servers[0];
      if (policy === undefined || server === undefined) return;
      const { id, address } = server;
      const about = { atMs: Date.now(), policy: policy.policy, id, address, evidence: {} };
      proxy.tell({ ...about, type: 'drained', cause: 'ordered', why: 'by order of root: new disk' });
      proxy.tell({ ...about, type: 'evicted', cause: 'probe-timeout', why: 'it did not answer' });
    });
    await page
      .locator('[aria-live=polite]', { hasText: /server-p1-1 of policy 1: evicted/ })
      .first()
      .waitFor({ state: 'attached' });
    const listed = page.getByRole('list', { name: 'Events, newest first' }).getByRole('listitem');
    const evicted = listed.filter({ hasText: 'evicted server-p1-1' });
    await evicted.waitFor();
    await page.getByRole('button', { name: 'Orders' }).click();
    await evicted.waitFor({ state: 'detached' });
    const texts = await listed.allTextContents();
    assert.match(texts[0] ?? '', /drained server-p1-1.*new disk/s);
    for (const text of texts) assert.match(text, /drained|resumed/);
  });

  test('a proxy that falls silent is said to be stale', async (t) => {
    const proxy = await startFakeProxy('cluster');
    t.after(proxy.close);
    const page = await open(t, proxy.url);
    await page.locator('.row[data-key]').first().waitFor();
    proxy.goSilent();
    await page.getByRole('alert').first().waitFor();
  });
});

/** Run in the page: how many pixels of the charts have the colour of the bar on top of a fault's window, about #b08a2e. */
const pixelsOfFaults = `(() => {
  const canvas = document.querySelector('.canvas canvas');
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  let count = 0;
  for (let at = 0; at < data.length; at += 4)
    if (Math.abs(data[at] - 176) + Math.abs(data[at + 1] - 138) + Math.abs(data[at + 2] - 46) < 24) count += 1;
  return count;
})()`;

/** Six servers of three policies, as programs. */
async function startCluster(t: TestContext) {
  const [port, adminPort] = [await freePort(), await freePort()];
  const folder = await mkdtemp(join(tmpdir(), 'page-'));
  t.after(() => rm(folder, { recursive: true }));
  const withToken = ['--register-token-file', join(folder, 'token')];
  await writeFile(join(folder, 'token'), TOKEN);
  const startProxy = async (): Promise<Program> => {
    const proxy = startProgram('services/proxy/main.ts', [
      ...[String(port), '--admin-port', String(adminPort)],
      ...withToken,
    ]);
    t.after(() => proxy.stop());
    await proxy.printed(/listening/);
    return proxy;
  };
  let proxy = await startProxy();
  const servers: Program[] = [];
  for (let at = 0; at < 6; at += 1) {
    const [id, policy, own] = [String(at + 1), String(Math.floor(at / 2) + 1), String(await freePort())];
    const server = startProgram('services/server/main.ts', [
      ...[id, policy, own, '--proxy', `127.0.0.1:${port}`],
      ...withToken,
    ]);
    t.after(() => server.stop());
    servers.push(server);
  }
  for (const server of servers) await server.printed(/registered/);
  return {
    address: `127.0.0.1:${port}`,
    url: `http://127.0.0.1:${adminPort}/`,
    kill: (id: number) => servers[id - 1]?.child.kill('SIGKILL'),
    restartProxy: async () => {
      await proxy.stop();
      proxy = await startProxy();
    },
  };
}
