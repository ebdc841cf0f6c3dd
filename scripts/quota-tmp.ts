import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { prepareNative, runLoad, startServers } from './bench/native.ts';
import { startProxyProcess } from './kit/proxy-process.ts';
import { waitForServers } from './kit/policies.ts';
import { SILENT } from './kit/steps.ts';
import { familyOf } from './kit/process-cost.ts';

const [counts = '1,2,4', modes = 'keep,oneshot', connections = '256', repeat = '7', seconds = '2', share = '20'] = process.argv.slice(2);
const programs = await prepareNative(SILENT);
const base = `/sys/fs/cgroup/cpu/wk${process.pid}`;
const signal = new AbortController().signal;
const groups: string[] = [];
type T = { n: number; port: number; pid: number; stop(): Promise<unknown> };
const targets: T[] = [];
let at = 0;
for (const spec of counts.split(',')) {
  const [nText = '1', ls = ''] = spec.split(':'); const n = Number(nText);
  const proxy = await startProxyProcess({ environment: { PROXY_WORKERS: String(n), ...(ls && { LS: ls }) }, signal });
  const servers = await startServers(programs, { first: 0, count: 6, port: 9000 + at, policies: 3, proxyPort: proxy.port });
  await waitForServers({ adminUrl: proxy.adminUrl, count: 6, timeoutMs: 20000, signal });
  const pid = proxy.pid as number;
  const tids = readdirSync(`/proc/${pid}/task`).filter((tid) => n === 1 ? Number(tid) === pid : readFileSync(`/proc/${pid}/task/${tid}/comm`, 'utf8').startsWith('worker'));
  if (tids.length !== n) { console.error(readdirSync(`/proc/${pid}/task`).map((tid) => readFileSync(`/proc/${pid}/task/${tid}/comm`, 'utf8').trim())); throw new Error(`${tids.length} threads for ${n}`); }
  if (Number(share) > 0) for (const tid of tids) {
    const group = `${base}-${tid}`;
    mkdirSync(group); groups.push(group);
    writeFileSync(`${group}/cpu.cfs_period_us`, '20000');
    writeFileSync(`${group}/cpu.cfs_quota_us`, String(200 * Number(share)));
    writeFileSync(`${group}/tasks`, tid);
  }
  targets.push({ n: spec as never, port: proxy.port, pid, stop: async () => { await servers.process.stop(); await proxy.stop(); } });
  at += 1;
}
const rows: Record<string, Record<number, { rps: number; us: number; p99: number }[]>> = {};
for (let round = -1; round < Number(repeat); round += 1) for (const mode of modes.split(',')) {
  const order = round % 2 === 0 ? targets : [...targets].reverse();
  for (const { n, port, pid } of order) {
    await sleep(300);
    const load = await runLoad(programs, { mode: mode as 'keep', connections: Number(connections), payloadBytes: 64, depth: 1, rate: 0, id: mode, port, seconds: round < 0 ? 1 : Number(seconds), policies: 3, pids: familyOf(pid) } as never, () => {});
    if (round < 0) continue;
    const us = load.cpuUs.slice(1).reduce((a, b) => a + b, 0) / load.requests;
    const errors = Object.values(load.errors).reduce((a, b) => a + b, 0);
    if (errors > 0) console.log(mode, n, JSON.stringify(load.errors));
    ((rows[mode] ??= {})[n] ??= []).push({ rps: load.requests / load.seconds, us, p99: load.latencyUs.p99 });
  }
}
const median = (list: number[]) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)] as number;
for (const [mode, byN] of Object.entries(rows)) {
  const one = median((byN[targets[0]!.n] ?? []).map(({ rps }) => rps)), oneUs = median((byN[targets[0]!.n] ?? []).map(({ us }) => us));
  for (const [n, list] of Object.entries(byN)) {
    const rps = median(list.map((x) => x.rps)), us = median(list.map((x) => x.us));
    console.log(mode, n, Math.round(rps), `x${(rps / one).toFixed(2)}`, `${us.toFixed(1)} us`, `x${(us / oneUs).toFixed(2)}`, `p99 ${median(list.map((x) => x.p99))}`, list.map((x) => Math.round(x.rps)).join(' '));
  }
}
for (const t of targets) await t.stop();
await sleep(500);
for (const g of groups) try { rmdirSync(g); } catch {}
process.exit(0);
