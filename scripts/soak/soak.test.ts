import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, test } from 'node:test';
import { formatJudgement } from '../kit/report/judgement.ts';
import { SILENT } from '../kit/steps.ts';
import { renderSoak } from './report.ts';
import { runSoak } from './run.ts';
import { readHandles } from './stage.ts';
import { judgeSoak } from './verdict.ts';

const FIVE_SECONDS = 5 / 60;

describe('runs', { concurrency: true }, () => {
  test('a few seconds of it lose nothing and leave nothing behind; memory can not be told', async (t) => {
    const soak = await runSoak({ minutes: FIVE_SECONDS, rate: 200, seed: 1 }, SILENT, t.signal);
    const judgement = judgeSoak(soak);
    const bad = judgement.findings
      .filter(({ verdict }) => verdict !== 'pass')
      .map(({ criterion }) => criterion);
    assert.deepEqual(bad, ['memory'], formatJudgement(judgement));
    assert.equal(judgement.verdict, 'unknown');
    assert.ok(soak.counts.ok > 1000, `${soak.counts.ok} answered`);
    assert.ok(soak.actions.length >= 4, `${soak.actions.length} actions`);
    assert.ok(soak.samples.length >= 5, `${soak.samples.length} samples`);
    const page = renderSoak(soak, judgement, { machine: {}, command: 'again' });
    assert.match(page, /Memory of the proxy, MB/);
    assert.doesNotMatch(page, /NaN|undefined/);
  });

  test('an interruption is reported as unknown with what was seen until then, and nothing is lost by it', async () => {
    const interruption = new AbortController();
    const progress = {
      ...SILENT,
      phase: (text: string) => {
        // The first line about the churn: it is under way.
        if (text.includes('in rotation')) interruption.abort();
      },
    };
    const soak = await runSoak({ minutes: 5, rate: 200, seed: 2 }, progress, interruption.signal);
    const judgement = judgeSoak(soak);
    assert.equal(judgement.verdict, 'unknown', formatJudgement(judgement));
    assert.equal(soak.cutShort, 'interrupted');
    assert.ok(soak.samples.length > 0);
    assert.ok(soak.counts.ok > 0);
    assert.equal(soak.counts.lost, 0);
    assert.equal(soak.proxyEnded, null);
  });
});

test('an open file more is seen', async (t) => {
  const before = readHandles(process.pid);
  const server = createServer().listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const after = readHandles(process.pid);
  assert.equal(after.socket, (before.socket ?? 0) + 1);
});
