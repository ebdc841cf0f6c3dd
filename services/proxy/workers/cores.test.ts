import assert from 'node:assert/strict';
import { test } from 'node:test';
import { quotaCores, workersForAllCores } from './cores.ts';

test('the CPU quota of a container is read from both kinds of cgroups', () => {
  const quotaOf = (files: Record<string, string>): number =>
    quotaCores((path) => files[path.replace('/sys/fs/cgroup/', '')] ?? '');
  const v1 = (quota: string) => ({
    'cpu/cpu.cfs_quota_us': `${quota}\n`,
    'cpu/cpu.cfs_period_us': '100000\n',
  });
  const cases: [Record<string, string>, number][] = [
    [{ 'cpu.max': '250000 100000\n' }, 2.5],
    [{ 'cpu.max': 'max 100000\n' }, Number.POSITIVE_INFINITY],
    [v1('400000'), 4],
    [v1('-1'), Number.POSITIVE_INFINITY],
    [{}, Number.POSITIVE_INFINITY],
  ];
  for (const [files, cores] of cases) assert.equal(quotaOf(files), cores);
});

test('there is always a worker', () => {
  assert.ok(workersForAllCores() >= 1);
});
