// What the process itself takes. The client's own default metrics are not used: five of them fail `promtool check metrics`.
import { readdir } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';
import { descriptorLimit } from '../network/descriptors.ts';
import type { Family, Sample } from './families.ts';

const US_PER_S = 1_000_000;
const MS_PER_S = 1000;

export const PROCESS_FAMILIES: readonly Family[] = [
  {
    name: 'process_cpu_seconds_total',
    type: 'counter',
    labels: [],
    help: 'CPU time that the process has used, in user and system mode.',
    read: () => {
      const { user, system } = process.cpuUsage();
      return [{ value: (user + system) / US_PER_S }];
    },
  },
  {
    name: 'process_resident_memory_bytes',
    type: 'gauge',
    labels: [],
    help: 'Memory of the process that is in RAM.',
    read: () => [{ value: process.memoryUsage.rss() }],
  },
  {
    name: 'process_start_time_seconds',
    type: 'gauge',
    labels: [],
    help: 'When the process started, since the epoch.',
    read: () => [{ value: performance.timeOrigin / MS_PER_S }],
  },
  {
    name: 'process_open_fds',
    type: 'gauge',
    labels: [],
    help: 'Descriptors that the process has open.',
    read: openDescriptors,
  },
  {
    name: 'process_max_fds',
    type: 'gauge',
    labels: [],
    help: 'Descriptors that the process may have open.',
    read: () => [{ value: descriptorLimit() }],
  },
  {
    name: 'nodejs_heap_size_used_bytes',
    type: 'gauge',
    labels: [],
    help: 'Memory that objects take, what is not collected yet included.',
    read: ({ otherThreads }) => [
      { value: process.memoryUsage().heapUsed + (otherThreads?.().heapBytes ?? 0) },
    ],
  },
  {
    name: 'nodejs_eventloop_active_seconds_total',
    type: 'counter',
    labels: [],
    help: 'How long the event loop has not waited for events: its rate is the share of a core that one process can use up; of all threads with --workers.',
    read: ({ otherThreads }) => {
      const activeMs = performance.eventLoopUtilization().active + (otherThreads?.().activeMs ?? 0);
      return [{ value: activeMs / MS_PER_S }];
    },
  },
];

// One of them is that of the listing. Where there is no /proc, nothing is said.
async function openDescriptors(): Promise<Sample[]> {
  const names = await readdir('/proc/self/fd').catch(() => null);
  return names === null ? [] : [{ value: names.length - 1 }];
}
